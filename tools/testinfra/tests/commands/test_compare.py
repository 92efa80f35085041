"""`testinfra compare`: what BASE and NEW may be, what it prints and returns, and the rerun in a worktree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import pytest
from tests.git_repository import git
from tests.made_runs import make_record, make_run

from atom_testinfra.cli import main
from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.aggregation import gather_evidence
from atom_testinfra.core.records.measurement import Provenance, Run
from atom_testinfra.core.targets.verification import complete
from atom_testinfra.core.vocabulary import Outcome
from atom_testinfra.machine.fingerprint import read_provenance
from atom_testinfra.storage.baseline import save_baseline
from atom_testinfra.storage.folders import prepare_folder
from atom_testinfra.storage.project import load_project
from atom_testinfra.storage.recordings import find_recording, save_runs
from atom_testinfra.storage.runs import load_run, save_run
from atom_testinfra.storage.sessions import load_session

NAMES = [f"test_a.py::test_{i}" for i in range(6)]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without git."""
    (tmp_path / "pyproject.toml").write_text("[tool.testinfra]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def write_session(
    project: Path, session: str, n_runs: int, folder: str = ".testinfra/runs", **changes: Any
) -> None:
    """Write the run files of a session: ten properties of 1 ms, but for the changes."""
    prepare_folder(project / folder)
    for repeat in range(n_runs):
        write_run(project / folder, session_run(session, repeat, **changes))


def session_run(
    session: str,
    repeat: int,
    *,
    costs: Mapping[str, float] | None = None,
    names: list[str] | None = None,
    outcome: Outcome = Outcome.PASSED,
    profile: str = "local",
    is_traced: bool = False,
    provenance: Provenance | None = None,
) -> Run:
    records = [make_record(name, (costs or {}).get(name, 0.001), outcome=outcome) for name in names or NAMES]
    run = make_run(records, repeat=repeat, profile=profile)
    header = msgspec.structs.replace(
        run.header,
        session_id=session,
        run_id=f"{session}-{profile}-r{repeat}",
        is_traced=is_traced,
        provenance=provenance or run.header.provenance,
    )
    return msgspec.structs.replace(run, header=header)


def write_run(folder: Path, run: Run) -> None:
    assert run.collected is not None
    save_run(run, folder / f"{run.header.run_id}.jsonl")


def compare(*arguments: str) -> int:
    return main(["compare", *arguments])


