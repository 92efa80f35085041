"""What was on while a test ran is in its record, whoever has switched it on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from tests.versions import HYPOTHESIS, since_hypothesis

from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.summary import summarise_session
from atom_testinfra.core.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pytest_plugin.conftest import Subject

    from atom_testinfra.core.records.measurement import Measurement, Run

    ByName = Callable[[Run], dict[str, Measurement]]

pytestmark = pytest.mark.integration

MAX = ("--testinfra-max-examples", "10")
PROPERTY = """
    import gc, sys, threading, tracemalloc
    import pytest
    from hypothesis import given, strategies as st

    def watch(frame, event, argument):
        return None

    @given(st.integers())
    def test_a_before(n):
        pass
"""
AFTER = """
    @given(st.integers())
    def test_z_after(n):
        pass
"""
SWITCHES = {
    "sys.settrace(watch)": "test_x.watch (sys.settrace)",
    "threading.settrace(watch)": "test_x.watch (threading.settrace)",
    "sys.setprofile(watch)": "test_x.watch (sys.setprofile)",
    "tracemalloc.start()": "tracemalloc",
}
if HYPOTHESIS >= (6, 92, 0):
    PROPERTY = PROPERTY.replace(
        "import pytest\n", "import pytest\n    from hypothesis.internal import observability\n"
    )
    SWITCHES["observability.TESTCASE_CALLBACKS.append(print)"] = "Hypothesis's observability"
if sys.version_info >= (3, 12):
    SWITCHES["sys.monitoring.use_tool_id(4, 'mine')"] = "mine (sys.monitoring)"


@pytest.mark.parametrize("switch", SWITCHES)
def test_what_a_test_leaves_on_is_noted_with_all_tests_after_it(
    subject: Subject, by_name: ByName, switch: str
) -> None:
    """The test that did it says so, and those after it say since when; those before it are as they were."""
    name = SWITCHES[switch]
    leaves = f"""
    @given(st.integers())
    def test_m_leaves(n):
        if not hasattr(sys, "is_on"):
            sys.is_on = True
            {switch}
    """
    run = subject.record(*MAX, "-p", "no:unraisableexception", test_x=PROPERTY + leaves + AFTER)
    records = by_name(run)
    assert {record.outcome for record in records.values()} == {Outcome.PASSED}
    found = {name: record.instruments for name, record in records.items()}
    assert found == {"test_a_before": [], "test_m_leaves": [name], "test_z_after": [name]}
    assert records["test_a_before"].problems == []
    assert records["test_m_leaves"].problems == [
        f"it turned {name} on and left it on: part of its time was measured under that"
    ]
    assert records["test_z_after"].problems == [
        f"{name} was on while it ran, as it has been since test_x.py::test_m_leaves"
    ]
    summary = summarise_session([run], Targets())
    assert [test.nodeid for test in summary.measured if not test.problems] == ["test_x.py::test_a_before"]


def test_a_plain_test_or_a_fixture_is_noticed_as_well(subject: Subject, by_name: ByName) -> None:
    """One leaves a tracer on, the other has it on for one test; one inside a test is its own affair."""
    run = subject.record(
        *MAX,
        test_x=PROPERTY
        + """
    @pytest.fixture
    def traced():
        sys.settrace(watch)
        yield
        sys.settrace(None)

    @given(st.integers())
    def test_b_by_itself(n):
        sys.settrace(watch)
        sys.settrace(None)

    @pytest.mark.usefixtures("traced")
    @given(st.integers())
    def test_c_by_a_fixture(n):
        pass

    @given(st.integers())
    def test_d_free(n):
        pass

    def test_e_plain():
        sys.settrace(watch)

    @given(st.integers())
    def test_f_after_it(n):
        pass
    """,
    )
    problems = {name: record.problems for name, record in by_name(run).items()}
    name = "test_x.watch (sys.settrace)"
    assert problems == {
        "test_a_before": [],
        "test_b_by_itself": [],
        "test_c_by_a_fixture": [f"{name} was on while it ran"],
        "test_d_free": [],
        "test_e_plain": [],
        "test_f_after_it": [f"{name} was on while it ran, as it has been since test_x.py::test_e_plain"],
    }


@pytest.mark.parametrize(
    "variable",
    [
        pytest.param("HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY", marks=since_hypothesis("6.92")),
        "PYTHONTRACEMALLOC",
    ],
)
def test_what_was_on_from_the_start_is_in_the_header(
    subject: Subject, by_name: ByName, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """In a bare run of pytest the environment holds; nothing is then made of any of its times."""
    monkeypatch.setenv(variable, "1")
    run = subject.record(*MAX, test_x=PROPERTY)
    assert run.header.is_traced
    assert len(by_name(run)["test_a_before"].instruments) == 1


def test_a_worker_says_it_of_each_test(subject: Subject, by_name: ByName) -> None:
    """The header is that of the process that started the workers."""
    conftest = """
        import sys

        def watch(frame, event, argument):
            return None

        def pytest_configure(config):
            if hasattr(config, "workerinput"):
                sys.setprofile(watch)
    """
    run = subject.record(*MAX, "-n", "1", conftest=conftest, test_x=PROPERTY)
    assert not run.header.is_traced
    assert by_name(run)["test_a_before"].problems == ["conftest.watch (sys.setprofile) was on while it ran"]


@pytest.mark.parametrize("verbosity", ["quiet", "normal", "verbose", "debug"])
def test_a_verbosity_that_prints_each_test_case_is_a_mode(
    subject: Subject, by_name: ByName, verbosity: str
) -> None:
    """What is printed costs time, so the figures compare with those of the same verbosity only."""
    run = subject.record(*MAX, f"--hypothesis-verbosity={verbosity}", test_x=PROPERTY)
    record = by_name(run)["test_a_before"]
    prints = verbosity in {"verbose", "debug"}
    assert record.modes == ([f"Hypothesis's verbosity {verbosity}"] if prints else [])
    assert record.problems == []


def test_modes_are_recorded_and_are_no_problem(subject: Subject, by_name: ByName) -> None:
    """A suite that switches the garbage collector off is measured so, and compared only with such runs."""
    run = subject.record(
        *MAX,
        test_x=PROPERTY
        + """
    @given(st.integers())
    def test_b_off(n):
        gc.disable()
    """
        + AFTER,
    )
    found = {name: (record.modes, record.problems) for name, record in by_name(run).items()}
    off = ["garbage collector off"]
    assert found == {"test_a_before": ([], []), "test_b_off": (off, []), "test_z_after": (off, [])}


def test_what_is_on_only_while_the_test_runs_is_noticed(subject: Subject, by_name: ByName) -> None:
    """A decorator above `@given`, a hook around the call, a machine's own `runTest`: off again after it."""
    conftest = """
        import sys
        import pytest

        def watch(frame, event, argument):
            return None

        @pytest.hookimpl(wrapper=True)
        def pytest_pyfunc_call(pyfuncitem):
            is_watched = "by_a_hook" in pyfuncitem.name
            if is_watched:
                sys.setprofile(watch)
            try:
                return (yield)
            finally:
                if is_watched:
                    sys.setprofile(None)
    """
    run = subject.record(
        *MAX,
        conftest=conftest,
        test_x=PROPERTY
        + """
    import functools
    from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

    def traced(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            tracemalloc.start()
            try:
                return function(*args, **kwargs)
            finally:
                tracemalloc.stop()
        return wrapper

    @traced
    @given(st.integers())
    def test_b_by_a_decorator(n):
        pass

    @given(st.integers())
    def test_c_by_a_hook(n):
        pass

    class Machine(RuleBasedStateMachine):
        @rule()
        def step(self):
            pass

    class TestMachine(Machine.TestCase):
        def runTest(self):
            tracemalloc.start()
            try:
                super().runTest()
            finally:
                tracemalloc.stop()

        runTest.is_hypothesis_test = True
        runTest._hypothesis_state_machine_class = Machine
    """
        + AFTER,
    )
    problems = {name: record.problems for name, record in by_name(run).items()}
    assert problems == {
        "test_a_before": [],
        "test_b_by_a_decorator": ["tracemalloc was on while it ran"],
        "test_c_by_a_hook": ["conftest.watch (sys.setprofile) was on while it ran"],
        "runTest": ["tracemalloc was on while it ran"],
        "test_z_after": [],
    }


def test_a_collector_that_a_test_sets_is_a_mode(subject: Subject, by_name: ByName) -> None:
    """The suite's own thresholds are what is usual; if a test leaves one, others get slower."""
    run = subject.record(
        *MAX,
        conftest="""
        import gc

        gc.set_threshold(900, 10, 10)
    """,
        test_x=PROPERTY
        + """
    @given(st.integers())
    def test_b_thresholds(n):
        gc.set_threshold(50, 10, 10)
        gc.set_debug(gc.DEBUG_UNCOLLECTABLE)

    def test_c_back():
        gc.set_threshold(900, 10, 10)
    """
        + AFTER,
    )
    found = {name: (record.modes, record.problems) for name, record in by_name(run).items()}
    thresholds = "garbage collector at thresholds 50, 10, 10"
    flags = "garbage collector with debugging flags 4"
    assert found == {
        "test_a_before": ([], []),
        "test_b_thresholds": ([thresholds, flags], []),
        "test_c_back": ([], []),
        "test_z_after": ([flags], []),
    }
