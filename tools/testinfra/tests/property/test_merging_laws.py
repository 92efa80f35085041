"""Laws of an update: nothing measured is lost unsaid, and verdicts of mixed ages can be recomputed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.strategies import A_SUITE, NOW, a_measurement, a_run

from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.aggregation import gather_evidence
from atom_testinfra.core.costs.merging import Selection, merge, session_key
from atom_testinfra.core.errors import NothingMeasuredError
from atom_testinfra.core.records.measurement import Collected
from atom_testinfra.core.targets.verification import check, complete
from atom_testinfra.core.vocabulary import Outcome
from atom_testinfra.storage.baseline import parse_baseline, render_baseline

if TYPE_CHECKING:
    from atom_testinfra.core.costs.baseline import Baseline, Evidence
    from atom_testinfra.core.records.measurement import Run

NAMES = [f"tests/test_{file}.py::test_{n}" for file in "ab" for n in range(3)]
OUTCOMES = [Outcome.PASSED] * 3 + [Outcome.FAILED, Outcome.SKIPPED]
TIERS = {"tests/test_a.py::*": "fast"}


@st.composite
def updates(draw: st.DrawFn) -> list[tuple[Evidence, Selection]]:
    """Draw sessions one after another, each of some tests, under some profiles, in which some fail."""
    found = []
    for number in range(draw(st.integers(2, 4))):
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
        profiles = draw(st.sampled_from([["local"], ["ci"], ["ci", "local"]]))
        runs = [
            _run(number, profile, repeat, {name: draw(st.sampled_from(OUTCOMES)) for name in names})
            for profile in profiles
            for repeat in range(draw(st.integers(1, 2)))
        ]
        suite = draw(st.sampled_from([None, A_SUITE, replace(A_SUITE, exit_status=1)]))
        try:
            evidence = gather_evidence(runs, targets=Targets(), tiers=TIERS, suite=suite)  # type: ignore[arg-type]
        except NothingMeasuredError:
            continue
        selection = Selection(
            profiles=frozenset(profiles),
            nodeids=frozenset(names),
            plain=frozenset(),
            files=frozenset(name.partition("::")[0] for name in names),
            is_whole=draw(st.booleans()),
        )
        found.append((evidence, selection))
    return found


def _run(number: int, profile: str, repeat: int, outcomes: dict[str, Outcome]) -> Run:
    bound = {"local": 200, "ci": 50}[profile]
    run = a_run(
        [
            a_measurement(name, bound=bound, outcome=outcome, body_us=1000.0 * (number + 1))
            for name, outcome in outcomes.items()
        ],
        profile=profile,
        repeat=repeat,
        run_id=f"s{number}-{profile}-r{repeat}",
        session_id=f"s{number}",
        started_at=f"2026-11-{number + 10}T10:00:00Z",
    )
    return replace(run, collected=Collected(nodeids=[*outcomes]))


def records(evidence: Evidence) -> set[tuple[str, str]]:
    """Return which property has figures under which profile."""
    return {(name, profile) for name, subject in evidence.properties.items() for profile in subject.profiles}


@given(updates())
def test_no_record_is_lost_but_of_tests_that_are_gone(sessions: list[tuple[Evidence, Selection]]) -> None:
    """What is measured is new, the rest is as it was, with the session it is from."""
    before: Baseline | None = None
    for now, selection in sessions:
        if before is None:
            before = complete(now, NOW)
            continue
        merged = merge(before, now, selection)
        assert records(merged.evidence) | {
            record for record in records(before) if record[0] in merged.gone
        } == (records(before) | records(now))
        assert not merged.gone or selection.is_whole
        assert not selection.nodeids & {*merged.gone}
        for name, profile in records(now):
            cost, measured = (found.properties[name].profiles[profile] for found in (merged.evidence, now))
            assert replace(cost, predicted=None) == replace(measured, predicted=None)
        for name, profile in records(merged.evidence) - records(now):
            cost, old = (found.properties[name].profiles[profile] for found in (merged.evidence, before))
            assert cost.runs == old.runs
            assert merged.evidence.made_by(cost.source) == before.made_by(old.source)
            assert cost.source != session_key(now.provenance)
        before = complete(merged.evidence, NOW)


@given(updates())
def test_verdicts_of_mixed_ages_follow_from_the_file(sessions: list[tuple[Evidence, Selection]]) -> None:
    """After any updates the file survives the disk and every verdict is computed from it again."""
    before: Baseline | None = None
    for now, selection in sessions:
        before = complete(now if before is None else merge(before, now, selection).evidence, NOW)
        text = b"".join(render_baseline(before))
        read = parse_baseline(text, "b.json")
        assert check(read)[1] == []
        assert b"".join(render_baseline(read)) == text


@given(updates())
def test_a_failure_stays_until_the_property_is_measured(sessions: list[tuple[Evidence, Selection]]) -> None:
    """Measuring something else does not clear it."""
    before: Baseline | None = None
    for now, selection in sessions:
        if before is None:
            before = complete(now, NOW)
            continue
        merged = merge(before, now, selection)
        after = {(entry.nodeid, entry.profile) for entry in merged.evidence.excluded}
        for entry in before.excluded:
            if entry.nodeid not in selection.nodeids and not selection.is_whole:
                assert (entry.nodeid, entry.profile) in after
        assert {(entry.nodeid, entry.profile) for entry in now.excluded} <= after
        assert not after & records(now)
        before = complete(merged.evidence, NOW)


@given(updates())
def test_the_same_session_again_changes_nothing(sessions: list[tuple[Evidence, Selection]]) -> None:
    """`verify` twice writes the same figures."""
    before: Baseline | None = None
    for now, selection in sessions:
        before = complete(now if before is None else merge(before, now, selection).evidence, NOW)
        assert complete(merge(before, now, selection).evidence, NOW) == before
