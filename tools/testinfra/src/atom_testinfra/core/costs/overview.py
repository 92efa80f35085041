"""Where the whole time of a run went, by test, part and file, and what could be saved."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import fsum
from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.costs.cost import combine_runs, duration_with, split_time
from atom_testinfra.core.costs.what_if import Estimate, Growing, GrowingSuite, grow
from atom_testinfra.core.records.measurement import Pin
from atom_testinfra.core.records.repeats import Repeats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atom_testinfra.core.costs.baseline import ProfileCost
    from atom_testinfra.core.records.measurement import Measurement, Run

ASKED = (25, 50, 100)
"""The numbers of examples for which the suite's time is predicted."""
WORKERS = (2, 4, 8)


class PropertyTime(Struct, frozen=True, kw_only=True, gc=False):
    """A property's time in one run, in wall seconds; the parts add up to `total_s`."""

    nodeid: str
    total_s: float
    n_examples: int
    setup_s: float
    generate_s: float
    body_s: float
    engine_s: float
    filtered_s: float
    """Test cases that were given up."""
    other_s: float
    """Teardown, explicit examples, and pytest around them."""


class FileTime(Struct, frozen=True, kw_only=True, gc=False):
    """What a file costs around its tests, in wall seconds."""

    path: str
    n_tests: int
    collect_s: float | None
    """Importing it and collecting its tests; `None` if that was not recorded."""
    setup_s: float
    teardown_s: float


class PinCost(Struct, frozen=True, kw_only=True, gc=False):
    """What a property's own number of examples costs."""

    nodeid: str
    pin: Pin
    n_examples: int
    """What ran: another number than the pin's if the session's policy changed it, or if fewer were found."""
    total_s: float
    saved_s: float | None
    """What the number that other properties run would save; `None` if that is not known."""


class Bound(Struct, frozen=True, kw_only=True, gc=False):
    """The least time that workers can need: an equal share each, or the longest test."""

    n_workers: int
    least_s: float
    took_s: float | None = None
    """What the run took with that many, start-up and collection included."""


class Overview(Struct, frozen=True, kw_only=True):
    """What the tests of a session took under one profile."""

    profile: str
    n_repeats: int
    tests: list[PropertyTime]
    """The properties with figures, slowest first."""
    n_others: int
    """Properties without figures; their time is nevertheless in the total."""
    others_s: float
    n_plain: int
    plain_s: float
    around_s: float | None
    """Collection and pytest itself, of a serial run that came to its end."""
    usual_examples: int | None
    """The number that a property without one of its own runs."""
    pins: list[PinCost]
    what_if: list[Estimate]
    what_if_pinned: list[Estimate]
    """The same if every property keeps its own number; empty if none has one."""
    n_fixed: int
    """Tests whose time does not depend on the number of examples, or not in a known way."""
    files: list[FileTime]
    bounds: list[Bound]

    @property
    def tests_s(self) -> float:
        """The seconds of all tests, one after the other."""
        return fsum([self.others_s, self.plain_s, *(test.total_s for test in self.tests)])

    def part(self, name: str) -> float:
        """Return the seconds of one part over all properties with figures."""
        return fsum(getattr(test, f"{name}_s") for test in self.tests)


def overview(runs: Iterable[Run], profile: str) -> tuple[Overview, GrowingSuite]:
    """Return where the time of a profile's runs went, and the suite as a function of its examples."""
    runs = [run for run in runs if run.header.profile == profile]
    repeats = Repeats(profile, runs)
    tests: list[PropertyTime] = []
    growing: dict[str, Growing] = {}
    costs: dict[str, tuple[ProfileCost, Sequence[Measurement]]] = {}
    others_s: list[float] = []
    plain_s: list[float] = []
    for nodeid in repeats.nodeids:
        found = repeats.of(nodeid)
        if not found:
            continue
        total_s = median(_total_s(record) for record in found)
        if nodeid not in repeats.properties:
            plain_s.append(total_s)
            continue
        objections = [*repeats.objections(nodeid)]
        if not all(objection.is_remark for objection in objections):
            others_s.append(total_s)
        else:
            cost = combine_runs(found)
            tests.append(_time_with_parts(nodeid, cost, total_s))
            if objections:
                continue  # a helper, say: no profile reaches it
            costs[nodeid] = cost, found
            if (grown := grow(nodeid, cost, found)) is not None:
                growing[nodeid] = grown
    fixed = [test.total_s for test in tests if test.nodeid not in growing]
    suite = GrowingSuite(
        fixed_s=fsum([*others_s, *plain_s, *fixed]),
        n_fixed=len(others_s) + len(plain_s) + len(fixed),
        growing=list(growing.values()),
    )
    usual = _usual_examples(runs, [found for _, found in costs.values()])
    pins = _pin_costs(costs, growing, usual)
    times_s = [*others_s, *plain_s, *(test.total_s for test in tests)]
    return Overview(
        profile=profile,
        n_repeats=repeats.n,
        tests=sorted(tests, key=lambda test: (-test.total_s, test.nodeid)),
        n_others=len(others_s),
        others_s=fsum(others_s),
        n_plain=len(plain_s),
        plain_s=fsum(plain_s),
        around_s=_around_s(runs),
        usual_examples=usual,
        pins=pins,
        what_if=[suite.estimate(n) for n in ASKED] if growing else [],
        what_if_pinned=[suite.keeping_pins().estimate(n) for n in ASKED] if growing and pins else [],
        n_fixed=suite.n_fixed,
        files=_files(runs),
        bounds=_bounds(runs, times_s),
    ), suite


