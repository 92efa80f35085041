"""What a measuring session found, test by test: measured, or not and why."""

from __future__ import annotations

from statistics import median, median_low
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.costs.baseline import TierName
from atom_testinfra.core.costs.cost import combine_runs, split_time
from atom_testinfra.core.costs.tiers import tier_of_duration
from atom_testinfra.core.records.contention import Contention, judge_contention
from atom_testinfra.core.records.repeats import FAILURES, Repeats
from atom_testinfra.core.vocabulary import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.records.measurement import Run


class MeasuredTest(Struct, frozen=True, kw_only=True):
    """A property that passed in every run under a profile."""

    nodeid: str
    profile: str
    kind: Kind
    duration_s: float
    """Wall seconds of set-up and call, as all times the median over the runs."""
    n_examples: int
    """Valid examples that were generated; `@example` cases are not among them."""
    max_examples: int | None
    """The bound in force."""
    generate_s: float
    """Per valid example, as the next two: drawing,"""
    body_s: float
    """the test's own code,"""
    engine_s: float
    """and Hypothesis's own work;"""
    filtered_s: float
    """and all that went to test cases that were given up, for each valid one."""
    measured_tier: TierName
    """Where its duration puts it, by the profile's targets."""
    problems: list[str] = []
    """What its own records say of it: a baseline has no figures of such a test."""
    modes: list[str] = []
    """Slower or faster ways to run its code that were on, as with the garbage collector off."""


class UnmeasuredTest(Struct, frozen=True, kw_only=True):
    """A test without figures under a profile, and the reason."""

    nodeid: str
    profile: str
    outcome: Outcome | None
    """`None` when some run did not reach it."""
    reason: str
    """In the words that a baseline has for it."""


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
    contention: Contention
    """Wall seconds for each second of CPU."""


def summarise_session(runs: Iterable[Run], targets: Targets) -> Summary:
    """
    Return what the runs of a session found.

    What has figures is decided by the rule that a baseline goes by, except that a test where only its own
    records say that they are none to keep is shown with what they say.
    """
    runs = list(runs)
    measured: list[MeasuredTest] = []
    failed: list[UnmeasuredTest] = []
    unmeasured: list[UnmeasuredTest] = []
    plain: set[str] = set()
    for profile in dict.fromkeys(run.header.profile for run in runs):
        repeats = Repeats(profile, runs)
        for nodeid in repeats.nodeids:
            if nodeid not in repeats.properties:
                plain.add(nodeid)
                continue
            match _summarise(nodeid, profile, repeats, targets):
                case MeasuredTest() as found:
                    measured.append(found)
                case UnmeasuredTest() as found if found.outcome in FAILURES:
                    failed.append(found)
                case found:
                    unmeasured.append(found)
    return Summary(
        measured=sorted(measured, key=lambda test: (-test.duration_s, test.nodeid, test.profile)),
        failed=failed,
        unmeasured=unmeasured,
        n_plain=len(plain),
        n_runs=len(runs),
        is_traced=any(run.header.is_traced for run in runs),
        contention=judge_contention(runs),
    )


def _summarise(
    nodeid: str, profile: str, repeats: Repeats, targets: Targets
) -> MeasuredTest | UnmeasuredTest:
    objections = [*repeats.objections(nodeid)]
    if not all(objection.is_remark for objection in objections):
        gravest = objections[0]
        return UnmeasuredTest(nodeid=nodeid, profile=profile, outcome=gravest.outcome, reason=gravest.reason)
    measurements = repeats.of(nodeid)
    properties = [found.hypothesis for found in measurements if found.hypothesis is not None]
    duration_s = median(found.setup.wall_s + found.call.wall_s for found in measurements)
    first = properties[0]
    cost = combine_runs(measurements)
    split, n_valid = split_time(cost), max(1, cost.n_examples)
    return MeasuredTest(
        nodeid=nodeid,
        profile=profile,
        kind=measurements[0].kind,
        duration_s=duration_s,
        n_examples=median_low(subject.n_valid for subject in properties),
        max_examples=first.configured if first.effective is None else first.effective,
        generate_s=split.generate_s / n_valid,
        body_s=split.body_s / n_valid,
        engine_s=split.engine_s / n_valid,
        filtered_s=(split.rejected_s + split.overrun_s) / n_valid,
        measured_tier=tier_of_duration(duration_s, targets, is_ci=profile == targets.ci_profile),
        problems=list(dict.fromkeys(objection.reason for objection in objections)),
        modes=cost.modes,
    )
