"""The repeats of one profile: what they say of each test, and what keeps it from having figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from atom_testinfra.core.records.plausibility import find_contradiction
from atom_testinfra.core.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from atom_testinfra.core.records.measurement import Measurement, Run

MIN_BASE_RUNS = 5
"""A base with fewer runs of a profile than this is not compared with."""

FAILURES = frozenset({Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED})


class Objection(NamedTuple):
    """Why measurements of a property are unfit for a baseline."""

    outcome: Outcome | None
    """`None` when a run did not reach it."""
    reason: str
    is_remark: bool = False
    """A record says so of itself: there are figures, only none to keep."""
    counterexample: str | None = None
    """The test case that failed, where the record has it."""


class Repeats:
    """The runs of one profile, one measurement per test and repeat."""

    def __init__(self, profile: str, runs: Iterable[Run]) -> None:
        self.properties: set[str] = set()
        """The tests that are properties, or might have been seen to be some had they got to their end."""
        self._nodeids: dict[str, None] = {}
        self._repeats: list[dict[str, Measurement | None]] = []
        for (of_profile, _, _), parts in sorted(parts_by_repeat(runs).items()):
            if of_profile == profile:
                self._add(parts)

    def _add(self, parts: Iterable[Run]) -> None:
        """Take in a repeat; where it was stopped and continued, the later record of a test holds."""
        repeat: dict[str, Measurement | None] = {}
        for part in parts:
            collected = dict.fromkeys(part.collected.nodeids if part.collected else ())
            found = {measurement.nodeid: measurement for measurement in part.measurements}
            self._nodeids |= collected | dict.fromkeys(found)
            repeat = collected | repeat | found
        self._repeats.append(repeat)
        self.properties.update(
            nodeid for nodeid, found in repeat.items() if found is None or not found.is_plain
        )

    @property
    def n(self) -> int:
        """The number of runs."""
        return len(self._repeats)

    @property
    def nodeids(self) -> list[str]:
        """All tests, in the order in which they were collected."""
        return [*self._nodeids]

    def of(self, nodeid: str) -> list[Measurement]:
        """Return the test's measurements in the order of the repeats."""
        found = (repeat.get(nodeid) for repeat in self._repeats)
        return [measurement for measurement in found if measurement is not None]

    def objections(self, nodeid: str) -> Iterator[Objection]:
        """Yield what makes the measurements of a property unfit for a baseline, the gravest first."""
        return _objections(self.of(nodeid), self.n)


def parts_by_repeat(runs: Iterable[Run]) -> dict[tuple[str, int, int], list[Run]]:
    """Return the parts of each repeat of each profile, in the order in which they were made."""
    parts: dict[tuple[str, int, int], list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.header.part):
        header = run.header
        parts.setdefault((header.profile, header.seed_set, header.repeat), []).append(run)
    return parts


def _objections(measurements: Sequence[Measurement], n_repeats: int) -> Iterator[Objection]:
    unfit = [found for found in measurements if found.outcome is not Outcome.PASSED]
    if unfit:
        worst = next((found for found in unfit if found.outcome in FAILURES), unfit[0])
        n = sum(found.outcome is worst.outcome for found in unfit)
        times = "" if n == n_repeats else f" in {n} of {n_repeats} runs"
        reason = f": {worst.reason}" if worst.reason else ""
        told = f"{worst.outcome.value}{times}{reason}"
        yield Objection(worst.outcome, told, counterexample=worst.counterexample)
    if not measurements:
        yield Objection(None, "no run reached it")
    elif len(measurements) < n_repeats:
        yield Objection(None, f"reached by {len(measurements)} of {n_repeats} runs")
    for found in measurements:
        for problem in found.problems:
            yield Objection(found.outcome, problem, is_remark=True)
        if found.hypothesis is None:
            yield Objection(found.outcome, "Hypothesis reported nothing about it")
        elif found.hypothesis.n_explicit + found.hypothesis.n_valid == 0:
            yield Objection(found.outcome, "no example was run")
        if (contradiction := find_contradiction(found)) is not None:
            yield Objection(found.outcome, contradiction)
    if any(found.modes != measurements[0].modes for found in measurements):
        modes = sorted({mode for found in measurements for mode in found.modes})
        yield Objection(
            Outcome.PASSED, f"in some of the runs it ran with {' and '.join(modes)}, in others not"
        )
    properties = [found.hypothesis for found in measurements if found.hypothesis is not None]
    if len({p.digest for p in properties}) > 1:
        yield Objection(Outcome.PASSED, "its source changed between the runs")
    if len({p.configured if p.effective is None else p.effective for p in properties}) > 1:
        yield Objection(Outcome.PASSED, "max_examples changed between the runs")
