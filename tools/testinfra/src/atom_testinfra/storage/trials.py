"""What is known of detection curves so far, one line each: an interrupted session goes on where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from atom_testinfra.core.detection.trials import NoticingCase, Trial, UnchangedRun

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class _Asked(Struct, frozen=True, kw_only=True, tag="asked", tag_field="kind"):
    """A property was asked about a mutant: everything that came of it."""

    nodeid: str
    mutant: str
    state: str
    """Of the property, when it was asked."""
    trials: list[Trial]
    cases: list[NoticingCase]


class _Ran(Struct, frozen=True, kw_only=True, tag="ran", tag_field="kind"):
    """A line of the file: what runs of a property with the product unchanged took."""

    nodeid: str
    state: str
    runs: list[UnchangedRun]


FILE = "trials.jsonl"

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[_Asked | _Ran] = msgspec.json.Decoder(_Asked | _Ran)


class TrialStore:
    """The file `trials.jsonl` beside the verdicts of `testinfra mutate`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._asked: dict[tuple[str, str], _Asked] = {}
        self._ran: dict[str, _Ran] = {}
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            try:
                value = _decoder.decode(line)
            except msgspec.DecodeError:
                continue  # a line that was cut off, or written by another version, says nothing
            self._take(value)

    def add_runs(self, nodeid: str, state: str, runs: list[UnchangedRun]) -> None:
        """Note what a property costs unchanged."""
        self._append(_Ran(nodeid=nodeid, state=state, runs=runs))

    def add(
        self, nodeid: str, mutant: str, state: str, trials: list[Trial], cases: list[NoticingCase]
    ) -> None:
        """Note what a property made of a mutant."""
        self._append(_Asked(nodeid=nodeid, mutant=mutant, state=state, trials=trials, cases=cases))

    def is_known(self, nodeid: str, mutant: str, state: str) -> bool:
        """Return whether a property in this state was asked about a mutant."""
        known = self._asked.get((nodeid, mutant))
        return known is not None and known.state == state

    def state_of(self, nodeid: str) -> str | None:
        """Return the state in which a property ran last; `None` where it never did."""
        known = self._ran.get(nodeid)
        return None if known is None else known.state

    def runs(self, nodeid: str) -> list[UnchangedRun]:
        """Return the unchanged runs of a property."""
        known = self._ran.get(nodeid)
        return [] if known is None else known.runs

    @property
    def properties(self) -> list[str]:
        """The properties that ran."""
        return sorted(self._ran)

    def trials(self, nodeids: Iterable[str]) -> list[Trial]:
        """Return all trials of properties that were asked in the state of their last unchanged runs."""
        return [trial for asked in self._valid(nodeids) for trial in asked.trials]

    def cases(self, nodeids: Iterable[str]) -> list[NoticingCase]:
        """Return the test cases that notice something, each once."""
        found = {
            (case.nodeid, case.seed, case.planned, case.place): case
            for asked in self._valid(nodeids)
            for case in asked.cases
        }
        return list(found.values())

    def _valid(self, nodeids: Iterable[str]) -> list[_Asked]:
        wanted = frozenset(nodeids)
        return [
            asked
            for asked in self._asked.values()
            if asked.nodeid in wanted and asked.state == self.state_of(asked.nodeid)
        ]

    def _append(self, value: _Asked | _Ran) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(_encoder.encode(value) + b"\n")
        self._take(value)

    def _take(self, value: _Asked | _Ran) -> None:
        if isinstance(value, _Asked):
            self._asked[value.nodeid, value.mutant] = value
        else:
            self._ran[value.nodeid] = value


def newest_trials(folder: Path) -> Path | None:
    """Return the folder whose trials were written last; `None` if there are none."""
    found = sorted(folder.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else None
