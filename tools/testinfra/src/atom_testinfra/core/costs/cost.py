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

from atom_testinfra.core.costs.baseline import Prediction, ProfileCost, ProfileRuns
from atom_testinfra.core.figures import plural
from atom_testinfra.core.records.parts import Part, parts_of
from atom_testinfra.core.records.plausibility import LONGEST_S
from atom_testinfra.core.rounding import round_micros, round_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.records.measurement import Measurement, PhaseCost, Property

STUDENT_95 = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Two-sided 95 % quantiles of Student's t for 1 to 10 degrees of freedom."""
NORMAL_95 = 1.96

WIDEST = 1000.0
"""Factor of an interval beyond which it says no more than that nothing is known."""

MICRO = 1e-6


class Parts(NamedTuple):
    """Where the wall time of a generated example goes, in seconds, all test cases included."""

    body_s: float = 0.0
    generate_s: float = 0.0
    engine_s: float = 0.0
    filtered_s: float = 0.0
    """Body and drawing of test cases that were given up, for each valid one."""
    filtered_draw_s: float = 0.0
    """Of that, drawing."""
    overrun_s: float = 0.0
    """Body and drawing of the overruns among them."""
    first_s: float = 0.0
    """Body and drawing of the first valid one."""


class Split(NamedTuple):
    """
    Where a property's wall time goes, in seconds that add up to its duration.

    Body, generating and engine are those of the valid test cases. A test case that was given up has all of
    its time, and its share of Hypothesis's work, in `rejected_s` or `overrun_s`: without it none of that
    would have been spent.
    """

    setup_s: float
    body_s: float
    generate_s: float
    engine_s: float
    rejected_s: float
    """Test cases that an assumption or a filter gave up; in older files, overruns too."""
    overrun_s: float
    """Overruns: test cases that asked for more data than Hypothesis gave them."""
    other_s: float
    """What no part accounts for: explicit and replayed examples, and pytest around the engine."""


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
        wide_setup_s=round_seconds(median([min(run.setup.wide_wall_s, run.setup.wall_s) for run in runs])),
        own_setup_s=_own_setup_s(runs),
        filtered_draw_us=_median_us([part.filtered_draw_s for part in parts]),
        overrun_us=_median_us([part.overrun_s for part in parts]),
        overruns_per_valid=round_seconds(median([_overruns_per_valid(p) for p in properties])),
        calls_per_valid=round_seconds(median([calls_per_valid(p) for p in properties])),
        runs=evidence,
        body_cpu_us=(body_cpu_us := median_us(evidence.body_cpu_us)),
        body_cpu_spread=body_spread(evidence.body_cpu_us, body_cpu_us),
        requested=first.requested,
        is_exhausted=any(p.is_exhausted for p in properties),
        modes=runs[0].modes,
        unpredictable=_why_unpredictable(properties, n_examples, bound),
        steps_per_valid=_steps_per_valid(properties),
    )


def _own_setup_s(runs: Sequence[Measurement]) -> float | None:
    own_s = [run.setup.own_wall_s for run in runs if run.setup.own_wall_s is not None]
    return round_seconds(median(own_s)) if len(own_s) == len(runs) else None


def split_example(subject: Property) -> Parts:
    """
    Return the parts of a generated example.

    What a test case takes apart from drawing is Hypothesis's own work too, 0.2 ms and more: as far as the
    time in the test's function is known, the rest goes to the engine, the same for each test case.
    """
    cost = subject.generate
    if cost is None or cost.n_valid == 0:
        return Parts()
    undrawn_s = max(0.0, cost.run_s - cost.draw_s)
    body_s = undrawn_s if subject.body_s is None else min(subject.body_s, undrawn_s)
    n_filtered = cost.n_invalid + cost.n_overrun
    around_s = (undrawn_s - body_s) / (cost.n_valid + n_filtered + cost.n_interesting)
    first_s = 0.0 if subject.run is None else max(0.0, subject.run.first_s - around_s)
    filtered_s = max(0.0, cost.filtered_s - around_s * n_filtered)
    filtered_draw_s = min(filtered_s, _filtered_draw_s(subject, cost))
    if subject.given_up_body_s is not None:
        # What the machine did meanwhile, as in a test case that was interrupted, is not the test's own code.
        filtered_s = min(filtered_s, filtered_draw_s + subject.given_up_body_s)
    return Parts(
        body_s=body_s / cost.n_valid,
        generate_s=cost.draw_s / cost.n_valid,
        engine_s=max(0.0, cost.duration_s - cost.draw_s - body_s) / cost.n_valid,
        filtered_s=filtered_s / cost.n_valid,
        filtered_draw_s=filtered_draw_s / cost.n_valid,
        overrun_s=min(filtered_s, max(0.0, cost.overrun_s - around_s * cost.n_overrun)) / cost.n_valid,
        first_s=first_s,
    )


