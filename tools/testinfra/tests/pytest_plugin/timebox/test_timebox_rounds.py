"""`--testinfra-rounds`: round after round with fresh seeds, on a clock that the examples move."""

from __future__ import annotations

import re

import pytest
from tests.versions import since_hypothesis

pytestmark = since_hypothesis("6.131.4")

CLOCK = """
    from collections import Counter
    from types import SimpleNamespace
    from atom_testinfra.machine.clocks import Clocks

    now = SimpleNamespace(s=0.0)
    Clocks.wall = staticmethod(lambda: now.s)
    calls = Counter()

    def pytest_runtest_setup(item):
        calls[item.name] += 1
"""
"""Each example says how long it takes, so that no machine is too slow; tests know how often they ran."""
HEAD = """
    import pytest
    from conftest import calls, now
    from hypothesis import given, settings, strategies as st
"""
ONE_FAILS_LATER = (
    HEAD
    + """
    @settings(deadline=None)
    @given(st.integers())
    def test_steady(x):
        now.s += 1.0

    @settings(deadline=None, {settings})
    @given(x=st.integers())
    def test_later(x):
        now.s += 1.0
        assert calls["test_later"] < 3 or x < 100

    def test_plain(): pass
"""
)


class Suite:
    """A small suite in virtual time."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        pytester.makeini("[pytest]\nfilterwarnings = error")
        pytester.makeconftest(CLOCK)

    def run(self, text: str, *arguments: str, time: str = "400s") -> pytest.RunResult:
        """Run it for a time, in rounds."""
        self.pytester.makepyfile(test_x=text)
        return self.pytester.runpytest_subprocess(
            f"--testinfra-time={time}", "--testinfra-rounds", *arguments
        )

    @property
    def n_kept(self) -> int:
        """The number of entries in Hypothesis's database."""
        folder = self.pytester.path / ".hypothesis" / "examples"
        return sum(path.is_file() for path in folder.rglob("*")) if folder.exists() else 0


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, few_plugins: None, warm: None) -> Suite:
    """A suite whose runs do not depend on where they are run."""
    for name in ("CI", "TESTINFRA_TIME"):
        monkeypatch.delenv(name, raising=False)
    return Suite(pytester)


def rounds_of(result: pytest.RunResult) -> int:
    """Return how many whole rounds came after the first."""
    found = re.search(r"rounds: ([\d,]+) whole ones? after the first", result.stdout.str())
    assert found is not None, result.stdout.str()
    return int(found[1].replace(",", ""))


def test_what_a_later_round_finds_fails_the_run_and_is_kept(suite: Suite) -> None:
    """It is reported like any failure, the last lines name the round, and the database has it."""
    result = suite.run(ONE_FAILS_LATER.format(settings=""))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=3, failed=1)
    out = result.stdout.str()
    assert "testinfra: rounds: found in round 3: test_x.py::test_later" in out
    assert "x=100" in out
    assert rounds_of(result) > 3
    assert suite.n_kept > 0
    assert "not kept" not in out


def test_the_time_is_used_and_kept(suite: Suite) -> None:
    """The rounds end where the time does; an example takes a second, and none is begun after the end."""
    text = (
        HEAD
        + """
    @settings(deadline=None)
    @given(st.integers())
    def test_one(x):
        now.s += 1.0

    @settings(deadline=None)
    @given(st.integers())
    def test_two(x):
        now.s += 1.0
        """
    )
    result = suite.run(text)
    result.assert_outcomes(passed=2)
    taken = re.search(r"taken ([\d.]+) s", result.stdout.str())
    assert taken is not None
    assert 390.0 <= float(taken[1]) <= 401.0


def found_in_round_four(*decorators: str) -> str:
    """Return a suite whose property fails in round 4 if its rounds 2 and 3 drew different values."""
    lines = "\n    ".join(decorators)
    return (
        HEAD
        + f"""
    from hypothesis import seed
    seen = {{}}

    {lines}
    @given(x=st.integers(0, 2**64))
    def test_drawn(x):
        now.s += 1.0
        seen.setdefault(calls["test_drawn"], set()).add(x)
        assert calls["test_drawn"] < 4 or seen[2] == seen[3]
    """
    )


@pytest.mark.integration
@pytest.mark.parametrize(
    ("pin", "is_kept"),
    [("derandomize=True", True), ("max_examples=3", True), ("database=None", False)],
)
def test_a_derandomized_property_gets_fresh_seeds(suite: Suite, pin: str, is_kept: bool) -> None:
    """Later rounds are not the first one again, and what they find is kept unless somebody forbids it."""
    result = suite.run(found_in_round_four(f"@settings(deadline=None, {pin})"))
    result.assert_outcomes(passed=1, failed=1)
    assert "found in round 4: test_x.py::test_drawn" in result.stdout.str()
    assert ("not kept, because these properties have no database" in result.stdout.str()) is not is_kept
    assert (suite.n_kept > 0) is is_kept


@pytest.mark.integration
def test_a_seed_of_its_own_is_for_the_first_round_only(suite: Suite) -> None:
    """With `@seed` each round would be the same, and nothing could be kept."""
    result = suite.run(found_in_round_four("@seed(7)", "@settings(deadline=None)"))
    result.assert_outcomes(passed=1, failed=1)
    assert "found in round 4: test_x.py::test_drawn" in result.stdout.str()


