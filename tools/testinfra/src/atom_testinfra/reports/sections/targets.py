"""Are we inside the targets: each verdict with the evidence it follows from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from atom_testinfra.core.costs.tiers import BUDGETS
from atom_testinfra.core.targets.conclusion import Conclusion, conclude
from atom_testinfra.core.targets.targets import Miss, TargetResult
from atom_testinfra.reports import numbers
from atom_testinfra.reports.tables import Cell, CellKind, Column, Table

if TYPE_CHECKING:
    from atom_testinfra.core.costs.baseline import Baseline
    from atom_testinfra.core.targets.assessment import Assessment
    from atom_testinfra.reports.rows import PropertyRow

FIRST_BIN_S = 1e-3
BINS_PER_DECADE = 4
N_BINS = 6 * BINS_PER_DECADE
"""The plot of durations: from a millisecond to 1,000 s, on a logarithmic scale."""


def describe_evidence(result: TargetResult) -> str:
    """Return the figures that a verdict follows from, or why there is none."""
    if result.slowest_s is None:
        return result.reason or "nothing was measured"
    slowest = numbers.seconds_beside(result.slowest_s, result.limit_s)
    earlier = "" if result.earlier is None else f", {result.earlier}"
    if result.tier is None:
        return f"took {slowest}{earlier}"
    n_met = numbers.count(result.n_measured - result.n_missed)
    return f"{n_met} of {numbers.plural(result.n_measured, 'test')} inside, slowest {slowest}{earlier}"


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

    verdicts: list[TargetResult]
    conclusion: Conclusion
    misses: list[Miss]
    """The worst of each target."""
    n_missed: int
    """Misses in all."""
    histograms: list[Histogram]

    @property
    def is_met(self) -> bool | None:
        """Whether the verification succeeds; `None` when nothing was measured that a target is about."""
        return self.conclusion.is_met

    @property
    def headline(self) -> str:
        """The answer in a few words."""
        return self.conclusion.headline

    @property
    def summary(self) -> str:
        """The answer in one or two sentences."""
        return self.conclusion.summary

    @property
    def requirement(self) -> str | None:
        """What share of the targets has to be met, and how old the figures are; for below the headline."""
        told = (self.conclusion.requirement, self.conclusion.age)
        return " ".join(sentence for sentence in told if sentence is not None) or None

    @property
    def notes(self) -> list[str]:
        """What keeps the verification from succeeding, without the summary's counts, and what to do."""
        hint, shortfall = self.conclusion.hint, self.conclusion.shortfall
        problems = [problem for problem in self.conclusion.problems if problem != shortfall]
        return [*problems, *([] if hint is None else [f"Next: {hint}."])]

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
            rows=[
                [item.title, item.limit_s, item.verdict, describe_evidence(item)] for item in self.verdicts
            ],
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
                [miss.nodeid, miss.target, miss.duration_s, miss.limit_s, f"{miss.status}; {miss.advice}"]
                for miss in self.misses
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
    misses = [miss for result in assessment.results for miss in result.misses]
    misses.sort(key=lambda miss: miss.duration_s / miss.limit_s, reverse=True)
    return TargetsSection(
        verdicts=assessment.results,
        conclusion=conclude(assessment),
        misses=misses,
        n_missed=sum(result.n_missed for result in assessment.results if result.tier is not None),
        histograms=[
            _histogram(rows, profile, limits[profile])
            for profile in limits
            if any(profile in row.costs for row in rows)
        ],
    )


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
