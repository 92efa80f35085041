"""Runs made by hand, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence

from atom_testinfra.core.policies import PinPolicy
from atom_testinfra.core.records.measurement import (
    Collected,
    Cost,
    Machine,
    Measurement,
    PhaseCost,
    Property,
    Provenance,
    Run,
    RunEnd,
    RunHeader,
    Samples,
)
from atom_testinfra.core.vocabulary import RUN_SCHEMA_VERSION, Kind, Outcome

HERE = Machine(system="Linux", arch="x86_64", cpu="one", n_cpus=2, memory_mb=4096)


def make_run(
    records: Sequence[Measurement], *, repeat: int = 0, part: int = 0, profile: str = "local"
) -> Run:
    provenance = Provenance(
        commit="c0ffee",
        is_dirty=False,
        command=["pytest"],
        python="CPython 3.11.7",
        versions={"hypothesis": "6.170.15"},
        machine=HERE,
    )
    header = RunHeader(
        schema_version=RUN_SCHEMA_VERSION,
        run_id=f"s-{profile}-r{repeat}-p{part}",
        session_id="s",
        started_at="2026-01-01T00:00:00Z",
        profile=profile,
        max_examples=200,
        pins=PinPolicy.RESPECT,
        seed_set=0,
        repeat=repeat,
        part=part,
        n_workers=0,
        calibration="made up",
        provenance=provenance,
    )
    return Run(
        header=header,
        collected=Collected(nodeids=[record.nodeid for record in records]),
        measurements=list(records),
        end=RunEnd(exit_status=0, wall_s=1, cpu_s=1, outcomes={}),
    )


def make_record(
    nodeid: str,
    body_s: float | None = 0.001,
    *,
    calibration_s: float | None = 0.0005,
    outcome: Outcome = Outcome.PASSED,
    n_valid: int = 200,
    problems: Sequence[str] = (),
) -> Measurement:
    body = None
    if body_s is not None:
        body = Samples(n=200, first_s=body_s, median_s=body_s, q90_s=body_s, max_s=body_s, total_s=body_s)
    return Measurement(
        nodeid=nodeid,
        kind=Kind.FUNCTION,
        outcome=outcome,
        setup=Cost(wall_s=0.5, cpu_s=0.25),
        call=Cost(wall_s=1.5, cpu_s=0.75),
        calibration_s=calibration_s,
        hypothesis=Property(
            requested=200,
            configured=200,
            effective=200,
            stopped_because=None,
            phases={"generate": PhaseCost(duration_s=1, n_valid=n_valid)} if n_valid else {},
            n_engine_runs=1,
            body_cpu=body,
            digest=f"digest of {nodeid}",
        ),
        problems=list(problems),
    )
