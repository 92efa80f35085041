"""`testinfra measure` on small projects: what it prints, records, and returns."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

import pytest
from tests.grouping import CONFTEST as GROUPS
from tests.strategies import a_baseline

from atom_testinfra.cli import main
from atom_testinfra.core.records.measurement import Run
from atom_testinfra.core.records.outside import OTHER_THREADS, outside_of
from atom_testinfra.core.vocabulary import Outcome
from atom_testinfra.storage.baseline import save_baseline
from atom_testinfra.storage.sessions import load_session

if TYPE_CHECKING:
    from collections.abc import Callable

MIXED = """
    import pytest
    from hypothesis import given, settings, strategies as st

    @given(st.integers())
    def test_free(x):
        pass

    @settings(max_examples=33)
    @given(st.integers())
    def test_pinned(x):
        pass

    def test_plain():
        pass
"""


class Project:
    """A project on disk, and `testinfra measure` in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {
            name: value for name, value in os.environ.items() if name not in {"CI", "GITHUB_ACTIONS"}
        } | {"COLUMNS": "80", "NO_COLOR": "1"}

    def write(self, **files: str) -> None:
        """Write test modules."""
        for name, text in files.items():
            (self.root / f"{name}.py").write_text(dedent(text), encoding="utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `testinfra measure`."""
        return subprocess.Popen(
            [sys.executable, "-m", "atom_testinfra", "measure", *arguments],
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def measure(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """Run `testinfra measure` in this process and return what it printed."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.chdir(self.root)
            for name in os.environ.keys() - self.env.keys():
                patch.delenv(name)
            for name, value in self.env.items():
                patch.setenv(name, value)
            returned = main(["measure", *arguments])
        printed, said = (stream.buffer.getvalue().decode() for stream in (out, err))
        assert returned == status, f"{returned}\n{printed}\n{said}"
        return printed, said

    def document(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Run `testinfra measure --json` and return the document."""
        document: dict[str, Any] = json.loads(self.measure("--json", *arguments, status=status)[0])
        return document

    def runs(self) -> list[Run]:
        """Return the runs of the latest session."""
        return load_session(self.root / ".testinfra" / "runs")


@pytest.fixture
def project(tmp_path: Path, warm: None) -> Project:
    """An empty project; runs that are measured from this process start warm."""
    (tmp_path / "pyproject.toml").write_text("[tool.testinfra]\nrepeats = 1\n", encoding="utf-8")
    return Project(tmp_path)


def numbers(document: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Return the examples by test and profile."""
    return {
        (test["nodeid"].rpartition("::")[2], test["profile"]): test["n_examples"]
        for test in document["measured"]
    }


def test_every_profile_is_measured_with_its_own_number(project: Project) -> None:
    """Free names, fixed numbers; a pin keeps its own number and is reported with its place."""
    project.write(test_a=MIXED)
    document = project.document("--profile", "small=7", "--profile", "large=21")
    assert numbers(document) == {
        ("test_free", "small"): 7,
        ("test_free", "large"): 21,
        ("test_pinned", "small"): 33,
        ("test_pinned", "large"): 33,
    }
    (run, *_) = project.runs()
    (pinned,) = [record for record in run.measurements if record.nodeid.endswith("test_pinned")]
    assert pinned.hypothesis is not None
    assert pinned.hypothesis.pin is not None
    assert (pinned.hypothesis.pin.max_examples, pinned.hypothesis.pin.path) == (33, "test_a.py")
    assert pinned.hypothesis.pin.line == 9


def test_a_profile_with_a_dash_is_measured_by_its_name(project: Project) -> None:
    """Chosen like any other, and found again in the session's files."""
    project.write(test_a=MIXED)
    (project.root / "pyproject.toml").write_text(
        "[tool.testinfra]\nrepeats = 2\n[tool.testinfra.profiles.ci-fast]\nmax_examples = 7\n"
    )
    document = project.document("--baseline", "--profile", "ci-fast")
    assert numbers(document) == {("test_free", "ci-fast"): 7, ("test_pinned", "ci-fast"): 33}
    assert [(run.header.profile, run.header.repeat) for run in project.runs()] == [
        ("ci-fast", 0),
        ("ci-fast", 1),
    ]
    assert all(run.header.run_id.endswith(f"-ci-fast-s0-r{run.header.repeat}") for run in project.runs())


@pytest.mark.parametrize(
    ("policy", "expected"), [("respect", 33), ("cap", 10), ("override", 10), ("scale", 3)]
)
def test_pins_follow_the_policy(project: Project, policy: str, expected: int) -> None:
    """Respected, capped, overridden, or scaled by requested / default = 10 / 100."""
    project.write(test_a=MIXED)
    document = project.document("--profile", "p=10", "--pins", policy)
    assert numbers(document) == {("test_free", "p"): 10, ("test_pinned", "p"): expected}


@pytest.mark.parametrize(
    ("arguments", "free", "pinned"),
    [
        (("--profile", "local"), 20, 33),
        (("--profile", "local=7"), 7, 33),
        (("--profile", "local", "--max-examples", "7"), 7, 33),
        (("--baseline", "--pins", "cap"), 20, 20),
    ],
)
def test_a_suite_that_steers_itself_follows_the_command_line(
    project: Project, arguments: tuple[str, ...], free: int, pinned: int
) -> None:
    """Its conftest loads a profile by the environment, which is that of the settings either way."""
    (project.root / "pyproject.toml").write_text(
        "[tool.testinfra]\nrepeats = 1\n[tool.testinfra.profiles]\n"
        'local = { max_examples = 20, env = { EXAMPLES = "20" }, steering = "suite" }\n'
    )
    project.write(
        test_a=MIXED,
        conftest="""
        import os
        from hypothesis import settings

        settings.register_profile("own", max_examples=int(os.environ["EXAMPLES"]))
        settings.load_profile("own")
        """,
    )
    document = project.document(*arguments)
    assert numbers(document) == {("test_free", "local"): free, ("test_pinned", "local"): pinned}
    assert not any(test["problems"] for test in document["measured"])


def test_repeats_are_the_same_work_and_plain_tests_run_once_a_profile(project: Project) -> None:
    """Seeds come from the node ids; a test without Hypothesis is in the first run of each profile only."""
    project.write(
        test_a="""
        from hypothesis import given, strategies as st

        @given(st.lists(st.integers()))
        def test_property(xs):
            with open("drawn.txt", "a") as file:
                print(xs, file=file)

        def test_plain():
            with open("plain.txt", "a") as file:
                print("ran", file=file)
        """
    )
    project.measure("--profile", "p=20", "--profile", "q=20", "--repeats", "2")
    drawn = (project.root / "drawn.txt").read_text().splitlines()
    size = len(drawn) // 4
    assert drawn == drawn[:size] * 4
    assert (project.root / "plain.txt").read_text() == "ran\nran\n"


@pytest.mark.integration
@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
@pytest.mark.parametrize(("arguments", "n_workers"), [((), 0), (("-n", "1"), 1)])
def test_workers_are_those_asked_for_whatever_the_suite_says(
    project: Project, arguments: tuple[str, ...], n_workers: int
) -> None:
    """A suite with `-n auto` in its options is measured serially; with workers the record names them."""
    early = """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_load_initial_conftests(early_config):  # where pytest-cov decides what to start
            option = early_config.known_args_namespace
            with open("early.txt", "a") as file:
                print(option.numprocesses, option.dist, file=file)
    """
    project.write(test_a=MIXED, early=early)
    (project.root / "pytest.ini").write_text("[pytest]\naddopts = -p early -n auto --dist worksteal\n")
    project.measure("--profile", "p=5", *arguments)
    told = (project.root / "early.txt").read_text().splitlines()[0]
    assert told == ("1 worksteal" if n_workers else "0 no")
    (run,) = project.runs()
    assert run.header.n_workers == n_workers
    assert {record.worker for record in run.measurements} == ({"gw0"} if n_workers else {None})


@pytest.mark.integration
@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
@pytest.mark.parametrize(
    ("distribution", "is_by_file"), [("loadfile", True), ("loadscope", True), ("each", False)]
)
def test_tests_are_shared_out_as_the_suite_says(
    project: Project, distribution: str, is_by_file: bool
) -> None:
    """Those that may not run side by side do not; only each in every worker would be one too many."""
    tests = "def test_x(i):\n    pass\n"
    parametrised = f"import pytest\n\n@pytest.mark.parametrize('i', range(8))\n{tests}"
    properties = f"from hypothesis import given, strategies as st\n\n@given(i=st.integers())\n{tests}"
    project.write(test_a=parametrised, test_b=parametrised, test_c=properties)
    (project.root / "pytest.ini").write_text(f"[pytest]\naddopts = -n auto --dist {distribution}\n")
    project.measure("--profile", "p=5", "-n", "2")
    (run,) = project.runs()
    assert len(run.measurements) == 17
    workers = {(record.nodeid.partition("::")[0], record.worker) for record in run.measurements}
    assert not is_by_file or len(workers) == 3


@pytest.mark.integration
@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
def test_plain_tests_of_a_group_run_once_too(project: Project) -> None:
    """They are left out of a repeat by the name of a serial run, whatever xdist adds to it."""
    suite = """
        import pytest
        from hypothesis import given, strategies as st

        @pytest.mark.xdist_group("one")
        @given(st.integers())
        def test_property(x):
            pass

        @pytest.mark.xdist_group("one")
        def test_plain():
            pass
    """
    project.write(conftest=GROUPS, test_a=suite)
    (project.root / "pytest.ini").write_text("[pytest]\naddopts = -n auto --dist loadgroup\n")
    project.measure("--profile", "p=5", "--repeats", "2", "-n", "1")
    names = [sorted(record.nodeid for record in run.measurements) for run in project.runs()]
    assert names == [["test_a.py::test_plain", "test_a.py::test_property"], ["test_a.py::test_property"]]


@pytest.mark.parametrize(("arguments", "n_reached"), [((), 3), (("--", "-vx"), 1)])
def test_a_suite_that_stops_at_its_first_failure_is_measured_whole(
    project: Project, arguments: tuple[str, ...], n_reached: int
) -> None:
    """`-x` among its own options would leave the rest without a figure; on the command line it holds."""
    project.write(
        test_a="""
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_wrong(x):
            assert x != x

        @given(st.integers())
        def test_right(x):
            pass

        def test_plain():
            pass
        """
    )
    (project.root / "pytest.ini").write_text("[pytest]\naddopts = -x\n")
    project.measure("--profile", "p=5", *arguments, status=1 if n_reached == 3 else 3)
    (run,) = project.runs()
    assert len(run.measurements) == n_reached


@pytest.mark.integration
def test_the_time_left_comes_from_the_baseline(project: Project) -> None:
    """Before any test of this session has ended, it is what the baseline says of the profile."""
    project.write(test_a=MIXED)
    (project.root / "pyproject.toml").write_text("[tool.testinfra]\nrepeats = 1\n", encoding="utf-8")
    save_baseline(project.root / "performance_baseline.json", a_baseline({"test_a.py::test_free": 1e6}))
    _, err = project.measure("--profile", "local=10")
    first = next(line for line in err.splitlines() if "0 of 3 tests" in line)
    assert re.search(r"about \d+ min( \d+ s)? left", first), err


def test_the_profile_decides_what_is_ci(project: Project) -> None:
    """The machine's own variables do not leak into a local profile, and the CI profile sets one."""
    project.write(
        test_a="""
        import os
        from hypothesis import given, strategies as st

        with open("env.txt", "a") as file:
            print(os.environ.get("CI"), os.environ.get("GITHUB_ACTIONS"), file=file)

        @given(st.integers())
        def test_property(x):
            pass
        """
    )
    project.env |= {"CI": "1", "GITHUB_ACTIONS": "true"}
    document = project.document("--profile", "local", "--profile", "ci")
    assert numbers(document) == {("test_property", "local"): 200, ("test_property", "ci"): 50}
    assert (project.root / "env.txt").read_text() == "None None\ntrue None\n"


def test_the_table_names_the_slowest_first_and_every_reason(project: Project) -> None:
    """Each test is in the table or in a list with its reason; the exit status says that one failed."""
    project.write(
        test_a="""
        import pytest
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_quick(x):
            pass

        @given(st.integers())
        def test_slow(x):
            sum(range(2_000_000))

        @given(st.integers())
        def test_wrong(x):
            assert x < 10

        @pytest.mark.skip(reason="not on this machine")
        @given(st.integers())
        def test_left_out(x):
            pass
        """
    )
    out, _ = project.measure("--profile", "p=10", status=1)
    assert out.index("test_slow") < out.index("test_quick")
    assert "test_wrong (p): failed: assert 10 < 10" in out
    assert "test_left_out (p): skipped: not on this machine" in out
    assert max(len(line) for line in out.splitlines() if "::test_slow" in line and " s " in line) <= 110


class TestCannotRun:
    """Whatever keeps pytest from running is told in its own words, and leaves no run file behind."""

    @pytest.mark.parametrize(
        ("files", "status", "message"),
        [
            ({}, 3, "pytest collected no tests"),
            ({"test_a": "import no_such_module"}, 2, "No module named 'no_such_module'"),
            ({"test_a": "def test_x(:"}, 2, "SyntaxError"),
            ({"conftest": "raise ValueError('broken conftest')", "test_a": MIXED}, 2, "broken conftest"),
        ],
    )
    def test_what_pytest_says_is_shown_when_it_cannot_run(
        self, project: Project, files: dict[str, str], status: int, message: str
    ) -> None:
        """pytest's own message, exit status 2; without any test 3."""
        project.write(**files)
        _, err = project.measure("--profile", "p=10", status=status)
        assert message in err
        assert not list(project.root.rglob("*.jsonl"))
        assert not list(project.root.rglob("*.session.json"))

    def test_what_was_deselected_is_counted(self, project: Project) -> None:
        """Tests that `-k` leaves out are not tests that are not there."""
        project.write(test_a="def test_x(): pass\ndef test_y(): pass")
        _, err = project.measure("--profile", "p=10", "--", "-k", "nothing_like_it", status=3)
        assert "pytest found 2 tests in" in err
        assert "hint: does a -k or -m, given here or in the project's own settings, leave them out?" in err

    @pytest.mark.integration
    @pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("import no_such_module", "No module named 'no_such_module'"),
            (
                "import os\ndef test_x(): pass\nexec('def test_' + str(os.getpid()) + '(): pass')",
                "Different tests",
            ),
        ],
    )
    def test_workers_do_not_go_on_without_a_file(self, project: Project, source: str, message: str) -> None:
        """What cannot be collected does not make a smaller suite, with `-n` as without."""
        project.write(test_a=MIXED, test_b=source)
        _, err = project.measure("--profile", "p=10", "-n", "2", status=2)
        assert message in err

    def test_a_suite_in_which_all_properties_fail_measures_nothing(self, project: Project) -> None:
        """Exit status 3: there is no figure."""
        project.write(
            test_a="""
            from hypothesis import given, strategies as st

            @given(st.integers())
            def test_wrong(x):
                assert False
            """
        )
        _, err = project.measure("--profile", "p=10", status=3)
        assert "nothing was measured" in err

    def test_properties_that_the_project_deselects_are_asked_about(self, project: Project) -> None:
        """An `-m` in its own options leaves nothing to measure: how many tests, and where to look."""
        project.write(test_a=MIXED.replace("@given", "@pytest.mark.property\n    @given"))
        (project.root / "pytest.ini").write_text(
            '[pytest]\naddopts = -m "not property"\nmarkers = property\n'
        )
        _, err = project.measure("--profile", "p=10", status=3)
        assert "2 tests were deselected: does the project's own -m or -k leave the properties out?" in err
        assert len(project.document("--profile", "p=10", "--", "-m", "property")["measured"]) == 2

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--profile", "unknown"), "there is no profile 'unknown'"),
            (("--profile", "p=many"), "'many' is not a whole number"),
            (("--profile", "../p=3"), "cannot be named '../p'"),
            (("--resume",), "no session to resume"),
        ],
    )
    def test_wrong_usage_is_one_line(
        self, project: Project, arguments: tuple[str, ...], message: str
    ) -> None:
        """The message names the thing."""
        _, err = project.measure(*arguments, status=3 if "--resume" in arguments else 2)
        assert message in err


