"""The folder that the tool writes into, and what to say where a file cannot be written or read."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from atom_testinfra.core.errors import RunFileError
from atom_testinfra.storage.atomic import LOCKS

if TYPE_CHECKING:
    from pathlib import Path

IGNORE = ".gitignore"
IGNORE_ALL = "*\n"


def prepare_folder(folder: Path) -> None:
    """
    Make a folder for what the tool writes, which keeps itself out of version control.

    One that is there is left as it is: git has to go on seeing what else somebody keeps in it.
    """
    try:
        made = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for place in made:
            if place == folder or place.name == LOCKS:
                ignore_folder(place)
    except OSError as exc:
        raise cannot("write", folder, exc) from exc


def ignore_folder(folder: Path) -> None:
    """Keep a folder that the tool has made out of version control."""
    (folder / IGNORE).write_text(IGNORE_ALL, encoding="utf-8")


def cannot(verb: str, path: Path, exc: OSError) -> RunFileError:
    """Return the error of a file that cannot be created, read or written, with what to do about it."""
    if isinstance(exc, FileExistsError):
        return RunFileError(f"{os.fspath(path)!r} exists already", hint="name a file that does not exist")
    hints = {
        errno.ENOSPC: "free some space; what was recorded before is kept",
        errno.EFBIG: "files may not become that large here (ulimit -f); what was recorded before is kept",
        errno.EACCES: "make the folder writable, or name another one: runs = ... in [tool.testinfra]",
        errno.EROFS: "the file system is read-only; name another folder: runs = ... in [tool.testinfra]",
    }
    reason = exc.strerror or str(exc)
    return RunFileError(f"cannot {verb} {os.fspath(path)!r}: {reason}", hint=hints.get(exc.errno or 0))
