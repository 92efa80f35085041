"""Keeps the series of a baseline in a few arrays, because a comparison may hold 100,000 of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import isnan, nan
from operator import truediv
from statistics import fmean, median, mode
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from msgspec import Struct

from atom_testinfra.core.changes.judgement import Counts, Series
from atom_testinfra.core.changes.threshold import Statistic
from atom_testinfra.core.costs.baseline import ProfileCost, ProfileRuns
from atom_testinfra.core.figures import plural
from atom_testinfra.core.records.parts import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OF_BODY = (Statistic.BODY_CPU, Statistic.PARTS)
"""Where the parts were not recorded, the body's median is what is left to compare."""

UNCALIBRATED = "its calibration is missing"


class EarlierSession(NamedTuple):
    """What a comparison needs to know of an earlier session in a baseline."""

    seed_set: int
    problem: str | None
    """Why its figures cannot stand beside those of the latest session."""


class ComparedCost(Struct, frozen=True, kw_only=True, gc=False):
    """What a comparison needs of a property's cost under one profile: part of a `ProfileCost`."""

    max_examples: int
    n_examples: int
    runs: ProfileRuns
    calls_per_valid: float
    n_explicit: int = 0
    steps_per_valid: float | None = None
    source: str | None = None
    digest: str | None = None
    modes: list[str] = []


ComparedProperty: TypeAlias = tuple[str, ComparedCost | ProfileCost | None, str | None]
"""Its node id, its cost under the profile, and the digest of its source."""


