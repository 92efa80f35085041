"""Complete a baseline from its evidence, and find what in a stored one does not follow from it."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from atom_testinfra.core.costs.baseline import Baseline, update
from atom_testinfra.core.costs.cost import (
    body_spread,
    median_s,
    median_us,
    predict_from_local,
    seconds_per_example,
)
from atom_testinfra.core.costs.digests import digest_property, digest_sections
from atom_testinfra.core.costs.seal import digest_properties, seal_of
from atom_testinfra.core.costs.tiers import DeclaredTiers, measured_tier
from atom_testinfra.core.targets.assessment import Assessment, Assessor
from atom_testinfra.core.targets.verdicts import plan_targets, targets_met, targets_verified, write_notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.costs.baseline import BudgetTier, Evidence, ProfileCost, PropertyCost

DERIVED_TIERS = ("tier", "measured_tier", "is_declared")
"""Of a property: what follows from its costs and the settings."""
DERIVED_COSTS = ("repeats", "duration_s", "cpu_s", "seconds_per_example", "body_cpu_us", "body_cpu_spread")
"""Of a cost: what follows from its runs."""

_derived_tiers = attrgetter(*DERIVED_TIERS)
_derived_costs = attrgetter(*DERIVED_COSTS)


class Difference(Struct, frozen=True):
    """A figure of the file that is not what follows from the others."""

    place: str
    """Where it stands, as a JSON path; where only a digest tells, of what the digest is taken."""
    stored: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.place}: stored {self.stored}, recomputed {self.recomputed}"


def complete(evidence: Evidence, verification_timestamp: str) -> Baseline:
    """Return the baseline that follows from the evidence."""
    assessor = Assessor(evidence)
    for nodeid, subject in evidence.properties.items():
        assessor.add(nodeid, subject)
    return _baseline(evidence, verification_timestamp, assessor.finish())


def check(baseline: Baseline) -> tuple[Assessment, list[Difference]]:
    """Return what the evidence in a baseline says, and where the rest of the file says something else."""
    assessor = Assessor(baseline)
    declared = DeclaredTiers(baseline.tiers)
    differences: list[Difference] = []
    is_sealed = seal_of(baseline.properties)
    for nodeid, stored in baseline.properties.items():
        # Whatever else is computed starts from the recomputed figures: one that is wrong is told once.
        expected = _recompute(stored, declared.find(nodeid), baseline.targets)
        assessor.add(nodeid, expected)
        if expected is not stored or not is_sealed(nodeid):
            sealed = update(expected, check=digest_property(expected))
            differences += _property_differences(nodeid, stored, sealed)
    assessment = assessor.finish()
    complete_again = _baseline(baseline, baseline.verification_timestamp, assessment)
    return assessment, [*_top_differences(baseline, complete_again), *differences]


def reword(baseline: Baseline) -> Baseline:
    """
    Return a baseline of an older version with today's sentences.

    Its figures stay as they are, and are checked against each other. Its sentences are in the words of the
    version that wrote it, which nothing can compute again.
    """
    today = complete(baseline, baseline.verification_timestamp)
    sentences = {slow.test: slow.recommendation for slow in today.slowest_tests}
    slowest = [
        replace(slow, recommendation=sentences.get(slow.test, slow.recommendation))
        for slow in baseline.slowest_tests
    ]
    return replace(baseline, notes=today.notes, slowest_tests=slowest)


def _baseline(evidence: Evidence, timestamp: str, assessment: Assessment) -> Baseline:
    return Baseline(
        verification_timestamp=timestamp,
        targets_met=targets_met(assessment),
        targets_verified=targets_verified(assessment),
        notes=write_notes(assessment, evidence),
        slowest_tests=assessment.slowest,
        property_test_targets=plan_targets(assessment, evidence),
        targets=evidence.targets,
        tiers=evidence.tiers,
        provenance=evidence.provenance,
        earlier=evidence.earlier,
        suite=evidence.suite,
        excluded=evidence.excluded,
        properties=evidence.properties,
        digests={
            **digest_sections(evidence, timestamp),
            "properties": digest_properties(evidence.properties),
        },
    )


def _top_differences(stored: Baseline, expected: Baseline) -> Iterator[Difference]:
    for key in ("targets_met", "targets_verified", "property_test_targets"):
        new = getattr(expected, key)
        yield from _field_differences(key, getattr(stored, key), new, new.__struct_fields__)
    if stored.notes != expected.notes:
        yield Difference("notes", _text(stored.notes), _text(expected.notes))
    yield from _list_differences("slowest_tests", stored.slowest_tests, expected.slowest_tests)
    for key in sorted(stored.digests.keys() | expected.digests.keys()):
        if stored.digests.get(key) != expected.digests.get(key):
            old, new = _text(stored.digests.get(key)), _text(expected.digests.get(key))
            yield Difference(key, f"digest {old}", new)


def _field_differences(
    place: str, stored: Struct, expected: Struct, names: Iterable[str]
) -> Iterator[Difference]:
    for name in names:
        old, new = getattr(stored, name), getattr(expected, name)
        if old != new:
            yield Difference(f"{place}.{name}", _text(old), _text(new))


def _list_differences(
    place: str, stored: Sequence[object], expected: Sequence[object]
) -> Iterator[Difference]:
    for index in range(max(len(stored), len(expected))):
        old = stored[index] if index < len(stored) else None
        new = expected[index] if index < len(expected) else None
        if isinstance(old, Struct) and isinstance(new, Struct):
            yield from _field_differences(f"{place}[{index}]", old, new, new.__struct_fields__)
        elif old != new:
            yield Difference(f"{place}[{index}]", _text(old), _text(new))


def _recompute(stored: PropertyCost, budget: BudgetTier | None, targets: Targets) -> PropertyCost:
    """Return the property as it follows from its runs: the very same object where that is what is stored."""
    costs = {profile: _recompute_cost(cost) for profile, cost in stored.profiles.items()}
    for profile, cost in costs.items():
        predicted = predict_from_local(costs, profile, targets)
        if cost.predicted != predicted:
            costs[profile] = replace(cost, predicted=predicted)
    tier = measured_tier(costs, targets)
    tiers = (budget or tier, tier, budget is not None)
    if _derived_tiers(stored) == tiers and costs == stored.profiles:
        return stored
    return replace(stored, **dict(zip(DERIVED_TIERS, tiers, strict=True)), profiles=costs)


def _recompute_cost(cost: ProfileCost) -> ProfileCost:
    runs = cost.runs
    duration_s = median_s(runs.duration_s)
    body_cpu_us = median_us(runs.body_cpu_us)
    figures = (
        len(runs.duration_s),
        duration_s,
        median_s(runs.cpu_s),
        seconds_per_example(duration_s, cost.n_examples + cost.n_explicit),
        body_cpu_us,
        body_spread(runs.body_cpu_us, body_cpu_us),
    )
    if _derived_costs(cost) == figures:
        return cost
    return replace(cost, **dict(zip(DERIVED_COSTS, figures, strict=True)))


def _property_differences(nodeid: str, stored: PropertyCost, expected: PropertyCost) -> Iterator[Difference]:
    place = f"properties[{_text(nodeid)}]"
    yield from _field_differences(place, stored, expected, DERIVED_TIERS)
    if stored.check != expected.check:
        yield Difference(place, f"check {_text(stored.check)}", _text(expected.check))
    for profile, cost in stored.profiles.items():
        inner = f"{place}.profiles[{_text(profile)}]"
        yield from _field_differences(inner, cost, expected.profiles[profile], (*DERIVED_COSTS, "predicted"))


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
