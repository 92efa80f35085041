"""A timed run of suites that misbehave, on a clock that the examples move."""

from __future__ import annotations

import re

import pytest
from tests.versions import since_hypothesis

from atom_testinfra.storage.costs import costs_path, load_costs

pytestmark = [since_hypothesis("6.131.4"), pytest.mark.integration]

CONFTEST = """
    from types import SimpleNamespace
    from atom_testinfra.machine.clocks import Clocks
    from atom_testinfra.pytest_plugin.timebox import runner, terms

    now = SimpleNamespace(s=0.0)
    Clocks.wall = staticmethod(lambda: now.s)
    runner.speed_guess = terms.speed_guess = lambda: 1.0  # however busy the machine is
"""
SUITE = """
    from conftest import now
    from hypothesis import HealthCheck, assume, given, settings, strategies as st

    calls = []

    def made(cost_s, **kept):
        @settings(deadline=None, **kept)
        @given(st.integers())
        def test_property(x):
            now.s += cost_s
        return test_property

    test_cheap, test_cheaper, test_steady = made(0.5), made(0.25), made(1.0)
"""
ROW = re.compile(r"^test_x.py::(\S+) +[\d.]+ +[\d.]+ +([\d,]+) +([\d,]+)  (.+)$", re.MULTILINE)


