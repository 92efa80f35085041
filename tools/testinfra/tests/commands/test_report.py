"""`testinfra report`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.samples import make_baseline

from atom_testinfra.cli import main
from atom_testinfra.commands.report import SUMMARY_VARIABLE
from atom_testinfra.reports.markdown import SUMMARY_LIMIT
from atom_testinfra.storage.baseline import save_baseline


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a baseline."""
    (tmp_path / "pyproject.toml").write_text('[tool.testinfra]\nbaseline = "perf.json"\n', encoding="utf-8")
    save_baseline(tmp_path / "perf.json", make_baseline(40, hostile=True))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SUMMARY_VARIABLE, raising=False)
    return tmp_path


def test_the_terminal_gets_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a word about the format, a person reads the answer."""
    assert main(["report"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("perf.json, verified ")
    assert "Are we inside the targets?" in out
    assert "\x1b" not in out
    assert "error" not in err


def test_json_is_one_document(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script gets what the other formats show, as values."""
    assert main(["report", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == "atom-testinfra/report"
    assert report["targets"]["verdicts"][0]["verdict"] == "partial"
    assert len(report["properties"]) == 50


def test_the_page_goes_to_the_file_of_the_settings(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page of megabytes does not go to a terminal, and does not get committed by accident."""
    assert main(["report", "--format", "html"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "report.html" in err
    assert (project / ".testinfra" / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (project / ".testinfra" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_a_page_among_documents_hides_none_of_them(project: Path) -> None:
    """A folder that was there is the person's, whatever the page is called."""
    (project / "docs").mkdir()
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('report = "docs/report.html"\n')
    assert main(["report", "--format", "html"]) == 0
    assert [path.name for path in (project / "docs").iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("name", "beginning"),
    [("r.html", "<!doctype html>"), ("r.md", "### Property tests"), ("r.json", "{"), ("r.txt", "perf.json")],
)
def test_the_suffix_of_the_file_names_the_format(project: Path, name: str, beginning: str) -> None:
    """`-o report.html` is enough."""
    assert main(["report", "-o", f"out/{name}"]) == 0
    assert (project / "out" / name).read_text(encoding="utf-8").startswith(beginning)


def test_a_baseline_can_be_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody else's baseline is read like one's own."""
    (project / "other").mkdir()
    save_baseline(project / "other" / "b.json", make_baseline(1))

    assert main(["report", "other/b.json"]) == 0
    assert capsys.readouterr().out.startswith("other/b.json, verified ")


class TestHistory:
    def commit(self, project: Path, n: int, scale: float) -> None:
        """Commit a baseline in which every property costs `scale` times as much per example."""
        baseline = make_baseline(n, scale=scale, run_id=f"session-{scale}")
        save_baseline(project / "perf.json", baseline)
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        for command in (["add", "perf.json"], [*identity, "commit", "-qm", f"baseline {scale}"]):
            subprocess.run(["git", *command], cwd=project, check=True)

    def test_the_past_comes_from_the_committed_baselines(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Two commits of the baseline are a history, and what grew is in it."""
        subprocess.run(["git", "init", "-q"], cwd=project, check=True)
        for scale in (1.0, 3.0):
            self.commit(project, 5, scale)

        assert main(["report", "--json"]) == 0
        history = json.loads(capsys.readouterr().out)["history"]
        assert history["n_moments"] == 2
        assert len(history["histories"]) == 5
        points = history["histories"][0]["points"]
        assert points[1]["cost_us"] == pytest.approx(3 * points[0]["cost_us"], rel=0.01)

        assert main(["report", "--last", "0"]) == 0
        assert "was not looked at" in capsys.readouterr().out

    def test_outside_of_a_repository_the_reason_is_said(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A missing history is missing for a reason."""
        assert main(["report"]) == 0
        out, err = capsys.readouterr()
        assert "No history yet" in out
        assert "left out of the history" in err


class TestJobSummary:
    def test_in_a_workflow_the_report_is_added_to_the_job_summary(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is there already stays, and the terminal's report is printed all the same."""
        summary = project / "summary.md"
        summary.write_text("before\n", encoding="utf-8")
        monkeypatch.setenv(SUMMARY_VARIABLE, str(summary))

        assert main(["report"]) == 0
        assert summary.read_text(encoding="utf-8").startswith("before\n\n### Property tests: ✗ ")

    def test_the_summary_never_grows_past_githubs_limit(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What other steps wrote counts, too."""
        summary = project / "summary.md"
        summary.write_bytes(b"x" * (SUMMARY_LIMIT - 5_000))
        monkeypatch.setenv(SUMMARY_VARIABLE, str(summary))

        assert main(["report"]) == 0
        assert SUMMARY_LIMIT - 5_000 < summary.stat().st_size <= SUMMARY_LIMIT
        assert "Cut to fit" in summary.read_text(encoding="utf-8")

    def test_a_summary_without_room_is_named_on_stderr(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """If the job summary is full already, the report is not added, and the exit status is 2."""
        summary = project / "summary.md"
        summary.write_bytes(b"x" * SUMMARY_LIMIT)
        monkeypatch.setenv(SUMMARY_VARIABLE, str(summary))

        assert main(["report"]) == 2
        assert "no room in the job summary" in capsys.readouterr().err
        assert summary.stat().st_size == SUMMARY_LIMIT

    def test_no_summary_is_written_with_no_summary(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`--no-summary` leaves the job summary as it is."""
        summary = project / "summary.md"
        monkeypatch.setenv(SUMMARY_VARIABLE, str(summary))

        assert main(["report", "--no-summary"]) == 0
        assert not summary.exists()

    def test_a_summary_that_cannot_be_written_is_an_error(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The message names the file and what to do."""
        monkeypatch.setenv(SUMMARY_VARIABLE, str(project))

        assert main(["report"]) == 2
        err = capsys.readouterr().err
        assert "cannot write the job summary" in err
        assert "hint: unset GITHUB_STEP_SUMMARY" in err


def test_no_baseline_says_what_makes_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first call in a new project ends with the next step."""
    (project / "perf.json").unlink()

    assert main(["report"]) == 3
    assert "testinfra measure" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"a": 1}', b"\xff", b'{"schema_version": 99}'])
@pytest.mark.parametrize("format_", ["text", "markdown", "html", "json"])
def test_a_baseline_that_cannot_be_trusted_makes_no_report(
    project: Path, capsys: pytest.CaptureFixture[str], data: bytes, format_: str
) -> None:
    """A broken file gives one message, and no page that looks like an answer."""
    (project / "perf.json").write_bytes(data)

    assert main(["report", "--format", format_, "-o", "out.txt"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "perf.json" in err
    assert not (project / "out.txt").exists()


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("format_", ["text", "markdown", "html", "json"])
def test_an_empty_baseline_and_one_test_are_reported(project: Path, n: int, format_: str) -> None:
    """The smallest baselines give whole reports."""
    save_baseline(project / "perf.json", make_baseline(n, suite=None))

    assert main(["report", "--format", format_, "-o", "out.txt"]) == 0
    assert (project / "out.txt").stat().st_size > 200


def test_an_output_that_cannot_be_written_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the place of a folder is said, without a traceback."""
    (project / "file").write_text("", encoding="utf-8")

    assert main(["report", "-o", "file/report.html"]) == 2
    assert "cannot write 'file/report.html'" in capsys.readouterr().err
