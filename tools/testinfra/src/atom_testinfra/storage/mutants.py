"""What is known of mutants so far, one line each: a session that broke off goes on where it was."""

from __future__ import annotations

import hashlib
import os
import tomllib
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from atom_testinfra.core.errors import ConfigError
from atom_testinfra.core.mutants import Finding, Reach
from atom_testinfra.storage.atomic import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


class KnownReach(Struct, frozen=True, kw_only=True):
    """What a test entered, and the state of everything that decides that."""

    reach: Reach
    state: str


class KnownFinding(Struct, frozen=True, kw_only=True):
    """What became of a mutant, and the state of the tests that the verdict rests on."""

    finding: Finding
    state: str


class FoundTests(Struct, frozen=True, kw_only=True):
    """The tests of a file as they were collected, so that a file without tests that count is known too."""

    file: str
    digest: str


Line = KnownReach | KnownFinding | FoundTests


class MutantStore:
    """
    The file `mutants.jsonl`: what tests enter and what became of mutants, appended as it comes.

    Lines that no longer hold are left where they are until `compact` writes the file anew.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "mutants.jsonl"
        self.reaches: dict[str, KnownReach] = {}
        self.findings: dict[str, KnownFinding] = {}
        self.files: dict[str, str] = {}
        """Digest of each test file when its tests were collected."""
        self.early: frozenset[str] = frozenset()
        """Blocks of the product that were entered while tests were collected."""
        self._n_lines = 0
        for kind, value in self._read():
            self._take(kind, value)

    def add_reach(self, reach: Reach, state: str) -> None:
        """Note what a test entered."""
        self._append("reach", KnownReach(reach=reach, state=state))

    def add_finding(self, finding: Finding, state: str) -> None:
        """Note what became of a mutant."""
        self._append("finding", KnownFinding(finding=finding, state=state))

    def add_file(self, file: str, digest: str) -> None:
        """Note that all tests of a file were collected and run."""
        self._append("file", FoundTests(file=file, digest=digest))

    def add_early(self, blocks: Iterable[str]) -> None:
        """Note blocks that are entered while tests are collected."""
        new = sorted(set(blocks) - self.early)
        if new:
            self._append("early", new)

    def forget(self, ids: Iterable[str]) -> None:
        """Note that findings do not count."""
        for id_ in ids:
            self._append("void", id_)

    def compact(self) -> None:
        """Write the file anew if most of its lines no longer hold."""
        n_known = len(self.reaches) + len(self.findings) + len(self.files)
        if self._n_lines <= 2 * n_known + 1000:
            return
        values: list[tuple[str, object]] = [
            *(("reach", value) for value in self.reaches.values()),
            *(("finding", value) for value in self.findings.values()),
            ("early", sorted(self.early)),
            *(("file", FoundTests(file=file, digest=digest)) for file, digest in self.files.items()),
        ]
        replace_file(self._path, (_encode(kind, value) for kind, value in values))
        self._n_lines = len(values)

    def _take(self, kind: str, value: object) -> None:
        self._n_lines += 1
        match value:
            case KnownReach():
                self.reaches[value.reach.nodeid] = value
            case KnownFinding():
                self.findings[value.finding.id] = value
            case FoundTests():
                self.files[value.file] = value.digest
            case list():
                self.early |= frozenset(value)
            case str() if kind == "void":
                self.findings.pop(value, None)

    def _append(self, kind: str, value: object) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(_encode(kind, value))
        self._take(kind, value)

    def _read(self) -> Iterator[tuple[str, object]]:
        types: Mapping[str, type] = {
            "reach": KnownReach,
            "finding": KnownFinding,
            "file": FoundTests,
            "void": str,
            "early": list[str],
        }
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            kind, _, text = line.partition(b" ")
            if kind.decode("ascii", "replace") in types:
                # A line that was cut off, or written by another version, says nothing.
                try:
                    yield kind.decode(), msgspec.json.decode(text, type=types[kind.decode()])
                except msgspec.DecodeError:
                    continue


def _encode(kind: str, value: object) -> bytes:
    return kind.encode() + b" " + msgspec.json.encode(value) + b"\n"


def newest_store(folder: Path) -> MutantStore | None:
    """Return the store of the arguments that were asked with last; `None` where nothing was asked."""
    stores = sorted(folder.glob("*/mutants.jsonl"), key=lambda path: path.stat().st_mtime)
    return MutantStore(stores[-1].parent) if stores else None


class Accepted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mutant that a person accepts as a survivor, because no test could tell it from the original."""

    id: str
    reason: str
    path: str = ""
    """For people: the id alone decides."""
    change: str = ""
    """For people, too."""


def load_accepted(path: Path) -> dict[str, Accepted]:
    """
    Return the accepted survivors of `equivalent.toml` by id; none where there is no such file.

    Raises:
        ConfigError: The file cannot be read, or an entry has no reason.
    """
    if not path.is_file():
        return {}
    try:
        entries = msgspec.convert(
            tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []), list[Accepted]
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise ConfigError(
            f"cannot read {os.fspath(path)!r}: {exc}", hint="each [[mutant]] has an id and a reason"
        ) from exc
    for entry in entries:
        if not entry.reason.strip():
            raise ConfigError(f"{os.fspath(path)!r}: mutant {entry.id!r} has no reason")
    return {entry.id: entry for entry in entries}


def combine(parts: Iterable[str]) -> str:
    """Return one digest of many."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return whole.hexdigest()[:16]
