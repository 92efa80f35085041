"""`--testinfra-time` on real suites, with warnings as errors; what it asks for is CPU time."""

from __future__ import annotations

import json
import re
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.pytest_plugin.steering.known_failures import KNOWN_FAILURE, KNOWN_FAILURE_OF_A_MACHINE
from tests.versions import since_hypothesis

from atom_testinfra.pytest_plugin.timebox.runner import OF_TIMEOUT, _timeout_of

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = since_hypothesis("6.131.4")

KINDS = """
    import asyncio, unittest
    import pytest
    from hypothesis import given, settings, strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, rule

    @given(st.lists(st.integers()))
    def test_function(xs): pass

    @settings(max_examples=1000)
    @given(st.integers())
    def test_pinned(x): pass

    @given(st.booleans())
    def test_exhausted(b): pass

    @pytest.mark.parametrize("k", [1, 2])
    @given(x=st.integers())
    def test_parametrised(k, x): pass

    class TestMethods:
        @given(st.integers())
        def test_method(self, x): pass

    class TestUnit(unittest.TestCase):
        @given(st.integers())
        def test_unittest(self, x): pass

    class Machine(RuleBasedStateMachine):
        @rule()
        def step(self): pass

    class TestOwn(Machine.TestCase):
        settings = settings(max_examples=30, deadline=None, stateful_step_count=3)

    TestMachine = Machine.TestCase
    TestMachine.settings = settings(deadline=None, stateful_step_count=3)

    def test_plain(): pass
"""
N_PROPERTIES = 9
ROW = re.compile(r"^(\S+::\S+) +([\d.]+) +([\d.]+) +([\d,]+) +([\d,]+)  (.+)$", re.MULTILINE)


class Suite:
    """A small suite, run for a time in a process of its own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.ini("")

    def ini(self, text: str) -> None:
        """Set pytest's options; a warning is an error throughout."""
        self.pytester.makeini(f"[pytest]\nfilterwarnings = error\n{text}")

    def run(self, *arguments: str, text: str | None = None) -> pytest.RunResult:
        """Run it."""
        if text is not None:
            self.pytester.makepyfile(test_x=text)
        return self.pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    def timed(self, time: str, *arguments: str, text: str | None = None) -> pytest.RunResult:
        """Run it for a time, with the table."""
        return self.run("--testinfra-time", time, "--testinfra-time-table", *arguments, text=text)

    @property
    def costs(self) -> Path:
        """Where it keeps its costs."""
        return self.pytester.path / ".testinfra" / "costs.json"


def rows(result: pytest.RunResult) -> dict[str, tuple[int, int, str]]:
    """Return what the table says: planned, ran and ended by."""
    found = ROW.findall(result.stdout.str())
    return {
        row[0].partition("::")[2]: (int(row[3].replace(",", "")), int(row[4].replace(",", "")), row[5])
        for row in found
    }


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, few_plugins: None, warm: None) -> Suite:
    """A suite whose runs do not depend on where they are run."""
    for name in ("CI", "TESTINFRA_TIME"):
        monkeypatch.delenv(name, raising=False)
    return Suite(pytester)


def test_every_kind_of_property_gets_its_share(suite: Suite) -> None:
    """Without costs all go by the clock, and the next run knows what they cost."""
    first = suite.timed("3cpu-s", text=KINDS)
    first.assert_outcomes(passed=N_PROPERTIES + 1)
    table = rows(first)
    assert len(table) == N_PROPERTIES
    assert {name: row[2] for name, row in table.items() if row[2] != "clock"} == {
        "test_exhausted": "exhausted"
    }
    assert min(row[1] for name, row in table.items() if name != "test_exhausted") > 10
    assert "not steered" not in first.stdout.str()

    kept = json.loads(suite.costs.read_text())
    assert len(kept["properties"]) == N_PROPERTIES
    assert kept["properties"]["test_x.py::test_exhausted"]["most"] == 2
    assert kept["plain"]["test_x.py"]["n_tests"] == 1
    assert kept["exit"]["cpu_s"] > 0.0
    assert (suite.costs.parent / ".gitignore").read_text() == "*\n"

    second = rows(suite.timed("3cpu-s"))
    assert second["test_exhausted"][2] == "exhausted"
    assert second["test_function"][2] in {"count", "cut"}
    assert second["test_pinned"][0] > 3 * second["test_parametrised[1]"][0]


def test_hypothesis_itself_masks_a_known_failure(suite: Suite) -> None:
    """The danger is real: five examples replay five of nine saved failures, and the test passes."""
    result = suite.run(text=KNOWN_FAILURE.format(pin=", max_examples=5"))
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("time", ["0.001cpu-s", "1s"])
def test_no_known_failure_is_masked(suite: Suite, time: str) -> None:
    """However short the time, all saved failures are replayed before a property may end."""
    result = suite.timed(time, text=KNOWN_FAILURE.format(pin=""))
    result.assert_outcomes(failed=2)
    assert "failed, with the time to shrink: test_x.py::test_known" in result.stdout.str()


