"""
What a property costs, and what it would cost with another number of examples.

    T(n) = set-up + first + calls_per_valid * n * cost

Set-up and the first example are paid once; each further valid example costs as many calls as it takes to find
one. From a measured T(N) the model therefore goes `n - N` times the marginal cost of an example.

That cost is taken to be the same at N and at n. Hypothesis keeps the first `min(max_examples // 10, 50)`
valid examples small (`small_test_case_cap` of its engine): the same share of them up to 500 examples, so that
the average of all holds for fewer.
"""

from __future__ import annotations

from math import ceil, exp, fsum, hypot, log, sqrt
from statistics import median, median_low
from typing import TYPE_CHECKING, NamedTuple

from atom_testinfra.core.baseline import Prediction, ProfileCost, ProfileRuns
from atom_testinfra.core.rounding import round_micros, round_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.measurement import Measurement, Property

STUDENT_95 = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Two-sided 95 % quantiles of Student's t for 1 to 10 degrees of freedom."""
NORMAL_95 = 1.96

WIDEST = 1000.0
"""Factor of an interval beyond which it says no more than that nothing is known."""

LONGEST_S = 1e9
"""No test runs for thirty years: a longer time is a broken clock."""

MICRO = 1e-6


class Parts(NamedTuple):
    """Where the wall time of a generated example goes, in seconds."""

    body_s: float = 0.0
    generate_s: float = 0.0
    engine_s: float = 0.0
    filtered_s: float = 0.0
    """Body and drawing of test cases that were given up, for each valid one."""
    first_s: float = 0.0
    """Body and drawing of the first valid one."""


class Share(NamedTuple):
    """Where a property's time goes, as shares of its duration; the first five add up to one."""

    setup: float
    body: float
    generate: float
    engine: float
    other: float
    """What no part accounts for: explicit examples, and pytest around the engine."""
    filtered: float
    """Test cases that were given up; part of body and generate."""


def combine_runs(runs: Sequence[Measurement]) -> ProfileCost:
    """
    Return the medians over the passed runs of one property under one profile.

    Whatever follows from other figures is computed from the rounded ones, so that anyone who has the file
    computes the same.
    """
    properties = [run.hypothesis for run in runs if run.hypothesis is not None]
    first = properties[0]
    bound = first.effective if first.effective is not None else first.configured
    n_examples = median_low([p.n_valid for p in properties])
    n_explicit = median_low([p.n_explicit for p in properties])
    evidence = _evidence(runs, properties)
    parts = [split_example(p) for p in properties]
    duration_s = median_s(evidence.duration_s)
    return ProfileCost(
        max_examples=n_examples if bound is None else bound,
        n_examples=n_examples,
        n_explicit=n_explicit,
        repeats=len(runs),
        duration_s=duration_s,
        cpu_s=median_s(evidence.cpu_s),
        seconds_per_example=seconds_per_example(duration_s, n_examples + n_explicit),
        setup_s=round_seconds(median([run.setup.wall_s for run in runs])),
        first_us=_median_us([part.first_s for part in parts]),
        body_us=_median_us([part.body_s for part in parts]),
        generate_us=_median_us([part.generate_s for part in parts]),
        engine_us=_median_us([part.engine_s for part in parts]),
        filtered_us=_median_us([part.filtered_s for part in parts]),
        calls_per_valid=round_seconds(median([_calls_per_valid(p) for p in properties])),
        runs=evidence,
        body_cpu_us=(body_cpu_us := median_us(evidence.body_cpu_us)),
        body_cpu_spread=body_spread(evidence.body_cpu_us, body_cpu_us),
        requested=first.requested,
        is_exhausted=any(p.is_exhausted for p in properties),
        unpredictable=_why_unpredictable(properties, n_examples, bound),
    )


def split_example(subject: Property) -> Parts:
    """
    Return the parts of a generated example.

    What a test case takes besides drawing is Hypothesis's own work too, 0.2 ms and more: as far as the time
    in the test's function is known, the rest goes to the engine, the same for each test case.
    """
    cost = subject.generate
    if cost is None or cost.n_valid == 0:
        return Parts()
    undrawn_s = max(0.0, cost.run_s - cost.draw_s)
    body_s = undrawn_s if subject.body_s is None else min(subject.body_s, undrawn_s)
    n_filtered = cost.n_invalid + cost.n_overrun
    around_s = (undrawn_s - body_s) / (cost.n_valid + n_filtered + cost.n_interesting)
    first_s = 0.0 if subject.run is None else max(0.0, subject.run.first_s - around_s)
    return Parts(
        body_s=body_s / cost.n_valid,
        generate_s=cost.draw_s / cost.n_valid,
        engine_s=max(0.0, cost.duration_s - cost.draw_s - body_s) / cost.n_valid,
        filtered_s=max(0.0, cost.filtered_s - around_s * n_filtered) / cost.n_valid,
        first_s=first_s,
    )


def median_s(kept: Sequence[float]) -> float:
    """Return the median of kept figures as it is kept: one of them, or between two."""
    ordered = sorted(kept)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return round_seconds((ordered[middle - 1] + ordered[middle]) / 2)


def seconds_per_example(duration_s: float, n_run: int) -> float:
    """Return the plan's per-iteration average as it is kept."""
    return round_seconds(duration_s / n_run)


def median_us(kept: Sequence[float]) -> float | None:
    """Return the median of kept figures as it is kept, if there are any: one of them, or between two."""
    if not kept:
        return None
    ordered = sorted(kept)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return round_micros((ordered[middle - 1] + ordered[middle]) / 2)


def body_spread(kept: Sequence[float], center: float | None) -> float | None:
    """Return how far apart the runs are, relative to their median."""
    if len(kept) < 2 or not center:
        return None
    return round_seconds((max(kept) - min(kept)) / center)


