"""
Freezes the time as libraries for tests do, for suites under measurement.

It replaces the functions of `time`, and whatever variable of a loaded module refers to one of them.
"""

from __future__ import annotations

import itertools
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

NAMES = ("perf_counter", "time", "monotonic", "process_time", "thread_time")
REAL = {name: getattr(time, name) for name in NAMES}
ALL = {**REAL, **{f"{name}_ns": getattr(time, f"{name}_ns") for name in NAMES}}


class Freeze:
    """Puts the clock `tell` in the place of all clocks, between `start` and `stop` or in a `with` block."""

    def __init__(self, tell: Callable[[], float]) -> None:
        fakes: dict[str, Callable[[], Any]] = dict.fromkeys(REAL, tell)
        fakes |= {f"{name}_ns": lambda: int(tell() * 1e9) for name in NAMES}
        self._fakes = {id(ALL[name]): fake for name, fake in fakes.items()}
        self._undo: list[tuple[dict[str, Any], str, Any]] = []

    def start(self) -> None:
        """Replace all clocks that can be found."""
        for module in [*sys.modules.values()]:
            if module is sys.modules[__name__] or module.__name__.startswith("_pytest."):
                continue
            for name, value in [*vars(module).items()]:
                if id(value) in self._fakes:
                    self._undo.append((vars(module), name, value))
                    vars(module)[name] = self._fakes[id(value)]

    def stop(self) -> None:
        """Put back what was replaced."""
        while self._undo:
            variables, name, value = self._undo.pop()
            variables[name] = value

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def frozen() -> Freeze:
    """Let the time stand still."""
    return Freeze(lambda: 1_580_601_600.0)


def ticking(step_s: float) -> Freeze:
    """Let each look at a clock take `step_s` seconds, which may be negative."""
    ticks: Iterator[float] = itertools.count(1_580_601_600.0, step_s)
    return Freeze(lambda: next(ticks))
