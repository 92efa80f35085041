"""The recorder writes what each test cost, once, and leaves the run as it would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atom_testinfra.core.costs.cost import combine_runs
from atom_testinfra.core.vocabulary import Kind, Outcome
from atom_testinfra.pytest_plugin.recording.record_text import COUNTEREXAMPLE_LENGTH, find_counterexample

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pytest_plugin.conftest import Subject

    from atom_testinfra.core.records.measurement import Measurement, Run

    ByName = Callable[[Run], dict[str, Measurement]]

PROPERTY = """
    from hypothesis import given, strategies as st

    @given(st.integers())
    def test_property(x):
        sum(range(2000))
"""


def test_a_property_is_recorded_with_its_cost(subject: Subject, by_name: ByName) -> None:
    """One line holds outcome, counts and the split of the time."""
    run = subject.record("--testinfra-max-examples", "30", test_x=PROPERTY)
    record = by_name(run)["test_property"]
    cost = record.hypothesis
    assert cost is not None
    assert (record.kind, record.outcome) == (Kind.FUNCTION, Outcome.PASSED)
    assert (cost.requested, cost.configured, cost.effective) == (30, 30, 30)
    assert cost.generate is not None
    assert cost.generate.n_valid == 30
    assert cost.body_cpu is not None
    assert cost.body_cpu.n == 30
    assert 0 < cost.body_cpu.total_s <= record.call.cpu_s
    assert cost.generate.draw_s < cost.generate.run_s < cost.generate.duration_s <= record.call.wall_s
    assert run.is_complete
    assert run.end is not None
    assert run.end.outcomes == {"passed": 1}


def test_a_failed_property_is_recorded_with_the_test_case_that_failed(
    subject: Subject, by_name: ByName
) -> None:
    """What pytest tells of it a reader of the record knows, too, without running the test again."""
    run = subject.record(
        test_x="""
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_property(x):
            assert x < 1000

        def test_plain():
            raise AssertionError("not a property")
        """
    )
    record, plain = by_name(run)["test_property"], by_name(run)["test_plain"]
    assert subject.result is not None
    is_told = any("x=1000," in line for line in subject.result.outlines if line.startswith("E "))

    assert record.outcome is plain.outcome is Outcome.FAILED
    assert record.reason == "assert 1000 < 1000"
    assert ("x=1000," in (record.counterexample or "")) is is_told
    assert plain.counterexample is None


@pytest.mark.parametrize(
    ("message", "example"),
    [
        (
            "assert 1 < 0\nFalsifying example: test_a(\n    x=1,\n)",
            "Falsifying example: test_a(\n    x=1,\n)",
        ),
        ("ValueError: x\n\nFailing test case: test_a(x=1)\n", "Failing test case: test_a(x=1)"),
        ("boom\nFalsifying explicit example: test_a(x=1)", "Falsifying explicit example: test_a(x=1)"),
        ("assert 'Falsifying example' in text", None),
        ("", None),
    ],
)
def test_the_test_case_is_found_in_a_failures_message(message: str, example: str | None) -> None:
    """Every version's words, and not the same words inside of an assertion."""
    assert find_counterexample(message) == example
    assert len(find_counterexample(f"x\nFalsifying example: {'y' * 9000}") or "") == COUNTEREXAMPLE_LENGTH


def test_the_collector_does_not_pass_over_what_was_there_before(subject: Subject, by_name: ByName) -> None:
    """A full collection would go through the whole suite, and be charged to the test that happens to run."""
    run = subject.record(
        test_x="""
        import gc
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_property(x):
            assert gc.isenabled()
            assert gc.get_freeze_count() > 10_000
        """
    )
    assert by_name(run)["test_property"].outcome is Outcome.PASSED


def test_other_tests_find_the_heap_as_it_is(subject: Subject, by_name: ByName) -> None:
    """Nothing is hidden from a test that asks the collector, though a property ran before it."""
    run = subject.record(
        test_x="""
        import gc
        import weakref
        from hypothesis import given, strategies as st

        class Node:
            pass

        NODE = Node()
        NODE.itself = NODE
        HOLDER = [NODE]

        @given(st.integers())
        def test_property(x):
            pass

        def test_is_known():
            assert gc.get_freeze_count() == 0
            assert HOLDER in gc.get_referrers(NODE)

        def test_is_gone():
            global NODE
            seen = weakref.ref(NODE)
            HOLDER.clear()
            NODE = None
            gc.collect()
            assert seen() is None
        """
    )
    records = by_name(run)
    assert {record.outcome for record in records.values()} == {Outcome.PASSED}


