"""Appends to a run file; imports nothing that the run under measurement would have to pay for."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class RunWriter:
    """
    Appends lines to a run file of its own; each is on its way to the disk when `write_line` returns.

    A file that exists is never opened, and this one is locked for as long as its writer lives (except on
    Windows), so that nobody takes a run that still works for one that was killed. Whatever goes wrong is an
    `OSError`, described by `storage.runs`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = os.getpid()
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        self._file: int | None = os.open(path, flags, 0o644)
        if sys.platform != "win32":
            fcntl.flock(self._file, fcntl.LOCK_EX)
        self.n_lines = 0

    def write_line(self, line: str) -> None:
        """Append a line that is encoded already; a forked child has nothing to say here."""
        if self._file is None or os.getpid() != self._pid:
            return
        data = line.encode() + b"\n"
        n_written = os.write(self._file, data)
        while n_written < len(data):
            n_written += os.write(self._file, data[n_written:])
        self.n_lines += 1

    def close(self) -> None:
        """Close the file; remove it when nothing was written, so that no empty file passes for a result."""
        if self._file is None or os.getpid() != self._pid:
            return
        os.close(self._file)
        self._file = None
        if self.n_lines == 0:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
