"""Runs as the recorder writes them: one by hand, or drawn by Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec.structs import replace
from tests.versions import encodable

from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.aggregation import gather_evidence
from atom_testinfra.core.costs.baseline import Baseline, Suite
from atom_testinfra.core.policies import PinPolicy
from atom_testinfra.core.records.measurement import (
    Collected,
    Cost,
    Machine,
    Measurement,
    PhaseCost,
    Pin,
    Property,
    Provenance,
    Run,
    RunEnd,
    RunHeader,
    Samples,
)
from atom_testinfra.core.targets.verification import complete
from atom_testinfra.core.vocabulary import Kind, Outcome

THE_END = RunEnd(exit_status=0, wall_s=10.0, cpu_s=9.0, outcomes={"passed": 1})
BOUNDS = {"local": 200, "ci": 50}
NOW = "2026-11-22T17:20:31Z"

MACHINE = Machine(system="Linux", arch="x86_64", cpu="A processor", n_cpus=2, memory_mb=8000)
PROVENANCE = Provenance(
    commit="0123456789abcdef0123456789abcdef01234567",
    is_dirty=False,
    command=["testinfra", "measure"],
    python="CPython 3.11.7",
    versions={"hypothesis": "6.170.15", "pytest": "9.2.0"},
    machine=MACHINE,
)


def a_measurement(
    nodeid: str = "tests/test_a.py::test_a",
    *,
    bound: int = 200,
    n_examples: int | None = None,
    body_us: float = 100.0,
    generate_us: float = 50.0,
    engine_us: float = 25.0,
    setup_s: float = 0.01,
    first_surplus_us: float = 300.0,
    outcome: Outcome = Outcome.PASSED,
    pin: Pin | None = None,
    **changes: object,
) -> Measurement:
    """Return the measurement of a property that costs so much per example."""
    n = bound if n_examples is None else n_examples
    run_s = (n * (body_us + generate_us) + first_surplus_us) / 1e6
    duration_s = run_s + n * engine_us / 1e6
    subject = Property(
        requested=bound,
        configured=bound,
        effective=bound if n == bound else None,
        stopped_because=f"settings.max_examples={bound}",
        phases={
            "generate": PhaseCost(duration_s=duration_s, n_valid=n, run_s=run_s, draw_s=n * generate_us / 1e6)
        },
        n_engine_runs=1,
        run=Samples(
            n=n,
            first_s=(body_us + generate_us + first_surplus_us) / 1e6,
            median_s=(body_us + generate_us) / 1e6,
            q90_s=(body_us + generate_us) / 1e6,
            max_s=(body_us + generate_us + first_surplus_us) / 1e6,
            total_s=run_s,
        )
        if n
        else None,
        body_cpu=Samples(
            n=n,
            first_s=body_us / 1e6,
            median_s=body_us / 1e6,
            q90_s=body_us / 1e6,
            max_s=body_us / 1e6,
            total_s=n * body_us / 1e6,
        )
        if n  # a run without a valid test case has no figures of one
        else None,
        digest="0123456789abcdef",
        pin=pin,
    )
    made = Measurement(
        nodeid=nodeid,
        kind=Kind.FUNCTION,
        outcome=outcome,
        setup=Cost(wall_s=setup_s, cpu_s=setup_s),
        call=Cost(wall_s=duration_s, cpu_s=duration_s * 0.995),
        hypothesis=subject,
        calibration_s=0.003,
    )
    return replace(made, **changes)


def a_run(
    measurements: list[Measurement],
    *,
    profile: str = "local",
    repeat: int = 0,
    end: RunEnd | None = THE_END,
    **changes: object,
) -> Run:
    """Return a run of one profile."""
    header = RunHeader(
        schema_version=1,
        run_id=f"20261122T171500Z-{profile}-r{repeat}",
        session_id="20261122T171500Z",
        started_at=NOW,
        profile=profile,
        max_examples=BOUNDS[profile],
        pins=PinPolicy.RESPECT,
        seed_set=0,
        repeat=repeat,
        n_workers=0,
        provenance=PROVENANCE,
        calibration="made up",
    )
    nodeids = [measurement.nodeid for measurement in measurements]
    return Run(
        header=replace(header, **changes),
        collected=Collected(nodeids=nodeids),
        measurements=measurements,
        end=end,
    )


def a_session(body_us: dict[str, float], *, n_repeats: int = 5, spread: float = 0.02) -> list[Run]:
    """Return runs under both profiles of properties whose bodies cost so much, a little more in each run."""
    return [
        a_run(
            [
                a_measurement(nodeid, bound=bound, body_us=us * (1 + spread * repeat))
                for nodeid, us in body_us.items()
            ],
            profile=profile,
            repeat=repeat,
        )
        for repeat in range(n_repeats)
        for profile, bound in BOUNDS.items()
    ]


A_SUITE = Suite(
    wall_s=48.7, command=["tests/", "-n", "auto"], exit_status=0, outcomes={"passed": 312}, started_at=NOW
)

BODIES = {
    "tests/test_fast.py::test_one": 130.0,
    "tests/test_fast.py::test_two[a-1]": 710.0,
    "tests/test_medium.py::TestIt::test_three": 72_000.0,
    "tests/test_slow.py::test_four": 411_000.0,
    "tests/test_slow.py::test_over": 640_000.0,
}


def a_baseline(
    body_us: dict[str, float] = BODIES,
    *,
    suite: Suite | None = A_SUITE,
    targets: Targets = Targets(),  # noqa: B008 (frozen)
    tiers: dict[str, str] | None = None,
    n_repeats: int = 5,
) -> Baseline:
    """Return a baseline of properties in every tier."""
    runs = a_session(body_us, n_repeats=n_repeats)
    evidence = gather_evidence(runs, targets=targets, tiers=tiers or {}, suite=suite)  # type: ignore[arg-type]
    return complete(evidence, NOW)


nodeids = st.text(encodable(), min_size=1, max_size=40)
costs_us = st.floats(min_value=0.001, max_value=1e6)
pins = st.builds(
    Pin,
    max_examples=st.integers(1, 1000),
    path=st.none() | st.text(encodable(), max_size=20),
    line=st.none() | st.integers(1, 10_000),
)


@st.composite
def measurements(draw: st.DrawFn, nodeid: str, bound: int) -> Measurement:
    """Draw a measurement of a property that passed, with any cost."""
    return a_measurement(
        nodeid,
        bound=bound,
        n_examples=draw(st.just(bound) | st.integers(0, bound)),
        body_us=draw(costs_us),
        generate_us=draw(costs_us),
        engine_us=draw(costs_us),
        setup_s=draw(st.floats(0, 200)),
        kind=draw(st.sampled_from([k for k in Kind if k not in {Kind.PLAIN, Kind.UNKNOWN}])),
        calibration_s=draw(st.none() | st.floats(1e-4, 1)),
    )


@st.composite
def sessions(draw: st.DrawFn, *, max_properties: int = 4) -> list[Run]:
    """Draw a finished session in which every test passed."""
    names = draw(st.lists(nodeids, min_size=1, max_size=max_properties, unique=True))
    profiles = draw(st.sampled_from([["local"], ["ci"], ["ci", "local"]]))
    return [
        a_run([draw(measurements(name, BOUNDS[profile])) for name in names], profile=profile, repeat=repeat)
        for repeat in range(draw(st.integers(1, 3)))
        for profile in profiles
    ]
