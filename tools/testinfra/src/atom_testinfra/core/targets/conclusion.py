"""What a verification comes to: the one source of headline, summary, title and exit status."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.config import AS_IS
from atom_testinfra.core.figures import percent, plural
from atom_testinfra.core.policies import PinPolicy
from atom_testinfra.core.records.session import CUSTOM
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.core.targets.targets import MISSES_TOLD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.targets.assessment import Assessment, Unsteered


class Judgement(StrEnum):
    """How the measurements stand against the targets, the gravest finding first."""

    FAILED = "failed"
    """A property or the whole suite failed, or the CI profile has no effect on a property."""
    NOTHING = "nothing to judge"
    """There is no property."""
    NOT_MEASURED = "not measured"
    """There are properties, and no tier's target has a measurement."""
    MISSED = "missed"
    """Fewer of the measured targets are met than the settings ask for."""
    MET = "met"
    """Enough of the measured targets are met."""


STATUSES = {
    Judgement.FAILED: ExitStatus.FAILED,
    Judgement.NOTHING: ExitStatus.NOTHING,
    Judgement.NOT_MEASURED: ExitStatus.NOTHING,
    Judgement.MISSED: ExitStatus.FAILED,
    Judgement.MET: ExitStatus.OK,
}


class Conclusion(Struct, frozen=True, kw_only=True):
    """What a reader learns first; every output and the exit status are taken from here."""

    judgement: Judgement
    headline: str
    """A few words, without a full stop."""
    summary: str
    """One or two sentences, with the counts of targets."""
    requirement: str | None = None
    """What share of the targets has to be met, in a sentence; `None` where there was nothing to judge."""
    age: str | None = None
    """How many properties have figures of earlier sessions, and how old the oldest are, in a sentence."""
    shortfall: str | None = None
    """That fewer targets are met than have to be, with the counts; the first of `problems`."""
    problems: list[str]
    """What keeps the verification from succeeding, in sentences that name the tests; else empty."""
    hint: str | None = None
    """The next step."""

    @property
    def exit_status(self) -> ExitStatus:
        """What `testinfra verify` tells the shell."""
        return STATUSES[self.judgement]

    @property
    def is_met(self) -> bool | None:
        """Whether the verification succeeds; `None` when there was nothing to check against a target."""
        if self.exit_status is ExitStatus.NOTHING:
            return None
        return self.exit_status is ExitStatus.OK


def conclude(assessment: Assessment) -> Conclusion:
    """Return what an assessment comes to."""
    judgement = _judge(assessment)
    return Conclusion(
        judgement=judgement,
        headline=_headline(judgement, assessment),
        summary=_summary(judgement, assessment),
        requirement=_requirement(assessment) if assessment.n_judged else None,
        age=_age(assessment),
        shortfall=_shortfall(assessment),
        problems=[*_problems(assessment)],
        hint=_hint(judgement, assessment),
    )


def _judge(assessment: Assessment) -> Judgement:
    if _causes(assessment):
        return Judgement.FAILED
    if not assessment.is_judged:
        return Judgement.NOT_MEASURED if assessment.n_properties else Judgement.NOTHING
    return Judgement.MISSED if _is_missed(assessment) else Judgement.MET


def _is_missed(assessment: Assessment) -> bool:
    # The quotient, not the product: 11 of 20 are 55 %, and 0.55 * 20 is a little more than 11.
    return assessment.n_judged > 0 and assessment.n_met / assessment.n_judged < assessment.share_asked


def _causes(assessment: Assessment) -> list[str]:
    """Return what failed, in a few words each; what is only missed is not here."""
    causes = []
    if n := len(_failed(assessment)):
        causes.append(f"{plural(n, 'property')} failed")
    if assessment.suite_failure is not None:
        causes.append("the whole suite did not pass")
    if n := len(assessment.unsteered):
        causes.append(f"the CI profile has no effect on {plural(n, 'property')}")
    return causes


def _headline(judgement: Judgement, assessment: Assessment) -> str:
    n_targets = len(assessment.results)
    n_missed, n_unknown = assessment.n_judged - assessment.n_met, n_targets - assessment.n_judged
    match judgement:
        case Judgement.FAILED:
            causes = _causes(assessment)
            if _is_missed(assessment):
                causes.append(f"{n_missed} of {n_targets} targets missed")
            headline = "; ".join(causes)
            return headline[0].upper() + headline[1:]
        case Judgement.NOTHING:
            return "Nothing to judge: no property was measured"
        case Judgement.NOT_MEASURED:
            return f"Not measured: no property has figures under {_named(_asked_profiles(assessment), 'or')}"
        case Judgement.MISSED:
            counts = [(assessment.n_met, "met"), (n_unknown, "not measured")]
            return _counted(f"{n_missed} of {n_targets} targets missed", counts)
        case Judgement.MET:
            counts = [(n_missed, "missed"), (n_unknown, "not measured")]
            return _counted(f"{assessment.n_met} of {n_targets} targets met", counts)


