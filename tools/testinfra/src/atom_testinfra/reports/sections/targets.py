"""Are we inside the targets: each verdict with the evidence it follows from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from atom_testinfra.core.targets import SUITE_KEY
from atom_testinfra.core.tiers import BUDGETS
from atom_testinfra.reports import numbers
from atom_testinfra.reports.tables import Cell, CellKind, Column, Table

if TYPE_CHECKING:
    from atom_testinfra.core.assessment import Assessment
    from atom_testinfra.core.baseline import Baseline
    from atom_testinfra.core.targets import TargetResult
    from atom_testinfra.reports.rows import PropertyRow

FIRST_BIN_S = 1e-3
BINS_PER_DECADE = 4
N_BINS = 6 * BINS_PER_DECADE
"""The plot of durations: from a millisecond to 1,000 s, on a logarithmic scale."""


class TargetVerdict(Struct, frozen=True, kw_only=True):
    """One target, what is said about it, and what that rests on."""

    key: str
    """Its key in `targets_verified`."""
    title: str
    limit_s: float
    verdict: bool | str | None
    n_tests: int
    n_missed: int
    slowest_s: float | None
    """The slowest test of the tier, or the suite."""

    @property
    def evidence(self) -> str:
        """The figures that the verdict follows from."""
        if self.slowest_s is None:
            return "no test of this tier was measured" if self.key != SUITE_KEY else "the suite was not timed"
        slowest = numbers.seconds_beside(self.slowest_s, self.limit_s)
        if self.key == SUITE_KEY:
            return f"took {slowest}"
        n_met = numbers.count(self.n_tests - self.n_missed)
        return f"{n_met} of {numbers.plural(self.n_tests, 'test')} inside, slowest {slowest}"


class Miss(Struct, frozen=True, kw_only=True):
    """A test that is not under the limit of its tier."""

    nodeid: str
    target: str
    duration_s: float
    limit_s: float
    remedy: str
    """By how much it misses, where its time goes, and what would help."""


class Histogram(Struct, frozen=True, kw_only=True):
    """How many tests of each tier take how long under one profile."""

    profile: str
    edges_s: list[float]
    """Lower edges of the bins, and the last upper one; the outer bins also hold what lies beyond them."""
    counts: dict[str, list[int]]
    limits_s: dict[str, float]

    def bin_title(self, index: int) -> str:
        """Return from where to where a bin goes."""
        return f"{numbers.seconds(self.edges_s[index])} to {numbers.seconds(self.edges_s[index + 1])}"


class TargetsSection(Struct, frozen=True, kw_only=True):
    """The verdicts on the targets, first thing on the page."""

    id: ClassVar[str] = "targets"
    title: ClassVar[str] = "Are we inside the targets?"

    verdicts: list[TargetVerdict]
    share_wanted: float
    misses: list[Miss]
    """The worst of each target."""
    n_missed: int
    """Misses in all."""
    notes: list[str]
    histograms: list[Histogram]

    @property
    def n_known(self) -> int:
        """Targets about which something was measured."""
        return sum(item.verdict is not None for item in self.verdicts)

    @property
    def n_met(self) -> int:
        """Targets that are met without exception."""
        return sum(item.verdict is True for item in self.verdicts)

    @property
    def is_met(self) -> bool | None:
        """Whether enough of the targets are met; `None` when nothing was measured."""
        return self.n_met >= self.share_wanted * self.n_known if self.n_known else None

    @property
    def summary(self) -> str:
        """The answer in one sentence."""
        if not self.n_known:
            return "Nothing was measured that a target is about."
        reached = numbers.share(self.n_met / self.n_known)
        return (
            f"{self.n_met} of {numbers.plural(self.n_known, 'target')} are met ({reached}); "
            f"{numbers.share(self.share_wanted)} are asked for."
        )

    def tables(self) -> list[Table]:
        """Return the verdicts, and the tests that miss."""
        verdicts = Table(
            id="verdicts",
            caption="Targets, verdicts and the evidence for them",
            columns=[
                Column("Target"),
                Column("Limit", CellKind.LIMIT),
                Column("Verdict", CellKind.VERDICT),
                Column("Evidence"),
            ],
            rows=[[item.title, item.limit_s, item.verdict, item.evidence] for item in self.verdicts],
        )
        misses = Table(
            id="misses",
            caption="Tests that are not under the limit of their tier",
            columns=[
                Column("Test", CellKind.TEST),
                Column("Target"),
                Column("Took", CellKind.SECONDS),
                Column("Limit", CellKind.LIMIT),
                Column("What would help", is_remark=True),
            ],
            rows=[
                [miss.nodeid, miss.target, miss.duration_s, miss.limit_s, miss.remedy] for miss in self.misses
            ],
            n_left_out=self.n_missed - len(self.misses),
        )
        return [verdicts, misses] if self.misses else [verdicts]

    def histogram_table(self, histogram: Histogram) -> Table:
        """Return the figures behind the plot of durations."""
        rows: list[list[Cell]] = [
            [histogram.bin_title(index), *[counts[index] for counts in histogram.counts.values()]]
            for index in range(N_BINS)
            if any(counts[index] for counts in histogram.counts.values())
        ]
        return Table(
            id=f"durations-{histogram.profile}",
            caption=f"Tests by duration, profile {histogram.profile}",
            columns=[
                Column("Duration"),
                *[Column(tier.capitalize(), CellKind.COUNT) for tier in histogram.counts],
            ],
            rows=rows,
        )


def build_targets(baseline: Baseline, assessment: Assessment, rows: list[PropertyRow]) -> TargetsSection:
    """Return the verdicts that follow from the measurements, whatever the file says about itself."""
    targets = baseline.targets
    limits: dict[str, dict[str, float]] = {
        targets.local_profile: {tier: getattr(targets, tier).local_s for tier in BUDGETS},
        targets.ci_profile: {tier: getattr(targets, tier).ci_s for tier in BUDGETS},
    }
    verdicts = [
        TargetVerdict(
            key=result.key,
            title=_title(result),
            limit_s=result.limit_s,
            verdict=result.verdict,
            n_tests=result.n_measured,
            n_missed=result.n_missed,
            slowest_s=result.slowest_s,
        )
        for result in assessment.results
    ]
    misses = [
        Miss(
            nodeid=miss.nodeid,
            target=_title(result),
            duration_s=miss.duration_s,
            limit_s=result.limit_s,
            remedy=f"{miss.standing}; {miss.lever}",
        )
        for result in assessment.results
        for miss in result.misses
    ]
    misses.sort(key=lambda miss: miss.duration_s / miss.limit_s, reverse=True)
    return TargetsSection(
        verdicts=verdicts,
        share_wanted=targets.share,
        misses=misses,
        n_missed=sum(result.n_missed for result in assessment.results if result.tier is not None),
        # The share of targets met is the summary; what else went wrong are the notes.
        notes=replace(assessment, share_asked=0.0).problems,
        histograms=[
            _histogram(rows, profile, limits[profile])
            for profile in limits
            if any(profile in row.costs for row in rows)
        ],
    )


def _title(result: TargetResult) -> str:
    return "Whole suite" if result.tier is None else f"{result.tier.capitalize()} tier, {result.profile}"


def _histogram(rows: list[PropertyRow], profile: str, limits: dict[str, float]) -> Histogram:
    edges = [FIRST_BIN_S * 10 ** (index / BINS_PER_DECADE) for index in range(N_BINS + 1)]
    counts = {tier: [0] * N_BINS for tier in (*BUDGETS, "over")}
    for row in rows:
        cost = row.costs.get(profile)
        if cost is not None:
            place = math.floor(math.log10(max(cost.duration_s, FIRST_BIN_S) / FIRST_BIN_S) * BINS_PER_DECADE)
            counts[row.tier][min(place, N_BINS - 1)] += 1
    used = {tier: values for tier, values in counts.items() if any(values)}
    return Histogram(profile=profile, edges_s=edges, counts=used, limits_s=limits)
