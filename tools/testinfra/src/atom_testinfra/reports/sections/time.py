"""Where does the time go: set-up, generating, the body, Hypothesis, and what was filtered away."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from atom_testinfra.reports import numbers
from atom_testinfra.reports.rows import PART_MEANINGS, PART_TITLES, PARTS, CostSplit, PropertyRow
from atom_testinfra.reports.tables import CellKind, Column, Table

if TYPE_CHECKING:
    from atom_testinfra.core.costs.baseline import Baseline

N_SLOWEST = 20
"""Tests shown as bars; the table has them all."""


LESS_ASKED = {"setup": 3, "other": 5, "engine": 1, "filtered": 2}
"""Parts that a narrow table leaves out, the highest first."""


def part_columns() -> list[Column]:
    """Return a column of shares for each part of a duration."""
    return [Column(PART_TITLES[part], CellKind.SHARE, rank=LESS_ASKED.get(part, 0)) for part in PARTS]


def share_of(part_s: float, whole_s: float) -> float | None:
    """Return a part's share of the whole; `None` where there is no whole."""
    return part_s / whole_s if whole_s else None


class ProfileTotal(Struct, frozen=True, kw_only=True):
    """The sum over all properties of one profile."""

    profile: str
    n_tests: int
    n_examples: int
    duration_s: float
    parts_s: dict[str, float]

    def share(self, part: str) -> float | None:
        """Return the part's share of the whole."""
        return share_of(self.parts_s[part], self.duration_s)


class TimeSection(Struct, frozen=True, kw_only=True):
    """The cost of every property, in parts that add up."""

    id: ClassVar[str] = "time"
    title: ClassVar[str] = "Where does the time go?"
    notes: ClassVar[list[str]] = []

    profile: str
    """The profile the slowest tests are ranked by."""
    totals: list[ProfileTotal]
    slowest: list[PropertyRow]
    n_tests: int

    @property
    def summary(self) -> str:
        """The answer in one sentence."""
        total = next((total for total in self.totals if total.profile == self.profile), None)
        if total is None or not total.duration_s:
            return "No property was measured."
        part = max(PARTS, key=lambda name: total.parts_s[name])
        return (
            f"{numbers.plural(total.n_tests, 'property')} ran {numbers.count(total.n_examples)} examples in "
            f"{numbers.seconds(total.duration_s)} under {self.profile}. The largest part is "
            f"{PART_TITLES[part].lower()}, {numbers.share(total.share(part))}: {PART_MEANINGS[part]}."
        )

    def cost(self, row: PropertyRow) -> CostSplit:
        """Return what a row of `slowest` cost under the profile of the ranking."""
        return row.costs[self.profile]

    def tables(self) -> list[Table]:
        """Return the totals, and the slowest tests with their parts."""
        totals = Table(
            id="totals",
            caption="Time of all properties by profile",
            columns=[
                Column("Profile"),
                Column("Tests", CellKind.COUNT, rank=1),
                Column("Examples", CellKind.COUNT, rank=2),
                Column("Time", CellKind.SECONDS),
                *part_columns(),
            ],
            rows=[
                [
                    total.profile,
                    total.n_tests,
                    total.n_examples,
                    total.duration_s,
                    *[total.share(part) for part in PARTS],
                ]
                for total in self.totals
            ],
        )
        return [totals, self.slowest_table()] if self.slowest else [totals]

    def slowest_table(self) -> Table:
        """Return the slowest tests with their parts."""
        return Table(
            id="slowest",
            caption=f"The slowest tests under {self.profile}",
            columns=[
                Column("Test", CellKind.TEST),
                Column("Tier", rank=4),
                Column("Time", CellKind.SECONDS),
                Column("Examples", CellKind.COUNT),
                *part_columns(),
            ],
            rows=[
                [
                    row.nodeid,
                    row.tier,
                    self.cost(row).duration_s,
                    self.cost(row).n_examples,
                    *[share_of(self.cost(row).part(part), self.cost(row).duration_s) for part in PARTS],
                ]
                for row in self.slowest
            ],
            n_left_out=self.n_tests - len(self.slowest),
        )


def build_time(baseline: Baseline, rows: list[PropertyRow]) -> TimeSection:
    """Return the totals by profile and the slowest tests of the local one, or of the first that has any."""
    names = sorted({name for row in rows for name in row.costs})
    preferred = [baseline.targets.local_profile, baseline.targets.ci_profile]
    names.sort(key=lambda name: preferred.index(name) if name in preferred else len(preferred))
    profile = names[0] if names else baseline.targets.local_profile
    measured = [row for row in rows if profile in row.costs]
    ranked = sorted(measured, key=lambda row: (-row.costs[profile].duration_s, row.nodeid))
    return TimeSection(
        profile=profile,
        totals=[_total(name, [row.costs[name] for row in rows if name in row.costs]) for name in names],
        slowest=ranked[:N_SLOWEST],
        n_tests=len(measured),
    )


def _total(profile: str, costs: list[CostSplit]) -> ProfileTotal:
    return ProfileTotal(
        profile=profile,
        n_tests=len(costs),
        n_examples=sum(cost.n_examples for cost in costs),
        duration_s=sum(cost.duration_s for cost in costs),
        parts_s={part: sum(cost.part(part) for cost in costs) for part in PARTS},
    )