@pytest.mark.integration
class TestCannotWrite:
    """A folder that takes no record: one line says so, and what was recorded before is kept."""

    def test_a_disk_that_fills_up_keeps_the_records_before_it(self, project: Project) -> None:
        """The limit on a file's size stands for the disk; with the limit gone, the session goes on."""
        project.write(
            test_a=TWELVE,
            conftest="""
            import os
            import resource

            if "ROOM" in os.environ:
                resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["ROOM"]), resource.RLIM_INFINITY))
            """,
        )
        project.env["ROOM"] = "8000"
        _, err = project.measure("--profile", "p=5", status=2)
        assert "error: cannot write" in err
        assert "File too large" in err
        assert "!" not in err
        assert err.count("what was recorded before is kept") == 1
        assert "testinfra measure --resume" in err
        before = n_records(project)
        assert 0 < before < 12
        del project.env["ROOM"]
        assert len(project.document("--resume")["measured"]) == 12
        records = [record.nodeid for run in project.runs() for record in run.measurements]
        assert len(records) == len(set(records)) == 12

    def test_a_read_only_folder_is_named(self, project: Project) -> None:
        """Before any test has run, and with the next step."""
        project.write(test_a=MIXED)
        folder = project.root / ".testinfra"
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], check=False).returncode:
            pytest.skip("mounting a read-only folder needs more rights")
        try:
            _, err = project.measure("--profile", "p=5", status=2)
        finally:
            subprocess.run(["umount", folder], check=True)
        assert "Read-only file system" in err
        assert "hint: the file system is read-only; name another folder" in err

    def test_a_run_that_is_still_written_is_not_taken_up(self, project: Project) -> None:
        """The session was killed, its pytest is in a long test: `--resume` names the locked file."""
        project.write(
            test_a="""
            import pathlib
            import time
            from hypothesis import given, strategies as st

            @given(st.integers())
            def test_first(x):
                pass

            def test_long():
                pathlib.Path("begun").touch()
                while not pathlib.Path("go").exists():
                    time.sleep(0.05)

            @given(st.integers())
            def test_last(x):
                pass
            """
        )
        process = project.start("--profile", "p=5")
        wait_for((project.root / "begun").exists)
        process.kill()
        process.communicate()
        _, err = project.measure("--resume", status=2)
        assert "is locked: an earlier run of this session still writes to it" in err
        (project.root / "go").touch()
        assert len(project.document("--resume")["measured"]) == 2
        records = [
            record.nodeid
            for run in project.runs()
            for record in run.measurements
            if record.outcome is not Outcome.INTERRUPTED
        ]
        assert sorted(records) == ["test_a.py::test_first", "test_a.py::test_last", "test_a.py::test_long"]