def test_a_machine_s_known_failure_is_not_masked(suite: Suite) -> None:
    """Its saved failures are not counted before it runs, and yet all of them are replayed."""
    result = suite.timed("0.001cpu-s", text=KNOWN_FAILURE_OF_A_MACHINE)
    result.assert_outcomes(failed=1)


TWO = """
    from hypothesis import given, strategies as st

    @given(st.integers())
    def test_one(x): pass

    @given(st.integers())
    def test_two(x): pass
"""


def make_dear(suite: Suite, cpu_s: float) -> None:
    """Leave a file of costs that says more than an example takes."""
    suite.costs.parent.mkdir()
    costly = {"example": {"cpu_s": cpu_s}, "fixed": {}, "n_examples": 100}
    names = ("test_x.py::test_one", "test_x.py::test_two")
    suite.costs.write_text(json.dumps({"schema_version": 1, "properties": dict.fromkeys(names, costly)}))


def test_a_floor_that_does_not_fit_is_said_first(suite: Suite) -> None:
    """Before the first test, with three numbers; all tests run all the same."""
    make_dear(suite, 0.3)
    result = suite.timed("2.5cpu-s", "-v", text=TWO)
    result.assert_outcomes(passed=2)
    text = result.stdout.str()
    words = r"testinfra: asked 2\.5 CPU s, [\d.]+ m?s are left for the tests, and the floor of 5 examples"
    said = re.search(
        words + r" for each of 2 properties needs at least 3\.\d+ s: each property gets its floor", text
    )
    assert said is not None
    assert said.start() < text.index("test_x.py::test_one")


@pytest.mark.parametrize("workers", [[], pytest.param(["-n", "2"], marks=pytest.mark.integration)])
def test_strict_refuses_before_any_test(suite: Suite, workers: list[str]) -> None:
    """It is a usage error, and not one test runs."""
    make_dear(suite, 1.0)
    result = suite.timed("2cpu-s", "--testinfra-time-strict", *workers, text=TWO)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes()
    assert "needs at least 10.0 s; ask for more time, or for fewer tests" in result.stderr.str()


@pytest.mark.parametrize("time", ["", "0s", "-5s", "soon", "9999999h"])
def test_a_time_that_makes_no_sense_is_refused_in_one_line(suite: Suite, time: str) -> None:
    """Nothing, zero, less, words and years end pytest with a usage error that names the option."""
    result = suite.run(f"--testinfra-time={time}", text=TWO)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    errors = [line for line in result.stderr.lines if line.strip()]
    assert len(errors) == 1
    assert "--testinfra-time: " in errors[0]
    assert repr(time) in errors[0]


