"""Checks the figures of a record against each other: what no run can have produced is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.vocabulary import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atom_testinfra.core.records.measurement import Measurement, PhaseCost, Property, Samples

TOLERANCE = 0.01
"""Part by which a sum may exceed what it is part of: the clocks are read one after the other."""
SLACK_S = 0.002
"""The same for short times, in seconds."""
MOST_COUNTED = 10**9
"""More than any test runs, and few enough for every ratio of a baseline."""
LONGEST_S = 1e9
"""No test runs for thirty years: a longer time is a broken clock."""

LONGEST_CALIBRATION_S = 10.0
"""Ten thousand times what the work of a calibration takes."""

OWN_BACKEND = "hypothesis"
"""Other backends leave test cases out of Hypothesis's statistics."""


def find_contradiction(record: Measurement) -> str | None:
    """
    Return what in a record contradicts itself, in a sentence; `None` when its figures fit together.

    The wall and CPU time of the call are taken with clocks that no test can patch. The parts are checked
    against them and against each other: a clock that stood still, ran backwards or ran ahead shows there, and
    so does a record that was changed by hand.
    """
    subject = record.hypothesis
    if subject is None or record.outcome is not Outcome.PASSED:
        return None  # what fails is never taken apart
    found = next(_contradictions(record, subject), None)
    return None if found is None else f"its record contradicts itself: {found}"


def _contradictions(record: Measurement, subject: Property) -> Iterator[str]:
    yield from _of_counts(subject)
    if (record.calibration_s or 0.0) > LONGEST_CALIBRATION_S:
        yield f"its calibration took {record.calibration_s:.4g} s, and some milliseconds are usual"
    if max(_times(record)) > LONGEST_S:
        yield f"it holds a time of {max(_times(record)):.4g} s, which no clock has told"
    for name, phase in subject.phases.items():
        yield from _of_phase(f"the {name} phase", phase)
    yield from _of_samples(subject)
    yield from _of_steps(record)
    yield from _of_call(record, subject)


def is_calibration(seconds: float | None) -> bool:
    """Return whether this is what a calibration can have taken."""
    return seconds is not None and 0 < seconds <= LONGEST_CALIBRATION_S


def _times(record: Measurement) -> Iterator[float]:
    yield record.setup.wall_s + record.call.wall_s
    yield record.setup.cpu_s + record.call.cpu_s
    if record.hypothesis is not None:
        yield from (phase.duration_s for phase in record.hypothesis.phases.values())


def _of_counts(subject: Property) -> Iterator[str]:
    counts = [subject.n_explicit, subject.n_engine_runs, subject.n_steps or 0, subject.configured or 0]
    counts += [subject.effective or 0, subject.requested or 0]
    counts += [] if subject.pin is None else [subject.pin.max_examples, subject.pin.line or 0]
    counts += [_n_cases(phase) for phase in subject.phases.values()]
    if max(counts) > MOST_COUNTED:
        yield f"it counts {max(counts):,}, which no test can run"


def _of_phase(name: str, phase: PhaseCost) -> Iterator[str]:
    if (n := _n_cases(phase)) and phase.duration_s == 0:
        cases = "1 test case" if n == 1 else f"{n} test cases"
        yield f"{name} ran {cases} in no time, so the clock stood still"
    yield from _exceeds("the test cases of " + name, phase.run_s, "the phase", phase.duration_s)
    within = {
        "drawing": phase.draw_s,
        "collecting garbage": phase.gc_s,
        "filtered test cases": phase.filtered_s,
    }
    yield from _exceeds(f"overruns in {name}", phase.overrun_s, "its filtered test cases", phase.filtered_s)
    for part, part_s in within.items():
        yield from _exceeds(f"{part} in {name}", part_s, "its test cases", phase.run_s)


def _of_samples(subject: Property) -> Iterator[str]:
    samples = {"run": subject.run, "draw": subject.draw, "gc": subject.gc, "body_cpu": subject.body_cpu}
    for name, found in samples.items():
        if found is not None:
            yield from _of_sample(f"`{name}`", found)
    generate = subject.generate
    if generate is not None and subject.run is not None:
        yield from _exceeds(
            "the valid test cases", subject.run.total_s, "all of the generate phase", generate.run_s
        )


def _of_sample(name: str, found: Samples) -> Iterator[str]:
    if not found.median_s <= found.q90_s <= found.max_s or found.first_s > found.max_s:
        yield f"the summary of {name} is not in order"
    yield from _exceeds(f"the largest {name}", found.max_s, "their sum", found.total_s)
    yield from _exceeds(f"the sum of {name}", found.total_s, f"{found.n} of them", found.max_s * found.n)


def _of_steps(record: Measurement) -> Iterator[str]:
    for name, step in {"set-up": record.setup, "the call": record.call, "teardown": record.teardown}.items():
        fixtures_s = step.wide_wall_s + (step.own_wall_s or 0.0)
        cpu_s = step.cpu_s + step.children_cpu_s
        yield from _exceeds("fixtures", fixtures_s, name, step.wall_s)
        yield from _exceeds("the CPU time of fixtures wider than a function", step.wide_cpu_s, name, cpu_s)
        yield from _exceeds("the CPU time of its own thread", step.thread_cpu_s or 0.0, name, step.cpu_s)


def _of_call(record: Measurement, subject: Property) -> Iterator[str]:
    call = record.call
    is_helper = record.kind is Kind.HELPER
    # Its fixtures may run properties, too; and of nested ones the time is in that of those around them.
    whole_s = call.wall_s + (record.setup.wall_s if is_helper else 0.0)
    if not (is_helper and subject.n_engine_runs > 1):
        phases_s = sum(phase.duration_s for phase in subject.phases.values())
        yield from _exceeds("the phases", phases_s, "the call", whole_s)
    body_s = subject.body_s
    if body_s is not None:
        yield from _exceeds("the test's own function", body_s, "the call", call.wall_s)
        given_up_s = subject.given_up_body_s or 0.0
        yield from _exceeds("what was given up in the test's own function", given_up_s, "all of it", body_s)
        if subject.backend == OWN_BACKEND and subject.n_engine_runs:
            yield from _exceeds("the test's own function", body_s, *_around_body(subject))
    if subject.body_cpu is not None:
        yield from _exceeds(
            "the CPU time of the test's own function", subject.body_cpu.total_s, "the call", call.cpu_s
        )
        if body_s is not None:
            yield from _exceeds(
                "the CPU time of the test's own function", subject.body_cpu.total_s, "its wall time", body_s
            )


def _around_body(subject: Property) -> tuple[str, float]:
    """
    Return what the time in the test's own function is a part of.

    Hypothesis takes the time of a test case that is given up when it gives up, inside the function, which
    then goes on to leave its `with` blocks.
    """
    phases = subject.phases.values()
    if all(_n_cases(phase) == phase.n_valid for phase in phases):
        return "the test cases it was called by", sum(phase.run_s for phase in phases)
    return "the phases it was called in", sum(phase.duration_s for phase in phases)


def _exceeds(what: str, part_s: float, whole: str, whole_s: float) -> Iterator[str]:
    if part_s > whole_s * (1 + TOLERANCE) + SLACK_S:
        yield f"{what} took {part_s:.4g} s, and {whole} {whole_s:.4g} s"


def _n_cases(phase: PhaseCost) -> int:
    return phase.n_valid + phase.n_invalid + phase.n_overrun + phase.n_interesting
