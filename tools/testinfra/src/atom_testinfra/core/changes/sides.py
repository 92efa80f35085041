"""Turns runs, or a baseline, into one side of a comparison."""

from __future__ import annotations

from collections import defaultdict
from operator import truediv
from statistics import fmean, median
from typing import TYPE_CHECKING

from atom_testinfra.core.changes.columns import (
    OF_BODY,
    UNCALIBRATED,
    Columns,
    ComparedProperty,
    EarlierSession,
    describe_modes,
    describe_workload,
)
from atom_testinfra.core.changes.comparison import Side
from atom_testinfra.core.changes.judgement import Counts, Series
from atom_testinfra.core.changes.threshold import Statistic
from atom_testinfra.core.costs.cost import calls_per_valid, steps_per_valid
from atom_testinfra.core.errors import ComparisonError, NothingMeasuredError
from atom_testinfra.core.records.circumstances import describe_calibration, describe_machine
from atom_testinfra.core.records.outside import outside_of, seconds_by_run
from atom_testinfra.core.records.parts import Part, parts_of
from atom_testinfra.core.records.plausibility import find_contradiction, is_calibration
from atom_testinfra.core.rounding import round_seconds
from atom_testinfra.core.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atom_testinfra.core.costs.baseline import Baseline, SessionProvenance
    from atom_testinfra.core.records.measurement import Measurement, Property, Run

_ENDED = {
    Outcome.FAILED: "it failed",
    Outcome.ERROR: "its set-up or teardown failed",
    Outcome.SKIPPED: "it was skipped",
    Outcome.XFAILED: "it failed, as it is expected to",
    Outcome.XPASSED: "it passed, though it is expected to fail",
    Outcome.CRASHED: "its process died",
    Outcome.INTERRUPTED: "its run was interrupted",
}


def side_from_runs(
    label: str, runs: Sequence[Run], statistic: Statistic, profile: str, *, is_calibrated: bool = True
) -> Side:
    """
    Return what each property cost in the runs of one profile.

    The calibration of a run is the mean of those beside its tests: a single one is as noisy as what it is to
    correct, and where a machine has two speeds the median is one of them. Repeats that were stopped and
    resumed count as one run. A run without a calibration has no relative costs.
    """
    chosen = [run for run in runs if run.header.profile == profile and run.measurements]
    if not chosen:
        profiles = ", ".join(sorted({run.header.profile for run in runs}))
        raise NothingMeasuredError(
            f"{label!r} has no runs of the profile {profile!r} with a test in them",
            hint=f"choose one with --profile: {profiles}",
        )
    _refuse_mixed(label, chosen)
    by_test: dict[str, list[tuple[Measurement, float | None]]] = defaultdict(list)
    calibrations = []
    repeats = parts_by_run(chosen)
    for parts in repeats:
        records = _records_of(parts)
        calibration_s = _calibration_of(records) if is_calibrated else 1.0
        if calibration_s is not None:
            calibrations.append(calibration_s)
        for record in records:
            if record.hypothesis is not None or record.outcome is not Outcome.PASSED:
                by_test[record.nodeid].append((record, calibration_s))
    header = chosen[0].header
    unit_us = median(calibrations or [1.0]) * 1e6
    return Side(
        label=label,
        tests={
            nodeid: _series(records, statistic, unit_us, header.seed_set)
            for nodeid, records in by_test.items()
            if any(record.hypothesis is not None for record, _ in records)
        },
        interpreter=_minor_version(header.provenance.python),
        n_workers=header.n_workers,
        hypothesis=header.provenance.versions.get("hypothesis"),
        machine=header.provenance.machine,
        is_traced=any(run.header.is_traced for run in chosen),
        is_calibrated=is_calibrated,
        calibration=header.calibration,
        outside=_outside(repeats, calibrations, unit_us),
        payers={name: payer for parts in repeats for name, payer in outside_of(parts).payers.items()},
    )


