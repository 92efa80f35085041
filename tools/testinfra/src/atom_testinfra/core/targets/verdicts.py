"""The verdicts and notes of the baseline under the names that the plan gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.costs.baseline import PlanTargets, TargetsMet, TargetsVerified
from atom_testinfra.core.figures import plural, seconds
from atom_testinfra.core.records.repeats import FAILURES, MIN_BASE_RUNS
from atom_testinfra.core.targets.conclusion import conclude
from atom_testinfra.core.targets.targets import NAMED_LIMITS_S, SUITE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atom_testinfra.core.costs.baseline import Evidence
    from atom_testinfra.core.targets.assessment import Assessment


def plan_targets(assessment: Assessment, evidence: Evidence) -> PlanTargets:
    """Return the limits in force under the plan's names."""
    targets, asked = evidence.targets, evidence.max_examples
    return PlanTargets(
        fast_tier_seconds=targets.fast.local_s,
        medium_tier_seconds=targets.medium.local_s,
        slow_tier_seconds=targets.slow.local_s,
        max_examples_default=asked.get(targets.local_profile),
        max_examples_ci=asked.get(targets.ci_profile),
        rationale=_rationale(assessment),
    )


def targets_verified(assessment: Assessment) -> TargetsVerified:
    """Return the verdicts under the names of `targets_verified`."""
    return TargetsVerified(**{result.key: result.verdict for result in assessment.results})


def targets_met(assessment: Assessment) -> TargetsMet:
    """Return the verdicts under the names of `targets_met`."""
    verdicts = {result.key: result.verdict for result in assessment.results}
    return TargetsMet(
        full_suite_under_5min=verdicts[SUITE_KEY],
        property_tests_fast_tier_under_10s=verdicts["fast_tier_under_10s"],
        property_tests_medium_tier_under_60s=verdicts["medium_tier_under_60s"],
        property_tests_slow_tier_under_100s=verdicts["slow_tier_under_100s"],
        note=_note(assessment),
    )


def write_notes(assessment: Assessment, evidence: Evidence) -> str:
    """Return what the verdicts alone do not say, sentence by sentence."""
    return " ".join(_notes(assessment, evidence))


def _notes(assessment: Assessment, evidence: Evidence) -> Iterator[str]:
    yield from conclude(assessment).problems
    for result in assessment.results:
        if result.n_missed:
            yield result.describe_misses()
        named_s = NAMED_LIMITS_S[result.key]
        if result.limit_s != named_s:
            yield f"{result.key} is checked against {result.limit_s:g} s, as the settings say."
    if assessment.n_earlier:
        yield (
            f"Figures of {assessment.n_earlier} of {assessment.n_properties} properties are from earlier "
            "sessions: their `source` names the session in `earlier`."
        )
    if evidence.suite is None:
        yield "The whole suite was not timed."
    if max(assessment.repeats.values(), default=0) < MIN_BASE_RUNS:
        runs = ", ".join(f"{profile} {n}" for profile, n in sorted(assessment.repeats.items()))
        yield f"No profile has the {MIN_BASE_RUNS} runs that a comparison needs of its base: {runs}."
    if assessment.n_undeclared:
        yield (
            f"{assessment.n_undeclared} of {assessment.n_properties} properties have no declared tier: their "
            "local duration decides it, so that only the slowest tier's local limit can be missed by them."
        )
    if assessment.n_unpredictable:
        whose = "its" if assessment.n_unpredictable == 1 else "their"
        yield (
            f"The cost of {plural(assessment.n_unpredictable, 'property')} does not follow {whose} number of "
            "examples; `unpredictable` says why."
        )
    others = sorted({entry.nodeid for entry in evidence.excluded if entry.outcome not in FAILURES})
    if others:
        are = "is" if len(others) == 1 else "are"
        n = plural(len(others), "property")
        yield f"{n} {are} not measured under every profile; `excluded` says why."


def _note(assessment: Assessment) -> str:
    missed = [result.key for result in assessment.results if result.verdict in (False, "partial")]
    unknown = [result.key for result in assessment.results if result.verdict is None]
    sentences = [f"{assessment.n_met} of {assessment.n_judged} targets with a measurement are met."]
    if missed:
        sentences.append(f"Missed by at least one test: {', '.join(missed)}.")
    if unknown:
        sentences.append(f"Nothing measured: {', '.join(unknown)}.")
    return " ".join(sentences)


def _rationale(assessment: Assessment) -> str:
    reason = "A property runs its test once per example, so its target is a budget for that many runs"
    if assessment.median_example_s is None:
        return f"{reason}."
    return f"{reason}; the median property here takes {seconds(assessment.median_example_s)} per example."
