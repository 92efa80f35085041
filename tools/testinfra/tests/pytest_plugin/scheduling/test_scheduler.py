"""The scheduler in real runs of pytest-xdist."""

from __future__ import annotations

import json
from importlib.util import find_spec
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from atom_testinfra.storage.durations import load_durations, save_durations

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("xdist")

pytestmark = pytest.mark.usefixtures("few_plugins", "warm")

SUITE = """
    import os, pathlib, pytest

    @pytest.mark.parametrize("i", range(12))
    def test_it(i, request):
        with pathlib.Path("ran").open("a") as file:
            file.write(f"{i}\\n")
        if str(i) in os.environ.get("CRASH", "").split():
            os._exit(3)
        assert str(i) not in os.environ.get("FAIL", "").split()
"""
DURATIONS = ".testinfra/durations.json"


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Twelve tests; the durations of ten are known."""
    pytester.makepyfile(test_a=SUITE)
    known = {f"test_a.py::test_it[{i}]": float(i) for i in range(10)}
    save_durations(pytester.path / DURATIONS, known)
    return pytester


def ran(path: Path) -> list[int]:
    """Return which tests ran, as often as they ran."""
    return sorted(map(int, (path / "ran").read_text().split()))


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


class TestRealRuns:
    """With xdist's own workers."""

    @pytest.mark.parametrize(
        "n_workers",
        [2, *(pytest.param(n, marks=pytest.mark.integration) for n in (1, 4))],
    )
    def test_every_test_runs_once_where_workers_crash(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, n_workers: int
    ) -> None:
        """Two crashes are two failures; the ten other tests pass; nothing hangs and nothing runs twice."""
        monkeypatch.setenv("CRASH", "3 7")
        result = run(suite, f"-n{n_workers}")
        result.stdout.fnmatch_lines(["testinfra: DurationScheduling, 12 tests in * units; longest 9 s*"])
        result.assert_outcomes(failed=2, passed=10)
        assert ran(suite.path) == list(range(12))


def test_scheduling_without_workers_says_that_it_has_no_effect(suite: pytest.Pytester) -> None:
    """Nobody believes that the tests were scheduled."""
    result = run(suite, "--testinfra-schedule=on")
    result.assert_outcomes(passed=12)
    result.stdout.fnmatch_lines(["testinfra: --testinfra-schedule=on has no effect without workers*"])


@pytest.mark.integration
def test_durations_that_cannot_be_used_are_named(suite: pytest.Pytester) -> None:
    """They are all that is known, so xdist's own scheduler runs the tests, and a line says why."""
    (suite.path / DURATIONS).write_text("{")
    result = run(suite, "-n2")
    result.assert_outcomes(passed=12)
    result.stdout.fnmatch_lines(
        ["testinfra: *its durations are not used; tests are not scheduled by duration"]
    )