def side_from_baseline(
    label: str,
    baseline: Baseline,
    statistic: Statistic,
    profile: str,
    *,
    costs: Iterable[ComparedProperty] | None = None,
    is_calibrated: bool = True,
    with_earlier: bool = True,
) -> Side:
    """
    Return what each property cost in the runs behind a baseline.

    Args:
        label: names it in messages.
        baseline: whose provenance and gaps hold.
        statistic: which cost.
        profile: whose runs.
        costs: node id, cost and digest of the baseline's properties, where they can be had for less than by
            going through them.
        is_calibrated: whether costs are ratios to the calibration.
        with_earlier: whether figures that an update kept from earlier sessions are among them. Those that
            were measured in another way than the latest ones have no values, and say why.
    """
    provenance = baseline.provenance
    earlier = {key: _earlier_session(made, provenance) for key, made in baseline.earlier.items()}
    columns = Columns(
        seed_set=min(provenance.seed_sets, default=0), earlier=earlier if with_earlier else None
    )
    if costs is None:
        properties = baseline.properties.items()
        costs = ((nodeid, subject.profiles.get(profile), subject.digest) for nodeid, subject in properties)
    columns.extend(costs, statistic)
    if not len(columns):
        profiles = ", ".join(sorted(baseline.max_examples))
        raise NothingMeasuredError(
            f"{label!r} has no figures for the profile {profile!r}",
            hint=f"choose one with --profile: {profiles}",
        )
    if is_calibrated:
        columns.calibrate()
    for excluded in baseline.excluded:
        if excluded.profile == profile and excluded.nodeid not in columns:
            columns.excluded[excluded.nodeid] = Series(values=[], problem=excluded.reason.rstrip("."))
    return Side(
        label=label,
        tests=columns,
        interpreter=_minor_version(provenance.python),
        n_workers=provenance.n_workers,
        hypothesis=provenance.versions.get("hypothesis"),
        machine=provenance.machine,
        is_calibrated=is_calibrated,
        calibration=provenance.calibration,
        outside=columns.outside(provenance.outside.get(profile, {})),
    )


def _earlier_session(made: SessionProvenance, latest: SessionProvenance) -> EarlierSession:
    kinds = {
        "Python": (_minor_version(made.python), _minor_version(latest.python)),
        "number of workers": (made.n_workers, latest.n_workers),
        "machine": (made.machine, latest.machine),
        "calibration": (made.calibration, latest.calibration),
        "Hypothesis": (made.versions.get("hypothesis"), latest.versions.get("hypothesis")),
    }
    others = [kind for kind, (then, now) in kinds.items() if then != now]
    reason = f"it was measured earlier ({made.started_at[:10]}), with another {' and '.join(others)}"
    return EarlierSession(min(made.seed_sets, default=0), reason if others else None)


def _refuse_mixed(label: str, runs: Sequence[Run]) -> None:
    """Raise unless the runs were made alike, because one figure is made of all of them."""
    headers = [run.header for run in runs]
    kinds = {
        "interpreters": {_minor_version(header.provenance.python) for header in headers},
        "numbers of workers": {f"-n {header.n_workers}" for header in headers},
        "machines": {describe_machine(header.provenance.machine) for header in headers},
        "calibrations": {describe_calibration(header.calibration) for header in headers},
    }
    for kind, found in kinds.items():
        if len(found) > 1:
            raise ComparisonError(
                f"{label!r} mixes runs of different {kind}: {' and '.join(sorted(found))}",
                hint="runs of both cannot be combined; measure again: testinfra measure --baseline",
            )


def have_calibration(runs: Iterable[Run], profile: str) -> bool:
    """Return whether a calibration stands beside some test of each run of a profile that has a property."""
    return all(
        _calibration_of(records) is not None
        for records in map(_records_of, parts_by_run(run for run in runs if run.header.profile == profile))
        if any(record.hypothesis is not None for record in records)
    )


def baseline_has_calibration(baseline: Baseline) -> bool:
    """Return whether the runs behind a baseline were calibrated."""
    return bool(baseline.provenance.calibration_s)


def parts_by_run(runs: Iterable[Run]) -> list[list[Run]]:
    """Return the parts of each run; a resumed run has several."""
    repeats: dict[tuple[str, str, int, int], list[Run]] = defaultdict(list)
    for run in runs:
        header = run.header
        repeats[header.session_id, header.profile, header.seed_set, header.repeat].append(run)
    return list(repeats.values())


