"""Laws of the baseline: it survives the disk, follows from its evidence, and keeps what is not its own."""

from __future__ import annotations

import json
import re

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.strategies import A_SUITE, NOW, a_baseline, sessions

from atom_testinfra.core.config import Targets, TierLimits
from atom_testinfra.core.costs.aggregation import gather_evidence
from atom_testinfra.core.costs.baseline import Baseline
from atom_testinfra.core.costs.tiers import BUDGETS, tier_limit, tier_of_duration
from atom_testinfra.core.errors import NothingMeasuredError
from atom_testinfra.core.records.measurement import Run
from atom_testinfra.core.targets.assessment import assess
from atom_testinfra.core.targets.verification import check, complete
from atom_testinfra.storage.baseline import KEYS, Foreign, parse_baseline, render_baseline

tier_globs = st.dictionaries(st.text("test*?[]:./", max_size=8), st.sampled_from(BUDGETS), max_size=3)
limits_of_tiers = st.builds(TierLimits, local_s=st.floats(0.1, 1000), ci_s=st.floats(0.1, 1000))
targets = st.builds(
    Targets,
    fast=limits_of_tiers,
    medium=limits_of_tiers,
    slow=limits_of_tiers,
    suite_s=st.floats(1, 1000),
    share=st.floats(0, 1),
)


SMALL = a_baseline({"tests/test_a.py::test_a": 130.0}, n_repeats=1)


@st.composite
def baselines(draw: st.DrawFn) -> Baseline:
    try:
        evidence = gather_evidence(
            draw(sessions()),
            targets=draw(targets),
            tiers=draw(tier_globs),
            suite=draw(st.sampled_from([None, A_SUITE])),
        )
    except NothingMeasuredError:
        assume(False)
    return complete(evidence, NOW)


def text_of(baseline: Baseline, /, **foreign: object) -> bytes:
    values = {key: msgspec.Raw(json.dumps(value).encode()) for key, value in foreign.items()}
    kept = Foreign(order=[*values], values=values, nested={})
    return b"".join(render_baseline(baseline, kept))


@given(baselines())
def test_baseline_round_trips(baseline: Baseline) -> None:
    """What is read from a written baseline writes the same bytes."""
    text = text_of(baseline)
    assert b"".join(render_baseline(parse_baseline(text, "b.json"))) == text


@given(baselines())
def test_a_fresh_baseline_has_no_differences(baseline: Baseline) -> None:
    """Everything in a baseline follows from what stands in it, also after it was written and read."""
    assert check(baseline)[1] == []
    assert check(parse_baseline(text_of(baseline), "b.json"))[1] == []


@given(baselines(), st.integers(0, 4))
def test_another_layout_of_the_file_is_no_difference(baseline: Baseline, indent: int) -> None:
    """A formatter may lay the file out anew: nothing differs then."""
    text = json.dumps(json.loads(text_of(baseline)), indent=indent, ensure_ascii=False).encode()
    assert check(parse_baseline(text, "b.json"))[1] == []


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])).filter(lambda key: key not in KEYS),
        st.recursive(st.none() | st.integers() | st.text('ab\\"\n'), st.lists),
    )
)
def test_foreign_keys_are_kept(foreign: dict[str, object]) -> None:
    """Whatever else a file holds is in it after an update, in its place."""
    text = text_of(SMALL, **foreign)
    document = json.loads(text)
    assert [*document][: len(foreign)] == [*foreign]
    assert {key: document[key] for key in foreign} == foreign
    parse_baseline(text, "b.json")


@given(baselines())
def test_a_verdict_says_what_its_tests_say(baseline: Baseline) -> None:
    """True when all meet the limit, false when none does, partial in between, null when there is none."""
    for result in assess(baseline).results:
        if result.tier is None:
            continue
        is_ci = result.profile == baseline.targets.ci_profile
        times = [
            subject.profiles[result.profile].duration_s
            for subject in baseline.properties.values()
            if (subject.tier == result.tier or (subject.tier, result.tier) == ("over", "slow"))
            and result.profile in subject.profiles
        ]
        met = [seconds < tier_limit(baseline.targets, result.tier, is_ci=is_ci) for seconds in times]
        expected = None if not met else all(met) if all(met) or not any(met) else "partial"
        assert result.verdict == expected
        assert getattr(baseline.targets_verified, result.key) == expected


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_a_longer_test_is_in_no_cheaper_tier(one: float, more: float) -> None:
    """Tiers follow the order of durations."""
    order = [*BUDGETS, "over"]
    tiers = [tier_of_duration(seconds, Targets(), is_ci=False) for seconds in (one, one + more)]
    assert order.index(tiers[0]) <= order.index(tiers[1])


@given(sessions())
def test_every_test_is_measured_or_excluded(runs: list[Run]) -> None:
    """Under each profile, a test has figures or a reason why not; never both, never neither."""
    try:
        evidence = gather_evidence(runs, targets=Targets(), tiers={})
    except NothingMeasuredError:
        return
    asked = {(found.nodeid, run.header.profile) for run in runs for found in run.measurements}
    measured = {(n, profile) for n, subject in evidence.properties.items() for profile in subject.profiles}
    excluded = [(entry.nodeid, entry.profile) for entry in evidence.excluded]
    assert sorted([*measured, *excluded]) == sorted(asked)


def test_an_unchanged_suite_changes_only_numbers() -> None:
    """Measured again a little slower, a suite's baseline differs in its figures only."""
    bodies = {"tests/test_a.py::test_a": 130.0, "tests/test_b.py::test_b": 72_000.0}
    one = text_of(a_baseline(bodies)).decode().splitlines()
    other = text_of(a_baseline({name: us * 1.02 for name, us in bodies.items()})).decode().splitlines()
    assert one != other
    assert [_without_figures(line) for line in one] == [_without_figures(line) for line in other]


def _without_figures(line: str) -> str:
    line = re.sub(r'"(check|properties)": ?"[0-9a-f]{12}"', r"\1", line)
    return re.sub(r"\d+(\.\d+)?", "0", line)
