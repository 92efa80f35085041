"""Appends to a run file; imports nothing that the run under measurement would have to pay for."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
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

    # Bound before a test can put a file system of its own in the place of the machine's.
    _getpid = staticmethod(os.getpid)
    _write = staticmethod(os.write)
    _close = staticmethod(os.close)
    _unlink = staticmethod(os.unlink)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = self._getpid()
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        self._file: int | None = os.open(path, flags, 0o644)
        if sys.platform != "win32":
            fcntl.flock(self._file, fcntl.LOCK_EX)
        self.n_lines = 0

    def write_line(self, line: str) -> None:
        """Append a line that is encoded already; a forked child has nothing to say here."""
        if self._file is None or self._getpid() != self._pid:
            return
        data = line.encode() + b"\n"
        n_written = self._write(self._file, data)
        while n_written < len(data):
            n_written += self._write(self._file, data[n_written:])
        self.n_lines += 1

    def close(self) -> None:
        """Close the file; remove it when nothing was written, so that no empty file passes for a result."""
        if self._file is None or self._getpid() != self._pid:
            return
        self._close(self._file)
        self._file = None
        if self.n_lines == 0:
            with suppress(FileNotFoundError):
                self._unlink(self.path)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