def _summary(judgement: Judgement, assessment: Assessment) -> str:
    if judgement in {Judgement.NOTHING, Judgement.NOT_MEASURED}:
        return f"{_headline(judgement, assessment)}."
    n_met, n_judged, n_targets = assessment.n_met, assessment.n_judged, len(assessment.results)
    counts = [(n_judged - n_met, "missed"), (n_targets - n_judged, "not measured")]
    targets = f"{n_met} of {n_targets} targets are met"
    for n, word in counts:
        targets += f", {n} {'is' if n == 1 else 'are'} {word}" if n else ""
    if n_judged:
        of_what = "" if n_judged == n_targets else " of the measured ones"
        targets += f" ({percent(n_met / n_judged)}{of_what})"
    targets += f"; {percent(assessment.share_asked)} are asked for."
    if (age := _age(assessment)) is not None:
        targets += f" {age}"
    if judgement is not Judgement.FAILED:
        return targets
    return f"{_headline(judgement, assessment)}. {targets}"


def _age(assessment: Assessment) -> str | None:
    if not assessment.n_earlier or assessment.oldest is None:
        return None
    share = f"{assessment.n_earlier} of {plural(assessment.n_properties, 'property')}"
    return f"Figures of {share} are from earlier sessions, the oldest of {assessment.oldest[:10]}."


def _requirement(assessment: Assessment) -> str:
    met = percent(assessment.n_met / assessment.n_judged)
    return f"{percent(assessment.share_asked)} of the measured targets have to be met; {met} are."


def _shortfall(assessment: Assessment) -> str | None:
    if not _is_missed(assessment):
        return None
    asked = percent(assessment.share_asked)
    return f"{assessment.n_met} of {assessment.n_judged} targets are met; {asked} are asked for."


def _problems(assessment: Assessment) -> Iterator[str]:
    if (shortfall := _shortfall(assessment)) is not None:
        yield shortfall
    if failed := _failed(assessment):
        yield f"{plural(len(failed), 'property')} failed: {_enumerate(failed)}."
    if assessment.unsteered:
        names = _enumerate([test.describe() for test in assessment.unsteered])
        yield f"The CI profile has no effect on {len(assessment.unsteered)} of the properties: {names}."
    if assessment.suite_failure is not None:
        yield assessment.suite_failure


def _hint(judgement: Judgement, assessment: Assessment) -> str | None:
    if failed := _failed(assessment):
        profiles = [failure.profile for failure in assessment.failures if failure.nodeid == failed[0]]
        local = _asked_profiles(assessment)[:1]
        return f"run it to see why: `{command_to_see(failed[0], profiles, local)}`"
    if assessment.suite_failure is not None:
        return "run the suite with pytest, mend what fails, then verify again"
    if assessment.unsteered:
        return _steering_hint(assessment.unsteered, assessment.pins)
    if judgement is Judgement.NOT_MEASURED:
        asked = _asked_profiles(assessment)
        told = "; 'custom' is what --max-examples N measures" if CUSTOM in assessment.repeats else ""
        return (
            f"measured was {_named([*assessment.repeats], 'and')}{told}: measure {asked[0]!r} "
            "(testinfra measure --baseline), or name the profiles in [tool.testinfra.targets]: "
            "local_profile, ci_profile"
        )
    if judgement is Judgement.NOTHING:
        return "measure first: testinfra measure --baseline"
    return None


def command_to_see(nodeid: str, profiles: Sequence[str], local: Sequence[str]) -> str:
    """
    Return the command that shows a failure again.

    Args:
        nodeid: of the test.
        profiles: those under which it failed.
        local: the profile of a person's own runs.
    """
    if not {AS_IS, CUSTOM, *local}.isdisjoint(profiles):
        return f"pytest {shlex.quote(nodeid)}"
    # Plain pytest has neither the environment of that profile nor its number of examples.
    return f"testinfra measure --profile {shlex.quote(profiles[0])} -- {shlex.quote(nodeid)}"


def _steering_hint(unsteered: Sequence[Unsteered], policy: PinPolicy) -> str:
    if policy is PinPolicy.RESPECT and all(test.pin is not None for test in unsteered):
        return (
            'set pins = "scale" in [tool.testinfra] and measure again: '
            "a pinned number then follows the profile (or take the pins out)"
        )
    return "make the number of examples follow the profile, then measure again"


def _failed(assessment: Assessment) -> list[str]:
    return sorted({failure.nodeid for failure in assessment.failures})


def _asked_profiles(assessment: Assessment) -> list[str]:
    """Return the profiles that the targets are for."""
    return [*dict.fromkeys(result.profile for result in assessment.results if result.profile is not None)]


def _named(names: Sequence[str], word: str) -> str:
    quoted = [*map(repr, names)]
    return f" {word} ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)


def _counted(text: str, counts: Sequence[tuple[int, str]]) -> str:
    return ", ".join([text, *(f"{n} {word}" for n, word in counts if n)])


def _enumerate(names: Sequence[str]) -> str:
    rest = len(names) - MISSES_TOLD
    return "; ".join(names[:MISSES_TOLD]) + (f"; and {rest} more" if rest > 0 else "")
