"""Notes which line of the project draws, from what, and how long that takes; for a run that explains."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis.internal.conjecture.data import ConjectureData
from hypothesis.strategies import DataObject
from hypothesis.strategies._internal.lazy import unwrap_strategies

from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.costs import seconds
from atom_testinfra.pytest_plugin.explaining.places import cut, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import CodeType, FrameType

    from atom_testinfra.pytest_plugin.costs import Record
    from atom_testinfra.pytest_plugin.explaining.places import Places

unwrap: Any = unwrap_strategies
"""From a strategy that is made when it is first drawn from to the one that it makes."""

N_DRAWS = 50
"""Lines that are kept, those that take longest."""

N_STRATEGIES = 10_000
"""Strategies that are looked through for filters, the first that are drawn from."""

HYPOTHESIS = hypothesis.__file__.rpartition("__init__")[0]


class _Line:
    """What one line of the project draws."""

    __slots__ = ("code", "depth", "line", "n", "own_s", "strategy", "total_s")

    def __init__(self, code: CodeType, line: int, strategy: object) -> None:
        self.code, self.line, self.strategy = code, line, strategy
        self.n = self.depth = 0
        self.total_s = self.own_s = 0.0


class DrawWatch:
    """Wraps Hypothesis's one way to draw, for the length of a call."""

    def __init__(self) -> None:
        self._lines: dict[tuple[CodeType, int], _Line] = {}
        self._strategies: dict[int, Any] = {}
        self._thread = threading.local()
        self._interactive = getattr(DataObject.draw, "__code__", None)

    @contextlib.contextmanager
    def watching(self) -> Generator[None]:
        """Note every draw that a line outside of Hypothesis asks for."""
        original: Callable[..., Any] = ConjectureData.draw

        def draw(data: Any, strategy: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if id(strategy) not in self._strategies and len(self._strategies) < N_STRATEGIES:
                self._strategies[id(strategy)] = strategy
            frame = self._find_caller(sys._getframe(1))
            if frame is None:
                return original(data, strategy, *args, **kwargs)
            line = self._line(frame, strategy)
            del frame
            return self._timed(line, original, data, strategy, *args, **kwargs)

        ConjectureData.draw = draw  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            ConjectureData.draw = original  # type: ignore[method-assign]

    def record(self, places: Places) -> list[Record]:
        """Return the lines that draw, the one that takes longest by itself first."""
        ranked = sorted(self._lines.values(), key=lambda line: -line.own_s)
        return [
            {
                "place": places.of_line(line.code.co_filename, line.line),
                "function": cut(line.code.co_qualname),
                "strategy": describe(line.strategy),
                "n": line.n,
                "own_s": seconds(line.own_s),
                "total_s": seconds(line.total_s),
            }
            for line in ranked[:N_DRAWS]
        ]

    def filters(self, places: Places) -> dict[str, str]:
        """Return where the conditions of filtered strategies stand, by the strategy's representation."""
        found: dict[str, str] = {}
        for strategy in self._strategies.values():
            filtered = unwrap(strategy)
            codes = [code for one in _conditions(filtered) if (code := getattr(one, "__code__", None))]
            if codes:
                found.setdefault(describe(filtered), ", ".join(dict.fromkeys(map(places.of_code, codes))))
        return found

    def _find_caller(self, frame: FrameType) -> FrameType | None:
        """Return the frame of the project that draws, or `None` where Hypothesis does for itself."""
        if frame.f_code is self._interactive and frame.f_back is not None:
            frame = frame.f_back
        return None if frame.f_code.co_filename.startswith(HYPOTHESIS) else frame

    def _line(self, frame: FrameType, strategy: object) -> _Line:
        key = (frame.f_code, frame.f_lineno)
        if (line := self._lines.get(key)) is None:
            line = self._lines[key] = _Line(*key, strategy)
        return line

    def _timed(self, line: _Line, draw: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        stack: list[float] = self._thread.__dict__.setdefault("inner_s", [])
        stack.append(0.0)
        line.n += 1
        line.depth += 1
        began = Clocks.wall()
        try:
            return draw(*args, **kwargs)
        finally:
            took = Clocks.wall() - began
            line.own_s += took - stack.pop()
            line.depth -= 1
            if line.depth == 0:  # a recursive strategy's outer draw has the time of its inner ones
                line.total_s += took
            if stack:
                stack[-1] += took


def _conditions(strategy: Any) -> list[object]:
    """Return the conditions of a filtered strategy; one that samples from a list keeps them otherwise."""
    match type(strategy).__name__:
        case "FilteredStrategy":
            return [*getattr(strategy, "flat_conditions", ())]
        case "SampledFromStrategy":
            steps = getattr(strategy, "_transformations", ())
            return [step[1] for step in steps if isinstance(step, tuple) and step[0] == "filter"]
        case _:
            return []