def share_of_time(cost: ProfileCost) -> Share:
    """Return where the property's time goes; parts that overlap the clock's noise are scaled to fit."""
    n = cost.n_examples * MICRO
    parts = [cost.setup_s, cost.body_us * n, cost.generate_us * n, cost.engine_us * n]
    whole = max(cost.duration_s, sum(parts))
    if whole == 0:
        return Share(0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    setup, body, generate, engine = (part / whole for part in parts)
    other = max(0.0, 1.0 - setup - body - generate - engine)
    return Share(setup, body, generate, engine, other, min(1.0, cost.filtered_us * n / whole))


def without_filtered(generate: float, body: float, filtered: float) -> tuple[float, float]:
    """
    Return drawing and body without what was given up, which was measured inside them; all in one unit.

    Most test cases give up while drawing: it is taken out there first.
    """
    from_generate = min(filtered, generate)
    return generate - from_generate, max(0.0, body - (filtered - from_generate))


def marginal_s(cost: ProfileCost) -> float:
    """Return what one further valid example costs, without what only the first one pays."""
    if cost.n_examples == 0:
        return 0.0
    average_us = cost.body_us + cost.generate_us + cost.engine_us
    surplus_us = max(0.0, cost.first_us - cost.body_us - cost.generate_us)
    return max(0.0, average_us - surplus_us / cost.n_examples) * MICRO


def duration_with(cost: ProfileCost, n_examples: int) -> float:
    """Return the wall seconds that the model expects of `n_examples`."""
    return max(cost.setup_s, cost.duration_s + (n_examples - cost.n_examples) * marginal_s(cost))


def examples_within(cost: ProfileCost, limit_s: float) -> int:
    """Return the largest number of examples that stays under the limit; 0 when not even one does."""
    per_example = marginal_s(cost)
    if cost.setup_s >= limit_s:
        return 0
    if per_example == 0:
        return cost.n_examples if cost.duration_s < limit_s else 0
    further = (limit_s - cost.duration_s) / per_example
    return max(0, cost.n_examples + ceil(max(-1e12, min(1e9, further))) - 1)


def predict(cost: ProfileCost, n_examples: int, *, source: str) -> Prediction | None:
    """
    Return what the property should cost with `n_examples`, from its cost under the profile `source`.

    The interval is that of one further run, and comes from the spread between the runs. Nothing is predicted
    from a property whose cost does not grow with its examples.
    """
    if cost.unpredictable is not None or cost.duration_s == 0:
        return None
    duration_s = duration_with(cost, n_examples)
    cpu_s = cost.cpu_s * duration_s / cost.duration_s
    factor = _interval_factor(cost.runs.cpu_s)
    return Prediction(
        source=source,
        duration_s=round_seconds(min(LONGEST_S, duration_s)),
        cpu_s=round_seconds(min(LONGEST_S, cpu_s)),
        cpu_low_s=None if factor is None else round_seconds(cpu_s / factor),
        cpu_high_s=None if factor is None else round_seconds(min(LONGEST_S, cpu_s * factor)),
    )


def predict_from_local(costs: Mapping[str, ProfileCost], profile: str, targets: Targets) -> Prediction | None:
    """Return what the local profile's cost lets expect of the examples that another profile ran."""
    local = costs.get(targets.local_profile)
    if local is None or profile == targets.local_profile:
        return None
    return predict(local, costs[profile].n_examples, source=targets.local_profile)


def _interval_factor(values: Sequence[float]) -> float | None:
    """Return the factor by which one further run may be off, 19 times of 20; costs vary by factors."""
    logs = [log(value) for value in values if value > 0]
    n = len(logs)
    if n < 2:
        return None
    quantile = STUDENT_95[n - 2] if n <= len(STUDENT_95) + 1 else NORMAL_95
    center = fsum(logs) / n
    deviation = hypot(*[one - center for one in logs]) / sqrt(n - 1)
    return min(WIDEST, exp(min(50.0, quantile * deviation * sqrt(1 + 1 / n))))


def _evidence(runs: Sequence[Measurement], properties: Sequence[Property]) -> ProfileRuns:
    bodies = [p.body_cpu.median_s for p in properties if p.body_cpu is not None]
    calibrations = [run.calibration_s for run in runs if run.calibration_s is not None]
    return ProfileRuns(
        duration_s=[round_seconds(run.setup.wall_s + run.call.wall_s) for run in runs],
        cpu_s=[round_seconds(run.setup.cpu_s + run.call.cpu_s) for run in runs],
        # A list with gaps could not be put beside the others, run by run.
        body_cpu_us=[round_micros(s / MICRO) for s in bodies] if len(bodies) == len(runs) else [],
        calibration_s=[round_seconds(s) for s in calibrations] if len(calibrations) == len(runs) else [],
    )


def _median_us(values_s: Sequence[float]) -> float:
    return round_micros(median(values_s) / MICRO)


def _calls_per_valid(subject: Property) -> float:
    generate = subject.generate
    if generate is None or generate.n_valid == 0:
        return 1.0
    return (generate.n_valid + generate.n_invalid + generate.n_overrun) / generate.n_valid


def _why_unpredictable(properties: Sequence[Property], n_examples: int, bound: int | None) -> str | None:
    if any(p.is_exhausted for p in properties):
        return f"its search space ended after {n_examples} examples"
    if n_examples == 0:
        return "it generates no examples"
    if any(p.n_engine_runs > 1 for p in properties):
        return "it runs Hypothesis inside Hypothesis"
    if bound is not None and n_examples < bound:
        return f"only {n_examples} of {bound} examples were found: what it filters or assumes leaves too few"
    return None
