"""Complete a baseline from its evidence, and find what in a stored one does not follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from atom_testinfra.core.aggregation import seal_cost
from atom_testinfra.core.assessment import Assessment, Assessor
from atom_testinfra.core.baseline import Baseline, ProfileCost
from atom_testinfra.core.cost import body_median, body_spread, median_s, seconds_per_example
from atom_testinfra.core.digests import PropertiesDigest, digest_property, digest_sections
from atom_testinfra.core.tiers import DeclaredTiers, measured_tier
from atom_testinfra.core.verdicts import list_notes, plan_targets, targets_met, targets_verified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atom_testinfra.core.baseline import Evidence, PropertyCost
    from atom_testinfra.core.config import Targets

DERIVED_COSTS = (
    "repeats",
    "duration_s",
    "cpu_s",
    "seconds_per_example",
    "body_cpu_us",
    "body_cpu_spread",
    "predicted",
    "check",
)


class Difference(Struct, frozen=True):
    """A figure of the file that is not what follows from the others."""

    place: str
    """Where it stands, as a JSON path."""
    stored: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.place}: stored {self.stored}, recomputed {self.recomputed}"


def complete(evidence: Evidence, verification_timestamp: str) -> Baseline:
    """Return the baseline that follows from the evidence."""
    digest = PropertiesDigest()
    assessor = Assessor(evidence)
    for nodeid, subject in evidence.properties.items():
        assessor.add(nodeid, subject)
        digest.add(nodeid, subject)
    return _baseline(evidence, verification_timestamp, assessor.finish(), digest)


def check(baseline: Baseline) -> tuple[Assessment, list[Difference]]:
    """Return what the evidence in a baseline says, and where the rest of the file says something else."""
    digest = PropertiesDigest()
    assessor = Assessor(baseline)
    declared = DeclaredTiers(baseline.tiers)
    differences: list[Difference] = []
    for nodeid, subject in baseline.properties.items():
        assessor.add(nodeid, subject)
        digest.add(nodeid, subject)
        differences += _property_differences(nodeid, subject, baseline.targets, declared)
    assessment = assessor.finish()
    expected = _baseline(baseline, baseline.verification_timestamp, assessment, digest)
    return assessment, [*_top_differences(baseline, expected), *differences]


def _baseline(
    evidence: Evidence, timestamp: str, assessment: Assessment, properties: PropertiesDigest
) -> Baseline:
    return Baseline(
        verification_timestamp=timestamp,
        targets_met=targets_met(assessment),
        targets_verified=targets_verified(assessment),
        notes=list_notes(assessment, evidence),
        slowest_tests=assessment.slowest,
        property_test_targets=plan_targets(assessment, evidence),
        targets=evidence.targets,
        tiers=evidence.tiers,
        provenance=evidence.provenance,
        suite=evidence.suite,
        excluded=evidence.excluded,
        properties=evidence.properties,
        digests={**digest_sections(evidence, timestamp), "properties": properties.result()},
    )


def _top_differences(stored: Baseline, expected: Baseline) -> Iterator[Difference]:
    for key in ("targets_met", "targets_verified", "property_test_targets"):
        yield from _struct_differences(key, getattr(stored, key), getattr(expected, key))
    for key in ("notes", "slowest_tests"):
        yield from _list_differences(key, getattr(stored, key), getattr(expected, key))
    for key in sorted(stored.digests.keys() | expected.digests.keys()):
        if stored.digests.get(key) != expected.digests.get(key):
            yield Difference(
                f"{key} (digest)", _text(stored.digests.get(key)), _text(expected.digests.get(key))
            )


def _struct_differences(place: str, stored: Struct, expected: Struct) -> Iterator[Difference]:
    for name in expected.__struct_fields__:
        old, new = getattr(stored, name), getattr(expected, name)
        if old != new or type(old) is not type(new):
            yield Difference(f"{place}.{name}", _text(old), _text(new))


def _list_differences(place: str, stored: list[object], expected: list[object]) -> Iterator[Difference]:
    for index in range(max(len(stored), len(expected))):
        old = stored[index] if index < len(stored) else None
        new = expected[index] if index < len(expected) else None
        if isinstance(old, Struct) and isinstance(new, Struct):
            yield from _struct_differences(f"{place}[{index}]", old, new)
        elif old != new:
            yield Difference(f"{place}[{index}]", _text(old), _text(new))


def _property_differences(
    nodeid: str, subject: PropertyCost, targets: Targets, declared: DeclaredTiers
) -> Iterator[Difference]:
    place = f"properties[{_text(nodeid)}]"
    tier = measured_tier(subject.profiles, targets)
    budget = declared.find(nodeid)
    for name, value in (
        ("tier", budget or tier),
        ("measured_tier", tier),
        ("is_declared", budget is not None),
        ("check", digest_property(subject)),
    ):
        if getattr(subject, name) != value:
            yield Difference(f"{place}.{name}", _text(getattr(subject, name)), _text(value))
    for profile, cost in subject.profiles.items():
        expected = seal_cost(_recomputed(cost), profile, subject.profiles, targets)
        for name in DERIVED_COSTS:
            old, new = getattr(cost, name), getattr(expected, name)
            if old != new:
                yield Difference(f"{place}.profiles.{profile}.{name}", _text(old), _text(new))


def _recomputed(cost: ProfileCost) -> ProfileCost:
    runs = cost.runs
    duration_s = median_s(runs.duration_s)
    return msgspec.structs.replace(
        cost,
        repeats=len(runs.duration_s),
        duration_s=duration_s,
        cpu_s=median_s(runs.cpu_s),
        seconds_per_example=seconds_per_example(duration_s, cost.n_examples + cost.n_explicit),
        body_cpu_us=body_median(runs.body_cpu_us),
        body_cpu_spread=body_spread(runs.body_cpu_us),
    )


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
