"""The clocks, bound before a test can patch them."""

from __future__ import annotations

import time


class Clocks:
    """
    Monotonic clocks: wall, CPU of the process, CPU of the thread.

    They are held in a class, not in the module: libraries that freeze the time replace every module attribute
    in sight.
    """

    wall = staticmethod(time.perf_counter)
    wall_ns = staticmethod(time.perf_counter_ns)
    process_cpu = staticmethod(time.process_time)
    process_cpu_ns = staticmethod(time.process_time_ns)
    thread_cpu = staticmethod(time.thread_time)
