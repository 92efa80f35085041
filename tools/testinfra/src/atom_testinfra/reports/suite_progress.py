"""How far the timed suite has come: a line that renews itself on a terminal, one now and then elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from atom_testinfra.reports.progress import LINE_EVERY_S, describe_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

CLEAR_LINE = "\r\x1b[K"


class SuiteProgress:
    """Shows elapsed time, pytest's own progress, and what it took the last time."""

    def __init__(self, stream: TextIO, last_s: float | None, *, is_terminal: bool) -> None:
        self._stream = stream
        self._last_s = last_s
        self._is_terminal = is_terminal
        self._told_s = 0.0

    def tick(self, elapsed_s: float, percent: int | None) -> None:
        """Show how far it is."""
        if not self._is_terminal and elapsed_s - self._told_s < LINE_EVERY_S:
            return
        self._told_s = elapsed_s
        line = f"timing the whole suite: {describe_seconds(elapsed_s)}"
        if percent is not None:
            line += f", {percent} % of the tests"
        if self._last_s is not None:
            line += f" (the last time {describe_seconds(self._last_s)})"
        print(
            f"{CLEAR_LINE}{line}" if self._is_terminal else line,
            end="" if self._is_terminal else "\n",
            file=self._stream,
            flush=True,
        )

    def close(self) -> None:
        """Take the line away."""
        if self._is_terminal:
            print(CLEAR_LINE, end="", file=self._stream, flush=True)


@contextmanager
def suite_progress(last_s: float | None) -> Iterator[SuiteProgress]:
    """Show progress on stderr for as long as the suite runs."""
    progress = SuiteProgress(sys.stderr, last_s, is_terminal=sys.stderr.isatty())
    try:
        yield progress
    finally:
        progress.close()
