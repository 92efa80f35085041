"""How was it measured: commit, command, versions, machine and noise; and what was left out."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from atom_testinfra.core.costs.baseline import Excluded
from atom_testinfra.reports import numbers
from atom_testinfra.reports.tables import CellKind, Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atom_testinfra.core.costs.baseline import Baseline, SessionProvenance
    from atom_testinfra.core.records.measurement import Machine
    from atom_testinfra.reports.rows import PropertyRow

MAX_EXCLUDED = 50
MAX_NAMED = 20
"""Tests that are named of one earlier session."""
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


class EarlierFigures(Struct, frozen=True, kw_only=True):
    """What an update kept of one earlier session, because nothing newer was measured."""

    started_at: str
    commit: str
    machine: str
    n_records: int
    """Properties under a profile whose figures are from it."""
    tests: list[str]
    """The first of those properties, as node ids."""


class ProvenanceSection(Struct, frozen=True, kw_only=True):
    """Everything needed to say where a figure comes from."""

    id: ClassVar[str] = "provenance"
    title: ClassVar[str] = "How was it measured?"
    notes: ClassVar[list[str]] = []

    facts: list[tuple[str, str]]
    quality: list[ProfileQuality]
    excluded: list[Excluded]
    earlier: list[EarlierFigures]
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
        n_earlier = sum(item.n_records for item in self.earlier)
        kept = f"; {numbers.plural(n_earlier, 'figure')} kept from earlier sessions" if n_earlier else ""
        return f"From {n_runs} at {commit}{kept}{left_out}."

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
            caption="Not measured when they last ran, and why",
            columns=[Column("Test", CellKind.TEST), Column("Profile"), Column("Reason")],
            rows=[[item.nodeid, item.profile, item.reason] for item in self.excluded],
        )
        earlier = Table(
            id="earlier",
            caption="Figures kept from earlier sessions",
            columns=[
                Column("Measured"),
                Column("Commit"),
                Column("Machine"),
                Column("Figures", CellKind.COUNT),
                Column("Tests", is_remark=True),
            ],
            rows=[
                [item.started_at, item.commit, item.machine, item.n_records, ", ".join(item.tests)]
                for item in self.earlier
            ],
        )
        tables = [facts, quality] if self.quality else [facts]
        tables += [earlier] if self.earlier else []
        return [*tables, excluded.head(MAX_EXCLUDED)] if self.excluded else tables


def build_provenance(baseline: Baseline, rows: list[PropertyRow]) -> ProvenanceSection:
    """Return what the baseline says about its own origin."""
    source = baseline.provenance
    machine = source.machine
    facts = [
        ("Verified at", baseline.verification_timestamp),
        ("Measured from", source.started_at),
        ("Commit", _commit(source)),
        ("Command", " ".join(source.command)),
        ("Runs", numbers.plural(len(source.runs), "run")),
        ("Examples", ", ".join(f"{name} {count}" for name, count in sorted(source.max_examples.items()))),
        ("Pinned examples", str(source.pins)),
        ("Seed sets", ", ".join(str(seed) for seed in source.seed_sets)),
        ("Workers", str(source.n_workers) if source.n_workers else "one process"),
        ("Python", source.python),
        ("Versions", ", ".join(f"{name} {version}" for name, version in sorted(source.versions.items()))),
        ("Machine", _machine(machine)),
        ("Memory", f"{machine.memory_mb:,} MB"),
        ("Calibration", numbers.seconds(source.calibration_s)),
        ("Wall over CPU time", _describe_waiting(source)),
        *(("Mode", text) for text in _describe_modes(rows)),
    ]
    profiles = sorted({name for row in rows for name in row.costs})
    return ProvenanceSection(
        facts=facts,
        quality=[_quality(profile, rows) for profile in profiles],
        excluded=list(baseline.excluded),
        earlier=_earlier(baseline),
        is_dirty=bool(source.is_dirty),
        contention=source.engine_wall_per_cpu,
    )


def _commit(made: SessionProvenance) -> str:
    if not made.commit:
        return UNKNOWN_COMMIT
    return made.commit[:12] + (" with uncommitted changes" if made.is_dirty else "")


def _machine(machine: Machine) -> str:
    return f"{machine.system} {machine.arch}, {machine.cpu}, {machine.n_cpus} CPUs"


def _earlier(baseline: Baseline) -> list[EarlierFigures]:
    if not baseline.earlier:
        return []
    records: dict[str, list[str]] = {key: [] for key in baseline.earlier}
    for nodeid, subject in baseline.properties.items():
        for cost in subject.profiles.values():
            if cost.source is not None:
                records[cost.source].append(nodeid)
    return [
        EarlierFigures(
            started_at=made.started_at,
            commit=_commit(made),
            machine=f"{_machine(made.machine)}, Python {made.python}",
            n_records=len(records[key]),
            tests=[*dict.fromkeys(records[key])][:MAX_NAMED],
        )
        for key, made in baseline.earlier.items()
        if records[key]
    ]


def _describe_waiting(source: SessionProvenance) -> str:
    if source.tests_wall_per_cpu is None:
        return "not known: the file was written by an older version"
    tests, engine = numbers.ratio(source.tests_wall_per_cpu), source.engine_wall_per_cpu
    if engine is None:
        return f"{tests} in the tests' calls"
    return f"{tests} in the tests' calls, {numbers.ratio(engine)} in Hypothesis's own work"


def _describe_modes(rows: list[PropertyRow]) -> Iterator[str]:
    """Yield under which slower or faster modes how many properties ran, where there are any."""
    found = Counter(mode for row in rows for mode in {m for cost in row.costs.values() for m in cost.modes})
    for mode, n in sorted(found.items()):
        yield f"{mode}: {numbers.plural(n, 'property')}"


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