class TestVerdicts:
    def test_reports_by_default_and_fails_with_a_gate(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A slow-down is printed either way; only --gate makes it a failure."""
        write_session(project, "a", 5)
        write_session(project, "b", 3, costs={NAMES[0]: 0.002})
        assert compare("a", "b") == 0
        output = capsys.readouterr().out
        assert "slower  test_a.py::test_0" in output
        assert "1 slower, 5 ok" in output
        assert max(map(len, output.splitlines())) <= 80
        assert compare("a", "b", "--gate") == 1
        assert compare("a", "b", "--gate", "--threshold", "body_cpu:150%") == 0

    @pytest.mark.parametrize("sides", [("",), ("a", "")])
    def test_an_empty_word_is_refused(
        self, project: Path, capsys: pytest.CaptureFixture[str], sides: tuple[str, ...]
    ) -> None:
        """It is a shell variable that is not set; with the default base, the gate could pass by mistake."""
        write_session(project, "a", 5)
        write_session(project, "b", 3)
        assert compare(*sides, "--gate") == 2
        assert "an empty word names nothing to compare with" in " ".join(capsys.readouterr().err.split())

    def test_equal_sessions_are_ok(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing is listed, and the counts say that something was compared."""
        write_session(project, "a", 5)
        write_session(project, "b", 3)
        assert compare("a", "latest", "--gate") == 0
        assert "6 ok" in capsys.readouterr().out

    def test_runs_against_themselves_are_told(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Right after `verify`, every `ok` says no more than that a run is equal to itself."""
        write_session(project, "a", 5)
        write_session(project, "b", 5)
        compare("--save-baseline", "before")
        capsys.readouterr()
        compare("--baseline", "before", "b")
        assert "Nothing can differ: before holds runs of b itself." in capsys.readouterr().out
        compare("--baseline", "before", "a")
        assert "Nothing can differ" not in capsys.readouterr().out

    def test_a_part_of_the_same_runs_is_told(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Runs that were added to a session since may well differ."""
        write_session(project, "a", 5)
        compare("--save-baseline", "before")
        write_run(project / ".testinfra" / "runs", session_run("a", 5))
        capsys.readouterr()
        assert compare("--baseline", "before", "a") == 0
        captured = capsys.readouterr()
        assert "5 runs are in before and in a: that hides what differs." in captured.out
        assert "Nothing can differ" not in captured.out

    @pytest.mark.parametrize("cost", [0.002, 0.0005], ids=["slower", "faster"])
    def test_the_same_runs_have_the_same_costs(
        self, project: Path, capsys: pytest.CaptureFixture[str], cost: float
    ) -> None:
        """Where they do not, a file was changed, and no verdict comes of it."""
        write_session(project, "a", 5)
        (project / ".testinfra" / "runs").rename(project / "before")
        write_session(project, "a", 5, costs={NAMES[0]: cost})
        assert compare("before", "a", "--gate", "--no-confirm") == 2
        captured = capsys.readouterr()
        assert "'before' and 'a' hold the same runs, but not the same costs" in captured.err
        assert captured.out == ""

    def test_json_is_one_document(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Every test with its verdict, the suite's factor, and what a gate would say."""
        write_session(project, "a", 5)
        write_session(project, "b", 3, costs={NAMES[0]: 0.002})
        assert compare("a", "b", "--json") == 0
        document = json.loads(capsys.readouterr().out)
        assert document["is_slower"] is True
        assert document["counts"] == {"slower": 1, "ok": 5}
        assert document["changes"][0]["nodeid"] == NAMES[0]
        assert document["suite_factor"] == pytest.approx(1)

    def test_a_suspect_that_cannot_run_again_keeps_its_verdict_with_a_note(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The reader is told that it was not confirmed, and why."""
        write_session(project, "a", 5)
        write_session(project, "b", 3, costs={NAMES[0]: 0.002})
        compare("a", "b")
        assert "Suspects were not run again" in capsys.readouterr().out
        compare("a", "b", "--no-confirm")
        assert "--no-confirm" in capsys.readouterr().out

    def test_one_reason_is_one_line(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Two hundred tests of other seeds and a hundred that are gone do not bury the slower one."""
        names = [f"test_b.py::test_{i:03}" for i in range(200)]
        gone = [f"test_c.py::test_{i:03}" for i in range(100)]
        for session, n_runs, cost, bound, more in (("a", 5, 0.001, 200, gone), ("b", 3, 0.003, 50, [])):
            for repeat in range(n_runs):
                run = session_run(session, repeat, names=[*NAMES, *names, *more], costs={NAMES[0]: cost})
                records = [
                    msgspec.structs.replace(
                        record, hypothesis=msgspec.structs.replace(record.hypothesis, configured=bound)
                    )
                    if record.nodeid in names and record.hypothesis is not None
                    else record
                    for record in run.measurements
                ]
                prepare_folder(project / ".testinfra" / "runs")
                write_run(project / ".testinfra" / "runs", msgspec.structs.replace(run, measurements=records))
        assert compare("a", "b", "--no-confirm") == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) < 25
        text = " ".join(" ".join(lines).split())
        assert "workload changed: 200 tests, 200 examples of seed set 0 before, 50 examples" in text
        assert "test_b.py::test_002 and 197 more)" in text
        assert "gone: 100 tests (test_c.py::test_000" in text
        compare("a", "b", "--no-confirm", "--all")
        assert len(capsys.readouterr().out.splitlines()) > 300

    def test_a_pipe_has_no_width(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A name is neither cut nor broken where there is no terminal."""
        monkeypatch.delenv("COLUMNS")
        name = f"tests/{'deep/' * 40}test_a.py::test_{'long' * 40}"
        write_session(project, "a", 5, names=[name])
        write_session(project, "b", 3, names=[name], costs={name: 0.002})
        assert compare("a", "b", "--no-confirm") == 0
        assert name in capsys.readouterr().out

    def test_two_factors_are_explained(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """One is from run to run, the other from test to test."""
        write_session(project, "a", 5)
        write_session(project, "b", 3, costs=dict.fromkeys(NAMES, 0.002))
        assert compare("a", "b", "--no-confirm") == 0
        text = " ".join(capsys.readouterr().out.split())
        assert "The suite as a whole: 2.00 times the base (2.00 to 2.00), run against run" in text
        assert (
            "The median test changed by these factors, which are removed from each test: parts 2.00." in text
        )

    def test_a_hint_goes_by_the_cause(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Where the tests were changed or renamed, more repeats would not help."""
        write_session(project, "a", 5, names=["test_a.py::test_old"])
        write_session(project, "b", 3, names=["test_a.py::test_old"])
        for path in (project / ".testinfra" / "runs").glob("b-*"):
            path.write_text(path.read_text().replace("digest of", "another digest of"))
        assert compare("a", "b") == 3
        error = capsys.readouterr().err
        assert "hint: measure both sides with the same tests, examples and seeds" in error

    def test_markup_in_a_node_id_is_text(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Brackets of parameters are not colours."""
        name = "test_a.py::test_x[[bold]red[/]]"
        write_session(project, "a", 5, names=[name])
        write_session(project, "b", 3, names=[name], costs={name: 0.002})
        assert compare("a", "b") == 0
        assert name in capsys.readouterr().out


class TestSides:
    def test_a_saved_baseline_outlives_its_session(self, project: Path) -> None:
        """Saved under a name, found again after the run files are gone; saving again replaces it."""
        write_session(project, "a", 5)
        assert compare("--save-baseline", "before") == 0
        for path in (project / ".testinfra" / "runs").glob("*.jsonl"):
            path.unlink()
        write_session(project, "b", 5, costs={NAMES[0]: 0.002})
        assert compare("--baseline", "before", "--gate") == 1
        assert compare("--baseline", "before", "--save-baseline", "before") == 0
        write_session(project, "c", 3, costs={NAMES[0]: 0.002})
        assert compare("--baseline", "before", "--gate") == 0

    def test_an_unfinished_session_is_not_saved(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Later comparisons would rest on the part of the suite that ran."""
        write_session(project, "a", 5)
        path = min((project / ".testinfra" / "runs").glob("*.jsonl"))
        cut_off = msgspec.structs.replace(load_run(path), end=None, measurements=[])
        path.unlink()
        save_run(cut_off, path)
        assert compare("--save-baseline", "before") == 2
        err = capsys.readouterr().err
        assert "not saved as 'before': 'a' is not finished" in err
        assert "hint: finish it: testinfra measure --resume" in err
        assert not (project / ".testinfra" / "baselines").exists()

    def test_saved_runs_keep_themselves_out_of_version_control(self, project: Path) -> None:
        """Where they stand beside a person's own baselines, these are seen as before."""
        mine = project / "baselines" / "mine"
        mine.mkdir(parents=True)
        (project / "pyproject.toml").write_text('[tool.testinfra]\nruns = "runs"\n')
        write_session(project, "a", 5, folder="runs")
        for _ in range(2):
            assert compare("--save-baseline", "before") == 0
        assert sorted(path.name for path in (project / "baselines").iterdir()) == ["before", "mine"]
        assert (project / "baselines" / "before" / ".gitignore").read_text() == "*\n"
        assert len(load_session(project / "baselines" / "before")) == 5

    @pytest.mark.parametrize(
        ("name", "content"),
        [("notes.txt", "mine"), ("rows.jsonl", '{"mine": 1}\n'), (".gitignore", "*.csv\n")],
    )
    def test_a_folder_of_somebody_else_is_never_replaced(
        self, project: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
    ) -> None:
        """Not even one with run files in it: the error names what stands there, and what to do."""
        write_session(project, "a", 5)
        assert compare("--save-baseline", "before") == 0
        folder = project / ".testinfra" / "baselines" / "before"
        (folder / name).write_text(content)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert compare("--save-baseline", "before") == 2
        captured = capsys.readouterr()
        assert f"before' holds {name!r}, which is not a run file, so it is not replaced" in captured.err
        assert "hint: save under another name, or move the folder elsewhere" in captured.err
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert not list(folder.parent.glob(".saving-*"))

    def test_a_link_to_a_folder_is_never_replaced(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What it leads to is elsewhere, and not the tool's."""
        write_session(project, "a", 5)
        assert compare("--save-baseline", "before") == 0
        folder = project / ".testinfra" / "baselines" / "before"
        kept = folder.rename(project / "kept")
        folder.symlink_to(kept, target_is_directory=True)
        assert compare("--save-baseline", "before") == 2
        assert "is a link" in capsys.readouterr().err
        assert len(load_session(kept)) == 5

    def test_a_folder_of_run_files_is_a_side(self, project: Path) -> None:
        """As an artifact of another job would be."""
        write_session(project, "a", 5)
        (project / ".testinfra" / "runs").rename(project / "downloaded")
        write_session(project, "b", 3)
        assert compare("downloaded", "latest") == 0

    def test_the_only_common_profile_is_taken(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A profile that both sides have, and no other, is compared and named in the output."""
        write_session(project, "a", 5, profile="ci")
        write_session(project, "b", 3, profile="ci")
        assert compare("a", "b") == 0
        assert "profile ci" in capsys.readouterr().out

    def test_the_profile_that_has_enough_runs_is_taken(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One long local run says what a person waits; the five quick ones are what is compared."""
        for session, n_runs in {"a": 5, "b": 3}.items():
            write_session(project, session, 1)
            write_session(project, session, n_runs, profile="ci")
        assert compare("a", "b") == 0
        assert "profile ci" in capsys.readouterr().out
        assert compare("a", "b", "--profile", "local") == 3
        assert "hint: measure the base with --repeats 5" in capsys.readouterr().err

    def test_the_local_profile_goes_before_others_that_have_enough_runs_too(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It has the most examples."""
        for session, n_runs in {"a": 5, "b": 3}.items():
            write_session(project, session, n_runs)
            write_session(project, session, n_runs, profile="ci")
        assert compare("a", "b") == 0
        assert "profile local" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("base", "new", "expected"),
        [
            ({"local": 1, "nightly": 5, "ci": 5}, {"local": 1, "nightly": 3, "ci": 3}, "ci"),
            ({"local": 5, "nightly": 5, "ci": 5}, {"local": 2, "nightly": 3, "ci": 2}, "nightly"),
            ({"nightly": 5, "ci": 5}, {"nightly": 3, "ci": 3}, "ci"),
            ({"local": 4, "ci": 4}, {"local": 3, "ci": 3}, "local"),
            ({"nightly": 5, "ci": 4}, {"ci": 3}, "ci"),
        ],
    )
    def test_the_first_by_name_of_those_that_have_enough_runs_is_taken(
        self,
        project: Path,
        capsys: pytest.CaptureFixture[str],
        base: dict[str, int],
        new: dict[str, int],
        expected: str,
    ) -> None:
        """However many do; where none has, the local one is taken, or the only one in common."""
        for session, profiles in {"a": base, "b": new}.items():
            for profile, n_runs in profiles.items():
                write_session(project, session, n_runs, profile=profile)
        compare("a", "b", "--json")
        assert json.loads(capsys.readouterr().out)["profile"] == expected

    def test_with_neither_the_choice_is_the_person_s(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Two profiles that both sides have; neither has enough runs, and neither is the local one."""
        for session in ("a", "b"):
            for profile in ("ci", "nightly"):
                write_session(project, session, 2, profile=profile)
        assert compare("a", "b") == 3
        assert "hint: choose one that both have with --profile" in capsys.readouterr().err


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "status", "message"),
        [
            (["nosuch"], 3, "'nosuch' is not a file, session, saved name or revision"),
            (["n" * 5000], 3, "is not a file, session, saved name or revision"),
            (["HEAD:" + "n" * 5000], 3, "is not a file, session, saved name or revision"),
            (["--baseline", "n" * 5000], 2, "cannot be saved as 'nnn"),
            (["saved"], 3, "hint: compare with them: testinfra compare --baseline saved"),
            (["nosuch.json"], 3, "no file 'nosuch.json'"),
            (["--baseline", "nosuch"], 3, "no baseline was saved as 'nosuch'"),
            (["--baseline", "../x"], 2, "cannot be saved as '../x'"),
            (["--save-baseline", "a/b"], 2, "cannot be saved as 'a/b'"),
            ([], 3, "no baseline at"),
            (["a", "b", "--threshold", "mean:5%"], 2, "no statistic 'mean'"),
            (["a", "b", "--profile", "nosuch"], 3, "no runs of the profile 'nosuch'"),
            (["--baseline", "x", "a", "b"], 2, "only NEW"),
        ],
    )
    def test_a_bad_argument_is_one_line(
        self,
        project: Path,
        capfd: pytest.CaptureFixture[str],
        arguments: list[str],
        status: int,
        message: str,
    ) -> None:
        """It names the thing, and its status tells usage from nothing to compare."""
        write_session(project, "a", 5)
        write_session(project, "b", 3)
        save_runs(load_project(project), "saved", find_recording(load_project(project), "a"))
        assert compare(*arguments) == status
        captured = capfd.readouterr()
        assert message in captured.err
        assert captured.out == ""
        assert "Traceback" not in captured.err

    def test_what_git_does_not_have_is_said(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """That there is no such revision, or that it has no such file: not one for the other."""
        write_session(project, "a", 5)
        git(project, "init", "-q")
        git(project, "commit", "-q", "--allow-empty", "-m", "one")
        assert compare("nosuch") == 3
        assert "git knows no revision 'nosuch'" in capsys.readouterr().err
        assert compare("HEAD") == 3
        error = "'HEAD' names no baseline: there is no 'performance_baseline.json' at 'HEAD'"
        assert error in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["HEAD", "HEAD:b.json", "HEAD:sub/b.json", "branch.json", "HEAD:b.dat"])
    def test_a_revision_s_file_may_have_any_suffix(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """`REV:PATH` is read from git, from the project's folder or, as git does, from the repository's."""
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        write_session(project, "a", 5)
        write_session(project, "b", 3)
        written = write_baseline(project, "a")
        inner = project / "sub"
        inner.mkdir()
        for copy in (project / "b.json", project / "b.dat", inner / "b.json", inner / written.name):
            copy.write_bytes(written.read_bytes())
        git(project, "init", "-q")
        git(project, "add", "-f", "-A")
        git(project, "commit", "-q", "-m", "all")
        git(project, "branch", "branch.json")
        for path in (project / "b.json", project / "b.dat", inner / "b.json"):
            path.unlink()
        assert compare(name, "b") == 0
        (inner / "pyproject.toml").write_text("[tool.testinfra]\nruns = '../.testinfra/runs'\n")
        monkeypatch.chdir(inner)
        assert compare(name, "b") == 0

    def test_a_path_with_a_dot_is_one_from_the_current_folder(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As in git; a path from there without the dot is told how it is written."""
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        write_session(project, "a", 5)
        write_session(project, "b", 3)
        inner = project / "sub"
        inner.mkdir()
        write_baseline(project, "a").rename(inner / "kept:1.json")
        git(project, "init", "-q")
        git(project, "add", "-f", "-A")
        git(project, "commit", "-q", "-m", "all")
        monkeypatch.chdir(inner)
        for name in ("HEAD:./kept:1.json", "HEAD:../sub/kept:1.json", "HEAD:sub/kept:1.json"):
            assert compare(name, "b") == 0
        capsys.readouterr()
        assert compare("HEAD:kept:1.json", "b") == 3
        assert capsys.readouterr().err.splitlines() == [
            "error: 'HEAD:kept:1.json' names no baseline: there is no 'kept:1.json' at 'HEAD'",
            "hint: did you mean HEAD:./kept:1.json?",
        ]

    @pytest.mark.parametrize(
        ("name", "status", "error", "hint"),
        [
            (
                "HEAD:sub",
                3,
                "'HEAD:sub' names no baseline: 'sub' is a folder at 'HEAD'",
                "name a revision that has the file: REV or REV:PATH",
            ),
            (
                "HEAD:",
                3,
                "'HEAD:' names no baseline: '.' is a folder at 'HEAD'",
                "name a revision that has the file: REV or REV:PATH",
            ),
            (
                ":sub/notes.txt",
                3,
                "':sub/notes.txt' names no revision before the colon",
                "write REV:PATH, such as HEAD:PATH, or the path alone for the file as it is now",
            ),
            (
                "HEAD:sub/notes.txt",
                2,
                "'HEAD:sub/notes.txt':1:5: JSON is malformed: invalid character",
                "name another revision or path: REV or REV:PATH",
            ),
        ],
    )
    def test_what_is_committed_there_is_named(
        self,
        project: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        name: str,
        status: int,
        error: str,
        hint: str,
    ) -> None:
        """A folder, another file and a path without a revision are not called a missing file."""
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        write_session(project, "b", 3)
        (project / "sub").mkdir()
        (project / "sub" / "notes.txt").write_text("notes")
        git(project, "init", "-q")
        git(project, "add", "-f", "-A")
        git(project, "commit", "-q", "-m", "all")
        assert compare(name, "b") == status
        assert capsys.readouterr().err.splitlines() == [f"error: {error}", f"hint: {hint}"]

    def test_a_shallow_clone_says_how_to_get_the_history(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A checkout in CI has one commit unless it is told otherwise."""
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        git(project, "init", "-q")
        write_session(project, "a", 5)
        write_baseline(project, "a")
        for message in ("one", "two"):
            git(project, "add", "-f", "-A")
            git(project, "commit", "-q", "--allow-empty", "-m", message)
        git(project, "clone", "-q", "--depth", "1", f"file://{project}", "shallow")
        monkeypatch.chdir(project / "shallow")
        assert compare("HEAD~1", "a") == 3
        assert "hint: this is a shallow clone" in capsys.readouterr().err
        assert main(["history"]) == 0
        assert "left out: older commits: this is a shallow clone" in capsys.readouterr().err

    def test_nothing_in_common_is_status_3(self, project: Path) -> None:
        """Never green, with or without a gate."""
        write_session(project, "a", 5)
        write_session(project, "b", 3, names=["test_b.py::test_other"])
        assert compare("a", "b") == 3

    def test_all_failed_is_status_3(self, project: Path) -> None:
        """No test that passed on both sides is nothing to compare."""
        write_session(project, "a", 5)
        write_session(project, "b", 3, outcome=Outcome.FAILED)
        assert compare("a", "b") == 3

    def test_tracing_is_refused(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Runs under coverage have no cost to compare."""
        write_session(project, "a", 5)
        write_session(project, "b", 3, is_traced=True)
        assert compare("a", "b") == 2
        assert "coverage" in capsys.readouterr().err

    def test_no_session_at_all_is_status_3(self, project: Path) -> None:
        """In a project that was never measured there is nothing to compare."""
        assert compare("latest") == 3


def write_baseline(project: Path, session: str, name: str = "performance_baseline.json") -> Path:
    """Write the baseline of a session, as `verify` does."""
    runs = load_session(project / ".testinfra" / "runs", session)
    evidence = gather_evidence(runs, targets=Targets(), tiers={})
    save_baseline(project / name, complete(evidence, "2026-01-01T00:00:00Z"))
    return project / name


def change_by_hand(path: Path, factor: float) -> None:
    """Multiply what one test cost in every run; the file stays a baseline."""
    document = json.loads(path.read_text())
    runs = document["properties"][NAMES[0]]["profiles"]["local"]["runs"]
    runs["body_cpu_us"] = [us * factor for us in runs["body_cpu_us"]]
    path.write_text(json.dumps(document))


class TestBaselineFiles:
    """A baseline as a side, as it was written and as somebody wants it to be."""

    @pytest.fixture
    def baseline(self, project: Path) -> Path:
        """Of five runs; three further ones, of a test that got slower, are the latest session."""
        write_session(project, "a", 5)
        write_session(project, "b", 3, costs={NAMES[0]: 0.002})
        return write_baseline(project, "a")

    def test_a_baseline_is_compared_however_it_is_laid_out(self, project: Path, baseline: Path) -> None:
        """By itself it is BASE, and a formatter changes no figure."""
        assert compare("--gate", "--no-confirm") == 1
        baseline.write_text(json.dumps(json.loads(baseline.read_text()), indent=4))
        assert compare("--gate", "--no-confirm") == 1

    @pytest.mark.parametrize("profile", ["nosuch", 'a"b', "a\\b", "\n", ""])
    def test_a_profile_that_it_does_not_have_is_one_line(
        self, project: Path, baseline: Path, capsys: pytest.CaptureFixture[str], profile: str
    ) -> None:
        """Whatever it is called: the file's own ones are told."""
        assert compare("--profile", profile) == 3
        captured = capsys.readouterr()
        assert f"'performance_baseline.json' has no runs of the profile {profile!r}" in captured.err.replace(
            str(project) + os.sep, ""
        )
        assert "hint: choose one with --profile: local\n" in captured.err
        assert captured.out == ""

    def test_a_profile_of_any_name_is_compared(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`--testinfra-profile` of pytest takes every text."""
        write_session(project, "a", 5, profile='a"b')
        write_session(project, "b", 3, profile='a"b', costs={NAMES[0]: 0.002})
        write_baseline(project, "a")
        assert compare("--gate", "--no-confirm") == 1
        assert 'profile a"b' in capsys.readouterr().out

    @pytest.mark.parametrize("factor", [0.01, 2.0])
    def test_a_figure_changed_by_hand_is_refused(
        self, project: Path, baseline: Path, capsys: pytest.CaptureFixture[str], factor: float
    ) -> None:
        """Neither does it find a test slower, nor does it let a slower one through."""
        change_by_hand(baseline, factor)
        assert compare("--gate", "--no-confirm") == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert f"was changed after it was written: the digest of '{NAMES[0]}' does not hold" in captured.err
        assert f"hint: see which figures: testinfra verify --check {baseline}" in captured.err

    def test_a_figure_changed_by_hand_is_refused_on_either_side(self, project: Path, baseline: Path) -> None:
        """Also against the file that it was made from."""
        changed = write_baseline(project, "a", "changed.json")
        change_by_hand(changed, 0.01)
        assert compare("performance_baseline.json", "performance_baseline.json") == 0
        assert compare("performance_baseline.json", "changed.json", "--gate", "--no-confirm") == 2
        assert compare("changed.json", "performance_baseline.json", "--gate", "--no-confirm") == 2

    def test_a_committed_figure_changed_by_hand_is_refused_too(
        self,
        project: Path,
        baseline: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A revision of it is no better."""
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        git(project, "init", "-q")
        for message in ("as written", "changed"):
            git(project, "add", baseline.name)
            git(project, "commit", "-q", "-m", message)
            change_by_hand(baseline, 2.0)
        assert compare("HEAD~1", "b", "--gate", "--no-confirm") == 1
        assert compare("HEAD", "b", "--gate", "--no-confirm") == 2
        assert "'HEAD' was changed after it was written" in capsys.readouterr().err


SUITE = """
    from hypothesis import given, strategies as st
    from product import work

    @given(st.integers(0, 9))
    def test_slow(x): work()

    @given(st.integers(0, 9))
    def test_steady(x): sum(range(2000))
"""


@pytest.fixture
def repository(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose second commit makes the product three times slower; both commits are measured."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git(project, "init", "-q")
    (project / ".gitignore").write_text(".testinfra\n__pycache__\n.hypothesis\n.pytest_cache\n")
    (project / "tests").mkdir()
    (project / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\npythonpath = ['src']\n[tool.testinfra]\npaths = ['tests']\n"
        "[tool.testinfra.profiles.local]\nmax_examples = 30\n"
    )
    (project / "tests" / "test_a.py").write_text(dedent(SUITE))
    (project / "src").mkdir()
    for n, turns in enumerate((3000, 9000)):
        (project / "src" / "product.py").write_text(f"def work():\n    return sum(range({turns}))\n")
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", f"commit {n}")
        measure(project, "5" if n == 0 else "3")
        if n == 0:
            save(project, "before")
    return project


def run_testinfra(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "atom_testinfra", *arguments]
    return subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True)


def measure(folder: Path, repeats: str) -> None:
    done = run_testinfra(folder, "measure", "--profile", "local", "--repeats", repeats)
    assert done.returncode == 0, done.stderr


def save(folder: Path, name: str) -> None:
    done = run_testinfra(folder, "compare", "--save-baseline", name)
    assert done.returncode == 0, done.stderr


class TestRerun:
    @pytest.mark.integration
    def test_a_suspect_runs_again_beside_its_base_commit(self, repository: Path) -> None:
        """Both sides ran again, in turns, the slow-down is confirmed, and no tree is left behind."""
        done = run_testinfra(
            repository, "compare", "--baseline", "before", "--gate", "--reruns", "3", "--json"
        )
        assert done.returncode == 1, done.stderr
        document = json.loads(done.stdout)
        (slow,) = [c for c in document["changes"] if c["nodeid"].endswith("test_slow")]
        assert slow["verdict"] == "slower"
        assert slow["n_runs"] == [3, 3]
        assert slow["suspected"]["value"] > 1.5
        assert document["notes"] == []
        trees = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True)
        assert len(trees.stdout.splitlines()) == 1

    @pytest.mark.integration
    def test_the_base_must_not_be_the_working_tree(self, repository: Path) -> None:
        """A product that is imported from the working tree on both sides is noticed, and said."""
        (repository / "tests" / "conftest.py").write_text(
            f"import sys\nsys.path.insert(0, {str(repository / 'src')!r})\n"
        )
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "--amend", "-m", "both")
        git(repository, "stash", "--include-untracked", "--quiet")
        measure(repository, "5")
        save(repository, "same")
        (repository / "src" / "product.py").write_text("def work():\n    return sum(range(30000))\n")
        git(repository, "commit", "-q", "-a", "-m", "slower")
        measure(repository, "3")
        done = run_testinfra(repository, "compare", "--baseline", "same", "--reruns", "3", "--json")
        assert "'product' was imported from the working tree" in " ".join(json.loads(done.stdout)["notes"])

    def test_suspects_are_not_run_again_on_another_commit(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """NEW was measured on another commit than the one here now."""
        write_session(project, "a", 5)
        write_session(project, "b", 3, costs={NAMES[0]: 0.002})
        compare("a", "b")
        assert "no longer what 'b' measured" in " ".join(capsys.readouterr().out.split())

    @pytest.mark.parametrize(
        ("name", "is_refused"), [("product.py", True), ("performance_baseline.json", False)]
    )
    def test_an_edit_on_top_of_an_edit_is_noticed(
        self, project: Path, capsys: pytest.CaptureFixture[str], name: str, is_refused: bool
    ) -> None:
        """The tree is dirty before and after, and another one; what `verify` writes does not make it one."""
        git(project, "init", "-q")
        for file in ("product.py", "performance_baseline.json"):
            (project / file).write_text("{}\n")
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", "first")
        outputs = load_project(project).outputs
        write_session(project, "a", 5, provenance=read_provenance(project, [], outputs=outputs))
        (project / "product.py").write_text("1\n")
        made = read_provenance(project, [], outputs=outputs)
        write_session(project, "b", 3, costs={NAMES[0]: 0.002}, provenance=made)
        (project / name).write_text("2\n")
        compare("a", "b")
        output = " ".join(capsys.readouterr().out.split())
        assert ("no longer what 'b' measured" in output) is is_refused
        assert "Suspects were not run again" in output


def test_exact_needs_valgrind(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing program is named, with how to get it, before anything is run."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    write_session(project, "a", 5)
    write_session(project, "b", 3, costs={NAMES[0]: 0.002})
    assert compare("a", "b", "--exact") == 2
    captured = capsys.readouterr()
    assert "valgrind" in captured.err
    assert "hint: apt install valgrind" in captured.err


class TestGithub:
    """In a workflow the tests are annotated, and the job summary says what moved."""

    @pytest.fixture
    def summary(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A workflow, and two sessions: one test got twice as slow."""
        path = project / "summary.md"
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
        write_session(project, "a", 5)
        write_session(project, "b", 3, costs={NAMES[0]: 0.002})
        for run in (project / ".testinfra" / "runs").glob("b-*"):
            run.write_text(
                run.read_text().replace('"calibration_s"', '"path":"t,1:a.py","line":7,"calibration_s"')
            )
        return path

    @pytest.mark.parametrize(("gate", "kind"), [([], "warning"), (["--gate"], "error")])
    def test_what_got_slower_is_annotated(
        self, summary: Path, capsys: pytest.CaptureFixture[str], gate: list[str], kind: str
    ) -> None:
        """At its file and line; as an error if that fails the step."""
        assert compare("a", "b", "--no-confirm", "--json", *gate) == len(gate)
        captured = capsys.readouterr()
        (line,) = [line for line in captured.err.splitlines() if line.startswith("::")]
        assert line.startswith(f"::{kind} file=t%2C1%3Aa.py,line=7,title=slower test::{NAMES[0]}: 2.00 times")
        assert json.loads(captured.out)["is_slower"] is True

    def test_the_summary_says_what_it_costs(self, summary: Path) -> None:
        """It is appended to what is there, and says nothing else where nothing got slower."""
        summary.write_text("before\n")
        compare("a", "b", "--no-confirm")
        text = summary.read_text()
        assert text.startswith("before\n## Cost of the tests: something got slower\n")
        assert "| slower | `test_a.py::test_0` |" in text
        assert "+200 ms" in text
        compare("a", "a")
        assert "## Cost of the tests: nothing got slower" in summary.read_text()

    def test_elsewhere_nothing_is_annotated(
        self, summary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A terminal would show the commands as text."""
        monkeypatch.delenv("GITHUB_ACTIONS")
        monkeypatch.delenv("GITHUB_STEP_SUMMARY")
        compare("a", "b", "--no-confirm")
        assert "::warning" not in capsys.readouterr().err
        assert not summary.exists()


WORK_ELSEWHERE = """
    import subprocess, sys, threading, time
    import pytest
    from hypothesis import HealthCheck, given, settings, strategies as st
    import product

    def spin(seconds):
        until = time.thread_time() + seconds
        while time.thread_time() < until: pass

    @given(st.integers(0, 9))
    def test_thread(n):
        thread = threading.Thread(target=spin, args=(product.THREAD_S,))
        thread.start()
        thread.join()

    CHILD = "import time\\nwhile time.process_time() < {}: pass"

    @given(st.integers(0, 3))
    def test_child(n):
        subprocess.run([sys.executable, "-S", "-c", CHILD.format(product.CHILD_S)], check=True)

    @st.composite
    def numbers(draw):
        spin(product.STRATEGY_S)
        return draw(st.integers(0, 9))

    @given(numbers())
    def test_strategy(n): spin(0.001)

    @pytest.fixture
    def narrow():
        spin(product.FIXTURE_S)

    @settings(suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 9))
    def test_fixture(narrow, n): spin(0.001)

    @given(st.integers(0, 9))
    def test_steady(n): spin(0.005)

    @given(st.integers(0, 9))
    def test_filter(n):
        spin(0.001)
        if n % product.STEP: from hypothesis import reject; reject()
"""


@pytest.mark.integration
def test_work_is_seen_wherever_it_is_done(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other threads, child processes, strategies, fixtures and filters: each is named."""
    (project / "pyproject.toml").write_text("[tool.testinfra.profiles.local]\nmax_examples = 8\n")
    (project / "test_a.py").write_text(dedent(WORK_ELSEWHERE))
    for n, repeats in ((1, "5"), (3, "3")):
        seconds = {"THREAD": 0.005, "CHILD": 0.03, "STRATEGY": 0.004, "FIXTURE": 0.05}
        lines = [f"{name}_S = {cost_s * n}" for name, cost_s in seconds.items()]
        (project / "product.py").write_text("\n".join([*lines, f"STEP = {n}\n"]))
        measure(project, repeats)
        save(project, f"step-{n}")
    done = run_testinfra(project, "compare", "--baseline", "step-1", "--no-confirm", "--json")
    assert done.returncode == 0, done.stderr
    changes = json.loads(done.stdout)["changes"]
    found = {c["nodeid"].partition("::")[2]: (c["verdict"], c.get("part")) for c in changes}
    assert found.pop("test_steady")[0] != "slower"
    assert found == {
        "test_thread": ("slower", "other threads and child processes"),
        "test_child": ("slower", "other threads and child processes"),
        "test_strategy": ("slower", "drawing and Hypothesis"),
        "test_fixture": ("slower", "set-up and teardown"),
        "test_filter": ("slower", found["test_filter"][1]),
    }
    assert found["test_filter"][1] in {"test cases for each valid one", "drawing and Hypothesis", "body"}


class TestAgainst:
    @pytest.mark.integration
    def test_a_revision_and_the_working_tree_are_measured_in_turns(self, repository: Path) -> None:
        """No session and no baseline is needed; the slow-down is confirmed and no tree is left behind."""
        done = run_testinfra(
            repository, "compare", "--against", "HEAD~1", "--gate", "--reruns", "3", "--json"
        )
        assert done.returncode == 1, done.stderr
        document = json.loads(done.stdout)
        assert (document["base"], document["new"]) == ("HEAD~1", "the working tree")
        (slow,) = [c for c in document["changes"] if c["nodeid"].endswith("test_slow")]
        assert (slow["verdict"], slow["part"]) == ("slower", "body")
        assert slow["suspected"]["value"] > 1.5
        (steady,) = [c for c in document["changes"] if c["nodeid"].endswith("test_steady")]
        assert steady["verdict"] != "slower"
        order = [line.split(",")[0] for line in done.stderr.splitlines() if line.startswith("measuring")]
        assert order == [f"measuring {side}" for side in ["base", "new", "new", "base"] * 2 + ["base", "new"]]
        trees = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True)
        assert len(trees.stdout.splitlines()) == 1

    @pytest.mark.parametrize(
        ("arguments", "status", "message"),
        [
            (["base", "--against", "HEAD"], 2, "name no BASE, NEW or saved runs"),
            (["--against", "HEAD", "--save-baseline", "x"], 2, "name no BASE, NEW or saved runs"),
            (["--against", "nosuch"], 3, "nothing to compare with: git knows no revision 'nosuch'"),
            (["--against", "HEAD", "--profile", "nosuch"], 2, "there is no profile 'nosuch'"),
        ],
    )
    def test_what_cannot_be_measured_is_one_line(
        self,
        project: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        status: int,
        message: str,
    ) -> None:
        """Arguments that cannot be measured are one line on stderr, before anything is run."""
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        git(project, "init", "-q")
        git(project, "commit", "-q", "--allow-empty", "-m", "one")
        assert compare(*arguments) == status
        assert message in capsys.readouterr().err
