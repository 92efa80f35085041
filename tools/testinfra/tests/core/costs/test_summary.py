"""What a session found, summed up."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.made_runs import make_record, make_run

from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.aggregation import gather_evidence
from atom_testinfra.core.costs.summary import summarise_session
from atom_testinfra.core.records.measurement import Cost, Measurement, Run
from atom_testinfra.core.vocabulary import Kind, Outcome

PLAIN = replace(make_record("t.py::test_plain"), kind=Kind.PLAIN, hypothesis=None)
NAME = "t.py::test_a"
GOOD = make_record(NAME)
OTHER = make_record("t.py::test_other")
ONLY_EXPLICIT = make_record(NAME, n_valid=0)
assert GOOD.hypothesis is not None


def five_runs(*records: Measurement | None) -> list[Run]:
    """Return five runs of a property that is always measured and of another: the records, then good ones."""
    return [
        make_run([OTHER] if found is None else [OTHER, found], repeat=repeat)
        for repeat, found in enumerate([*records, *[GOOD] * (5 - len(records))])
    ]


def test_a_plain_test_counts_once_however_many_profiles_ran_it() -> None:
    """The number is one of tests, not of records."""
    runs = [make_run([PLAIN], profile="local"), make_run([PLAIN], profile="ci")]

    assert summarise_session(runs, Targets()).n_plain == 1


def test_one_failed_repeat_takes_the_figures_away() -> None:
    """A property that passes now and then has no cost worth keeping."""
    good, bad = make_record("t.py::test_a"), make_record("t.py::test_a", outcome=Outcome.FAILED)
    summary = summarise_session([make_run([good]), make_run([bad], repeat=1)], Targets())

    assert summary.measured == []
    assert [(test.nodeid, test.outcome) for test in summary.failed] == [("t.py::test_a", Outcome.FAILED)]


def test_a_collected_test_that_no_run_reached_is_listed() -> None:
    """Nothing is dropped without a reason."""
    run = make_run([make_record("t.py::test_a")])
    assert run.collected is not None
    reached = replace(run, collected=replace(run.collected, nodeids=["t.py::test_a", "t.py::test_b"]))
    summary = summarise_session([reached], Targets())

    assert [(test.nodeid, test.outcome, test.reason) for test in summary.unmeasured] == [
        ("t.py::test_b", None, "no run reached it")
    ]


@pytest.mark.parametrize(
    ("runs", "outcome", "reason"),
    [
        (
            five_runs(make_record(NAME, outcome=Outcome.SKIPPED)),
            Outcome.SKIPPED,
            "skipped in 1 of 5 runs",
        ),
        (
            five_runs(*[replace(GOOD, outcome=Outcome.XFAILED, reason="known")] * 5),
            Outcome.XFAILED,
            "xfailed: known",
        ),
        (  # not strict: pytest takes that for no failure
            five_runs(replace(GOOD, outcome=Outcome.XPASSED, reason="known")),
            Outcome.XPASSED,
            "xpassed in 1 of 5 runs: known",
        ),
        (five_runs(None, None), None, "reached by 3 of 5 runs"),
        (five_runs(ONLY_EXPLICIT), Outcome.PASSED, "no example was run"),
        (five_runs(replace(GOOD, hypothesis=None)), Outcome.PASSED, "Hypothesis reported nothing about it"),
        (
            five_runs(replace(GOOD, call=Cost(wall_s=1e12))),
            Outcome.PASSED,
            "its record contradicts itself: it holds a time of 1e+12 s, which no clock has told",
        ),
        (
            five_runs(replace(GOOD, hypothesis=replace(GOOD.hypothesis, digest="other"))),
            Outcome.PASSED,
            "its source changed between the runs",
        ),
        (
            five_runs(
                make_record(NAME, outcome=Outcome.SKIPPED),
                make_record(NAME, outcome=Outcome.FAILED),
                make_record(NAME, outcome=Outcome.FAILED),
            ),
            Outcome.FAILED,
            "failed in 2 of 5 runs",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_property_without_figures_has_none_in_a_baseline_either_for_the_same_reason(
    runs: list[Run], outcome: Outcome | None, reason: str
) -> None:
    """`measure` and `verify` go by one rule, and say the same words."""
    summary = summarise_session(runs, Targets())
    assert [test.nodeid for test in summary.measured] == [OTHER.nodeid]
    found = [(test.nodeid, test.outcome, test.reason) for test in [*summary.failed, *summary.unmeasured]]
    assert found == [(NAME, outcome, reason)]
    assert bool(summary.failed) is (outcome is Outcome.FAILED)
    evidence = gather_evidence(runs, targets=Targets(), tiers={})
    assert [*evidence.properties] == [OTHER.nodeid]
    assert [(entry.nodeid, entry.outcome, entry.reason) for entry in evidence.excluded] == found


@pytest.mark.parametrize("n_repeats", [1, 5])
def test_a_property_of_explicit_examples_alone_is_measured(n_repeats: int) -> None:
    """As it is in a baseline: none was generated, and all the same it ran."""
    assert ONLY_EXPLICIT.hypothesis is not None
    subject = replace(ONLY_EXPLICIT.hypothesis, n_explicit=3, explicit_s=0.3)
    runs = [make_run([replace(ONLY_EXPLICIT, hypothesis=subject)], repeat=i) for i in range(n_repeats)]
    (test,) = summarise_session(runs, Targets()).measured
    assert (test.nodeid, test.n_examples, test.duration_s) == (NAME, 0, 2.0)
    assert [*gather_evidence(runs, targets=Targets(), tiers={}).properties] == [NAME]


def test_what_a_record_says_of_itself_stands_beside_its_figures() -> None:
    """They are worth a look, and none to keep; each remark stands once."""
    runs = [make_run([make_record(NAME, problems=["odd", "strange"])], repeat=i) for i in range(2)]
    (test,) = summarise_session(runs, Targets()).measured
    assert test.problems == ["odd", "strange"]


def test_a_test_that_was_interrupted_and_run_again_is_measured() -> None:
    """The later record of the same repeat holds."""
    cut_off = make_record(NAME, outcome=Outcome.INTERRUPTED)
    summary = summarise_session([make_run([cut_off]), make_run([GOOD], part=1)], Targets())
    assert [test.nodeid for test in summary.measured] == [NAME]


@pytest.mark.parametrize(
    ("profile", "call_s", "tier"),
    [
        ("local", 9.49, "fast"),
        ("local", 9.5, "medium"),
        ("ci", 2.49, "fast"),
        ("ci", 2.5, "medium"),
        ("other", 9.49, "fast"),
        ("local", 99.5, "over"),
    ],
)
def test_the_tier_is_the_cheapest_under_whose_limit_it_stays(profile: str, call_s: float, tier: str) -> None:
    """By the limits in CI for the profile that stands for it, by the local ones for any other."""
    record = replace(GOOD, call=Cost(wall_s=call_s))
    (test,) = summarise_session([make_run([record], profile=profile)], Targets()).measured
    assert test.measured_tier == tier