def _time_with_parts(nodeid: str, cost: ProfileCost, total_s: float) -> PropertyTime:
    split = split_time(cost)
    return PropertyTime(
        nodeid=nodeid,
        total_s=total_s,
        n_examples=cost.n_examples + cost.n_explicit,
        setup_s=split.setup_s,
        generate_s=split.generate_s,
        body_s=split.body_s,
        engine_s=split.engine_s,
        filtered_s=split.rejected_s + split.overrun_s,
        other_s=split.other_s + max(0.0, total_s - cost.duration_s),
    )


def _usual_examples(runs: Sequence[Run], measured: Iterable[Sequence[Measurement]]) -> int | None:
    asked = {run.header.max_examples for run in runs}
    if asked and None not in asked:
        return max(n for n in asked if n is not None)
    numbers: Counter[int] = Counter()
    for found in measured:
        subject = found[0].hypothesis
        if subject is not None and subject.pin is None and subject.configured is not None:
            numbers[subject.configured] += 1
    return max(numbers, key=lambda n: (numbers[n], n)) if numbers else None


def _pin_costs(
    costs: dict[str, tuple[ProfileCost, Sequence[Measurement]]],
    growing: dict[str, Growing],
    usual: int | None,
) -> list[PinCost]:
    pins = []
    for nodeid, (cost, found) in costs.items():
        subject = found[0].hypothesis
        if subject is None or subject.pin is None:
            continue
        grown = growing.get(nodeid)
        saved_s = None if grown is None or usual is None else cost.duration_s - duration_with(cost, usual)
        pins.append(
            PinCost(
                nodeid=nodeid,
                pin=subject.pin,
                n_examples=cost.n_examples,
                total_s=cost.duration_s,
                saved_s=saved_s,
            )
        )
    return sorted(pins, key=lambda pin: (-(pin.saved_s or 0.0), -pin.total_s, pin.nodeid))


def _files(runs: Sequence[Run]) -> list[FileTime]:
    """Return the files in the first run of the profile, the one that takes longest around its tests first."""
    first = [run for run in runs if run.header.repeat == runs[0].header.repeat]
    collect_s: dict[str, float] = {}
    n_tests: Counter[str] = Counter()
    setup_s: defaultdict[str, float] = defaultdict(float)
    teardown_s: defaultdict[str, float] = defaultdict(float)
    for run in first:
        for path, seconds in ((run.collected.files if run.collected else None) or {}).items():
            collect_s.setdefault(path, seconds)
        for record in run.measurements:
            path = record.nodeid.partition("::")[0]
            n_tests[path] += 1
            setup_s[path] += record.setup.wall_s
            teardown_s[path] += record.teardown.wall_s
    files = [
        FileTime(
            path=path,
            n_tests=n_tests[path],
            collect_s=collect_s.get(path) if collect_s else None,
            setup_s=setup_s[path],
            teardown_s=teardown_s[path],
        )
        for path in n_tests | dict.fromkeys(collect_s, 0)
    ]
    return sorted(files, key=lambda f: (-((f.collect_s or 0.0) + f.setup_s + f.teardown_s), f.path))


def _around_s(runs: Sequence[Run]) -> float | None:
    run = runs[0]
    if run.header.n_workers or run.end is None or run.header.part:
        return None
    return max(0.0, run.end.wall_s - fsum(map(_total_s, run.measurements)))


def _bounds(runs: Sequence[Run], times_s: Sequence[float]) -> list[Bound]:
    """Return the bounds: for the workers that were used, or for some numbers of workers."""
    if not times_s:
        return []
    whole_s, longest_s = fsum(times_s), max(times_s)
    run = runs[0]
    if n := run.header.n_workers:
        took_s = run.end.wall_s if run.end is not None else None
        return [Bound(n_workers=n, least_s=max(whole_s / n, longest_s), took_s=took_s)]
    return [Bound(n_workers=n, least_s=max(whole_s / n, longest_s)) for n in WORKERS]


def _total_s(record: Measurement) -> float:
    return record.setup.wall_s + record.call.wall_s + record.teardown.wall_s
