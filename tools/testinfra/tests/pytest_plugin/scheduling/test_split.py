"""`--testinfra-split` in real runs of pytest-xdist, and what may be split at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st

from atom_testinfra.core.scheduling.splitting import ShareNumber
from atom_testinfra.pytest_plugin.internals import Internals
from atom_testinfra.pytest_plugin.steering.domains import count_inputs
from atom_testinfra.storage.durations import load_durations, save_durations

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("xdist")

from atom_testinfra.pytest_plugin.scheduling.shares import choose_share, saved_settings, share_settings
from atom_testinfra.pytest_plugin.scheduling.splittable import why_whole

pytestmark = pytest.mark.usefixtures("few_plugins", "warm")

LONG = "test_a.py::TestLong::test_long"
SUITE = """
    import os, pytest
    from hypothesis import HealthCheck, example, given, settings, strategies as st, target

    def note(*words):
        with open("ran", "a") as file:
            file.write(" ".join(map(repr, words)) + "\\n")

    def guide(value):
        if "TARGET" in os.environ:
            target(float(value))

    class TestLong:
        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
        @example(-1)
        @given(value=st.integers(0, 10**6))
        def test_long(self, value):
            note(os.getpid(), value)
            guide(value)
            if "CRASH" in os.environ and value == -1:
                os._exit(3)
            assert value < 1000 or "FAIL" not in os.environ

    @pytest.mark.parametrize("i", range(4))
    def test_plain(i):
        assert i < 4
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A property that takes longer than half of the run."""
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(test_a=SUITE)
    known = {LONG: 10.0} | {f"test_a.py::test_plain[{i}]": 0.5 for i in range(4)}
    save_durations(pytester.path / ".testinfra" / "durations.json", known)
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--testinfra-split", *arguments)


def values(path: Path) -> list[str]:
    """Return the values that the long property ran with, in whatever process."""
    lines = (path / "ran").read_text().splitlines()
    (path / "ran").unlink()
    return [line.split()[1] for line in lines]


@pytest.mark.integration
class TestRealRuns:
    """With xdist's own workers."""

    def test_a_property_that_is_split_is_reported_once(self, suite: pytest.Pytester) -> None:
        """Two workers run 200 examples and the explicit one; reports and durations have one node id."""
        result = run(suite, "-n2", "--junitxml=junit.xml", "-v")
        result.assert_outcomes(passed=5)
        result.stdout.fnmatch_lines([f"testinfra: {LONG} in 2 shares", "*100%*"])
        processes = {line.split()[0] for line in (suite.path / "ran").read_text().splitlines()}
        assert len(processes) == 2
        assert len(values(suite.path)) == 201
        names = [case.get("name") for case in ElementTree.parse(suite.path / "junit.xml").iter("testcase")]
        assert sorted(map(str, names)) == ["test_long", *(f"test_plain[{i}]" for i in range(4))]
        assert LONG in load_durations(suite.path / ".testinfra" / "durations.json").seconds

    def test_failures_are_merged_and_replayed_by_the_whole_property(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both shares fail; one failure is reported, shrunk, and a run without splitting finds it at once."""
        monkeypatch.setenv("FAIL", "1")
        result = run(suite, "-n2")
        result.assert_outcomes(failed=1, passed=4)
        result.stdout.fnmatch_lines(["*value=1000,*", "found by share 1, 2 of 2; this is the replay *"])
        values(suite.path)
        suite.runpytest_subprocess("-p", "no:cacheprovider", LONG).assert_outcomes(failed=1)
        assert values(suite.path)[:2] == ["-1", "1000"]


@pytest.mark.integration
class TestHowRunsEnd:
    """Crashes, early ends, and a property that turns out to guide its search."""

    def test_a_crash_in_a_share_is_one_failure(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The other share has nobody to report to, and the property has failed."""
        monkeypatch.setenv("CRASH", "1")
        run(suite, "-n2").assert_outcomes(failed=1, passed=4)

    def test_a_failure_that_no_share_could_report_is_reported_at_the_end(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One share fails, the other one crashes: both are told of the one node id."""
        monkeypatch.setenv("CRASH", "1")
        monkeypatch.setenv("FAIL", "1")
        result = run(suite, "-n2")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines([f"FAILED {LONG}*"])
        result.assert_outcomes(failed=2, passed=4)

    def test_a_property_that_guides_its_search_runs_whole_as_well(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its code does not show that it calls target(), so that is noticed when a share has run."""
        monkeypatch.setenv("TARGET", "1")
        result = run(suite, "-n2", "-rA")
        result.assert_outcomes(passed=5)
        result.stdout.fnmatch_lines(["it calls target(), which splitting *"])
        assert len(values(suite.path)) >= 2 * 201

    @pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
    def test_a_failing_share_ends_a_run_that_ends_with_the_first_failure(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, option: str
    ) -> None:
        """The property is one failure, although each of its shares found it."""
        monkeypatch.setenv("FAIL", "1")
        result = run(suite, "-n2", option)
        assert result.ret in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}
        assert result.parseoutcomes()["failed"] == 1
        result.stdout.fnmatch_lines([f"FAILED {LONG}*", "*stopping after 1 failures*"])

    def test_a_property_below_the_most_failures_is_one_of_them(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two shares that fail are not yet two failures, so that the other tests run."""
        monkeypatch.setenv("FAIL", "1")
        result = run(suite, "-n2", "--maxfail=2")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.assert_outcomes(failed=1, passed=4)

    def test_the_last_failed_are_the_property_and_not_its_shares(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`--lf` selects it by its one node id, splits it again, and forgets it once it passes."""
        monkeypatch.setenv("FAIL", "1")
        with_cache = ("-p", "cacheprovider", "--lf")
        run(suite, "-n2", *with_cache).assert_outcomes(failed=1, passed=4)
        again = run(suite, "-n2", *with_cache)
        again.assert_outcomes(failed=1)
        again.stdout.fnmatch_lines([f"testinfra: {LONG} in 2 shares"])
        monkeypatch.delenv("FAIL")
        run(suite, "-n2", *with_cache).assert_outcomes(passed=1)
        run(suite, "-n2", *with_cache).assert_outcomes(passed=5)

    def test_a_fixed_seed_makes_the_same_shares(self, suite: pytest.Pytester) -> None:
        """Without it, another run searches elsewhere."""
        runs = []
        for _ in range(2):
            run(suite, "-n2", "--hypothesis-seed=1").assert_outcomes(passed=5)
            runs.append(sorted(values(suite.path)))
            save_durations(suite.path / ".testinfra" / "durations.json", {LONG: 10.0})
        assert runs[0] == runs[1]

    def test_a_shard_of_the_tests_splits_its_own(self, suite: pytest.Pytester) -> None:
        """What a shard chose is split after that, and its file has one result for the property."""
        suite.path.joinpath("known.json").write_bytes(
            (suite.path / ".testinfra" / "durations.json").read_bytes()
        )
        shards = [
            run(suite, "-n2", f"--testinfra-shard={i}/2", "--testinfra-durations=known.json") for i in (1, 2)
        ]
        outcomes = [shard.parseoutcomes() for shard in shards]
        assert sum(found["passed"] for found in outcomes) == 5
        assert len(values(suite.path)) == 201

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("-n2", "--testinfra-schedule=off"), "*leave out --testinfra-schedule=off*"),
            (("-n2", "--dist=loadfile"), "*--testinfra-split cannot keep what --dist=loadfile promises*"),
            (("-n2", "--testinfra-record=run.jsonl"), "*a recorded run runs each property as it is*"),
            (("-n2", "--testinfra-time=10s"), "*a timed run gives each property its own number*"),
            (("--tx", "ssh=host", "--dist=load"), "*'ssh=host' may be on another machine*"),
        ],
    )
    def test_options_that_splitting_excludes_are_refused_by_name(
        self, suite: pytest.Pytester, arguments: tuple[str, ...], message: str
    ) -> None:
        """Each is refused by name, and no test runs."""
        result = run(suite, *arguments)
        result.stderr.fnmatch_lines([message])
        assert not (suite.path / "ran").exists()

    def test_splitting_without_workers_says_that_it_has_no_effect(self, suite: pytest.Pytester) -> None:
        """The run is as it would be without the option."""
        result = run(suite)
        result.assert_outcomes(passed=5)
        result.stdout.fnmatch_lines(["testinfra: --testinfra-split has no effect without workers*"])


