"""The clocks, bound before a test can patch them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Clocks(NamedTuple):
    """
    Monotonic seconds: wall, CPU of the process, CPU of the thread.

    They are held in a tuple, not in module attributes: libraries that freeze the time replace every module
    attribute in sight.
    """

    wall: Callable[[], float]
    process_cpu: Callable[[], float]
    thread_cpu: Callable[[], float]


CLOCKS = Clocks(time.perf_counter, time.process_time, time.thread_time)