@pytest.mark.parametrize("kind", ["function", "machine"])
def test_a_tests_own_code_is_told_from_what_hypothesis_does_around_it(
    subject: Subject, by_name: ByName, kind: str
) -> None:
    """A body that does nothing costs next to nothing, and one that waits is charged for it."""
    text = {
        "function": """
        import time
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_empty(x):
            pass

        @given(st.integers())
        def test_waits(x):
            time.sleep(0.05)
        """,
        "machine": """
        import time
        from hypothesis import settings
        from hypothesis.stateful import RuleBasedStateMachine, rule

        class Empty(RuleBasedStateMachine):
            @rule()
            def step(self):
                pass

        class Waits(RuleBasedStateMachine):
            @rule()
            def step(self):
                time.sleep(0.05)

        Empty.TestCase.settings = Waits.TestCase.settings = settings(stateful_step_count=1, deadline=None)
        test_empty, test_waits = Empty.TestCase, Waits.TestCase
        """,
    }[kind]
    run = subject.record("--testinfra-max-examples", "30", test_x=text)
    empty, waits = (combine_runs([record]) for record in run.measurements)
    assert waits.body_cpu_us is not None
    assert 0 < empty.body_us < waits.body_us / 2
    assert waits.body_us > 50_000
    assert waits.first_us > 25_000
    assert waits.body_us > 5 * waits.body_cpu_us


@pytest.mark.integration
@pytest.mark.parametrize(
    ("arguments", "n"), [(("--tx=2*popen",), 2), (("--tx=popen", "--tx=1*popen//dont_write_bytecode"), 2)]
)
def test_workers_are_counted_as_xdist_starts_them(
    subject: Subject, arguments: tuple[str, ...], n: int
) -> None:
    """One option can stand for several; measurements with one number are not those with another."""
    run = subject.record("--dist=each", *arguments, test_x="def test_plain():\n    pass\n")
    assert run.header.n_workers == n
    assert {record.worker for record in run.measurements} == {f"gw{i}" for i in range(n)}


@pytest.mark.integration
@pytest.mark.parametrize("arguments", [(), ("-n2",), ("-p", "no:hypothesispytest"), ("-p", "no:xdist")])
def test_every_way_of_running_records_the_same(
    subject: Subject,
    all_plugins: None,
    arguments: tuple[str, ...],
) -> None:
    """With workers, without Hypothesis's plugin, without xdist: same tests, same work, once each."""
    run = subject.record("--testinfra-max-examples", "30", *arguments, test_x=PROPERTY)
    (record,) = run.measurements
    assert record.hypothesis is not None
    assert record.hypothesis.effective == 30
    assert record.worker == ("gw0" if "-n2" in arguments else None) or record.worker == "gw1"
    assert run.header.n_workers == (2 if "-n2" in arguments else 0)


def test_without_the_option_nothing_is_registered(cold_subject: Subject) -> None:
    """An installed plugin that does not record adds no hook to a test."""
    cold_subject.pytester.makepyfile(
        """
        import sys

        def test_x(request):
            names = [name for name, _ in request.config.pluginmanager.list_name_plugin()]
            assert not [name for name in names if name.endswith(("recorder", "journal"))]
            assert "msgspec" not in sys.modules
        """
    )
    cold_subject.pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_suite_without_hypothesis_pays_for_no_import(cold_subject: Subject, by_name: ByName) -> None:
    """Neither Hypothesis nor what the tool's own commands work with is imported by the recorder."""
    run = cold_subject.record(
        test_x="""
        import sys

        def test_modules():
            heavy = {"hypothesis", "msgspec", "click", "rich", "filelock", "atom_testinfra.core.records"}
            assert heavy & set(sys.modules) == set()
        """
    )
    assert by_name(run)["test_modules"].outcome is Outcome.PASSED


def test_an_interrupt_of_a_run_on_its_own_is_its_person_s(subject: Subject, by_name: ByName) -> None:
    """No session waits for it that could tell Ctrl-C from a test that raises the same."""
    run = subject.record(test_x="def test_interrupted():\n    raise KeyboardInterrupt\n")
    assert by_name(run)["test_interrupted"].outcome is Outcome.INTERRUPTED


@pytest.mark.parametrize("arguments", [["--collect-only"], ["-k", "nothing"], ["nosuch.py"]])
def test_no_empty_file_is_left_where_a_project_ends_its_process_itself(
    subject: Subject, arguments: list[str]
) -> None:
    """As some do against threads that never end: before anyone closes what was opened."""
    subject.run(
        *arguments,
        test_x="def test_a():\n    pass\n",
        conftest="import os\n\ndef pytest_unconfigure():\n    os._exit(0)\n",
    )
    assert not list(subject.path.glob("*.jsonl"))