WHOLE = """
    import hypothesis
    from hypothesis import given, reproduce_failure, settings, strategies as st, target, Phase
    from hypothesis.stateful import RuleBasedStateMachine, rule
    import hypothesis.strategies as st

    many = settings(max_examples=1000)

    def test_plain(): pass

    @many
    @given(st.integers())
    def test_splits(x): pass

    @settings(max_examples=99)
    @given(st.integers())
    def test_few(x): pass

    @many
    @given(st.integers(0, 9_998))
    def test_tiny(x): pass

    @many
    @given(st.integers())
    def test_target(x): target(x)

    @many
    @given(st.integers())
    def test_target_by_module(x): [hypothesis.target(y) for y in (x,)]

    @settings(max_examples=1000, phases=[Phase.explicit])
    @given(st.integers())
    def test_explicit(x): pass

    class Machine(RuleBasedStateMachine):
        @rule()
        def step(self): pass

    Machine.TestCase.settings = many
    TestMachine = Machine.TestCase
"""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test_splits", None),
        ("test_plain", "it is not a property"),
        ("test_few", "99 examples make no two shares of 50"),
        ("test_tiny", "it has 9999 inputs only"),
        ("test_target", "it calls target()"),
        ("test_target_by_module", "it calls target()"),
        ("test_explicit", "it generates no examples"),
        ("runTest", "it is a state machine"),
    ],
)
def test_why_a_property_is_left_whole(pytester: pytest.Pytester, name: str, reason: str | None) -> None:
    """Each kind that must not be split is found before it runs."""
    (item,) = [item for item in pytester.getitems(WHOLE) if item.name == name]
    found, _ = why_whole(item, Internals())
    assert (found or "").startswith(reason or "")
    assert (found is None) == (reason is None)


