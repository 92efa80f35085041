"""Which steps from line to line a property takes in the project's own code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType, FrameType

Step = tuple[int, int, int]
"""A number for the code object, and two lines of it."""


class LineWatch:
    """Traces the project's code in one thread, for as long as it is switched on."""

    def __init__(self, root: str) -> None:
        self._root = Path(root).resolve()
        self._numbers: dict[CodeType, int | None] = {}
        self._seen: set[Step] = set()

    def start(self) -> bool:
        """Begin, and return whether that was possible: a debugger or a coverage tool may trace already."""
        self._seen = set()
        if sys.gettrace() is not None:
            return False
        sys.settrace(self._enter)
        return True

    def stop(self) -> set[Step]:
        """End, and return the steps that were taken."""
        if sys.gettrace() == self._enter:
            sys.settrace(None)
        return self._seen

    def _enter(self, frame: FrameType, _event: str, _arg: object) -> Any:
        code = frame.f_code
        try:
            number = self._numbers[code]
        except KeyError:
            number = self._numbers[code] = len(self._numbers) if self._is_own(code) else None
        if number is None:
            return None
        seen, last = self._seen, 0

        def step(frame: FrameType, event: str, _arg: object) -> Any:
            nonlocal last
            if event == "line":
                line = frame.f_lineno
                seen.add((number, last, line))
                last = line
            return step

        return step

    def _is_own(self, code: CodeType) -> bool:
        path = Path(code.co_filename).resolve()
        return path.is_relative_to(self._root) and "site-packages" not in path.parts
