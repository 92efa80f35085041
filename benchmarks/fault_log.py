"""What is known about faults so far, one line each: a run that broke off goes on where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fault_session import Map, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from fault_sites import Fault


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Digests of what an answer depends on."""

    product: str
    """Of the product, and of what tests share."""
    tests: Mapping[str, str]
    """Of each file of tests, by its path from the backend's folder."""

    @classmethod
    def read(cls, backend: Path, shared: Iterable[Path], tests: Iterable[Path]) -> Sources:
        """Return the digests of the files as they are."""
        whole = hashlib.sha256()
        for path in sorted(shared):
            whole.update(path.read_bytes())
        files = {str(path.relative_to(backend)): _digest(path.read_bytes()) for path in sorted(tests)}
        return cls(product=whole.hexdigest(), tests=files)

    @property
    def all_tests(self) -> str:
        """One digest of all files of tests."""
        return _digest(json.dumps(self.tests, sort_keys=True).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class MapLog:
    """Which tests reach what, file by file of tests."""

    def __init__(self, path: Path, sources: Sources) -> None:
        self._path = path
        self._sources = sources

    def load(self) -> tuple[Map, list[str]]:
        """Return what is known of the files as they are, and the files that are yet to be asked."""
        known, asked = Map(), set()
        for entry in _read(self._path):
            file = entry["file"]
            is_current = entry["product"] == self._sources.product
            if is_current and file not in asked and self._sources.tests.get(file) == entry["digest"]:
                known.add(Map(**entry["map"]))
                asked.add(file)
        return known, [file for file in self._sources.tests if file not in asked]

    def add(self, file: str, found: Map) -> None:
        """Note the answer of a file of tests."""
        digest = self._sources.tests[file]
        _append(
            self._path,
            {"file": file, "digest": digest, "product": self._sources.product, "map": asdict(found)},
        )


class VerdictLog:
    """
    What became of a fault when all tests were asked, or one property.

    A verdict holds as long as the product and all tests are the same. Were noticed faults to keep theirs when
    another test changes, a run cut short would have lost only those that nobody noticed.
    """

    def __init__(self, path: Path, sources: Sources, seed: int) -> None:
        self._path = path
        self._sources = sources
        self._seed = seed
        self._known: dict[tuple[str, str], Verdict] = {}
        self.load()

    def load(self) -> None:
        """Read what was added, also by other processes."""
        for entry in _read(self._path):
            if entry["state"] == self._state():
                self._known[entry["fault"], entry["asked"]] = Verdict(**entry["verdict"])

    def find(self, fault: Fault, asked: str = "") -> Verdict | None:
        """Return the verdict on a fault, of the property asked or of all tests."""
        return self._known.get((_name(fault), asked))

    def add(self, fault: Fault, verdict: Verdict, asked: str = "") -> None:
        """Note a verdict."""
        self._known[_name(fault), asked] = verdict
        _append(
            self._path,
            {
                "fault": _name(fault),
                "at": f"{fault.path}:{fault.line}",
                "asked": asked,
                "state": self._state(),
                "verdict": asdict(verdict),
            },
        )

    def _state(self) -> str:
        return _digest(f"{self._sources.product} {self._sources.all_tests} {self._seed}".encode())


def _name(fault: Fault) -> str:
    return _digest(f"{fault.path}\n{fault.source}".encode())


def _read(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.endswith("}"):  # the last one may have been cut off
                yield json.loads(line)


def _append(path: Path, entry: Mapping[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
