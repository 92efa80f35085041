"""Replace a file so that it is the old one or the new one, whole, whatever happens meanwhile."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from atom_testinfra.core.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

WAIT_S = 60.0
LOCKS = ".testinfra"
"""Folder of the lock files, beside the file they are for; keeps itself out of version control."""

_UNFINISHED = ".unfinished"


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """
    Make others who write the same file wait; yields the file itself where `path` is a link to it.

    Raises:
        BaselineError: Another process did not finish in time, or the file or its folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    folder = target.parent / LOCKS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        lock = FileLock(folder / f"{target.name}.lock", timeout=WAIT_S)
        lock.acquire()
    except Timeout as exc:
        raise BaselineError(
            f"another process has been writing {os.fspath(path)!r} for {WAIT_S:g} s",
            hint="wait for it, or end it",
        ) from exc
    except OSError as exc:
        raise _cannot_write(path, exc) from exc
    try:
        yield target
    except OSError as exc:
        raise _cannot_write(path, exc) from exc
    finally:
        lock.release()


def replace_file(
    path: Path, pieces: Iterable[bytes], *, check: Callable[[Path], object] | None = None
) -> None:
    """
    Replace the file by the pieces; call it inside `writing(path)` where others may write the same file.

    `check` is given the new file before it takes the old one's place, which it does not if `check` raises.

    Raises:
        OSError: It cannot be written; it is as it was then.
    """
    _remove_unfinished(path)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(Path(temporary))
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    _sync_folder(path.parent)


def _remove_unfinished(path: Path) -> None:
    """Remove what a killed writer left: nobody else writes while the lock is held."""
    for left in path.parent.iterdir():
        if left.name.startswith(f".{path.name}.") and left.name.endswith(_UNFINISHED):
            left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # there, a folder cannot be opened, and the rename is written through
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot_write(path: Path, exc: OSError) -> BaselineError:
    hints = {
        errno.ENOSPC: "free some space",
        errno.EACCES: "make its folder writable, or name another file: baseline = ... in [tool.testinfra]",
        errno.EROFS: "name a file elsewhere: baseline = ... in [tool.testinfra]",
    }
    return BaselineError(
        f"cannot write {os.fspath(path)!r}: {exc.strerror or exc}", hint=hints.get(exc.errno or 0)
    )
