"""What is known about mutants so far, one line each, so that the next session continues from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from atom_testinfra import __version__
from atom_testinfra.core.mutants import Finding, Reach, combine_digests
from atom_testinfra.storage.atomic import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


class KnownReach(Struct, frozen=True, kw_only=True, gc=False):
    """What a test entered, and the state of everything that decides that."""

    reach: Reach
    state: str


class KnownFinding(Struct, frozen=True, kw_only=True, gc=False):
    """What became of a mutant, and the state of the tests that the verdict rests on."""

    finding: Finding
    state: str


class ExcludedTest(Struct, frozen=True, kw_only=True):
    """A test that does not pass unchanged, and the state of everything that may decide that."""

    nodeid: str
    error: str
    state: str


class FoundTests(Struct, frozen=True, kw_only=True):
    """That all tests of a file were collected and run: also of one whose tests reach nothing."""

    file: str
    digest: str


def digest_request(arguments: Sequence[str], profile: str | None) -> str:
    """
    Return the name of the folder for verdicts and curves with these arguments of pytest and this profile.

    Other tests or another profile give other verdicts. Another version of the tool may count otherwise.
    """
    return combine_digests([*arguments, profile or "", __version__])


class MutantStore:
    """
    The file `mutants.jsonl`: what tests enter and what became of mutants, appended one by one.

    Lines that are no longer valid stay in the file until `compact` writes it again.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "mutants.jsonl"
        self.reaches: dict[str, KnownReach] = {}
        self.findings: dict[str, KnownFinding] = {}
        self.excluded: dict[str, ExcludedTest] = {}
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

    def add_excluded(self, test: ExcludedTest) -> None:
        """Note that a test is not asked."""
        self._append("excluded", test)

    def forget_test(self, nodeid: str) -> None:
        """Note that a test is gone."""
        self._append("gone", nodeid)

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
        """Note that these findings are not valid."""
        for id_ in ids:
            self._append("void", id_)

    def compact(self) -> None:
        """Write the file again if most of its lines are no longer valid."""
        n_known = len(self.reaches) + len(self.excluded) + len(self.findings) + len(self.files)
        if self._n_lines <= 2 * n_known + 1000:
            return
        values: list[tuple[str, object]] = [
            *(("reach", value) for value in self.reaches.values()),
            *(("excluded", test) for test in self.excluded.values()),
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
                self.excluded.pop(value.reach.nodeid, None)
            case ExcludedTest():
                self.excluded[value.nodeid] = value
                self.reaches.pop(value.nodeid, None)
            case KnownFinding():
                self.findings[value.finding.id] = value
            case FoundTests():
                self.files[value.file] = value.digest
            case list():
                self.early |= frozenset(value)
            case str() if kind == "void":
                self.findings.pop(value, None)
            case str() if kind == "gone":
                self.reaches.pop(value, None)
                self.excluded.pop(value, None)

    def _append(self, kind: str, value: object) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(_encode(kind, value))
        self._take(kind, value)

    def _read(self) -> Iterator[tuple[str, object]]:
        types: Mapping[str, type] = {
            "reach": KnownReach,
            "excluded": ExcludedTest,
            "finding": KnownFinding,
            "file": FoundTests,
            "void": str,
            "gone": str,
            "early": list[str],
        }
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            kind, _, text = line.partition(b" ")
            if kind.decode("ascii", "replace") in types:
                # A line that was cut off, or written by another version, is skipped.
                try:
                    yield kind.decode(), msgspec.json.decode(text, type=types[kind.decode()])
                except msgspec.DecodeError:
                    continue


def _encode(kind: str, value: object) -> bytes:
    return kind.encode() + b" " + msgspec.json.encode(value) + b"\n"


def newest_store(folder: Path) -> MutantStore | None:
    """Return the store that was written last; `None` if there is none."""
    stores = sorted(folder.glob("*/mutants.jsonl"), key=lambda path: path.stat().st_mtime)
    return MutantStore(stores[-1].parent) if stores else None
