"""From the runs of a session to the cost of each property, and to the reasons of those that have none."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from atom_testinfra.core.costs.baseline import Evidence, Excluded, PropertyCost, SessionProvenance, update
from atom_testinfra.core.costs.cost import combine_runs, predict_from_local
from atom_testinfra.core.costs.digests import digest_property
from atom_testinfra.core.costs.tiers import DeclaredTiers, measured_tier
from atom_testinfra.core.errors import NothingMeasuredError, RunFileError
from atom_testinfra.core.records.circumstances import circumstances
from atom_testinfra.core.records.contention import judge_contention
from atom_testinfra.core.records.outside import seconds_by_run
from atom_testinfra.core.records.plausibility import is_calibration
from atom_testinfra.core.records.repeats import Repeats, parts_by_repeat
from atom_testinfra.core.records.session import is_complete
from atom_testinfra.core.rounding import round_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.costs.baseline import BudgetTier, Suite
    from atom_testinfra.core.records.measurement import Measurement, Run
    from atom_testinfra.core.records.session import SessionSpec


MOST_RATIO = 1e9
"""What a baseline can hold."""


def gather_evidence(
    runs: Sequence[Run],
    *,
    targets: Targets,
    tiers: Mapping[str, BudgetTier],
    suite: Suite | None = None,
    spec: SessionSpec | None = None,
) -> Evidence:
    """
    Return what the runs of one session measured, and what they could not.

    Where it is known what the session was asked for, none of its runs may be missing.

    Raises:
        RunFileError: The runs do not belong together, are not finished, or were not made for timing.
        NothingMeasuredError: No property has a figure.
    """
    _refuse_unfit(runs)
    profiles = {profile: Repeats(profile, runs) for profile in sorted({run.header.profile for run in runs})}
    if spec is not None:
        _refuse_missing_runs(profiles, spec)
    nodeids = sorted(set().union(*(repeats.properties for repeats in profiles.values())))
    declared = DeclaredTiers(tiers)
    properties: dict[str, PropertyCost] = {}
    excluded: list[Excluded] = []
    for nodeid in nodeids:
        fit: dict[str, list[Measurement]] = {}
        for profile, repeats in profiles.items():
            objection = next(repeats.objections(nodeid), None)
            if objection is None:
                fit[profile] = repeats.of(nodeid)
            else:
                excluded.append(
                    Excluded(
                        nodeid=nodeid,
                        profile=profile,
                        outcome=objection.outcome,
                        reason=objection.reason,
                        counterexample=objection.counterexample,
                    )
                )
        if fit:
            properties[nodeid] = property_cost(nodeid, fit, targets, declared)
    if not properties:
        raise NothingMeasuredError(_nothing_message(excluded), hint="run them with pytest to see why")
    return Evidence(
        targets=targets,
        tiers=dict(tiers),
        provenance=_provenance(runs),
        suite=suite,
        excluded=excluded,
        properties=properties,
    )


def property_cost(
    nodeid: str, fit: Mapping[str, Sequence[Measurement]], targets: Targets, declared: DeclaredTiers
) -> PropertyCost:
    """Return a property's cost under every profile it has measurements of, with its tier and its digest."""
    measured = {profile: combine_runs(measurements) for profile, measurements in fit.items()}
    costs = {
        profile: update(cost, predicted=predict_from_local(measured, profile, targets))
        for profile, cost in measured.items()
    }
    sample = next(iter(fit.values()))[0]
    tier = measured_tier(costs, targets)
    budget = declared.find(nodeid)
    subject = PropertyCost(
        kind=sample.kind,
        tier=budget or tier,
        measured_tier=tier,
        is_declared=budget is not None,
        digest=sample.hypothesis.digest if sample.hypothesis else None,
        pin=sample.hypothesis.pin if sample.hypothesis else None,
        profiles=costs,
    )
    return update(subject, check=digest_property(subject))


