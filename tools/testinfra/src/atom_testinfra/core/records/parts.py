"""The parts of what a test costs: each is judged by itself, so that it brings only its own noise."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from atom_testinfra.core.statistics import middle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from atom_testinfra.core.records.measurement import Cost, Measurement


class Part(StrEnum):
    """A part of the CPU time that a valid example of a test takes."""

    BODY = "body"
    """The test's own function, in its own thread: the mean over the valid examples."""
    REST = "drawing and Hypothesis"
    """What else the call takes in the test's own thread: strategies, filtering, contexts, the engine.

    A TestCase's `setUp` and `tearDown` and decorators above `@given` run in the call, and are part of it.
    """
    AROUND = "set-up and teardown"
    """Fixtures of the function, and what pytest does around the call; no wider fixture."""
    ELSEWHERE = "other threads and child processes"
    """What other threads take during the call, and child processes that end in it."""


def parts_of(record: Measurement) -> dict[Part, float] | None:
    """
    Return the CPU seconds of each part for each valid example, or `None` where they are not recorded.

    Without a body, which cannot be seen in every test, its time is part of the rest.
    """
    subject, call = record.hypothesis, record.call
    if subject is None or call.thread_cpu_s is None:
        return None
    n_examples = subject.n_explicit + subject.n_valid
    if n_examples == 0:
        return None
    parts = {}
    body_s = 0.0
    if subject.body_cpu is not None and subject.body_cpu.n:
        body_s = subject.body_cpu.total_s
        parts[Part.BODY] = body_s / subject.body_cpu.n
    elsewhere_s = call.other_threads_cpu_s + call.children_cpu_s
    parts[Part.REST] = max(call.thread_cpu_s - body_s, 0.0) / n_examples
    parts[Part.AROUND] = (_own(record.setup) + _own(record.teardown)) / n_examples
    parts[Part.ELSEWHERE] = elsewhere_s / n_examples
    return parts


def _own(step: Cost) -> float:
    """Return what a step took without the fixtures that other tests share."""
    return max(step.cpu_s + step.children_cpu_s - step.wide_cpu_s, 0.0)


def costs_by_part(
    base: Sequence[float],
    base_parts: Mapping[Part, Sequence[float]],
    new_parts: Mapping[Part, Sequence[float]],
) -> Iterator[tuple[Part, list[float], list[float]]]:
    """
    Yield each part that both sides have, with the values of both sides that it is judged by.

    The body is judged by itself, because it is what is tested. Any other part is judged by what it adds: its
    value in a run, plus what the base side's other parts cost at the median. A part that is nothing on both
    sides is left out.

    Args:
        base: the whole cost in each run of the base.
        base_parts: the parts in each run of the base.
        new_parts: the parts in each run of the new side.
    """
    whole = middle(base)
    for part in Part:
        before, now = base_parts.get(part), new_parts.get(part)
        if before is None or now is None or not (any(before) or any(now)):
            continue
        is_alone = part is Part.BODY and min(before) > 0 and min(now) > 0
        others = 0.0 if is_alone else whole - middle(before)
        yield part, [others + value for value in before], [others + value for value in now]
