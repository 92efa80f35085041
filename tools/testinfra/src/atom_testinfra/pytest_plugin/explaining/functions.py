"""Notes in which functions the time goes; for a run that explains, apart from the one that is observed."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _pytest
import hypothesis
import pluggy

import atom_testinfra
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.costs import seconds
from atom_testinfra.pytest_plugin.explaining.places import SITE_PACKAGES, STDLIB, cut

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import CodeType, FrameType

    from atom_testinfra.pytest_plugin.costs import Record
    from atom_testinfra.pytest_plugin.explaining.places import Places

N_FUNCTIONS = 10

MACHINERY = (
    *(str(Path(module.__file__ or "").parent) for module in (hypothesis, _pytest, pluggy, atom_testinfra)),
    str(Path(hypothesis.__file__).parent.parent / "_hypothesis_"),
)
"""What runs the test is not what it spends its time on; Hypothesis's own time is known better."""

BORROWED = ("sortedcontainers", "typing_extensions", "attr", "_distutils_hack", "__editable__")
"""What Hypothesis and imports use: like the standard library it counts for who calls it."""

BUSY = "another profiler is active: the functions in which the time goes are not known"


class _Function:
    """What a function took by itself, and in the standard library on its behalf."""

    __slots__ = ("code", "n", "own_s")

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.n = 0
        self.own_s = 0.0


class FunctionWatch:
    """
    Profiles a call: time counts for the innermost function that is worth naming.

    What the standard library and C functions take counts for the function that called them; what Hypothesis
    takes, and the standard library for it, counts for none. A profiler of functions alone cannot tell them.
    """

    def __init__(self) -> None:
        self._functions: dict[CodeType, _Function | None] = {}
        self._nobody = _Function(_is_told.__code__)
        self._stack: list[_Function] = []
        self.problems: list[str] = []

    @contextlib.contextmanager
    def watching(self) -> Generator[None]:
        """Profile this thread, unless somebody else does."""
        if sys.getprofile() is not None:
            self.problems.append(BUSY)
            yield
            return
        self._stack = [self._nobody]
        sys.setprofile(self._listener())
        try:
            yield
        finally:
            sys.setprofile(None)

    def record(self, places: Places) -> list[Record]:
        """Return the functions of the test and of what it calls, by their own time."""
        found = [function for function in self._functions.values() if function is not None and function.n]
        found = [function for function in found if function is not self._nobody]
        found.sort(key=lambda function: -function.own_s)
        return [
            {
                "place": places.of_code(function.code),
                "function": cut(function.code.co_qualname),
                "n": function.n,
                "own_s": seconds(function.own_s),
            }
            for function in found[:N_FUNCTIONS]
        ]

    def _listener(self) -> Any:
        stack, functions, clock, find = self._stack, self._functions, Clocks.wall, self._find
        last = clock()

        def listen(frame: FrameType, event: str, _argument: object) -> None:
            nonlocal last
            if event == "call":
                now = clock()
                stack[-1].own_s += now - last
                code = frame.f_code
                function = functions[code] if code in functions else find(code)
                if function is None:
                    function = stack[-1]
                else:
                    function.n += 1
                stack.append(function)
                last = clock()
            elif event == "return":
                now = clock()
                stack[-1].own_s += now - last
                if len(stack) > 1:
                    stack.pop()
                last = clock()

        return listen

    def _find(self, code: CodeType) -> _Function | None:
        """Return what the function's time counts for; `None` stands for the function that calls it."""
        path = code.co_filename
        if path.startswith(MACHINERY) or code.co_name.startswith("pytest_"):
            found: _Function | None = self._nobody
        else:
            found = _Function(code) if _is_told(path) else None
        self._functions[code] = found
        return found


def _is_told(path: str) -> bool:
    """Whether a function is worth naming: not generated, nor of the standard library or the like."""
    for prefix in SITE_PACKAGES:
        if path.startswith(prefix):
            return not path[len(prefix) :].startswith(BORROWED)
    return not path.startswith(("<", STDLIB))