@pytest.mark.parametrize(
    ("strategy", "count"),
    [
        (st.booleans(), 2),
        (st.integers(1, 6), 6),
        (st.integers(0), float("inf")),
        (st.sampled_from("abc").map(str.upper), 3),
        (st.tuples(st.booleans(), st.integers(1, 6).filter(bool)), 12),
        (st.none() | st.just(1) | st.booleans(), 4),
        (st.lists(st.booleans()), float("inf")),
    ],
)
def test_the_inputs_of_a_strategy_are_counted(strategy: st.SearchStrategy[Any], count: float) -> None:
    """What a strategy does not tell counts as endless."""
    assert count_inputs({"value": strategy}) == count


class TestSettings:
    """Of a share, and of the replay."""

    def test_only_the_first_share_runs_what_all_would_repeat(self, tmp_path: Path) -> None:
        """Explicit and saved examples are run once."""
        own = settings(max_examples=201, database=None)
        first, second = (share_settings(own, ShareNumber(i, 2), tmp_path) for i in (1, 2))
        assert (first.max_examples, second.max_examples) == (101, 100)
        assert {Phase.explicit, Phase.reuse, Phase.generate} <= set(first.phases)
        assert not {Phase.explicit, Phase.reuse} & set(second.phases)

    def test_failing_examples_are_kept_where_there_is_no_database(self, tmp_path: Path) -> None:
        """So a derandomised profile has something to replay, and says how to do it again."""
        own = settings(derandomize=True, database=None, print_blob=False)
        replay = saved_settings(own, tmp_path)
        assert replay.database is not None
        assert replay.print_blob
        assert Phase.generate not in replay.phases

    def test_the_property_s_own_phases_stay_left_out(self, tmp_path: Path) -> None:
        """A test that does not shrink is not shrunk."""
        own = settings(phases=[Phase.generate], database=None)
        assert set(share_settings(own, ShareNumber(1, 2), tmp_path).phases) == {Phase.generate}
        assert set(saved_settings(own, tmp_path).phases) == {Phase.reuse}


def report(outcome: Any, *, xfail: bool = False) -> list[pytest.TestReport]:
    made = pytest.TestReport("test", ("test", 0, "test"), {}, outcome, None, "call")
    if xfail:
        made.wasxfail = "expected"
    return [made]


@pytest.mark.parametrize(
    ("shares", "number"),
    [
        ([report("passed"), report("passed")], 1),
        ([report("passed"), report("failed")], 2),
        ([report("passed"), report("skipped"), report("failed")], 3),
        ([report("passed"), report("skipped")], 2),
        ([report("failed"), report("skipped", xfail=True)], 2),
        ([report("passed", xfail=True), report("skipped", xfail=True)], 2),
    ],
)
def test_one_share_s_outcome_is_the_property_s(shares: list[list[pytest.TestReport]], number: int) -> None:
    """A failure counts before a pass; of a failure that is expected, one example is enough."""
    assert choose_share(dict(enumerate(shares, start=1))) == number
