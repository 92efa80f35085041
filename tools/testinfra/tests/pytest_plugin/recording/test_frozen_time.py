"""Suites that change the time: what is recorded of them are the machine's seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atom_testinfra.core.records.plausibility import find_contradiction
from atom_testinfra.core.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pytest_plugin.conftest import Subject

    from atom_testinfra.core.records.measurement import Measurement, Property, Run

    ByName = Callable[[Run], dict[str, Measurement]]

pytestmark = pytest.mark.integration

FREEZER = Path(__file__).with_name("freezer.py").read_text(encoding="utf-8")
N = 20
SPIN = """
    import time
    import pytest
    from freezer import frozen, ticking
    from hypothesis import given, settings, strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, rule

    def spin():
        for _ in range(4):
            sum(range(60_000))

    def look():
        time.perf_counter(), time.time(), time.monotonic(), time.process_time(), time.thread_time()
"""

FIXTURES = {
    "still": "with frozen(): yield",
    "ticking": "with ticking(15.0): yield",
    "backwards": "with ticking(-3.5): yield",
    "slow": "with ticking(1e-9): yield",
    "perf_counter": "monkeypatch.setattr(time, 'perf_counter', lambda: 7.0); yield",
    "all": "[monkeypatch.setattr(time, name, lambda: 1.0) for name in "
    "('perf_counter', 'time', 'monotonic', 'thread_time', 'process_time')]; yield",
    "all_ns": "[monkeypatch.setattr(time, name, lambda: 1) for name in "
    "('perf_counter_ns', 'process_time_ns', 'time_ns', 'monotonic_ns')]; yield",
}
PROPERTIES = """
    @pytest.fixture(autouse=True)
    def now(monkeypatch):
        {fixture}

    @settings(deadline=None)
    @given(st.lists(st.integers(), min_size=3))
    def test_function(n):
        look()
        spin()

    class Machine(RuleBasedStateMachine):
        @rule(n=st.integers())
        def step(self, n):
            look()
            spin()

    TestMachine = Machine.TestCase
    TestMachine.settings = settings(stateful_step_count=3)
"""


def record(subject: Subject, *arguments: str, **files: str) -> Run:
    """Record a suite that has the freezer at hand."""
    # Written first: the freezer's own imports are not part of the suite.
    (subject.path / "freezer.py").write_text(FREEZER, encoding="utf-8")
    return subject.record("--testinfra-max-examples", str(N), *arguments, **files)


def subject_of(found: Measurement) -> Property:
    """Return what Hypothesis did in a test that passed."""
    assert (found.outcome, found.reason) == (Outcome.PASSED, None)
    assert found.hypothesis is not None
    return found.hypothesis


def is_sound(found: Measurement, *, least_body: float = 0.3) -> bool:
    """Return whether the parts make up the call, and the body has the share that it must have."""
    subject = subject_of(found)
    phases_s = sum(phase.duration_s for phase in subject.phases.values())
    assert subject.body_s is not None
    assert find_contradiction(found) is None
    return (
        0.5 * found.call.wall_s <= phases_s <= found.call.wall_s
        and least_body * found.call.wall_s <= subject.body_s <= found.call.wall_s
        and found.call.cpu_s > 0
    )


@pytest.mark.parametrize("fixture", FIXTURES)
def test_a_fixture_that_changes_the_time_changes_no_figure(
    subject: Subject, by_name: ByName, fixture: str
) -> None:
    """Whatever clock it puts in the place of Python's, for functions and state machines."""
    run = record(subject, test_x=SPIN + PROPERTIES.format(fixture=FIXTURES[fixture]))
    records = by_name(run)
    assert len(records) == 2
    assert [name for name, found in records.items() if not is_sound(found)] == []


def test_some_frozen_examples_are_timed_as_the_others(subject: Subject, by_name: ByName) -> None:
    """Half of the test cases freeze the time themselves, with drawing inside."""
    run = record(
        subject,
        test_x=SPIN
        + """
    @given(st.data(), st.booleans())
    def test_mixed(data, is_frozen):
        with (frozen() if is_frozen else ticking(5.0)):
            data.draw(st.lists(st.integers(), min_size=3))
            look()
            spin()
    """,
    )
    found = by_name(run)["test_mixed"]
    assert is_sound(found)
    generate = subject_of(found).phases["generate"]
    assert 0 < generate.draw_s < generate.run_s


@pytest.mark.parametrize("how", ["frozen()", "ticking(15.0)", "ticking(-1.0)"])
def test_a_test_that_leaves_the_clock_changed_harms_no_other(
    subject: Subject, by_name: ByName, how: str
) -> None:
    """Neither its own figures nor those of the tests after it, also with tests without Hypothesis between."""
    run = record(
        subject,
        test_x=SPIN
        + f"""
    @given(st.integers())
    def test_a_leaves(n):
        {how}.start()
        spin()

    def test_b_plain():
        spin()

    @given(st.integers())
    def test_c_after(n):
        spin()
    """,
    )
    records = by_name(run)
    assert is_sound(records["test_a_leaves"], least_body=0.1)
    assert is_sound(records["test_c_after"])
    assert 0 < records["test_b_plain"].call.wall_s < 60
    assert run.end is not None
    assert 0 < run.end.wall_s < 600


def test_a_conftest_that_freezes_the_time_when_it_is_imported(subject: Subject, by_name: ByName) -> None:
    """It does so before any test is collected, and takes it back in the middle."""
    run = record(
        subject,
        conftest="from freezer import frozen\nFREEZE = frozen()\nFREEZE.start()\n",
        test_x=SPIN
        + """
    @given(st.integers())
    def test_a(n):
        spin()

    def test_b_thaws():
        import conftest
        conftest.FREEZE.stop()

    @given(st.integers())
    def test_c(n):
        spin()
    """,
    )
    records = by_name(run)
    assert is_sound(records["test_a"])
    assert is_sound(records["test_c"])


def test_hypothesis_has_its_own_clocks_back_when_the_run_is_over(subject: Subject) -> None:
    """A process that goes on after pytest finds Hypothesis as it was."""
    run = record(
        subject,
        conftest="""
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_unconfigure():
            import time
            from hypothesis import stateful
            from hypothesis.internal.conjecture import data, engine
            own = getattr(stateful, "perf_counter", time.perf_counter)  # not in old versions
            print("kept:", [data.time is time, engine.time is time, own is time.perf_counter])
        """,
        test_x=SPIN + "\n    @given(st.integers())\n    def test_a(n): pass\n",
    )
    assert run.end is not None
    assert subject.result is not None
    assert "kept: [True, True, True]" in subject.result.stdout.str()