def _filtered_draw_s(subject: Property, cost: PhaseCost) -> float:
    """Return how long test cases drew that were given up: what the valid ones did not."""
    if cost.n_invalid + cost.n_overrun == 0:
        return 0.0
    if subject.draw is None or subject.draw.n != cost.n_valid:
        return cost.filtered_s * cost.draw_s / cost.run_s if cost.run_s else 0.0
    return max(0.0, cost.draw_s - subject.draw.total_s)


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


def split_time(cost: ProfileCost) -> Split:
    """
    Return where the property's time goes.

    The medians of the parts need not add up to the median of the whole: what is left over is `other_s`, and
    parts that are too long together are shortened alike.
    """
    n = cost.n_examples * MICRO
    from_draw_us, from_body_us = _filtered_parts(cost)
    overrun_calls = cost.overruns_per_valid or 0.0
    rejected_calls = max(0.0, cost.calls_per_valid - 1.0 - overrun_calls)
    engine_of_one_us = cost.engine_us / max(1.0, cost.calls_per_valid)
    overrun_us = min(cost.filtered_us, cost.overrun_us or 0.0)
    parts = (
        cost.setup_s,
        max(0.0, cost.body_us - from_body_us) * n,
        max(0.0, cost.generate_us - from_draw_us) * n,
        engine_of_one_us * n,
        (cost.filtered_us - overrun_us + engine_of_one_us * rejected_calls) * n,
        (overrun_us + engine_of_one_us * overrun_calls) * n,
    )
    whole = sum(parts)
    factor = cost.duration_s / whole if whole > cost.duration_s else 1.0
    setup, body, generate, engine, rejected, overrun = (part * factor for part in parts)
    return Split(setup, body, generate, engine, rejected, overrun, max(0.0, cost.duration_s - whole))


def _filtered_parts(cost: ProfileCost) -> tuple[float, float]:
    """
    Return how much of drawing and of the body, in microseconds, went to test cases that were given up.

    Where a file does not say it, drawing comes first: most of them are given up while they draw.
    """
    from_draw_us = cost.filtered_draw_us
    if from_draw_us is None:
        from_draw_us = min(cost.filtered_us, cost.generate_us)
    return from_draw_us, max(0.0, cost.filtered_us - from_draw_us)


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
    if local is None or profile == targets.local_profile or local.source != costs[profile].source:
        return None  # what two sessions measured is not a prediction that can be compared with its result
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
        parts_us=_parts(runs),
        calibration_s=[round_seconds(s) for s in calibrations] if len(calibrations) == len(runs) else [],
    )


def _parts(runs: Sequence[Measurement]) -> dict[Part, list[float]]:
    """Return each part in each run, if all runs have the same parts; a part that is zero is left out."""
    found = [parts_of(run) for run in runs]
    first = found[0]
    if first is None or any(parts is None or parts.keys() != first.keys() for parts in found):
        return {}
    columns = {part: [round_micros(parts[part] / MICRO) for parts in found if parts] for part in first}
    return {part: column for part, column in columns.items() if part is not Part.ELSEWHERE or any(column)}


def _median_us(values_s: Sequence[float]) -> float:
    return round_micros(median(values_s) / MICRO)


def calls_per_valid(subject: Property) -> float:
    """Return how many test cases it took to find a valid one."""
    generate = subject.generate
    if generate is None or generate.n_valid == 0:
        return 1.0
    return (generate.n_valid + generate.n_invalid + generate.n_overrun) / generate.n_valid


def _overruns_per_valid(subject: Property) -> float:
    generate = subject.generate
    return 0.0 if generate is None or generate.n_valid == 0 else generate.n_overrun / generate.n_valid


def _steps_per_valid(properties: Sequence[Property]) -> float | None:
    """Return how many steps a machine takes in a valid example, if it is the same in every run."""
    found = {steps_per_valid(subject) for subject in properties}
    return found.pop() if len(found) == 1 else None


def steps_per_valid(subject: Property) -> float | None:
    """Return how many rules a machine executed for each valid example; `None` for other tests."""
    if subject.n_steps is None or not subject.n_valid:
        return None
    return round_seconds(subject.n_steps / subject.n_valid)


def _why_unpredictable(properties: Sequence[Property], n_examples: int, bound: int | None) -> str | None:
    if any(p.is_exhausted for p in properties):
        return f"its search space ended after {plural(n_examples, 'example')}"
    if n_examples == 0:
        return "it generates no examples"
    if n_examples == 1:
        return "it ran one example, which does not show what a further one costs"
    if any(p.n_engine_runs > 1 for p in properties):
        return "it runs Hypothesis inside Hypothesis"
    if bound is not None and n_examples < bound:
        return f"only {n_examples} of {bound} examples were found{_why_too_few(properties)}"
    return None


def _why_too_few(properties: Sequence[Property]) -> str:
    found = [p.generate for p in properties if p.generate is not None]
    n_rejected, n_overrun = sum(cost.n_invalid for cost in found), sum(cost.n_overrun for cost in found)
    if n_rejected + n_overrun == 0:
        return ""
    if n_overrun > n_rejected:
        return ": too many test cases ask for more data than Hypothesis gives them"
    return ": what it filters or assumes leaves too few"
