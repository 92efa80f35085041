"""Appends to a run file; imports nothing that the run under measurement would have to pay for."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Any

APPEND = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class RunWriter:
    """
    Appends lines to a run file of its own; each is on its way to the disk when `write_line` returns.

    A file that exists is never opened, and this one is locked for as long as its writer lives (except on
    Windows), so that nobody takes a run that still works for one that was killed. It is opened again when a
    test has closed all the files that it did not know. Whatever goes wrong is an `OSError`, described by
    `storage.runs`.
    """

    # Bound before a test can put a file system of its own in the place of the machine's.
    _getpid = staticmethod(os.getpid)
    _open = staticmethod(os.open)
    _fstat = staticmethod(os.fstat)
    _seek = staticmethod(os.lseek)
    _write = staticmethod(os.write)
    _close = staticmethod(os.close)
    _unlink = staticmethod(os.unlink)
    if sys.platform != "win32":
        _flock = staticmethod(fcntl.flock)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = self._getpid()
        self._place = os.fspath(path.absolute())
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: int | None = self._open(path, APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        self._identity = self._identify(self._file)
        if sys.platform != "win32":
            self._flock(self._file, fcntl.LOCK_EX)
        self.size = 0
        """Bytes written."""

    def write_line(self, line: str) -> None:
        """Append a line that is encoded already; a forked child has nothing to say here."""
        if self._file is None or self._getpid() != self._pid:
            return
        try:
            # A test may have closed it, and another file have its number now: as long it is by chance only.
            is_ours = self._seek(self._file, 0, os.SEEK_CUR) == self.size > 0
        except OSError:
            is_ours = False
        if not is_ours and self._identify(self._file) != self._identity:
            self._file = self._open_again()
        data = line.encode() + b"\n"
        n_written = self._write(self._file, data)
        while n_written < len(data):
            n_written += self._write(self._file, data[n_written:])
        self.size += n_written

    def write_after(self, line: str) -> None:
        """Append a line to the closed file; as elsewhere, a forked child writes nothing."""
        if self._file is not None or self._getpid() != self._pid:
            return
        file = self._open_again()
        try:
            self._write(file, line.encode() + b"\n")
        finally:
            self._close(file)

    def close(self) -> None:
        """Close the file; remove it when nothing was written, so that no empty file passes for a result."""
        if self._file is None or self._getpid() != self._pid:
            return
        if self._identify(self._file) == self._identity:
            self._close(self._file)
        self._file = None
        if self.size == 0:
            with suppress(FileNotFoundError):
                self._unlink(self.path)

    def _identify(self, file: int) -> tuple[int, int] | None:
        """Return what tells the file behind a descriptor from all others, or `None` if there is none."""
        try:
            status = self._fstat(file)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _open_again(self) -> int:
        """Return a new descriptor: the old one was closed, and its number may stand for another file now."""
        file = self._open(self._place, APPEND)
        if self._identify(file) != self._identity:
            self._close(file)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._place)
        if sys.platform != "win32":
            # It is still locked where a child of this process has the old descriptor.
            with suppress(BlockingIOError):
                self._flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def escape(text: str) -> str:
    """Return the text with lone surrogates escaped, which odd file names have and JSON cannot hold."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def escape_all(value: Any) -> Any:
    """Return plain data with all text in it escaped, the keys of its dicts included."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, list):
        return [escape_all(part) for part in value]
    if isinstance(value, dict):
        return {escape(key): escape_all(part) for key, part in value.items()}
    return value
