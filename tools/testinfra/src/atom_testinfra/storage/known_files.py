"""What was found in source files before, by their content: a file that is as it was is not parsed again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from atom_testinfra.storage.atomic import replace_file, writing

if TYPE_CHECKING:
    from pathlib import Path


UNKNOWN = Raw(b"null")


class KnownFile(Struct, kw_only=True, omit_defaults=True):
    """What is known of a file; what nobody asked for yet is null."""

    digest: str = ""
    """Of the content that all of this was read from."""
    imports: list[str] | None = None
    """What its import statements name, with dots; a file that is not valid Python has none."""
    functions: dict[str, str] | None = None
    """Digest of each of its functions, and of all the rest."""
    mutants: Raw = UNKNOWN
    """Its mutants, in the order of its changes: decoded only when they are asked for."""
    same: set[str] = set()
    """Ids of mutants that compile to the code that was there before."""


class _Document(Struct, frozen=True):
    made_by: str
    files: dict[str, KnownFile]


class KnownFiles:
    """
    The file `sources.json`: what is known of each source file of a project.

    Nothing in it is used that another version of the tool's own code, or another Python, has found.
    """

    def __init__(self, path: Path | None, made_by: str) -> None:
        """
        `made_by` names the code that finds these things, and the Python that it runs on.

        Without a path, it is known for as long as this object lives.
        """
        self._path = path
        self._made_by = made_by
        self._files: dict[str, KnownFile] = {}
        self._read = b""
        if path is not None and path.is_file():
            self._read = path.read_bytes()
            with suppress(msgspec.DecodeError):  # another version wrote it
                document = msgspec.json.decode(self._read, type=_Document)
                if document.made_by == made_by:
                    self._files = document.files

    def of(self, name: str, digest: str) -> KnownFile:
        """Return what is known of a file with this content, to be filled in by whoever reads it."""
        known = self._files.get(name)
        if known is None or known.digest != digest:
            known = self._files[name] = KnownFile(digest=digest)
        return known

    def save(self) -> None:
        """Write what is known now, if that is more than before."""
        if self._path is None:
            return
        written = msgspec.json.encode(_Document(self._made_by, self._files))
        if written == self._read:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with writing(self._path) as path:
            replace_file(path, [written])
