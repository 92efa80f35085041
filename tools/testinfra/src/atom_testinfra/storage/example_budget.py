"""Files that say how many examples each property gets, and which test cases it replays, for which sources."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from atom_testinfra.core.errors import BudgetError
from atom_testinfra.storage.atomic import replace_file, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEMA_VERSION = 1

Count = Annotated[int, Meta(ge=1, le=10**9)]
Place = Annotated[int, Meta(ge=0)]


class PropertyBudget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many examples a property gets, and the files that the number rests on."""

    max_examples: Count
    files: list[Place]
    """Places in the sorted list of files: what the number rests on."""


class CorpusEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recorded test case that a run replays."""

    choices: str
    """As Hypothesis writes them, in base 64."""
    text: str
    """Its arguments, for people."""
    notices: Annotated[int, Meta(ge=1)]
    """Mutants that it notices."""


class PropertyCorpus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The recorded test cases of a property, and the files that they rest on."""

    entries: list[CorpusEntry]
    files: list[Place]
    """Places in the sorted list of files: what decides what the choices mean."""


class ReadByThePlugin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What a budget and a corpus both say of themselves."""

    schema_version: Annotated[int, Meta(ge=1)] = SCHEMA_VERSION
    command: str
    hypothesis: str
    """The version that the curves were learnt with, or the test cases recorded."""
    files: dict[str, str]
    """Digests, by the path from this file's folder."""


class BudgetFile(ReadByThePlugin, frozen=True, tag="budget"):
    """How many examples each property gets."""

    seconds: float
    """CPU seconds that a run is predicted to take on the machine where the costs were measured."""
    properties: dict[str, PropertyBudget]
    """By node id."""

    def __post_init__(self) -> None:
        _check_places(self)


class CorpusFile(ReadByThePlugin, frozen=True, tag="corpus"):
    """Which test cases each property replays before it generates any."""

    properties: dict[str, PropertyCorpus]
    """By node id."""

    def __post_init__(self) -> None:
        _check_places(self)


AnyFile = BudgetFile | CorpusFile


def _check_places(file: AnyFile) -> None:
    for nodeid, one in file.properties.items():
        if any(place >= len(file.files) for place in one.files):
            raise ValueError(f"{nodeid!r} names a file that is not in the list")


_encoder = msgspec.json.Encoder(order="sorted")
_decoder: msgspec.json.Decoder[AnyFile] = msgspec.json.Decoder(AnyFile)


def digest_of(path: Path) -> str:
    """Return the digest of a file; nothing where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


class Sources:
    """The files that properties rest on, as a file at `path` names them."""

    def __init__(self, files: Mapping[str, Iterable[Path]], path: Path) -> None:
        named = {
            nodeid: {Path(os.path.relpath(file, path.parent)).as_posix(): file for file in each}
            for nodeid, each in files.items()
        }
        by_name = {name: file for each in named.values() for name, file in each.items()}
        self.digests = {name: digest_of(by_name[name]) for name in sorted(by_name)}
        places = {name: place for place, name in enumerate(self.digests)}
        self._places = {nodeid: sorted(map(places.__getitem__, each)) for nodeid, each in named.items()}

    def places(self, nodeid: str) -> list[int]:
        """Return the places of a property's files in the sorted list."""
        return self._places[nodeid]


def make_budget_file(
    numbers: Mapping[str, int],
    files: Mapping[str, Iterable[Path]],
    *,
    path: Path,
    command: str,
    hypothesis: str,
    seconds: float,
) -> BudgetFile:
    """Return the contents for a file at `path`; `files` are those that each property's number rests on."""
    sources = Sources(files, path)
    return BudgetFile(
        command=command,
        hypothesis=hypothesis,
        seconds=round(seconds, 3),
        files=sources.digests,
        properties={
            nodeid: PropertyBudget(max_examples=n, files=sources.places(nodeid))
            for nodeid, n in numbers.items()
        },
    )


def make_corpus_file(
    entries: Mapping[str, list[CorpusEntry]],
    files: Mapping[str, Iterable[Path]],
    *,
    path: Path,
    command: str,
    hypothesis: str,
) -> CorpusFile:
    """Return the contents for a file at `path`; `files` decide what the choices of each property mean."""
    sources = Sources(files, path)
    return CorpusFile(
        command=command,
        hypothesis=hypothesis,
        files=sources.digests,
        properties={
            nodeid: PropertyCorpus(entries=each, files=sources.places(nodeid))
            for nodeid, each in entries.items()
        },
    )


def save_budget(path: Path, budget: AnyFile) -> None:
    """Write the file, with keys in order, so that a diff of two shows what changed."""
    text = msgspec.json.format(_encoder.encode(budget), indent=1)
    with writing(path) as target:
        replace_file(target, [text, b"\n"])


def load_budget(path: Path) -> AnyFile:
    """
    Return what a file says.

    Raises:
        BudgetError: It cannot be read, or is not one that this version writes.
    """
    try:
        budget = _decoder.decode(path.read_bytes())
    except OSError as exc:
        raise BudgetError(
            f"cannot read {os.fspath(path)!r}: {exc.strerror or exc}",
            hint="`testinfra budget` and `testinfra distil` write it",
        ) from exc
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise BudgetError(
            f"{os.fspath(path)!r} is neither a budget of examples nor a corpus: {exc}",
            hint="write it again: testinfra budget, or testinfra distil",
        ) from exc
    if budget.schema_version != SCHEMA_VERSION:
        raise BudgetError(
            f"{os.fspath(path)!r} has schema version {budget.schema_version}, and {SCHEMA_VERSION} is known",
            hint="write it again with this version: testinfra budget, or testinfra distil",
        )
    return budget


class Freshness:
    """Which properties still rest on the files as they are; each file is read once."""

    def __init__(self, budget: AnyFile, folder: Path, hypothesis: str) -> None:
        self._budget = budget
        self._names = sorted(budget.files)
        self._folder = folder
        self._version = hypothesis
        self._changed: dict[str, bool] = {}

    def problem(self, nodeid: str) -> str | None:
        """Return why what is said of a property no longer holds, or `None`."""
        if self._version != self._budget.hypothesis:
            return f"Hypothesis is {self._version}, and was {self._budget.hypothesis}"
        changed = [
            name
            for name in (self._names[place] for place in self._budget.properties[nodeid].files)
            if self._is_changed(name)
        ]
        return f"{', '.join(changed)} changed" if changed else None

    def _is_changed(self, name: str) -> bool:
        if name not in self._changed:
            self._changed[name] = digest_of(self._folder / name) != self._budget.files[name]
        return self._changed[name]