ELSEWHERE = """
    import subprocess, sys, threading, time
    from hypothesis import given, strategies as st

    def spin():
        until = time.thread_time() + 0.02
        while time.thread_time() < until: pass

    @given(st.integers(0, 3))
    def test_in_thread(n):
        thread = threading.Thread(target=spin)
        thread.start()
        thread.join()

    @given(st.integers(0, 3))
    def test_in_child(n):
        subprocess.run([sys.executable, "-S", "-c", "sum(i * i for i in range(300_000))"], check=True)

    @given(st.integers(0, 3))
    def test_inline(n):
        spin()
"""


def test_work_elsewhere_is_told_from_work_in_the_test(subject: Subject, by_name: ByName) -> None:
    """CPU time of other threads is in the call's, not in its thread's; ended children are counted apart."""
    records = by_name(subject.record("--testinfra-max-examples", "4", test_x=ELSEWHERE))
    thread, child, inline = (records[f"test_{name}"].call for name in ("in_thread", "in_child", "inline"))
    assert thread.thread_cpu_s is not None
    assert thread.cpu_s - thread.thread_cpu_s == pytest.approx(0.08, rel=0.25)
    assert child.children_cpu_s > 0.04
    assert inline.thread_cpu_s == pytest.approx(inline.cpu_s, rel=0.1, abs=0.01)
    assert inline.children_cpu_s == 0 == thread.children_cpu_s


FIXTURES = """
    import time
    import pytest
    from hypothesis import given, settings, strategies as st, HealthCheck

    def spin():
        until = time.process_time() + 0.05
        while time.process_time() < until: pass

    @pytest.fixture(scope="session")
    def inner():
        spin()
        yield

    @pytest.fixture(scope="module")
    def outer(inner):
        spin(); spin()
        yield
        spin()

    @pytest.fixture
    def narrow(outer):
        spin()
        yield
        spin()

    class TestA:
        @pytest.fixture(scope="class", autouse=True)
        def of_class(self): spin()

        @settings(suppress_health_check=list(HealthCheck))
        @given(st.integers(0, 3))
        def test_first(self, narrow, n): pass

    @settings(suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 3))
    def test_last(narrow, n): pass
"""


def test_fixtures_wider_than_a_function_are_told_apart(subject: Subject, by_name: ByName) -> None:
    """Each once, with its scope and place, without what it asks for; what is left is the test's own."""
    records = by_name(subject.record("--testinfra-max-examples", "4", test_x=FIXTURES))
    first, last = records["test_first"], records["test_last"]
    found = {fixture.name: fixture for fixture in [*first.fixtures, *last.fixtures]}
    assert {name: (one.scope, one.place) for name, one in found.items()} == {
        "inner": ("session", "test_x.py"),
        "outer": ("module", "test_x.py"),
        "of_class": ("class", "test_x.py::TestA"),
    }
    costs = {
        f.name: sum(g.cpu_s for r in (first, last) for g in r.fixtures if g.name == f.name)
        for f in found.values()
    }
    expected = {"inner": 0.05, "outer": 0.15, "of_class": 0.05}
    assert costs == {name: pytest.approx(cost_s, abs=0.03) for name, cost_s in expected.items()}
    steps = (first.setup, last.setup, first.teardown, last.teardown)
    assert [step.cpu_s - step.wide_cpu_s for step in steps] == [pytest.approx(0.06, abs=0.03)] * 4
    assert last.setup.wide_cpu_s == 0
    assert last.teardown.wide_cpu_s == pytest.approx(0.06, abs=0.03)
    for step in (first.setup, last.setup):
        assert step.own_wall_s is not None
        assert 0.04 < step.own_wall_s <= step.wall_s - step.wide_wall_s
    wide_s = sum(step.wide_cpu_s for record in (first, last) for step in (record.setup, record.teardown))
    assert wide_s == pytest.approx(sum(costs.values()), abs=1e-6)


def test_start_up_is_counted_from_the_start_of_the_process(subject: Subject) -> None:
    """What a conftest takes to be imported is in the record, and so is what a test's module takes."""
    spin = "import time; until = time.process_time() + 0.5\n    while time.process_time() < until: pass"
    # The first run in a folder pays for what is kept there: compiled modules, Hypothesis's tables.
    subject.record("--testinfra-max-examples", "4", test_x=PROPERTY)
    before = subject.record("--testinfra-max-examples", "4", test_x=PROPERTY).collected
    after = subject.record(
        "--testinfra-max-examples", "4", test_x=PROPERTY, conftest=f"\n    {spin}"
    ).collected
    assert before is not None
    assert after is not None
    assert before.startup_cpu_s is not None
    assert before.collection_cpu_s is not None
    assert after.startup_cpu_s is not None
    assert after.startup_cpu_s > before.startup_cpu_s + 0.3
    late = subject.record("--testinfra-max-examples", "4", test_x=f"\n    {spin}{PROPERTY}").collected
    assert late is not None
    assert late.collection_cpu_s is not None
    assert late.collection_cpu_s > before.collection_cpu_s + 0.3