def _records_of(parts: Iterable[Run]) -> list[Measurement]:
    """Return the tests of a run, all parts joined; a later record replaces a former."""
    records = {record.nodeid: record for run in parts for record in run.measurements}
    return list(records.values())


def _outside(
    repeats: Sequence[Sequence[Run]], calibrations: Sequence[float], unit_us: float
) -> dict[str, Series]:
    """Return what each thing outside of the tests cost in every run, if every run is calibrated."""
    if len(repeats) != len(calibrations):
        return {}
    return {
        name: Series(values=list(map(truediv, seconds, calibrations)), unit_us=unit_us)
        for name, seconds in seconds_by_run(repeats).items()
    }


def _calibration_of(records: Iterable[Measurement]) -> float | None:
    measured = (record.calibration_s for record in records)
    found = [seconds for seconds in measured if seconds is not None and is_calibration(seconds)]
    return fmean(found) if found else None


def _series(
    records: Sequence[tuple[Measurement, float | None]], statistic: Statistic, unit_us: float, seed_set: int
) -> Series:
    subjects = [record.hypothesis for record, _ in records if record.hypothesis is not None]
    parts = _parts_of(records) if statistic is Statistic.PARTS else {}
    values: list[float] = list(map(sum, zip(*parts.values(), strict=True)))
    for record, calibration_s in records if not parts else ():
        cost_s = _cost_of(record, statistic)
        if cost_s is not None and calibration_s is not None:
            values.append(cost_s / calibration_s)
    return Series(
        values=values,
        unit_us=unit_us,
        parts=parts,
        n_examples=subjects[0].n_explicit + subjects[0].n_valid,
        counts=_counts_of(subjects),
        workload=describe_workload(subjects[0].configured, seed_set, records[0][0].modes),
        digest=subjects[0].digest,
        problem=_problem_of(records),
    )


def _parts_of(records: Sequence[tuple[Measurement, float | None]]) -> dict[Part, list[float]]:
    """Return each part in every run, as ratios to its calibration; nothing unless all runs have the same."""
    found = []
    for record, calibration_s in records:
        parts = parts_of(record)
        if parts is None or calibration_s is None:
            return {}
        found.append({part: cost_s / calibration_s for part, cost_s in parts.items()})
    if any(parts.keys() != found[0].keys() for parts in found):
        return {}
    return {part: [parts[part] for parts in found] for part in found[0]}


def _counts_of(subjects: Sequence[Property]) -> Counts | None:
    """Return what is counted of a test, if it is the same in all runs."""
    counts = {
        Counts(round_seconds(calls_per_valid(subject)), steps_per_valid(subject)) for subject in subjects
    }
    return counts.pop() if len(counts) == 1 else None


def _problem_of(records: Sequence[tuple[Measurement, float | None]]) -> str | None:
    for record, calibration_s in records:
        if record.outcome is not Outcome.PASSED:
            return _ENDED[record.outcome]
        if record.problems:
            return record.problems[0].rstrip(".")
        if calibration_s is None:
            return UNCALIBRATED
        if (contradiction := find_contradiction(record)) is not None:
            return contradiction
        if record.modes != records[0][0].modes:
            return f"it ran {describe_modes(record.modes)} and {describe_modes(records[0][0].modes)}"
    return None


def _cost_of(record: Measurement, statistic: Statistic) -> float | None:
    """Return seconds per valid example, or `None` when none was run."""
    subject = record.hypothesis
    if subject is None:
        return None
    if statistic in OF_BODY and subject.body_cpu is not None:
        return subject.body_cpu.median_s
    n_examples = subject.n_explicit + subject.n_valid
    if n_examples == 0:
        return None
    if statistic is Statistic.WALL:
        return (record.setup.wall_s + record.call.wall_s) / n_examples
    return (record.setup.cpu_s + record.call.cpu_s) / n_examples


def _minor_version(python: str) -> str:
    return ".".join(python.split(".")[:2])