TWELVE = """
    from hypothesis import given, strategies as st
    import pytest

    @pytest.mark.parametrize("i", range(12))
    @given(x=st.integers())
    def test_x(i, x):
        pass
"""
HELD = """
    import time
    from pathlib import Path
    from hypothesis import given, strategies as st
    import pytest

    def hold():
        Path("held").touch()
        while not Path("go").exists():
            time.sleep(0.02)

    @pytest.mark.parametrize("i", range(12))
    @given(x=st.integers())
    def test_x(i, x):
        if i == 3:
            hold()
"""
"""Twelve tests; the fourth says that it has begun, and ends when it may."""


PATIENCE_S = 300.0
"""A net, not a measure: on a busy machine a process can take a minute to start."""


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition of another process holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def n_records(project: Project) -> int:
    """Return the number of test records of the project."""
    return sum(path.read_text().count('{"record":"test"') for path in project.root.rglob("*.jsonl"))


@pytest.mark.integration
class TestStopped:
    """A session that was stopped in any way keeps what it had, and goes on from there."""

    @pytest.mark.parametrize(
        ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
    )
    def test_resume_completes_the_same_set_of_tests(
        self, project: Project, signum: signal.Signals, status: int
    ) -> None:
        """After any signal: valid files, and each test in the end recorded once as passed."""
        project.write(test_a=HELD)
        process = project.start("--profile", "p=10")
        wait_for((project.root / "held").exists)
        process.send_signal(signum)
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == status
        if signum == signal.SIGKILL:
            # Nobody could tell the run to stop: it finds out when its test has ended.
            (project.root / "go").touch()
            wait_for(lambda: not child_alive(project))
            assert outcomes(project) == [Outcome.PASSED] * 4
        else:
            assert "testinfra measure --resume" in err
            (project.root / "go").touch()
            assert outcomes(project) == [Outcome.PASSED] * 3 + [Outcome.INTERRUPTED]
        document = project.document("--resume")
        assert len(document["measured"]) == 12
        records = [record for run in project.runs() for record in run.measurements]
        passed = [record.nodeid for record in records if record.outcome is Outcome.PASSED]
        assert len(passed) == len(set(passed)) == 12

    def test_a_test_that_swallows_the_interrupt_is_the_last_one(self, project: Project) -> None:
        """It lets the run go on, which ends behind it, and marks no test that has not begun."""
        swallowing = """
            try:
                hold()
            except BaseException:
                Path("swallowed").touch()
        """
        project.write(test_a=dedent(HELD).replace("        hold()\n", indent(dedent(swallowing), " " * 8)))
        process = project.start("--profile", "p=1")
        wait_for((project.root / "held").exists)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 143
        assert (project.root / "swallowed").exists()
        assert outcomes(project) == [Outcome.PASSED] * 4

    def test_a_test_that_kills_the_process_is_recorded_and_the_others_still_run(
        self, project: Project
    ) -> None:
        """The one it happened in is crashed; the run goes on with the next one."""
        project.write(
            test_a="""
            import os
            from hypothesis import given, strategies as st

            @given(st.integers())
            def test_before(x):
                pass

            @given(st.integers())
            def test_dies(x):
                os.kill(os.getpid(), 9)

            @given(st.integers())
            def test_after(x):
                pass
            """
        )
        document = project.document("--profile", "p=10", status=1)
        assert {test["nodeid"] for test in document["measured"]} == {
            "test_a.py::test_before",
            "test_a.py::test_after",
        }
        (crashed,) = document["failed"]
        assert (crashed["nodeid"], crashed["outcome"]) == ("test_a.py::test_dies", "crashed")
        assert "signal 9" in crashed["reason"]

    @pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
    def test_a_worker_that_dies_loses_only_its_running_test(self, project: Project) -> None:
        """With `-n`, a test that kills its worker is recorded as crashed, and all others have records."""
        project.write(
            test_a="""
            import os, pytest
            from hypothesis import given, strategies as st

            @pytest.mark.parametrize("i", range(6))
            @given(x=st.integers())
            def test_x(i, x):
                if i == 3:
                    os._exit(1)
            """
        )
        document = project.document("--profile", "p=10", "-n", "2", status=1)
        assert len(document["measured"]) == 5
        assert [(test["nodeid"], test["outcome"]) for test in document["failed"]] == [
            ("test_a.py::test_x[3]", "crashed")
        ]