def test_flag_over_environment_over_file(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest says it, and `none` takes the limit away; a bad value names its source."""
    suite.ini("testinfra_time = 0.2cpu-s")
    assert "testinfra: 0.2 CPU s for the whole run" in suite.run(text=TWO).stdout.str()
    monkeypatch.setenv("TESTINFRA_TIME", "0.3cpu-s")
    assert "testinfra: 0.3 CPU s for the whole run" in suite.run().stdout.str()
    assert "testinfra: 0.4 CPU s for the whole run" in suite.run("--testinfra-time=0.4cpu-s").stdout.str()
    assert "for the whole run" not in suite.run("--testinfra-time=none").stdout.str()
    monkeypatch.setenv("TESTINFRA_TIME", "never")
    assert "$TESTINFRA_TIME: 'never' is not a time" in suite.run().stderr.str()


def test_nothing_is_said_where_tests_are_only_collected(suite: Suite) -> None:
    """A time has no meaning there, and a bad one is refused all the same."""
    result = suite.run("--collect-only", "--testinfra-time=5s", text=TWO)
    assert result.ret == pytest.ExitCode.OK
    assert "testinfra: " not in result.stdout.str()
    assert suite.run("--collect-only", "--testinfra-time=0s").ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.integration
def test_workers_share_one_time(suite: Suite) -> None:
    """With `-n 2` the account has the tests of both, and the ledger is removed."""
    result = suite.timed("5cpu-s", "-n", "2", text=KINDS)
    result.assert_outcomes(passed=N_PROPERTIES + 1)
    assert len(rows(result)) == N_PROPERTIES
    assert "testinfra: asked 5 CPU s, taken " in result.stdout.str()
    assert len(json.loads(suite.costs.read_text())["properties"]) == N_PROPERTIES


def test_a_recorded_run_keeps_its_numbers(suite: Suite) -> None:
    """A flag beside the recorder is refused; a setting is said not to be in force."""
    result = suite.run("--testinfra-time=5s", "--testinfra-record=run.jsonl", text=TWO)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "leave out one of the two" in result.stderr.str()
    suite.ini("testinfra_time = 5s")
    result = suite.run("--testinfra-record=run.jsonl")
    result.assert_outcomes(passed=2)
    assert "testinfra: testinfra_time is not in force" in result.stdout.str()


def test_a_suite_without_properties_says_so(suite: Suite) -> None:
    """Its exit code is pytest's own, with tests and without."""
    result = suite.run("--testinfra-time=5s", text="def test_plain(): pass")
    assert result.ret == pytest.ExitCode.OK
    assert "no property ran, and only the examples of properties follow a time" in result.stdout.str()
    result = suite.run("--testinfra-time=5s", "-k", "nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize("text", ["{", "[]", '{"properties": {"a": 1}}', "\ud800"])
def test_costs_that_cannot_be_read_are_named(suite: Suite, text: str) -> None:
    """The run goes on without them, and writes them anew."""
    suite.costs.parent.mkdir()
    suite.costs.write_bytes(text.encode("utf-8", "surrogatepass"))
    result = suite.timed("0.5cpu-s", text=TWO)
    result.assert_outcomes(passed=2)
    assert "does not hold costs of tests" in result.stdout.str()
    assert len(json.loads(suite.costs.read_text())["properties"]) == 2


def test_what_could_not_be_steered_is_named(suite: Suite) -> None:
    """A property inside a plain test runs its own number, and the last lines say so; a stop is named, too."""
    text = """
        from hypothesis import given, strategies as st

        def test_helper():
            @given(st.integers())
            def inner(x): pass
            inner()

        @given(st.integers())
        def test_fails(x): assert x < 100

        @given(st.integers())
        def test_never(x): pass
    """
    result = suite.timed("5cpu-s", "-x", text=text)
    result.assert_outcomes(passed=1, failed=1)
    out = result.stdout.str()
    assert "not steered: test_x.py::test_helper (its properties run inside a test without examples)" in out
    assert "failed, with the time to shrink: test_x.py::test_fails" in out
    assert "ended early: 1 of 3 tests did not run to their end" in out


def test_a_hypothesis_that_cannot_be_limited_is_left_alone(suite: Suite) -> None:
    """Properties keep their own numbers, and that is said before the first test and after the last."""
    conftest = """
        from atom_testinfra.pytest_plugin.steering import limits
        limits.find_flaw = lambda: "Hypothesis 99 does not let its limit change"
    """
    suite.pytester.makeconftest(conftest)
    counted = """
        from hypothesis import given, settings, strategies as st
        calls = []

        @settings(max_examples=17)
        @given(st.integers())
        def test_one(x): calls.append(x)

        def test_calls(): assert len(calls) == 17
    """
    result = suite.timed("1cpu-s", text=counted)
    result.assert_outcomes(passed=2)
    out = result.stdout.str()
    assert "testinfra: Hypothesis 99 does not let its limit change: properties keep their own numbers" in out
    assert "not steered: test_x.py::test_one (Hypothesis 99" in out


def test_the_database_of_a_property_is_kept(suite: Suite) -> None:
    """A failure that was found in time is replayed in the next run, which has no time at all."""
    text = """
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_fails(x): assert x < 100
    """
    suite.timed("3cpu-s", text=text).assert_outcomes(failed=1)
    again = suite.timed("0.001cpu-s")
    again.assert_outcomes(failed=1)
    assert rows(again)["test_fails"][1] == 0


def test_an_expected_failure_is_told_as_one_when_it_is_replayed_too(suite: Suite) -> None:
    """Also if the engine generates nothing, because the saved failure ends the property."""
    text = """
        import pytest
        from hypothesis import given, strategies as st

        @pytest.mark.xfail(strict=True)
        @given(st.integers())
        def test_expected(x): assert x < 100
    """
    for _ in range(2):
        result = suite.timed("2cpu-s", text=text)
        result.assert_outcomes(xfailed=1)
        assert rows(result)["test_expected"][2] == "failed"


@pytest.mark.parametrize(
    ("args", "kwargs", "option", "variable", "seconds"),
    [
        ((30,), {}, None, "9", 30.0),
        ((), {"timeout": 8}, 60, "9", 8.0),
        (None, {}, 60, "9", 60.0),
        (None, {}, None, "9", 9.0),
        (None, {}, None, "", 7.0),
    ],
)
def test_a_timeout_of_another_plugin_caps_the_share(
    args: Sequence[int] | None,
    kwargs: dict[str, int],
    option: int | None,
    variable: str,
    seconds: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pytest-timeout goes by the marker, then the option, then the environment, then the file."""
    monkeypatch.setenv("PYTEST_TIMEOUT", variable)
    marker = None if args is None else SimpleNamespace(args=args, kwargs=kwargs)
    plugins = SimpleNamespace(has_plugin=lambda name: True)
    options = SimpleNamespace(timeout=option)
    config = SimpleNamespace(option=options, pluginmanager=plugins, getini=lambda name: "7")
    item: Any = SimpleNamespace(get_closest_marker=lambda name: marker, config=config)
    assert _timeout_of(item) == seconds


def test_a_timeout_is_not_asked_of_a_plugin_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable alone ends no test."""
    monkeypatch.setenv("PYTEST_TIMEOUT", "9")
    plugins = SimpleNamespace(has_plugin=lambda name: False)
    config = SimpleNamespace(option=SimpleNamespace(), pluginmanager=plugins)
    item: Any = SimpleNamespace(get_closest_marker=lambda name: None, config=config)
    assert _timeout_of(item) == inf
    assert OF_TIMEOUT < 1.0
