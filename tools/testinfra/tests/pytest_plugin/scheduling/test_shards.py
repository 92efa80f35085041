"""Shards in real runs of pytest, and what `testinfra merge` makes of what they leave."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest

from atom_testinfra.cli import main
from atom_testinfra.core.scheduling.shards import Shard
from atom_testinfra.storage.durations import load_durations, save_durations
from atom_testinfra.storage.runs import load_run

pytestmark = pytest.mark.usefixtures("few_plugins", "warm")

SUITE = """
    import os, pytest

    @pytest.mark.parametrize("text", ["a", "b::c", "d]", "e[f", "ü", "@g"])
    def test_it(text):
        if text in os.environ.get("KILL", "").split():
            os.kill(os.getpid(), 9)
        assert text not in os.environ.get("FAIL", "").split()
"""
N_TESTS = 6
SHARDS = Path(".testinfra/shards")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Six tests with odd names."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    pytester.makepyfile(test_a=SUITE)
    return pytester


def run(pytester: pytest.Pytester, number: str, *arguments: str) -> pytest.RunResult:
    """Run one shard in a process with a home and a folder for temporary files of its own."""
    own = pytester.path / "own" / number.replace("/", "-of-")
    own.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(own))
        patch.setenv("TMPDIR", str(own))
        return pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", f"--testinfra-shard={number}", *arguments
        )


def load(number: str) -> Shard:
    path = SHARDS / f"tests-{number.replace('/', '-of-')}" / "shard.json"
    return msgspec.json.decode(path.read_bytes(), type=Shard)


class TestWholeSuite:
    """All shards, with everything that is merged."""

    def test_shards_that_ran_are_merged_into_the_whole_suite(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One is killed and run again, one fails; every test is in the whole once; a lost file is noticed."""
        for index in (3, 1, 2):
            number, folder = f"{index}/3", SHARDS / f"tests-{index}-of-3"
            reports = [f"--junitxml={folder}/junit.xml", f"--testinfra-record={folder}/run.jsonl"]
            if index == 1:
                monkeypatch.setenv("KILL", "a b::c d] e[f ü @g")
                assert run(suite, number, *reports).ret not in (0, 1)
                monkeypatch.delenv("KILL")
                (folder / "run.jsonl").unlink()
                assert main(["merge", str(SHARDS)]) == 2
                assert "missing: shard 1/3, 2/3" in capsys.readouterr().err
            monkeypatch.setenv("FAIL", "ü")
            run(suite, number, *reports)
        assert main(["merge", str(SHARDS)]) == 1  # a test failed
        out = capsys.readouterr().out
        assert f"all {N_TESTS} tests ran: 1 failed, 5 passed" in out
        merged = Path(".testinfra/merged")
        assert (merged / "junit.xml").read_text().count("<testcase ") == N_TESTS
        assert len(load_run(merged / "run.jsonl").measurements) == N_TESTS
        assert len(load_durations(merged / "durations.json").seconds) == N_TESTS - 1
        (SHARDS / "tests-2-of-3" / "junit.xml").unlink()
        assert main(["merge", str(SHARDS)]) == 2
        assert "no JUnit file beside" in capsys.readouterr().err
        shutil.rmtree(SHARDS / "tests-2-of-3")
        assert main(["merge", str(SHARDS)]) == 2
        assert "missing: shard 2/3" in capsys.readouterr().err

    @pytest.mark.integration
    @pytest.mark.nightly
    @pytest.mark.parametrize("n_shards", range(1, 17))
    def test_any_number_of_shards_runs_every_test_once(
        self, suite: pytest.Pytester, capsys: pytest.CaptureFixture[str], n_shards: int
    ) -> None:
        """Also with more shards than tests, where some of them have none."""
        for index in range(1, n_shards + 1):
            assert run(suite, f"{index}/{n_shards}").ret == 0
        assert main(["merge", str(SHARDS)]) == 0
        assert f"all {N_TESTS} tests ran: {N_TESTS} passed" in capsys.readouterr().out


@pytest.mark.integration
class TestSpecialShards:
    """Shards with workers, with a worker that dies, and without a test."""

    def test_a_shard_with_workers_is_written_once(self, suite: pytest.Pytester) -> None:
        """The workers select, and the process that started them writes; workers are part of the digest."""
        pytest.importorskip("xdist")
        for index in (1, 2):
            run(suite, f"{index}/2", "-n2").assert_outcomes(passed=len(load(f"{index}/2").chosen))
        assert main(["merge", str(SHARDS)]) == 0
        with_workers = load("1/2").digest
        run(suite, "1/2", "-n0")
        assert load("1/2").digest != with_workers
        assert main(["merge", str(SHARDS)]) == 2

    def test_a_worker_that_dies_is_a_result(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The test during which it died has crashed, the others ran, and the whole has failed."""
        pytest.importorskip("xdist")
        monkeypatch.setenv("KILL", "b::c")
        run(suite, "1/1", "-n2")
        assert dict(load("1/1").results)["test_a.py::test_it[b::c]"] == "crashed"
        assert main(["merge", str(SHARDS)]) == 1
        assert f"all {N_TESTS} tests ran: 1 crashed, 5 passed" in capsys.readouterr().out

    @pytest.mark.parametrize("workers", [(), ("-n2",)])
    def test_an_empty_shard_is_no_failure(self, suite: pytest.Pytester, workers: tuple[str, ...]) -> None:
        """It says that it is empty, and ends with 0; a suite without a test ends with 5, as ever."""
        if workers:
            pytest.importorskip("xdist")
        result = run(suite, "7/7", *workers)
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines(["testinfra: shard 7/7, *: no test is in it: the suite has 6 tests*"])
        assert load("7/7").chosen == []
        assert run(suite, "7/7", *workers, "-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.integration
class TestWhatDecides:
    """A shard is decided by what every machine has."""

    def test_durations_seen_on_this_machine_do_not_count(self, suite: pytest.Pytester) -> None:
        """Another machine has seen others; a file that is named counts."""
        run(suite, "1/2")
        before = load("1/2").digest
        save_durations(suite.path / ".testinfra/durations.json", {"test_a.py::test_it[a]": 9.0})
        run(suite, "1/2")
        assert load("1/2").digest == before
        run(suite, "1/2", "--testinfra-durations=.testinfra/durations.json")
        assert load("1/2").digest != before

    @pytest.mark.parametrize("number", ["0/2", "3/2", "x"])
    def test_what_names_no_shard_is_an_error(self, suite: pytest.Pytester, number: str) -> None:
        """pytest ends with its status for wrong usage."""
        result = run(suite, number)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*is not a shard; write 2/4 for the second of four*"])

    def test_a_stopped_shard_is_not_complete(
        self, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """After `-x` some tests have no result, and the merge says so."""
        monkeypatch.setenv("FAIL", "a b::c d] e[f ü @g")
        run(suite, "1/1", "-x")
        assert main(["merge", str(SHARDS)]) == 2
        assert "5 tests have no result" in capsys.readouterr().err

    @pytest.mark.skipif(find_spec("pytest_randomly") is None, reason="pytest-randomly is not installed")
    def test_a_random_order_needs_a_seed(self, suite: pytest.Pytester) -> None:
        """Without one pytest does not begin; with one the seed is part of the file."""
        refused = run(suite, "1/2", "-p", "pytest_randomly")
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        refused.stderr.fnmatch_lines(["*add -p no:randomly or --randomly-seed=1*"])
        run(suite, "1/2", "-p", "pytest_randomly", "--randomly-seed=5")
        assert load("1/2").seed == "pytest-randomly 5"
