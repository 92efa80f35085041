"""What a run costs outside of its tests: start-up, collection, fixtures that tests share, and threads."""

from __future__ import annotations

from collections import defaultdict
from math import fsum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.records.measurement import Run, WideFixture

START_UP = "start-up"
"""From the start of the process until pytest is configured: interpreter, plugins, the first conftests."""
COLLECTION = "imports and collection"
"""From there to the first test."""
OTHER_THREADS = "other threads outside of the tests' calls"
"""Threads that go on between two properties, in plain tests, and until the process has ended."""


class Outside(Struct, frozen=True, kw_only=True):
    """The CPU seconds of one run that no test is to be charged for."""

    seconds: dict[str, float]
    """By what took them, in words."""
    payers: dict[str, str]
    """By the same words, a test that needs the fixture."""


def outside_of(parts: Sequence[Run]) -> Outside:
    """Return what a run cost outside of its tests; nothing of one that was made in several parts."""
    seconds: dict[str, float] = defaultdict(float)
    payers: dict[str, str] = {}
    if len(parts) != 1:
        return Outside(seconds={}, payers={})
    (run,) = parts
    collected = run.collected
    if collected is not None and collected.startup_cpu_s is not None:
        seconds[START_UP] = collected.startup_cpu_s
    if collected is not None and collected.collection_cpu_s is not None:
        seconds[COLLECTION] = collected.collection_cpu_s
    if run.end is not None and run.end.other_threads_cpu_s is not None:
        seen_s = fsum(record.call.other_threads_cpu_s for record in run.measurements)
        seconds[OTHER_THREADS] = max(run.end.other_threads_cpu_s - seen_s, 0.0)
    for record in run.measurements:
        for fixture in record.fixtures:
            name = describe_fixture(fixture)
            seconds[name] += fixture.cpu_s
            payers.setdefault(name, record.nodeid)
    return Outside(seconds=dict(seconds), payers=payers)


def describe_fixture(fixture: WideFixture) -> str:
    """Return what a fixture is called in a comparison."""
    of = f" of {fixture.place}" if fixture.place else ""
    return f"{fixture.scope} fixture {fixture.name}{of}"


def seconds_by_run(repeats: Sequence[Sequence[Run]]) -> dict[str, list[float]]:
    """Return what each thing outside of the tests took in every run; what was not in all runs is left out."""
    found = [outside_of(parts).seconds for parts in repeats]
    names = [name for name in (found[0] if found else {}) if all(name in seconds for seconds in found)]
    return {name: [seconds[name] for seconds in found] for name in names}