@pytest.mark.integration
class TestHowRunsEnd:
    """Early, with little to do, or with nothing."""

    def test_a_worker_without_a_test_ends(self, suite: pytest.Pytester) -> None:
        """With more workers than tests, the run still ends, and every test has run."""
        result = run(suite, "-n4", "test_a.py::test_it[1]", "test_a.py::test_it[2]")
        result.assert_outcomes(passed=2)

    def test_a_run_without_tests_ends_with_status_5(self, suite: pytest.Pytester) -> None:
        """pytest's own status says that nothing was collected."""
        assert run(suite, "-n2", "-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED

    @pytest.mark.parametrize("argument", ["-x", "--maxfail=1"])
    def test_stops_at_the_first_failure(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, argument: str
    ) -> None:
        """A failure ends the run."""
        monkeypatch.setenv("FAIL", " ".join(map(str, range(12))))
        result = run(suite, "-n2", argument)
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert len(ran(suite.path)) < 12

    def test_without_restarts_a_crash_ends_the_run(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The run ends with a failure, as with xdist's scheduler."""
        monkeypatch.setenv("CRASH", "9")
        result = run(suite, "-n1", "--max-worker-restart=0")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["*worker restarting disabled*"])

    def test_last_failed_runs_what_failed(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`--lf` runs what failed."""
        monkeypatch.setenv("FAIL", "2 11")
        suite.runpytest_subprocess("-n2").assert_outcomes(failed=2, passed=10)
        (suite.path / "ran").unlink()
        suite.runpytest_subprocess("-n2", "--lf").assert_outcomes(failed=2)
        assert ran(suite.path) == [2, 11]

    @pytest.mark.skipif(find_spec("pytest_randomly") is None, reason="pytest-randomly is not installed")
    def test_every_test_runs_once_in_a_random_order(self, suite: pytest.Pytester) -> None:
        """Every test runs once, whatever order they are collected in."""
        result = run(suite, "-n2", "-p", "pytest_randomly")
        result.assert_outcomes(passed=12)
        assert ran(suite.path) == list(range(12))


DUPLICATES = """
    import pytest

    def pytest_pycollect_makeitem(collector, name, obj):
        if name == "test_it":
            return [
                pytest.Function.from_parent(collector, name=f"test_it[{i}]", callobj=lambda i=i: obj(i))
                for i in (3, 4, "x@g", 3, 4, "x@g")
            ]
"""
ODD = """
    import os, pathlib

    def test_it(i):
        with pathlib.Path("ran").open("a") as file:
            file.write(f"{i}\\n")
        if str(i) in os.environ.get("CRASH", "").split():
            os._exit(3)
"""


@pytest.mark.integration
@pytest.mark.parametrize("crash", ["", "4"])
def test_tests_that_share_an_id_run_once_each(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    """Each of the tests that share an id runs once, also where a worker dies in one of them."""
    monkeypatch.setenv("CRASH", crash)
    pytester.makeconftest(DUPLICATES)
    for folder in ("a::b", "[odd]"):
        pytester.mkdir(folder).joinpath("test_same.py").write_text(dedent(ODD), encoding="utf-8")
    result = run(pytester, "-n2", "--testinfra-schedule=on", "--import-mode=importlib")
    n_crashed = 4 if crash else 0
    result.assert_outcomes(failed=n_crashed, passed=12 - n_crashed)
    ran_twice = (pytester.path / "ran").read_text().split()
    assert sorted(ran_twice) == sorted(["3", "4", "x@g"] * 4)


@pytest.mark.integration
class TestWhichScheduler:
    """When it is ours, and what says so."""

    @pytest.mark.parametrize("argument", ["--testinfra-schedule=off", "--dist=loadfile", "--dist=loadscope"])
    def test_xdists_scheduler_is_used_where_ours_is_off_or_tests_stay_together(
        self, suite: pytest.Pytester, argument: str
    ) -> None:
        """It is turned off, or the mode promises to keep tests together."""
        result = run(suite, "-n2", argument)
        result.assert_outcomes(passed=12)
        result.stdout.no_fnmatch_line("*DurationScheduling*")

    def test_without_durations_our_scheduler_is_used_only_if_asked_for(
        self, pytester: pytest.Pytester
    ) -> None:
        """Asked for, it records them, so that the next run knows them."""
        pytester.makepyfile(test_a=SUITE)
        run(pytester, "-n2").stdout.no_fnmatch_line("*DurationScheduling*")
        assert not (pytester.path / DURATIONS).exists()
        result = run(pytester, "-n2", "--testinfra-schedule=on")
        result.stdout.fnmatch_lines(["*no duration is known yet, this run records them"])
        assert len(load_durations(pytester.path / DURATIONS).seconds) == 12
        run(pytester, "-n2").stdout.fnmatch_lines(["testinfra: DurationScheduling, 12 tests in *"])

    def test_a_mode_that_keeps_tests_together_keeps_xdists_scheduler(self, suite: pytest.Pytester) -> None:
        """Asked for both, pytest does not begin."""
        result = run(suite, "-n2", "--testinfra-schedule=on", "--dist=loadfile")
        assert result.ret != pytest.ExitCode.OK
        (result.stdout if "loadfile" in str(result.stdout) else result.stderr).fnmatch_lines(
            ["*--testinfra-schedule=on cannot keep what --dist=loadfile promises; use --dist=load*"]
        )

    def test_xdist_is_found_when_it_was_loaded_by_name(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where plugins are loaded with `-p xdist.plugin`, xdist has another name."""
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p xdist.plugin -p atom_testinfra.pytest_plugin.plugin")
        run(suite, "-n2").stdout.fnmatch_lines(["testinfra: DurationScheduling, 12 tests in *"])

    def test_a_broken_baseline_is_named(self, suite: pytest.Pytester) -> None:
        """The run takes place with xdist's scheduler, and says why."""
        (suite.path / "performance_baseline.json").write_text("{")
        result = run(suite, "-n2")
        result.assert_outcomes(passed=12)
        result.stdout.fnmatch_lines(["testinfra: tests are not scheduled by duration, because *baseline*"])


@pytest.mark.integration
class TestKeptDurations:
    """The file that a run leaves."""

    def test_a_failed_test_keeps_its_earlier_duration(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A failure may take any time: shrinking, a timeout, or none at all."""
        monkeypatch.setenv("FAIL", "9 11")
        run(suite, "-n2")
        known = load_durations(suite.path / DURATIONS).seconds
        assert known["test_a.py::test_it[9]"] == 9.0
        assert known["test_a.py::test_it[8]"] < 8.0
        assert "test_a.py::test_it[11]" not in known
        assert "test_a.py::test_it[10]" in known

    def test_a_run_that_xdist_schedules_keeps_durations_too(self, suite: pytest.Pytester) -> None:
        """`--dist=loadfile` keeps xdist's scheduler, and the plan still learns how long tests take."""
        run(suite, "-n2", "--dist=loadfile")
        assert len(load_durations(suite.path / DURATIONS).seconds) == 12
        (suite.path / DURATIONS).unlink()
        run(suite, "-n2", "--testinfra-schedule=off")
        assert not (suite.path / DURATIONS).exists()

    def test_a_broken_file_of_durations_is_written_anew(self, suite: pytest.Pytester) -> None:
        """The run says that it cannot use the file, and replaces it."""
        (suite.path / DURATIONS).write_text(json.dumps({"seconds": {"a": -1}}))
        run(suite, "-n2", "--testinfra-schedule=on").stdout.fnmatch_lines(
            ["testinfra: *does not hold durations*"]
        )
        assert len(load_durations(suite.path / DURATIONS).seconds) == 12

    def test_durations_come_from_the_file_that_is_named(self, suite: pytest.Pytester) -> None:
        """A file that is named and missing is an error where the schedule was asked for."""
        missing = run(suite, "-n2", "--testinfra-schedule=on", "--testinfra-durations=none.json")
        assert missing.ret != pytest.ExitCode.OK
        save_durations(suite.path / "named.json", {"test_a.py::test_it[11]": 77.0})
        run(suite, "-n2", "--testinfra-durations=named.json").stdout.fnmatch_lines(["*longest 77 s*"])


class TestFixtures:
    """What serves several tests is known apart from them."""

    SUITE = """
        import time, pytest

        @pytest.fixture(scope="session")
        def machine():
            time.sleep(0.05)

        @pytest.fixture(scope="module")
        def server(machine):
            time.sleep(0.1)

        @pytest.fixture(scope="class")
        def client(server):
            time.sleep(1)

        def test_plain(): pass
        def test_server(server): pass

        class TestClient:
            def test_one(self, client): pass
            def test_two(self, client): pass
    """

    def test_durations_of_fixtures_are_kept_by_module_and_class(self, pytester: pytest.Pytester) -> None:
        """No test counts for its fixtures' time; those of the session are set up in each worker anyway."""
        pytester.makepyfile(test_a=self.SUITE)
        run(pytester, "-n1", "--testinfra-schedule=on").assert_outcomes(passed=4)
        known = load_durations(pytester.path / DURATIONS)
        assert known.fixtures_s["test_a.py"] >= 0.1
        assert known.fixtures_s["test_a.py::TestClient"] >= 1
        assert set(known.fixtures_s) == {"test_a.py", "test_a.py::TestClient"}
        assert known.seconds["test_a.py::TestClient::test_one"] < 1

    def test_durations_of_fixtures_that_are_gone_are_forgotten(self, pytester: pytest.Pytester) -> None:
        """A module that is run without such fixtures has none any more; other modules keep theirs."""
        pytester.makepyfile(test_a="class TestPlain:\n    def test_plain(self): pass")
        fixtures_s = {"test_a.py": 9.0, "test_a.py::TestPlain": 7.0, "b.py": 8.0}
        save_durations(pytester.path / DURATIONS, {"test_a.py::TestPlain::test_plain": 1.0}, fixtures_s)
        run(pytester, "-n1").assert_outcomes(passed=1)
        assert load_durations(pytester.path / DURATIONS).fixtures_s == {"b.py": 8.0}
