"""Which tests to work on first: the seconds that can be won."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from atom_testinfra.core.recommendation import describe_lever
from atom_testinfra.reports import numbers
from atom_testinfra.reports.rows import PART_TITLES, PropertyRow
from atom_testinfra.reports.tables import CellKind, Column, Table

if TYPE_CHECKING:
    from atom_testinfra.core.baseline import Baseline

N_CANDIDATES = 10


class Candidate(Struct, frozen=True, kw_only=True):
    """A test that is worth a look, and why."""

    nodeid: str
    winnable_s: float
    share: float
    """Of the time of all properties."""
    largest_part: str
    largest_s: float
    recommendation: str


class WorkSection(Struct, frozen=True, kw_only=True):
    """The tests in the order in which work on them pays."""

    id: ClassVar[str] = "work"
    title: ClassVar[str] = "Which tests to work on first?"
    notes: ClassVar[list[str]] = []

    profile: str
    candidates: list[Candidate]
    winnable_s: float
    total_s: float

    @property
    def summary(self) -> str:
        """The answer in one sentence."""
        if not self.candidates:
            return "No property was measured."
        won = sum(candidate.winnable_s for candidate in self.candidates)
        share = won / self.total_s if self.total_s else None
        return (
            f"Removing the filtering and halving the largest part of these "
            f"{numbers.plural(len(self.candidates), 'test')} would save {numbers.seconds(won)} of "
            f"{numbers.seconds(self.total_s)} ({numbers.share(share)})."
        )

    def tables(self) -> list[Table]:
        """Return the candidates."""
        return [
            Table(
                id="candidates",
                caption=f"Seconds that can be won, profile {self.profile}",
                columns=[
                    Column("Test", CellKind.TEST),
                    Column("To win", CellKind.SECONDS),
                    Column("Of all", CellKind.SHARE, rank=2),
                    Column("Largest part"),
                    Column("Takes", CellKind.SECONDS, rank=1),
                    Column("What to look at", is_remark=True),
                ],
                rows=[
                    [
                        item.nodeid,
                        item.winnable_s,
                        item.share,
                        PART_TITLES[item.largest_part],
                        item.largest_s,
                        item.recommendation,
                    ]
                    for item in self.candidates
                ],
            )
        ]


def build_work(baseline: Baseline, rows: list[PropertyRow], profile: str) -> WorkSection:
    """Return the tests with most to win under a profile."""
    costs = [(row.nodeid, row.costs[profile]) for row in rows if profile in row.costs]
    total = sum(cost.duration_s for _, cost in costs)
    ranked = sorted(costs, key=lambda pair: (-pair[1].winnable_s, pair[0]))
    return WorkSection(
        profile=profile,
        candidates=[
            Candidate(
                nodeid=nodeid,
                winnable_s=cost.winnable_s,
                share=cost.winnable_s / total if total else 0.0,
                largest_part=cost.largest_part,
                largest_s=cost.part(cost.largest_part),
                recommendation=_sentence(describe_lever(baseline.properties[nodeid].profiles[profile])),
            )
            for nodeid, cost in ranked[:N_CANDIDATES]
            if cost.winnable_s > 0
        ],
        winnable_s=sum(cost.winnable_s for _, cost in costs),
        total_s=total,
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