class Suite:
    """A small suite in virtual time."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        pytester.makeini("[pytest]\nfilterwarnings = error")

    def run(
        self, *arguments: str, more: str = "", conftest: str = "", time: str = "100s"
    ) -> pytest.RunResult:
        """Run it for a time, with more tests and more of a conftest."""
        self.pytester.makeconftest(CONFTEST + conftest)
        self.pytester.makepyfile(test_x=SUITE + more)
        return self.pytester.runpytest_subprocess(
            f"--testinfra-time={time}", "--testinfra-time-table", *arguments
        )


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, few_plugins: None, warm: None) -> Suite:
    """A suite whose runs do not depend on where they are run."""
    for name in ("CI", "TESTINFRA_TIME"):
        monkeypatch.delenv(name, raising=False)
    return Suite(pytester)


def endings(result: pytest.RunResult) -> dict[str, tuple[int, str]]:
    """Return how many examples each property ran, and what ended it."""
    return {row[0]: (int(row[2].replace(",", "")), row[3]) for row in ROW.findall(result.stdout.str())}


def test_properties_that_fail_in_their_own_ways_leave_the_others_their_time(suite: Suite) -> None:
    """Flaky ones count as failed; those that filter too much are given up by Hypothesis; none is dropped."""
    more = """
    @settings(deadline=None)
    @given(st.integers())
    def test_flaky(x):
        now.s += 0.5
        calls.append(x)
        assert len(calls) != 3

    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers())
    def test_filters(x):
        now.s += 0.01
        assume(x % 1009 == 997)

    @settings(deadline=None)
    @given(st.booleans())
    def test_exhausted(x):
        now.s += 0.5
    """
    result = suite.run(more=more)
    found = endings(result)
    assert len(found) == 6
    assert found["test_flaky"][1] == "failed"
    assert found["test_exhausted"][0] <= 2
    assert min(found[name][0] for name in ("test_cheap", "test_cheaper", "test_steady")) >= 5
    assert "failed, with the time to shrink: test_x.py::test_flaky" in result.stdout.str()


def test_an_example_longer_than_the_run_is_named(suite: Suite) -> None:
    """One that takes longer than the whole time makes the run late, and the last lines say why."""
    result = suite.run(more="    test_dear = made(200.0)\n", time="100s")
    result.assert_outcomes(passed=4)
    assert endings(result)["test_dear"][0] >= 5
    words = r"an example takes more than a twentieth of the time asked: .*test_x\.py::test_dear"
    assert re.search(words, result.stdout.str())


def test_a_time_that_collection_uses_up_is_said_first(suite: Suite) -> None:
    """All properties get their floor, late; a strict run is refused."""
    slow = """
    def pytest_collection_modifyitems():
        now.s += 500.0
    """
    result = suite.run(conftest=slow)
    result.assert_outcomes(passed=3)
    assert "asked 100 s, 0 s are left for the tests" in result.stdout.str()
    assert {n for n, _ in endings(result).values()} == {5}
    refused = suite.run("--testinfra-time-strict", conftest=slow)
    assert refused.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("strict", [[], ["--testinfra-time-strict"]])
def test_without_properties_no_floor_is_spoken_of(suite: Suite, strict: list[str]) -> None:
    """However short the time is: only the examples of properties follow it."""
    slow = "    def pytest_collection_modifyitems(): now.s += 500.0\n"
    suite.pytester.makeconftest(CONFTEST + slow)
    suite.pytester.makepyfile("def test_plain(): pass")
    result = suite.pytester.runpytest_subprocess("--testinfra-time=100s", *strict)
    result.assert_outcomes(passed=1)
    assert "no property ran, and only the examples of properties follow a time" in result.stdout.str()
    assert "the floor of" not in result.stdout.str()
    assert "late" not in result.stdout.str()


def test_what_is_selected_shares_the_time(suite: Suite) -> None:
    """With `-k`, and with `--lf` after a failure, few tests get all of it."""
    alone = endings(suite.run("-k", "steady"))
    assert set(alone) == {"test_steady"}
    assert alone["test_steady"][0] > endings(suite.run())["test_steady"][0]
    fails = "    @given(st.integers())\n    def test_fails(x): assert x < 100\n"
    suite.run(more=fails)
    again = suite.run("--lf", more=fails)
    again.assert_outcomes(failed=1)
    assert set(endings(again)) == {"test_fails"}


def test_the_order_does_not_matter(suite: Suite) -> None:
    """Another order, as random ones make it, gives each property its share as well."""
    turned = """
    def pytest_collection_modifyitems(items):
        items.reverse()
    """
    suite.run().assert_outcomes(passed=3)
    result = suite.run(conftest=turned)
    result.assert_outcomes(passed=3)
    assert list(endings(result)) == ["test_steady", "test_cheaper", "test_cheap"]
    assert min(n for n, _ in endings(result).values()) > 5


def test_a_test_that_is_run_again_is_planned_again(suite: Suite) -> None:
    """A plugin that runs each test twice does not take the time of the others."""
    twice = """
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):
        runtestprotocol(item, log=False, nextitem=item)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        runtestprotocol(item, nextitem=nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
    """
    result = suite.run(conftest=twice)
    result.assert_outcomes(passed=3)
    assert min(n for n, _ in endings(result).values()) >= 5
    taken = re.search(r"taken ([\d.]+) s", result.stdout.str())
    assert taken is not None
    assert float(taken[1]) <= 130.0


def test_a_timeout_that_leaves_time_unused_is_named(suite: Suite) -> None:
    """A property may use half of what its timeout allows, and the last lines put the rest down to that."""
    ini = """
    import pytest

    def pytest_configure(config):
        config.addinivalue_line("markers", "timeout(seconds)")

    def pytest_collection_modifyitems(items):
        for item in items:
            item.add_marker(pytest.mark.timeout(20))
    """
    result = suite.run(conftest=ini)
    result.assert_outcomes(passed=3)
    assert "3 of 3 properties got half of the timeout, and no more" in result.stdout.str()


def test_a_clock_that_jumps_is_put_down_to_the_test_that_it_jumped_in(suite: Suite) -> None:
    """As on a machine that slept: the tests that follow get their floors, and nothing fails."""
    more = """
    jumps = iter([50_000.0])

    @settings(deadline=None)
    @given(st.integers())
    def test_asleep(x):
        now.s += next(jumps, 0.1)

    test_later = made(0.5)
    """
    result = suite.run(more=more)
    result.assert_outcomes(passed=5)
    assert endings(result)["test_later"][0] == 5
    assert re.search(
        r"late by (49|50)\d+\.\d s: test_x.py::test_asleep alone took 50\d+\.\d s", result.stdout.str()
    )
    assert result.stderr.str() == ""


SKIPPED = """
    import pytest

    @pytest.fixture(scope="session")
    def locale():
        {}

    @pytest.mark.parametrize("k", range(6))
    @settings(deadline=None)
    @given(x=st.integers())
    def test_local(locale, k, x):
        now.s += 0.5
"""


@pytest.mark.parametrize(
    ("statement", "ending", "outcome"),
    [
        ('pytest.skip("not installed")', "skipped", {"skipped": 6}),
        ('raise OSError("not installed")', "failed", {"errors": 6}),
    ],
)
def test_no_time_is_kept_for_what_a_fixture_kept_from_running(
    suite: Suite, statement: str, ending: str, outcome: dict[str, int]
) -> None:
    """Six of nine properties had no example: the next run shares the time among the other three."""
    more = SKIPPED.format(statement)
    first = suite.run(more=more)
    first.assert_outcomes(passed=3, **outcome)
    assert endings(first)["test_local[0]"] == (0, ending)
    assert ("failed in the set-up, so that no example ran" in first.stdout.str()) is (ending == "failed")
    second = suite.run(more=more)
    shares = [
        float(share) for share in re.findall(r"test_(?:cheap|cheaper|steady) +([\d.]+)", second.stdout.str())
    ]
    assert len(shares) == 3
    assert min(shares) > 100.0 / 9 * 1.5


def test_what_was_skipped_gets_its_share_once_it_runs(suite: Suite) -> None:
    """At first it gets what is left, and its floor at least; the run after that knows its cost."""
    suite.run(more=SKIPPED.format('pytest.skip("not installed")'))
    first = suite.run(more=SKIPPED.format("pass"), time="200s")
    first.assert_outcomes(passed=9)
    assert min(n for n, _ in endings(first).values()) == 5
    second = suite.run(more=SKIPPED.format("pass"), time="200s")
    assert min(n for n, _ in endings(second).values()) > 5


def test_an_attempt_that_is_repeated_is_no_part_of_what_a_test_costs(suite: Suite) -> None:
    """The fixture of a test takes 10 s; what is kept is one attempt, although the test ran twice."""
    twice = """
    import pytest
    from _pytest.runner import runtestprotocol

    @pytest.fixture(autouse=True)
    def slow():
        now.s += 10.0

    def pytest_runtest_protocol(item, nextitem):
        runtestprotocol(item, log=False, nextitem=item)
        runtestprotocol(item, nextitem=nextitem)
        return True
    """
    suite.run(conftest=twice, time="500s").assert_outcomes(passed=3)
    costs = load_costs(costs_path(suite.pytester.path))
    assert costs is not None
    fixed = [cost.fixed.wait_s for cost in costs.properties.values()]
    assert len(fixed) == 3
    assert max(fixed) <= 12.0


def test_a_worker_that_dies_does_not_hold_up_the_others(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, few_plugins: None
) -> None:
    """Its test is reported by xdist, the others run, and the account says that a test did not end."""
    monkeypatch.delenv("CI", raising=False)
    pytester.makeini("[pytest]\nfilterwarnings = error")
    text = """
    import os
    from hypothesis import given, strategies as st

    @given(st.integers())
    def test_dies(x): os._exit(1)

    @given(st.integers())
    def test_one(x): pass

    @given(st.integers())
    def test_two(x): pass
    """
    pytester.makepyfile(test_x=text)
    result = pytester.runpytest_subprocess("--testinfra-time=5cpu-s", "--testinfra-time-table", "-n", "2")
    result.assert_outcomes(passed=2, failed=1)
    assert set(endings(result)) == {"test_one", "test_two"}
    assert "ended early: 1 of 3 tests did not run to their end" in result.stdout.str()
