"""Baselines made up for the report's tests: the same for the same arguments, and shaped like real ones."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from atom_testinfra.core.budgets.examples import Candidate
from atom_testinfra.core.changes.history import History, Point, Source
from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.baseline import (
    Baseline,
    BudgetTier,
    Evidence,
    Excluded,
    ProfileCost,
    ProfileRuns,
    PropertyCost,
    SessionProvenance,
    Suite,
    TierName,
)
from atom_testinfra.core.costs.cost import (
    body_spread,
    median_s,
    median_us,
    predict_from_local,
    seconds_per_example,
)
from atom_testinfra.core.costs.digests import digest_property
from atom_testinfra.core.costs.tiers import measured_tier
from atom_testinfra.core.detection.curves import Curves
from atom_testinfra.core.detection.trials import Trial
from atom_testinfra.core.policies import PinPolicy
from atom_testinfra.core.records.measurement import Machine, Pin
from atom_testinfra.core.targets.verification import complete
from atom_testinfra.core.vocabulary import Kind, Outcome
from atom_testinfra.reports.sections.detection import DetectionSection, build_detection

DECLARED = 11
"""Index of the property that is declared fast, pinned, and is not fast."""
PROVENANCE = SessionProvenance(
    commit="0123456789abcdef0123456789abcdef01234567",
    is_dirty=False,
    command=["testinfra", "measure"],
    python="3.11.7",
    versions={"hypothesis": "6.170.15", "pytest": "9.2.0"},
    machine=Machine(system="Linux", arch="x86_64", cpu="Example CPU 3000", n_cpus=2, memory_mb=24_000),
    started_at="2026-11-20T09:20:00Z",
    runs=[f"20261120T092000Z-3f2a-local-s0-r{index}" for index in range(5)],
    max_examples={"local": 200, "ci": 50},
    seed_sets=[0],
    pins=PinPolicy.RESPECT,
    n_workers=0,
    calibration_s=0.0021,
    tests_wall_per_cpu=1.31,
    engine_wall_per_cpu=1.08,
    calibration="made up",
)
SUITE = Suite(
    wall_s=63.4,
    command=["tests/", "-m", "not integration", "-n", "auto"],
    exit_status=0,
    outcomes={"passed": 412},
    started_at="2026-11-20T09:29:00Z",
)
FAILED = Excluded(
    nodeid="tests/test_a.py::test_fails",
    profile="local",
    outcome=Outcome.FAILED,
    reason="it failed: AssertionError",
    counterexample="Falsifying example: test_fails(\n    x=0,\n)",
)
MODULES = ("analytics", "chat", "database", "episodes", "governance", "graduation", "workflows")
HOSTILE = (
    "tests/test_x.py::test_markup[<script>alert(1)</script>]",
    "tests/test_x.py::test_image[<img src=x onerror=window.hacked=1>]",
    "tests/test_x.py::test_table[a|b`c\\|d]",
    "tests/test_x.py::test_lines[one\ntwo\r\nthree]",
    "tests/test_x.py::test_escape[\x1b[31mred\x07]",
    "tests/test_x.py::test_close[</script><!--]",
    "tests/test_x.py::test_marker[<!-- testinfra:end -->]",
    "tests/test_x.py::test_template[{{ 7*7 }}{% raw %}${7*7}]",
    "tests/test_x.py::test_direction[\u202egnp.exe]",
    "tests/test_x.py::test_mention[@everyone #1 [x](javascript:alert(1))]",
)


def make_cost(rng: random.Random, duration_s: float, max_examples: int, **changes: object) -> ProfileCost:
    """Return a cost whose parts add up to the duration, about."""
    setup = duration_s * 0.05
    per_example_us = (duration_s - setup) / max_examples * 1e6
    weights = [rng.uniform(0.05, 1.0) for _ in range(3)]
    generate, body, engine = (per_example_us * weight / sum(weights) for weight in weights)
    durations = [duration_s * factor for factor in (1.04, 0.98, 1.0, 0.97, 1.02)]
    values: dict[str, object] = {
        "max_examples": max_examples,
        "n_examples": max_examples,
        "repeats": 5,
        "duration_s": duration_s,
        "cpu_s": duration_s * 0.97,
        "seconds_per_example": duration_s / max_examples,
        "setup_s": setup,
        "first_us": per_example_us * 3,
        "body_us": body,
        "generate_us": generate,
        "engine_us": engine,
        "filtered_us": generate * rng.choice([0.0, 0.0, 0.0, 0.4]),
        "calls_per_valid": 1.0 + rng.random() / 2,
        "runs": ProfileRuns(
            duration_s=durations,
            cpu_s=[value * 0.97 for value in durations],
            body_cpu_us=[body * rng.uniform(0.97, 1.03) for _ in range(5)],
            calibration_s=[0.0021] * 5,
        ),
        "requested": max_examples,
    }
    return ProfileCost(**(values | changes))  # type: ignore[arg-type]


def make_property(
    rng: random.Random,
    *,
    local_s: float,
    ci_s: float,
    tier: TierName = "fast",
    kind: Kind = Kind.FUNCTION,
    **changes: object,
) -> PropertyCost:
    """Return a property measured under both profiles."""
    profiles = {"local": make_cost(rng, local_s, 200), "ci": make_cost(rng, ci_s, 50)}
    values: dict[str, object] = {"kind": kind, "tier": tier, "measured_tier": tier, "profiles": profiles}
    return PropertyCost(**(values | changes))  # type: ignore[arg-type]


def seal(entry: PropertyCost, targets: Targets) -> PropertyCost:
    """Return the property with everything that follows from its runs, as the tool itself computes it."""
    measured = {name: _recomputed(cost) for name, cost in entry.profiles.items()}
    costs = {
        name: replace(cost, predicted=predict_from_local(measured, name, targets))
        for name, cost in measured.items()
    }
    tier = measured_tier(costs, targets)
    entry = replace(entry, profiles=costs, measured_tier=tier, tier=entry.tier if entry.is_declared else tier)
    return replace(entry, check=digest_property(entry))


def _recomputed(cost: ProfileCost) -> ProfileCost:
    runs = cost.runs
    duration_s = median_s(runs.duration_s)
    return replace(
        cost,
        repeats=len(runs.duration_s),
        duration_s=duration_s,
        cpu_s=median_s(runs.cpu_s),
        seconds_per_example=seconds_per_example(duration_s, cost.n_examples),
        body_cpu_us=(body_cpu_us := median_us(runs.body_cpu_us)),
        body_cpu_spread=body_spread(runs.body_cpu_us, body_cpu_us),
    )


def make_baseline(
    n: int = 40,
    *,
    hostile: bool = False,
    scale: float = 1.0,
    run_id: str | None = None,
    **changes: object,
) -> Baseline:
    """Return a baseline of `n` properties, most of them quick, a few slow, one above its declared limit."""
    rng = random.Random(n)
    properties: dict[str, PropertyCost] = {}
    for index in range(n):
        module = MODULES[index % len(MODULES)]
        nodeid = f"tests/property_tests/{module}/test_{module}_invariants.py::test_rule_{index:05}"
        local_s = round(min(10 ** rng.gauss(-0.4, 0.5), 9.5) * scale, 4)
        if index % 29 == 7:
            local_s = round(rng.uniform(11, 40), 3)
        kind = Kind.STATEFUL if index % 17 == 3 else Kind.FUNCTION
        entry = make_property(rng, local_s=local_s, ci_s=round(local_s / 3.6, 4), kind=kind)
        properties[nodeid] = entry if index != DECLARED else _declared_fast(rng)
    if hostile:
        for nodeid in HOSTILE:
            properties[nodeid] = make_property(rng, local_s=3.0, ci_s=0.9)
    tiers: dict[str, BudgetTier] = {"*_00011": "fast"} if n > DECLARED else {}
    values: dict[str, object] = {
        "targets": Targets(),
        "tiers": tiers,
        "provenance": PROVENANCE if run_id is None else replace(PROVENANCE, runs=[run_id]),
        "suite": SUITE,
        "excluded": [FAILED] if n > DECLARED else [],
        "properties": properties,
    }
    values |= changes
    entries = values["properties"]
    targets = values["targets"]
    assert isinstance(entries, dict)
    assert isinstance(targets, Targets)
    values["properties"] = {nodeid: seal(entries[nodeid], targets) for nodeid in sorted(entries)}
    return complete(Evidence(**values), "2026-11-20T09:30:00Z")  # type: ignore[arg-type]


def _declared_fast(rng: random.Random) -> PropertyCost:
    pin = Pin(max_examples=500, path="tests/test_pin.py", line=12)
    return make_property(rng, local_s=12.5, ci_s=3.4722, pin=pin, is_declared=True, tier="fast")


def make_detection(
    nodeids: list[str],
    *,
    stale: list[str] | None = None,
    budgeted: dict[str, int] | None = None,
    n_properties: int | None = None,
) -> DetectionSection | None:
    """Return what properties notice of five mutants each, some easily, some hardly within 200 examples."""
    rng = random.Random(len(nodeids))
    trials = []
    for nodeid in nodeids:
        for place in range(5):
            hardness = 10 ** rng.uniform(0.0, 2.5)
            for planned in (200, 50, 12):
                firsts = [1 + int(rng.expovariate(1 / hardness)) for _ in range(3)]
                trials += [
                    Trial(
                        nodeid=nodeid,
                        mutant=f"{nodeid}{place}",
                        seed=seed,
                        planned=planned,
                        first=first if first <= planned else None,
                    )
                    for seed, first in enumerate(firsts)
                ]
    candidates = [
        Candidate(nodeid=nodeid, own=rng.choice([50, 100, 500]), example_s=10 ** rng.uniform(-4, -2))
        for nodeid in [*nodeids, *(stale or [])]
    ]
    return build_detection(
        candidates,
        Curves(trials),
        budgeted=budgeted,
        stale=stale or [],
        n_properties=len(candidates) if n_properties is None else n_properties,
    )


def make_history(
    nodeid: str, costs_us: list[float], *, step: int | None = None, spread: float | None = None
) -> History:
    """Return a history with a figure a day, a change of level at `step`, and runs that are `spread` apart."""
    points = [
        Point(
            at=datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=day),
            source=Source.BASELINE,
            name=f"c{day:039}",
            cost_us=cost,
            low_us=None if spread is None else cost * (1 - spread),
            high_us=None if spread is None else cost * (1 + spread),
            change=cost / costs_us[day - 1] if day == step else None,
        )
        for day, cost in enumerate(costs_us)
    ]
    return History(nodeid=nodeid, points=points)