@pytest.mark.integration
def test_what_fails_or_is_exhausted_leaves_its_time_to_the_others(suite: Suite) -> None:
    """Neither runs again, and the last lines say so."""
    text = (
        HEAD
        + """
    @settings(deadline=None)
    @given(x=st.integers())
    def test_fails(x):
        now.s += 1.0
        assert x < 100

    @settings(deadline=None)
    @given(x=st.booleans())
    def test_exhausted(x):
        now.s += 1.0

    @pytest.mark.parametrize("k", [1, 2])
    @settings(deadline=None, max_examples=10)
    @given(x=st.integers())
    def test_goes_on(k, x):
        now.s += 1.0

    @pytest.fixture(scope="session", autouse=True)
    def count():
        yield
        print(f"RUNS {calls.total()} {calls['test_fails']} {calls['test_exhausted']}")
    """
    )
    result = suite.run(text, "-s")
    result.assert_outcomes(passed=3, failed=1)
    out = result.stdout.str()
    assert "left out of further ones: 1 that failed and 1 without further examples to try" in out
    *_, (total, n_fails, n_exhausted) = re.findall(r"RUNS (\d+) (\d+) (\d+)", out)
    assert n_fails == "1"
    assert int(n_exhausted) <= 2
    assert int(total) == 1 + int(n_exhausted) + 2 * (1 + rounds_of(result))


@pytest.mark.integration
def test_enough_failures_end_the_rounds(suite: Suite) -> None:
    """With `-x` the first find is the last."""
    result = suite.run(ONE_FAILS_LATER.format(settings=""), "-x")
    result.assert_outcomes(passed=3, failed=1)
    assert rounds_of(result) in {1, 2}
    stopped = suite.run(ONE_FAILS_LATER.format(settings="").replace("< 3 or", "< 0 or"), "-x")
    stopped.assert_outcomes(passed=1, failed=1)
    assert rounds_of(stopped) == 0


@pytest.mark.integration
def test_a_step_that_is_new_is_seen_and_a_tracer_of_others_is_left_alone(suite: Suite) -> None:
    """The first two further rounds are watched; where somebody else traces, none is."""
    text = (
        HEAD
        + """
    import sys

    @settings(deadline=None)
    @given(st.integers())
    def test_branches(x):
        now.s += 1.0
        if x % 2:
            x += 1
    """
    )
    watched = suite.run(text)
    assert re.search(r"\d of 1 property took a new way through the code in round \d+", watched.stdout.str())
    traced = suite.run(text + "\n    sys.settrace(lambda *_: None)\n")
    traced.assert_outcomes(passed=1)
    assert "took a new way" not in traced.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--testinfra-rounds"], "--testinfra-rounds: name a time as well"),
        (["--testinfra-rounds", "--testinfra-time=9s", "--hypothesis-seed=1"], "would repeat the first"),
    ],
)
def test_rounds_that_make_no_sense_are_refused(suite: Suite, arguments: list[str], words: str) -> None:
    """Without a time, and with a fixed seed for all."""
    suite.pytester.makepyfile(test_x="def test_plain(): pass")
    result = suite.pytester.runpytest_subprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stderr.str()


def test_a_suite_without_properties_has_one_round(suite: Suite) -> None:
    """The words are those of a timed run."""
    result = suite.run("def test_plain(): pass")
    result.assert_outcomes(passed=1)
    assert "no property ran" in result.stdout.str()
    assert "rounds: " not in result.stdout.str()


WITH_WORKERS = """
    import os
    import pytest
    from conftest import calls
    from hypothesis import given, settings, strategies as st

    @settings(deadline=None)
    @given(x=st.integers())
    def test_later(x):
        assert calls["test_later"] < 2 or x < 100 {instead}

    @pytest.mark.parametrize("k", [1, 2])
    @settings(deadline=None)
    @given(x=st.integers())
    def test_steady(k, x): pass
"""


@pytest.mark.integration
@pytest.mark.parametrize("instead", ["", "or os._exit(1)"])
def test_workers_run_rounds_of_their_own(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, few_plugins: None, instead: str
) -> None:
    """What one finds is reported once, and a worker that dies in a round is named with its property."""
    for name in ("CI", "TESTINFRA_TIME"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini("[pytest]\nfilterwarnings = error")
    pytester.makeconftest(CLOCK.replace("Clocks.wall =", "unused ="))
    pytester.makepyfile(test_x=WITH_WORKERS.format(instead=instead))
    arguments = ("-n", "2", "--max-worker-restart=0") if instead else ("-n", "2")
    result = pytester.runpytest_subprocess("--testinfra-time=8cpu-s", "--testinfra-rounds", *arguments)
    assert result.ret != pytest.ExitCode.OK
    out = result.stdout.str()
    if instead:
        assert re.search(r"worker 'gw\d' died while running 'test_x.py::test_later' in round \d", out)
    else:
        assert "rounds: found in round" in out
        assert out.count("FAILED test_x.py::test_later") == 1
    assert "testinfra: rounds: " in out