def _refuse_unfit(runs: Sequence[Run]) -> None:
    for run in runs:
        if run.header.is_traced:
            raise RunFileError(
                f"run {run.header.run_id!r} was made under coverage, a profiler or a debugger",
                hint="its times mean nothing: measure again without it",
            )
    for parts in parts_by_repeat(runs).values():
        if not is_complete(parts):
            raise RunFileError(
                f"run {parts[-1].header.run_id!r} is not finished",
                hint="finish it: testinfra measure --resume",
            )
    if any(_way_of(run) != _way_of(runs[0]) for run in runs):
        raise RunFileError(
            "the runs were made with different commits, versions, machines, calibrations,"
            " numbers of workers or --pins",
            hint="measure again: testinfra measure --baseline",
        )


def _refuse_missing_runs(profiles: Mapping[str, Repeats], spec: SessionSpec) -> None:
    for profile in spec.profiles:
        repeats, n_asked = profiles.get(profile), spec.repeats_of(profile)
        if repeats is None:
            what = "no run"
        # Where no test runs again there is no further file, and a time budget may have left repeats out.
        elif repeats.n < n_asked and repeats.properties and spec.time_budget_s is None:
            what = f"{repeats.n} of {n_asked} runs"
        else:
            continue
        raise RunFileError(
            f"session {spec.session_id!r} is not finished: profile {profile!r} has {what}",
            hint="finish it: testinfra measure --resume",
        )


def _way_of(run: Run) -> tuple[object, ...]:
    header = run.header
    return circumstances(header.provenance), header.pins, header.n_workers, header.calibration


def _provenance(runs: Sequence[Run]) -> SessionProvenance:
    first = runs[0].header
    made = first.provenance
    calibrations = [
        found.calibration_s
        for run in runs
        for found in run.measurements
        if found.calibration_s is not None and is_calibration(found.calibration_s)
    ]
    contention = judge_contention(runs)
    return SessionProvenance(
        commit=made.commit,
        is_dirty=_any_dirty(runs),
        command=made.command,
        python=made.python,
        versions=dict(sorted(made.versions.items())),
        machine=made.machine,
        started_at=first.started_at,
        runs=[run.header.run_id for run in runs],
        max_examples=dict(sorted((run.header.profile, run.header.max_examples) for run in runs)),
        seed_sets=sorted({run.header.seed_set for run in runs}),
        pins=first.pins,
        n_workers=first.n_workers,
        calibration_s=round_seconds(median(calibrations)) if calibrations else None,
        tests_wall_per_cpu=_ratio(contention.tests),
        engine_wall_per_cpu=_ratio(contention.engine),
        outside=_outside(runs),
        calibration=first.calibration,
    )


def _ratio(value: float | None) -> float | None:
    return None if value is None else min(MOST_RATIO, round_seconds(value))


def _outside(runs: Sequence[Run]) -> dict[str, dict[str, list[float]]]:
    repeats: dict[str, list[list[Run]]] = {}
    for (profile, _, _), parts in sorted(parts_by_repeat(runs).items()):
        repeats.setdefault(profile, []).append(parts)
    found = {profile: seconds_by_run(of_profile) for profile, of_profile in repeats.items()}
    return {
        profile: {name: [round_seconds(s) for s in values] for name, values in outside.items()}
        for profile, outside in found.items()
        if outside
    }


def _any_dirty(runs: Sequence[Run]) -> bool | None:
    states = {run.header.provenance.is_dirty for run in runs}
    return True if True in states else None if None in states else False


def _nothing_message(excluded: Sequence[Excluded]) -> str:
    if not excluded:
        return "the runs hold no property test"
    first = excluded[0]
    n_tests = len({entry.nodeid for entry in excluded})
    if n_tests == 1:
        return f"the only property, {first.nodeid!r}, was not measured: {first.reason}"
    return f"none of {n_tests} properties was measured; the first, {first.nodeid!r}: {first.reason}"