class Columns(Mapping[str, Series]):
    """
    The series of a baseline by node id, kept in a few arrays and put together when they are asked for.

    100,000 of them as objects, on both sides of a comparison, would take more memory than the files.
    """

    def __init__(self, *, seed_set: int, earlier: Mapping[str, EarlierSession] | None = None) -> None:
        self.excluded: dict[str, Series] = {}
        """Tests that have no figures, and why."""
        self._rows: dict[str, int] = {}
        self._digests: list[str | None] = []
        self._workloads: list[str] = []
        self._begins = array("L", [0])
        self._values_s = array("d")
        self._calibrations_s = array("d")
        """Beside each value; 0 where there is none."""
        self._uncalibrated: set[int] = set()
        self._unit_us = 1e6
        self._units: array[float] = array("d")
        """What the values of each run are divided by, where it is the same for most tests."""
        self._parts_s: dict[Part, array[float]] = {}
        """Beside each value; 0 where the parts are not known."""
        self._has_parts = array("b")
        self._n_examples = array("L")
        self._calls = array("d")
        self._steps = array("d")
        """Rules of a machine in a valid example; NaN for other tests, and where it varies."""
        self._seed_set = seed_set
        self._earlier = earlier
        """`None` leaves figures of earlier sessions out."""
        self._apart: set[int] = set()
        """Rows of earlier sessions, whose runs are not those of the others."""

    def extend(self, costs: Iterable[ComparedProperty], statistic: Statistic) -> None:
        """Take in properties; those without a cost are left out."""
        rows, digests, workloads = self._rows, self._digests, self._workloads
        values_s, calibrations_s, begins = self._values_s, self._calibrations_s, self._begins
        names: dict[tuple[int, int, str], str] = {}
        for nodeid, cost, digest in costs:
            if cost is None:
                continue
            seed_set = self._seed_set
            if cost.source is not None:
                if self._earlier is None:
                    continue
                seed_set, problem = self._earlier[cost.source]
                if problem is not None:
                    self.excluded[nodeid] = Series(values=[], problem=problem)
                    continue
                self._apart.add(len(digests))
            rows[nodeid] = len(digests)
            digests.append(cost.digest or digest)
            workload = cost.max_examples, seed_set, ", ".join(cost.modes) if cost.modes else ""
            if workload not in names:
                names[workload] = describe_workload(cost.max_examples, seed_set, cost.modes)
            workloads.append(names[workload])
            seconds = self._add_parts(cost) if statistic is Statistic.PARTS else []
            self._has_parts.append(bool(seconds))
            seconds = seconds or _seconds_of_cost(cost, statistic)
            if self._parts_s:
                self._pad_parts(len(values_s) + len(seconds))
            self._n_examples.append(cost.n_examples + cost.n_explicit)
            self._calls.append(cost.calls_per_valid)
            self._steps.append(nan if cost.steps_per_valid is None else cost.steps_per_valid)
            values_s.fromlist(seconds)
            begins.append(len(values_s))
            calibrations_s.fromlist(cost.runs.calibration_s or [0.0] * len(seconds))

    def _add_parts(self, cost: ComparedCost | ProfileCost) -> list[float]:
        """Keep the parts of a test, and return their sum in each run; nothing where they are not known."""
        parts_us = cost.runs.parts_us
        if not parts_us:
            return []
        for part, column in parts_us.items():
            kept = self._parts_s.setdefault(part, array("d", bytes(8 * len(self._values_s))))
            kept.fromlist([us / 1e6 for us in column])
        return [sum(us) / 1e6 for us in zip(*parts_us.values(), strict=True)]

    def _pad_parts(self, length: int) -> None:
        for kept in self._parts_s.values():
            kept.frombytes(bytes(8 * (length - len(kept))))

    def outside(self, seconds: Mapping[str, list[float]]) -> dict[str, Series]:
        """Return what was spent outside of the tests, in the unit of the same run."""
        units = self._units
        return {
            name: Series(values=list(map(truediv, values, units)), unit_us=self._unit_us)
            for name, values in seconds.items()
            if len(values) == len(units)
        }

    def calibrate(self) -> None:
        """
        Turn the costs into ratios to the calibration of their run.

        That is the mean over the tests that ran in all of the runs: a single one is as noisy as a cost.
        """
        units = self._units_of_equal_rows() or self._units_of_rows()
        self._values_s = array("d", map(truediv, self._values_s, units))
        for part, kept in self._parts_s.items():
            self._parts_s[part] = array("d", map(truediv, kept, units))

    def _units_of_equal_rows(self) -> array[float] | None:
        """Return what each value is divided by; None unless every test ran in every run, as mostly it did."""
        if self._apart or len(self._begins) == 1:
            return None
        calibrations_s, n_runs = self._calibrations_s, self._begins[1]
        if self._begins != array("L", range(0, len(calibrations_s) + 1, n_runs)) or min(calibrations_s) <= 0:
            return None
        by_run = self._units = array("d", [fmean(calibrations_s[run::n_runs]) for run in range(n_runs)])
        self._unit_us = median(by_run) * 1e6
        return by_run * (len(calibrations_s) // n_runs)

    def _units_of_rows(self) -> array[float]:
        units, rows = self._calibrations_s[:], [*pairwise(self._begins)]
        self._uncalibrated = {row for row, (i, j) in enumerate(rows) if min(units[i:j]) <= 0}
        for i, j in (rows[row] for row in self._uncalibrated):
            units[i:j] = array("d", [1.0] * (j - i))
        calibrated = [
            rows[row] for row in range(len(rows)) if row not in self._uncalibrated and row not in self._apart
        ]
        if not rows:
            return units
        n_runs = mode([j - i for i, j in calibrated or rows])
        whole = [i for i, j in calibrated if j - i == n_runs]
        if whole:
            by_run = array("d", [fmean([units[i + run] for i in whole]) for run in range(n_runs)])
            self._units = by_run
            self._unit_us = median(by_run) * 1e6
            for i in whole:
                units[i : i + n_runs] = by_run
        return units

    def __getitem__(self, nodeid: str) -> Series:
        row = self._rows.get(nodeid)
        if row is None:
            return self.excluded[nodeid]
        is_calibrated = row not in self._uncalibrated
        place = slice(self._begins[row], self._begins[row + 1])
        steps = self._steps[row]
        return Series(
            values=self._values_s[place].tolist() if is_calibrated else [],
            unit_us=self._unit_us,
            parts=self._parts(place) if is_calibrated and self._has_parts[row] else {},
            n_examples=self._n_examples[row],
            counts=Counts(self._calls[row], None if isnan(steps) else steps),
            workload=self._workloads[row],
            digest=self._digests[row],
            problem=None if is_calibrated else UNCALIBRATED,
        )

    def _parts(self, place: slice) -> dict[Part, list[float]]:
        parts = {part: kept[place].tolist() for part, kept in self._parts_s.items()}
        if not any(parts.get(Part.BODY, ())):
            parts.pop(Part.BODY, None)
        parts.setdefault(Part.ELSEWHERE, [0.0] * (place.stop - place.start))
        return parts

    def __contains__(self, nodeid: object) -> bool:
        return nodeid in self._rows or nodeid in self.excluded

    def __iter__(self) -> Iterator[str]:
        yield from self._rows
        yield from self.excluded

    def __len__(self) -> int:
        return len(self._rows) + len(self.excluded)


def _seconds_of_cost(cost: ComparedCost | ProfileCost, statistic: Statistic) -> list[float]:
    if statistic in OF_BODY and cost.runs.body_cpu_us:
        return [us / 1e6 for us in cost.runs.body_cpu_us]
    n_examples = cost.n_examples + cost.n_explicit
    seconds = cost.runs.duration_s if statistic is Statistic.WALL else cost.runs.cpu_s
    return [s / n_examples for s in seconds]


def describe_workload(n_examples: int | None, seed_set: int, modes: Sequence[str]) -> str:
    """Return what a test ran: its number of examples, their seeds, and under what it was measured."""
    under = f", {describe_modes(modes)}" if modes else ""
    n = "an unknown number of examples" if n_examples is None else plural(n_examples, "example")
    return f"{n} of seed set {seed_set}{under}"


def describe_modes(modes: Sequence[str]) -> str:
    """Return under what a test was measured, as a phrase."""
    return f"with {' and '.join(modes)}" if modes else "as usual"
