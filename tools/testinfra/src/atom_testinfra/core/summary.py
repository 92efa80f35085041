"""What a measuring session found, test by test: measured, or not and why."""

from __future__ import annotations

from statistics import median, median_low
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.baseline import TierName
from atom_testinfra.core.cost import split_example
from atom_testinfra.core.measurement import Kind, Measurement, Outcome, Run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atom_testinfra.core.config import Targets, TierLimits
    from atom_testinfra.core.measurement import Property

FAILURES = frozenset({Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED, Outcome.XPASSED})


class MeasuredTest(Struct, frozen=True, kw_only=True):
    """A property that passed in every run under a profile."""

    nodeid: str
    profile: str
    kind: Kind
    duration_s: float
    """Wall seconds of set-up and call, as all times the median over the runs."""
    n_examples: int
    max_examples: int | None
    """The bound in force."""
    generate_s: float
    """Per valid example, as the next two: drawing,"""
    body_s: float
    """the test's own code,"""
    engine_s: float
    """and Hypothesis's own work."""
    tier: TierName
    """Where its duration puts it, by the profile's targets."""
    problems: list[str] = []


class UnmeasuredTest(Struct, frozen=True, kw_only=True):
    """A test without figures under a profile, and the reason."""

    nodeid: str
    profile: str
    outcome: Outcome | None
    """`None` when no run reached it."""
    reason: str


class Summary(Struct, frozen=True, kw_only=True):
    """A measuring session, summed up."""

    measured: list[MeasuredTest]
    """Slowest first."""
    failed: list[UnmeasuredTest]
    unmeasured: list[UnmeasuredTest]
    n_plain: int
    """Tests that passed, and in which no Hypothesis was seen; under however many profiles they ran."""
    n_runs: int
    is_traced: bool
    """A coverage tool, profiler or debugger was active in a run."""


def summarise_session(runs: Iterable[Run], targets: Targets) -> Summary:
    """Return what the runs of a session found."""
    runs = list(runs)
    records: dict[tuple[str, str], list[Measurement]] = {}
    collected: dict[tuple[str, str], None] = {}
    for run in runs:
        profile = run.header.profile
        for nodeid in run.collected.nodeids if run.collected is not None else []:
            collected[nodeid, profile] = None
        for record in run.measurements:
            records.setdefault((record.nodeid, profile), []).append(record)
    measured: list[MeasuredTest] = []
    failed: list[UnmeasuredTest] = []
    unmeasured: list[UnmeasuredTest] = []
    plain: set[str] = set()
    for nodeid, profile in collected | dict.fromkeys(records):
        found = _summarise(nodeid, profile, records.get((nodeid, profile), []), targets)
        match found:
            case MeasuredTest():
                measured.append(found)
            case UnmeasuredTest() if found.outcome in FAILURES:
                failed.append(found)
            case UnmeasuredTest():
                unmeasured.append(found)
            case None:
                plain.add(nodeid)
    return Summary(
        measured=sorted(measured, key=lambda test: (-test.duration_s, test.nodeid, test.profile)),
        failed=failed,
        unmeasured=unmeasured,
        n_plain=len(plain),
        n_runs=len(runs),
        is_traced=any(run.header.is_traced for run in runs),
    )


def _summarise(
    nodeid: str, profile: str, records: list[Measurement], targets: Targets
) -> MeasuredTest | UnmeasuredTest | None:
    def without(outcome: Outcome | None, reason: str) -> UnmeasuredTest:
        return UnmeasuredTest(nodeid=nodeid, profile=profile, outcome=outcome, reason=reason)

    for record in records:
        if record.outcome in FAILURES:
            return without(record.outcome, record.reason or record.outcome)
    passed = [record for record in records if record.outcome is Outcome.PASSED]
    if not passed:
        if not records:
            return without(None, "no run reached it")
        return without(records[-1].outcome, records[-1].reason or records[-1].outcome)
    properties = [record.hypothesis for record in passed if record.hypothesis is not None]
    if not properties:
        problem = next((problem for record in passed for problem in record.problems), None)
        return None if problem is None else without(Outcome.PASSED, problem)
    if min(_n_valid(subject) for subject in properties) == 0:
        return without(Outcome.PASSED, "Hypothesis generated no valid example")
    duration_s = median(record.setup.wall_s + record.call.wall_s for record in passed)
    first = properties[0]
    parts = [split_example(subject) for subject in properties]
    return MeasuredTest(
        nodeid=nodeid,
        profile=profile,
        kind=passed[0].kind,
        duration_s=duration_s,
        n_examples=median_low(_n_valid(subject) for subject in properties),
        max_examples=first.configured if first.effective is None else first.effective,
        generate_s=median(part.generate_s for part in parts),
        body_s=median(part.body_s for part in parts),
        engine_s=median(part.engine_s for part in parts),
        tier=_tier(duration_s, targets, is_ci=profile == targets.ci_profile),
        problems=list(dict.fromkeys(problem for record in passed for problem in record.problems)),
    )


def _n_valid(subject: Property) -> int:
    return subject.generate.n_valid if subject.generate is not None else 0


def _tier(duration_s: float, targets: Targets, *, is_ci: bool) -> TierName:
    tiers: tuple[tuple[TierName, TierLimits], ...] = (
        ("fast", targets.fast),
        ("medium", targets.medium),
        ("slow", targets.slow),
    )
    for name, limits in tiers:
        if duration_s < (limits.ci_s if is_ci else limits.local_s):
            return name
    return "over"
