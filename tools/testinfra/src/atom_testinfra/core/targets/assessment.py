"""Everything that follows from the evidence, in one pass over the properties."""

from __future__ import annotations

import heapq
from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.advice.advice import advise
from atom_testinfra.core.advice.recommendation import describe_standing, recommend
from atom_testinfra.core.costs.baseline import Excluded, SlowTest
from atom_testinfra.core.costs.tiers import DeclaredTiers, tier_limit
from atom_testinfra.core.policies import PinPolicy
from atom_testinfra.core.records.measurement import Pin
from atom_testinfra.core.records.repeats import FAILURES
from atom_testinfra.core.targets.targets import (
    MISSES_TOLD,
    TIER_KEYS,
    Miss,
    TargetResult,
    judge,
    suite_result,
    tier_title,
)

if TYPE_CHECKING:
    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.costs.baseline import BudgetTier, Evidence, ProfileCost, PropertyCost

N_SLOWEST = 10


class Unsteered(Struct, frozen=True, kw_only=True):
    """A property that runs as many examples in CI as it does locally."""

    nodeid: str
    max_examples: int
    pin: Pin | None

    def describe(self) -> str:
        """Return what keeps the CI profile from having an effect."""
        if self.pin is None:
            return f"{self.nodeid} ({self.max_examples} under both, without a pin of its own)"
        place = "" if self.pin.path is None else f" at {self.pin.path}:{self.pin.line}"
        return f"{self.nodeid} (pinned to {self.pin.max_examples}{place})"


class Assessment(Struct, frozen=True, kw_only=True):
    """What the evidence says about the targets."""

    results: list[TargetResult]
    """In the order of `targets_verified`; the suite last."""
    slowest: list[SlowTest]
    unsteered: list[Unsteered]
    failures: list[Excluded]
    n_properties: int
    n_undeclared: int
    n_unpredictable: int
    repeats: dict[str, int]
    """Runs behind the figures, by profile: those of the property that has the most."""
    median_example_s: float | None
    """Of the properties' local seconds per example."""
    share_asked: float
    suite_failure: str | None
    n_earlier: int = 0
    """Properties with a figure from an earlier session."""
    oldest: str | None = None
    """When the oldest session began that some figure is from; `None` when all are from one session."""
    pins: PinPolicy
    """What happened to tests that pin their own number of examples."""

    @property
    def n_judged(self) -> int:
        """How many targets have a verdict."""
        return sum(result.verdict is not None for result in self.results)

    @property
    def is_judged(self) -> bool:
        """Whether some tier's target has a verdict; the suite's time alone says nothing about a property."""
        return any(result.n_measured for result in self.results if result.tier is not None)

    @property
    def n_met(self) -> int:
        """How many targets are met by every test they are for."""
        return sum(result.verdict is True for result in self.results)


def assess(evidence: Evidence) -> Assessment:
    """Return the verdict on each target, with the tests that miss it."""
    assessor = Assessor(evidence)
    for nodeid, cost in evidence.properties.items():
        assessor.add(nodeid, cost)
    return assessor.finish()


class Assessor:
    """Takes the properties one by one, so that no more than one of them has to be in memory."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._tiers = {
            key: _TierTally(tier, evidence.targets, is_ci=is_ci) for (tier, is_ci), key in TIER_KEYS.items()
        }
        self._slowest: list[tuple[float, _Reversed, PropertyCost, ProfileCost]] = []
        self._unsteered: list[Unsteered] = []
        self._example_s: list[float] = []
        self._n_earlier = 0
        self._n_properties = self._n_undeclared = self._n_unpredictable = 0
        self._repeats: dict[str, int] = {}
        self._is_steered = _asks_for_other_numbers(evidence)

    def add(self, nodeid: str, subject: PropertyCost) -> None:
        """Take one property into account."""
        targets = self._evidence.targets
        budget: BudgetTier = "slow" if subject.tier == "over" else subject.tier
        self._n_properties += 1
        self._n_undeclared += not subject.is_declared
        local = subject.profiles.get(targets.local_profile)
        ci = subject.profiles.get(targets.ci_profile)
        self._n_earlier += any(cost.source is not None for cost in subject.profiles.values())
        for profile, cost in subject.profiles.items():
            self._repeats[profile] = max(self._repeats.get(profile, 0), cost.repeats)
        if local is not None:
            self._tiers[TIER_KEYS[budget, False]].add(nodeid, local)
            self._n_unpredictable += local.unpredictable is not None
            self._example_s.append(local.seconds_per_example)
            self._keep_slow(nodeid, subject, local)
        if ci is not None:
            self._tiers[TIER_KEYS[budget, True]].add(nodeid, ci)
        if self._is_steered and local is not None and ci is not None and _is_unsteered(local, ci):
            self._unsteered.append(Unsteered(nodeid=nodeid, max_examples=local.max_examples, pin=subject.pin))

    def _keep_slow(self, nodeid: str, subject: PropertyCost, local: ProfileCost) -> None:
        is_full = len(self._slowest) == N_SLOWEST
        if is_full and local.duration_s < self._slowest[0][0]:
            return
        entry = (local.duration_s, _Reversed(nodeid), subject, local)
        (heapq.heappushpop if is_full else heapq.heappush)(self._slowest, entry)

    def finish(self) -> Assessment:
        """Return what all of them together say."""
        evidence = self._evidence
        declared = DeclaredTiers(evidence.tiers)
        without = {(declared.find(entry.nodeid), entry.profile) for entry in evidence.excluded}
        results = [
            tally.result(key, self._why_unmeasured(tally, (tally.tier, tally.profile) in without))
            for key, tally in self._tiers.items()
        ]
        return Assessment(
            results=[*results, suite_result(evidence.suite, evidence.targets)],
            slowest=[self._slow_test(entry) for entry in sorted(self._slowest, reverse=True)],
            unsteered=self._unsteered,
            failures=[entry for entry in evidence.excluded if entry.outcome in FAILURES],
            n_properties=self._n_properties,
            n_undeclared=self._n_undeclared,
            n_unpredictable=self._n_unpredictable,
            repeats=self._repeats,
            median_example_s=median(self._example_s) if self._example_s else None,
            share_asked=evidence.targets.share,
            suite_failure=_suite_failure(evidence),
            n_earlier=self._n_earlier,
            oldest=min((made.started_at for made in evidence.earlier.values()), default=None),
            pins=evidence.provenance.pins,
        )

    def _why_unmeasured(self, tally: _TierTally, is_excluded: bool) -> str:
        if tally.profile not in self._repeats:
            return f"no property has figures under {tally.profile!r}"
        return "its properties have no figures" if is_excluded else "no property is in this tier"

    def _slow_test(self, entry: tuple[float, _Reversed, PropertyCost, ProfileCost]) -> SlowTest:
        _, name, subject, local = entry
        limit_s = tier_limit(self._evidence.targets, subject.tier, is_ci=False)
        return SlowTest(
            test=name.text,
            duration=local.duration_s,
            tier=subject.tier,
            max_examples=local.max_examples,
            n_examples=local.n_examples + local.n_explicit,
            seconds_per_example=local.seconds_per_example,
            recommendation=recommend(local, limit_s),
        )


class _Reversed:
    """Orders texts the other way round, so that of equally slow tests the first by name is kept."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __lt__(self, other: _Reversed) -> bool:
        return self.text > other.text


