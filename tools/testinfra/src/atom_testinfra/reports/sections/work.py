"""Which tests to work on first: the parts of their time that are worth a look."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from atom_testinfra.core.advice.advice import advise
from atom_testinfra.reports import numbers
from atom_testinfra.reports.rows import PART_TITLES, PropertyRow
from atom_testinfra.reports.tables import CellKind, Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atom_testinfra.core.costs.baseline import Baseline, PropertyCost

N_CANDIDATES = 10


class Candidate(Struct, frozen=True, kw_only=True):
    """A test that is worth a look, and why."""

    nodeid: str
    part: str
    """The part of its time to work on."""
    part_s: float
    """What that part takes. Less drawing also makes Hypothesis's own work less, and so wins more."""
    share: float
    """Of the time of all properties."""
    recommendation: str


class WorkSection(Struct, frozen=True, kw_only=True):
    """The tests in the order in which work on them pays."""

    id: ClassVar[str] = "work"
    title: ClassVar[str] = "Which tests to work on first?"
    notes: ClassVar[list[str]] = []

    profile: str
    candidates: list[Candidate]
    total_s: float

    @property
    def summary(self) -> str:
        """The answer in one sentence."""
        if not self.candidates:
            return "No property was measured."
        named = sum(candidate.part_s for candidate in self.candidates)
        given_up = sum(candidate.part_s for candidate in self.candidates if candidate.part == "filtered")
        share = named / self.total_s if self.total_s else None
        waste = f"; {numbers.seconds(given_up)} of it checked nothing" if given_up else ""
        return (
            f"The parts named here take {numbers.seconds(named)} of {numbers.seconds(self.total_s)} "
            f"({numbers.share(share)}){waste}."
        )

    def tables(self) -> list[Table]:
        """Return the table of the tests to work on first."""
        return [
            Table(
                id="candidates",
                caption=f"The largest parts that work can be done on, profile {self.profile}",
                columns=[
                    Column("Test", CellKind.TEST),
                    Column("Part"),
                    Column("Takes", CellKind.SECONDS),
                    Column("What to look at", is_remark=True),
                ],
                rows=[
                    [item.nodeid, PART_TITLES[item.part], item.part_s, item.recommendation]
                    for item in self.candidates
                ],
            )
        ]


def build_work(baseline: Baseline, rows: list[PropertyRow], profile: str) -> WorkSection:
    """Return the tests whose part to work on takes longest under a profile."""
    costs = {nodeid: entry.profiles[profile] for nodeid, entry in _measured(baseline, rows, profile)}
    total = sum(cost.duration_s for cost in costs.values())
    advised = {nodeid: advise(cost) for nodeid, cost in costs.items()}
    ranked = sorted(advised.items(), key=lambda pair: (-pair[1].part_s, pair[0]))
    return WorkSection(
        profile=profile,
        candidates=[
            Candidate(
                nodeid=nodeid,
                part=advice.part,
                part_s=advice.part_s,
                share=advice.part_s / total if total else 0.0,
                recommendation=_sentence(advice.text),
            )
            for nodeid, advice in ranked[:N_CANDIDATES]
            if advice.part_s > 0
        ],
        total_s=total,
    )


def _measured(
    baseline: Baseline, rows: list[PropertyRow], profile: str
) -> Iterator[tuple[str, PropertyCost]]:
    """Yield the properties that have a cost under the profile; each is decoded once."""
    names = {row.nodeid for row in rows if profile in row.costs}
    return ((nodeid, entry) for nodeid, entry in baseline.properties.items() if nodeid in names)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