def outcomes(project: Project) -> list[Outcome]:
    """Return the outcomes of the latest session, in the order they were recorded."""
    return [record.outcome for run in project.runs() for record in run.measurements]


def child_alive(project: Project) -> bool:
    """Return whether a pytest process still works in the project's folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == project.root and b"pytest" in (
                process / "cmdline"
            ).read_bytes():
                return True
        except OSError:
            continue
    return False


OWN_SETTINGS = """
    from hypothesis import settings

    settings.register_profile("theirs", max_examples=12)
    settings.load_profile("theirs")
"""


class TestFirstAnswer:
    """A bare `testinfra measure` runs the suite once, as it is, and says where its time goes."""

    def test_the_suite_runs_once_under_its_own_settings(self, project: Project) -> None:
        """Its own profile and pins decide; the settings' profiles are for a baseline."""
        project.write(test_a=MIXED, conftest=OWN_SETTINGS)
        document = project.document()
        assert numbers(document) == {("test_free", "as-is"): 12, ("test_pinned", "as-is"): 33}
        assert len(project.runs()) == 1
        (found,) = document["overviews"]
        assert found["usual_examples"] == 12
        assert [pin["pin"]["max_examples"] for pin in found["pins"]] == [33]
        assert [estimate["n_examples"] for estimate in found["what_if"]] == [25, 50, 100]

    def test_the_machine_s_own_ci_stays(self, project: Project) -> None:
        """As in a plain run of pytest, where Hypothesis takes the machine for CI or not."""
        project.write(
            test_a="""
            import os
            from hypothesis import given, strategies as st

            @given(st.booleans())
            def test_ci(x):
                assert os.environ["CI"] == "true"
            """
        )
        project.env |= {"CI": "true"}
        project.measure()

    def test_each_profile_runs_as_often_as_a_baseline_needs(self, project: Project) -> None:
        """`--baseline` says before what it will do."""
        project.write(test_a=MIXED)
        (project.root / "pyproject.toml").write_text(
            "[tool.testinfra]\nrepeats = 2\n[tool.testinfra.profiles]\n"
            "local = { max_examples = 5, repeats = 1 }\nci = { max_examples = 3 }\n"
        )
        _, err = project.measure("--baseline")
        assert err.startswith("for a baseline: local 1 time, ci 2 times; ")
        assert sorted((run.header.profile, run.header.repeat) for run in project.runs()) == [
            ("ci", 0),
            ("ci", 1),
            ("local", 0),
        ]

    def test_report_shows_a_session_again(self, project: Project) -> None:
        """Without `verify` and without a baseline: the same lines, by its id or as the latest."""
        project.write(test_a=MIXED)
        out, _ = project.measure()
        for name in ("latest", project.runs()[0].header.session_id):
            done = subprocess.run(
                [sys.executable, "-m", "atom_testinfra", "report", "--session", name],
                cwd=project.root,
                env=project.env,
                capture_output=True,
                text=True,
            )
            assert (done.returncode, done.stdout) == (0, out)

    def test_verify_says_what_is_missing(self, project: Project) -> None:
        """Targets are for the profiles of the settings: no verdict, no baseline, exit status 3."""
        project.write(test_a=MIXED, conftest=OWN_SETTINGS)
        project.measure()
        done = subprocess.run(
            [sys.executable, "-m", "atom_testinfra", "verify", "--no-suite"],
            cwd=project.root,
            env=project.env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 3
        assert "testinfra measure --baseline" in done.stderr
        assert not (project.root / "performance_baseline.json").exists()

    def test_a_policy_for_pins_needs_a_number(self, project: Project) -> None:
        """Under the suite's own settings there is nothing to cap or to scale by."""
        project.write(test_a=MIXED)
        _, err = project.measure("--pins", "cap", status=2)
        assert "--pins needs a number of examples" in " ".join(err.split())

    def test_the_number_that_fits_is_told(self, project: Project) -> None:
        """More time has room for more examples."""
        project.write(test_a=MIXED)
        found = []
        for limit in ("1", "10"):
            out, _ = project.measure("--fit", limit)
            match = re.search(r"N=([\d,]+) examples in every property fit into", out)
            assert match is not None, out
            found.append(int(match[1].replace(",", "")))
        assert 0 < found[0] < found[1]

    def test_paths_count_from_where_it_is_called(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """From a folder of the project, `tests` is the folder that is there, for options of pytest too."""
        (project.root / "pyproject.toml").write_text("[tool.testinfra]\n")
        folder = project.root / "part" / "tests"
        folder.mkdir(parents=True)
        (folder / "test_b.py").write_text(dedent(MIXED))
        (project.root / "tests").mkdir()
        (project.root / "tests" / "test_c.py").write_text("def test_c(): pass\n")
        below = Project(project.root / "part")
        below.measure("--", "tests", "--ignore", "tests/none", "--junitxml=out.xml")
        assert {record.nodeid for run in project.runs() for record in run.measurements} == {
            f"part/tests/test_b.py::{name}" for name in ("test_free", "test_pinned", "test_plain")
        }
        assert (project.root / "part" / "out.xml").exists()

    @pytest.mark.integration
    def test_n_auto_starts_a_worker_for_each_cpu(self, project: Project) -> None:
        """As for pytest-xdist; another word is refused."""
        pytest.importorskip("xdist")
        project.write(test_a=MIXED)
        out, _ = project.measure("-n", "auto")
        assert len(project.runs()[0].measurements) == 3
        assert project.runs()[0].header.n_workers == len(os.sched_getaffinity(0))
        assert "the least possible" in out
        _, err = project.measure("-n", "many", status=2)
        assert "'many' is not a number of workers, or auto" in err

    def test_a_session_is_saved_under_a_name(self, project: Project) -> None:
        """For `compare --baseline NAME`; a name that cannot be used is refused before anything runs."""
        project.write(test_a=MIXED)
        _, err = project.measure("--save", "before")
        assert "testinfra compare --baseline before" in err
        assert len([*(project.root / ".testinfra/baselines/before").glob("*.jsonl")]) == 1
        _, err = project.measure("--save", "a/b", status=2)
        assert "'a/b'" in err
        assert len(project.runs()) == 1


SLEEPY = """
    import time
    from hypothesis import given, settings, strategies as st

    @given(st.booleans())
    def test_a_quick(x):
        pass

    @settings(deadline=None)
    @given(st.booleans())
    def test_b_endless(x):
        time.sleep(600)
"""


@pytest.mark.integration
class TestCut:
    """Whatever ends a run early, what was measured until then is shown."""

    @pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
    def test_the_table_comes_after_a_signal(self, project: Project, signum: signal.Signals) -> None:
        """With the way to go on, and the signal's exit status."""
        project.write(test_a=SLEEPY)
        process = project.start()
        for _ in range(600):
            if any(
                b"test_a_quick" in file.read_bytes().partition(b"collected")[2].partition(b"\n")[2]
                for file in project.root.rglob("*.jsonl")
            ):
                break
            time.sleep(0.1)
        process.send_signal(signum)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 128 + signum
        assert "as-is: 1 property, slowest first" in out
        assert "test_a.py::test_a_quick" in out
        assert "testinfra measure --resume" in err

    def test_a_time_budget_holds_from_the_first_run_on(self, project: Project) -> None:
        """A test that would take an hour is cut, what ran before is shown, and the session can be resumed."""
        project.write(test_a=SLEEPY)
        began = time.monotonic()
        out, err = project.measure("--time-budget", "8")
        assert time.monotonic() - began < 60
        assert "test_a.py::test_a_quick" in out
        assert "in the time budget of 8 s; go on with: testinfra measure --resume" in err
        (run,) = project.runs()
        assert [record.outcome for record in run.measurements] == [Outcome.PASSED, Outcome.INTERRUPTED]


def test_what_threads_do_after_the_last_test_is_recorded(project: Project) -> None:
    """A pool that outlives its test does its work when the tests have ended: no call is charged for it."""
    project.write(
        test_a="""
        from concurrent.futures import ThreadPoolExecutor
        from threading import Event
        from hypothesis import given, settings, strategies as st

        POOL = ThreadPoolExecutor(1)
        TESTS_HAVE_ENDED = Event()

        def spin():
            TESTS_HAVE_ENDED.wait()
            for n in range(200_000):
                n * n

        @settings(max_examples=3)
        @given(st.integers())
        def test_fires_and_forgets(n):
            POOL.submit(spin)
        """,
        conftest="""
        def pytest_unconfigure():
            import sys
            sys.modules["test_a"].TESTS_HAVE_ENDED.set()
        """,
    )
    with project.start() as process:
        _, said = process.communicate()
    assert process.returncode == 0, said
    (run,) = project.runs()
    assert run.end is not None
    assert run.end.exit_status == 0
    assert run.end.other_threads_cpu_s is not None
    (record,) = run.measurements
    in_the_call_s = record.call.cpu_s - (record.call.thread_cpu_s or 0.0)
    outside_s = run.end.other_threads_cpu_s - in_the_call_s
    assert outside_of([run]).seconds[OTHER_THREADS] == pytest.approx(outside_s)
    assert run.end.other_threads_cpu_s > in_the_call_s