class _TierTally:
    """The tests of one tier under one profile."""

    def __init__(self, tier: BudgetTier, targets: Targets, *, is_ci: bool) -> None:
        self.tier = tier
        self.profile = targets.ci_profile if is_ci else targets.local_profile
        self.limit_s = tier_limit(targets, tier, is_ci=is_ci)
        self.n_measured = self.n_missed = self.n_earlier = 0
        self.slowest_s: float | None = None
        self._worst: list[tuple[float, _Reversed, ProfileCost]] = []

    def add(self, nodeid: str, cost: ProfileCost) -> None:
        self.n_measured += 1
        self.n_earlier += cost.source is not None
        self.slowest_s = max(self.slowest_s or 0.0, cost.duration_s)
        if cost.duration_s >= self.limit_s:
            self.n_missed += 1
            heapq.heappush(self._worst, (cost.duration_s, _Reversed(nodeid), cost))
            if len(self._worst) > MISSES_TOLD:
                heapq.heappop(self._worst)

    def result(self, key: str, reason: str) -> TargetResult:
        """Return the target's result; `reason` says why it has no verdict, if it has none."""
        title = tier_title(self.tier, self.profile)
        return TargetResult(
            key=key,
            title=title,
            limit_s=self.limit_s,
            tier=self.tier,
            profile=self.profile,
            verdict=judge(self.n_measured, self.n_missed),
            n_measured=self.n_measured,
            n_missed=self.n_missed,
            slowest_s=self.slowest_s,
            reason=None if self.n_measured else reason,
            earlier=f"{self.n_earlier} measured earlier" if self.n_earlier else None,
            misses=[
                Miss(
                    nodeid=name.text,
                    target=title,
                    duration_s=duration_s,
                    limit_s=self.limit_s,
                    status=describe_standing(cost, self.limit_s),
                    advice=advise(cost).text,
                )
                for duration_s, name, cost in sorted(self._worst, reverse=True)
            ],
        )


def _suite_failure(evidence: Evidence) -> str | None:
    suite = evidence.suite
    if suite is None or suite.exit_status == 0:
        return None
    outcomes = ", ".join(f"{n} {outcome}" for outcome, n in sorted(suite.outcomes.items())) or "no outcome"
    named = f" ({'; '.join(suite.failed)})" if suite.failed else ""
    kept = "it has no time" if suite.last_passed is None else "its time is that of the last run that did"
    return f"The whole suite did not pass{named}: pytest's status {suite.exit_status}, {outcomes}, so {kept}."


def _asks_for_other_numbers(evidence: Evidence) -> bool:
    """Whether the two profiles ask for different numbers, so that a test with the same was not steered."""
    targets, asked = evidence.targets, evidence.max_examples
    if targets.local_profile == targets.ci_profile:
        return False
    local = asked.get(targets.local_profile)
    return local is None or local != asked.get(targets.ci_profile)


def _is_unsteered(local: ProfileCost, ci: ProfileCost) -> bool:
    """Whether the CI profile changes nothing; a search space that ends early is not the profile's fault."""
    return local.max_examples == ci.max_examples and local.n_examples > 0 and not local.is_exhausted
