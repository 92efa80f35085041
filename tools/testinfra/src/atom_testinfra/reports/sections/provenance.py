"""How was it measured: commit, command, versions, machine and noise; and what was left out."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from atom_testinfra.core.baseline import Excluded
from atom_testinfra.reports import numbers
from atom_testinfra.reports.tables import CellKind, Column, Table

if TYPE_CHECKING:
    from atom_testinfra.core.baseline import Baseline
    from atom_testinfra.reports.rows import PropertyRow

MAX_EXCLUDED = 50
UNKNOWN_COMMIT = "an unknown commit"


class ProfileQuality(Struct, frozen=True, kw_only=True):
    """How well the figures of one profile repeat, and how well they were predicted."""

    profile: str
    n_tests: int
    repeats: int
    """Of the test that was run least often."""
    median_spread: float | None
    """Largest less smallest duration over the median, of the test in the middle."""
    n_predicted: int
    median_error: float | None
    """Of the predictions of the duration, relative to what was measured."""


class ProvenanceSection(Struct, frozen=True, kw_only=True):
    """Everything needed to say where a figure comes from."""

    id: ClassVar[str] = "provenance"
    title: ClassVar[str] = "How was it measured?"
    notes: ClassVar[list[str]] = []

    facts: list[tuple[str, str]]
    quality: list[ProfileQuality]
    excluded: list[Excluded]
    is_dirty: bool
    contention: float | None

    @property
    def summary(self) -> str:
        """The answer in one sentence."""
        commit = dict(self.facts).get("Commit", UNKNOWN_COMMIT)
        n_runs = dict(self.facts).get("Runs", "no runs")
        left_out = (
            f"; {numbers.plural(len(self.excluded), 'measurement')} left out, with the reason"
            if self.excluded
            else "; nothing was left out"
        )
        return f"From {n_runs} at {commit}{left_out}."

    def tables(self) -> list[Table]:
        """Return the facts, how well the figures repeat, and what was left out."""
        facts = Table(
            id="facts",
            caption="Where the figures come from",
            columns=[Column("What"), Column("Value")],
            rows=[[key, value] for key, value in self.facts],
        )
        quality = Table(
            id="quality",
            caption="How well the figures repeat",
            columns=[
                Column("Profile"),
                Column("Tests", CellKind.COUNT),
                Column("Repeats", CellKind.COUNT),
                Column("Spread", CellKind.SHARE),
                Column("Predicted", CellKind.COUNT),
                Column("Error", CellKind.SHARE),
            ],
            rows=[
                [
                    item.profile,
                    item.n_tests,
                    item.repeats,
                    item.median_spread,
                    item.n_predicted,
                    item.median_error,
                ]
                for item in self.quality
            ],
        )
        excluded = Table(
            id="excluded",
            caption="Left out of the baseline",
            columns=[Column("Test", CellKind.TEST), Column("Profile"), Column("Reason")],
            rows=[[item.nodeid, item.profile, item.reason] for item in self.excluded],
        )
        tables = [facts, quality] if self.quality else [facts]
        return [*tables, excluded.head(MAX_EXCLUDED)] if self.excluded else tables


def build_provenance(baseline: Baseline, rows: list[PropertyRow]) -> ProvenanceSection:
    """Return what the baseline says about its own origin."""
    source = baseline.provenance
    machine = source.machine
    dirty = " with uncommitted changes" if source.is_dirty else ""
    facts = [
        ("Verified at", baseline.verification_timestamp),
        ("Measured from", source.started_at),
        ("Commit", f"{source.commit[:12]}{dirty}" if source.commit else UNKNOWN_COMMIT),
        ("Command", " ".join(source.command)),
        ("Runs", numbers.plural(len(source.runs), "run")),
        ("Examples", ", ".join(f"{name} {count}" for name, count in sorted(source.max_examples.items()))),
        ("Pinned examples", str(source.pins)),
        ("Seed sets", ", ".join(str(seed) for seed in source.seed_sets)),
        ("Workers", str(source.n_workers) if source.n_workers else "one process"),
        ("Python", source.python),
        ("Versions", ", ".join(f"{name} {version}" for name, version in sorted(source.versions.items()))),
        ("Machine", f"{machine.system} {machine.arch}, {machine.cpu}, {machine.n_cpus} CPUs"),
        ("Memory", f"{machine.memory_mb:,} MB"),
        ("Calibration", numbers.seconds(source.calibration_s)),
        ("Contention", f"{numbers.ratio(source.contention)} (1x: the machine had nothing else to do)"),
    ]
    profiles = sorted({name for row in rows for name in row.costs})
    return ProvenanceSection(
        facts=facts,
        quality=[_quality(profile, rows) for profile in profiles],
        excluded=list(baseline.excluded),
        is_dirty=bool(source.is_dirty),
        contention=source.contention,
    )


def _quality(profile: str, rows: list[PropertyRow]) -> ProfileQuality:
    costs = [row.costs[profile] for row in rows if profile in row.costs]
    spreads = [cost.spread for cost in costs if cost.spread is not None]
    errors = [
        abs(cost.predicted_s - cost.duration_s) / cost.duration_s
        for cost in costs
        if cost.predicted_s is not None and cost.duration_s
    ]
    return ProfileQuality(
        profile=profile,
        n_tests=len(costs),
        repeats=min(cost.repeats for cost in costs),
        median_spread=median(spreads) if spreads else None,
        n_predicted=len(errors),
        median_error=median(errors) if errors else None,
    )
