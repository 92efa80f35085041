"""`testinfra history`: from committed baselines and from sessions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console
from tests.git_repository import git
from tests.made_runs import make_record, make_run

from atom_testinfra.cli import main
from atom_testinfra.core.changes.history import History, Point, Source
from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.aggregation import gather_evidence
from atom_testinfra.core.records.measurement import Measurement, Run
from atom_testinfra.core.targets.verification import complete
from atom_testinfra.core.vocabulary import Kind, Outcome
from atom_testinfra.reports.history import render_histories, sparkline
from atom_testinfra.storage.baseline import save_baseline
from atom_testinfra.storage.folders import prepare_folder
from atom_testinfra.storage.runs import save_run

FILE = "performance_baseline.json"
NAMES = ["test_a.py::test_x[[red]1[/]\x1b[31m]", "test_a.py::test_y"]
SHOWN = r"test_a.py::test_x[[red]1[/]\x1b[31m]"


def a_session(day: int, cost_s: float) -> list[Run]:
    """Five runs of two properties; the first one has the cost."""
    runs = []
    for repeat in range(5):
        run = make_run([make_record(NAMES[0], cost_s), make_record(NAMES[1])], repeat=repeat)
        header = replace(
            run.header,
            session_id=f"s{day}",
            run_id=f"s{day}-r{repeat}",
            started_at=f"2026-01-{day:02}T00:00:00Z",
        )
        runs.append(replace(run, header=header))
    return runs


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which the baseline was committed on twelve days; on the seventh a cost doubled."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    (tmp_path / "pyproject.toml").write_text("[tool.testinfra]\n")
    (tmp_path / FILE).write_text('{"targets_met": {"full_suite_under_5min": true}}')
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "typed in by hand")
    (tmp_path / FILE).unlink()
    for day in range(1, 13):
        evidence = gather_evidence(a_session(day, 0.001 if day < 7 else 0.002), targets=Targets(), tiers={})
        save_baseline(tmp_path / FILE, complete(evidence, f"2026-01-{day:02}T01:00:00Z"))
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", f"day {day}")
    return tmp_path


def history(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[dict[str, object]]]:
    """The points of `--json`, by node id."""
    assert main(["history", "--json", *arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    return {entry["nodeid"]: entry["points"] for entry in document["histories"]}


def test_committed_baselines_are_points_and_the_change_is_marked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve days, one step up on the seventh, and none for the steady test."""
    points = history(capsys)
    changed = [point["at"] for point in points[NAMES[0]] if "change" in point]
    assert changed == ["2026-01-07T00:00:00Z"]
    assert [len(entry) for entry in points.values()] == [12, 12]
    assert not any("change" in point for point in points[NAMES[1]])


def test_sessions_continue_the_history_and_count_once(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The session that became the last baseline is not told twice; a later one is a further point."""
    folder = project / ".testinfra" / "runs"
    prepare_folder(folder)
    for run in [*a_session(12, 0.002), *a_session(13, 0.002)]:
        save_run(run, folder / f"{run.header.run_id}.jsonl")
    points = history(capsys)[NAMES[0]]
    assert [point["source"] for point in points] == ["baseline"] * 12 + ["session"]


def test_the_baseline_that_is_not_committed_is_the_last_point(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `verify` has just written is told before anybody commits it."""
    evidence = gather_evidence(a_session(13, 0.002), targets=Targets(), tiers={})
    save_baseline(project / FILE, complete(evidence, "2026-01-13T01:00:00Z"))
    points = history(capsys)[NAMES[0]]
    assert [point["name"] for point in points[12:]] == ["now"]


def test_a_version_that_was_changed_by_hand_is_left_out(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says so; its runs are a point where they are themselves still there."""
    evidence = gather_evidence(a_session(13, 0.002), targets=Targets(), tiers={})
    save_baseline(project / FILE, complete(evidence, "2026-01-13T01:00:00Z"))
    document = json.loads((project / FILE).read_text())
    document["properties"][NAMES[1]]["profiles"]["local"]["runs"]["body_cpu_us"][0] *= 100
    (project / FILE).write_text(json.dumps(document))
    git(project, "commit", "-q", "-a", "-m", "wishful")
    assert main(["history", "--json"]) == 0
    captured = capsys.readouterr()
    told = [line for line in captured.err.splitlines() if "was changed after it was written" in line]
    assert len(told) == 2, "the commit, and the file as it is"
    assert all(line.startswith("left out: ") and NAMES[1] in line for line in told)
    points = json.loads(captured.out)["histories"][1]["points"]
    assert [point["source"] for point in points] == ["baseline"] * 12

    folder = project / ".testinfra" / "runs"
    prepare_folder(folder)
    for run in a_session(13, 0.002):
        save_run(run, folder / f"{run.header.run_id}.jsonl")
    assert [point["source"] for point in history(capsys)[NAMES[1]]] == ["baseline"] * 12 + ["session"]


def test_the_table_has_a_line_for_each_property(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sparkline, latest cost and change fit 80 columns; brackets stay brackets, and nothing steers."""
    assert main(["history"]) == 0
    captured = capsys.readouterr()
    assert SHOWN in captured.out
    assert "\x1b" not in captured.out
    assert "2.00x" in captured.out
    assert "2.00x from 2026-01-07 on" in captured.out
    assert max(map(len, captured.out.splitlines())) <= 80
    assert "left out" in captured.err  # the version that was typed in by hand


def test_one_property_is_told_point_by_point(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every point with its time, commit and cost."""
    assert main(["history", "test_y"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("2026-01-" in line for line in lines) == 12


def test_the_last_points_can_be_chosen(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--last 3` reads three versions of the file."""
    assert len(history(capsys, "--last", "3")[NAMES[0]]) == 3


@pytest.mark.parametrize("arguments", [["nosuch"], ["--profile", "nosuch"]])
def test_nothing_to_show_is_status_3(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """An unknown property or profile is named."""
    assert main(["history", *arguments]) == 3
    assert "'nosuch'" in capsys.readouterr().err


@pytest.mark.parametrize("profile", ["nosuch", 'a"b', "a\\b"])
def test_an_unknown_profile_is_told_which_there_are(
    project: Path, capsys: pytest.CaptureFixture[str], profile: str
) -> None:
    """Once, and not for each version of the file."""
    assert main(["history", "--profile", profile]) == 3
    assert capsys.readouterr().err == (
        f"error: no history: no baseline and no session has the profile {profile!r}\n"
        "hint: choose one with --profile: local\n"
    )


def test_without_git_sessions_alone_make_a_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is not a repository says so on stderr, and shows what there is."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert main(["history"]) == 3
    assert "not a git repository" in capsys.readouterr().err


def test_sparkline_shows_ratios() -> None:
    """Lowest and highest at the ends, equal steps for equal ratios, and noise below 5 % flat."""
    assert sparkline([1, 2, 4, 8, 16, 32, 64, 128]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1.0, 1.02, 0.99]) == "▄▄▄"
    assert sparkline([1, 100], is_plain=True) == "_@"


def test_a_long_node_id_is_one_line_and_keeps_the_name() -> None:
    """The path goes first; a line is a property."""
    nodeid = "tests/property_tests/analytics/test_analytics_invariants.py::test_alert_fires_once"
    point = Point(at=datetime(2026, 1, 1, tzinfo=UTC), source=Source.BASELINE, name="c0ffee", cost_us=10.0)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(render_histories([History(nodeid=nodeid, points=[point])], width=80))

    _, line = capture.get().splitlines()
    assert "::test_alert_fires_once " in line
    assert len(line) <= 80


@pytest.mark.parametrize("is_interrupted", [True, False])
def test_a_session_without_figures_moves_no_other_point(
    project: Path, capsys: pytest.CaptureFixture[str], is_interrupted: bool
) -> None:
    """The newest one was stopped in its first test, or holds plain tests only: it is left out, and told."""
    before = history(capsys)[NAMES[0]]
    lost = Measurement(nodeid=NAMES[0], kind=Kind.UNKNOWN, outcome=Outcome.INTERRUPTED)
    plain = Measurement(nodeid="test_a.py::test_plain", kind=Kind.PLAIN, outcome=Outcome.PASSED)
    run = make_run([lost if is_interrupted else plain])
    header = replace(run.header, session_id="s20", run_id="s20", started_at="2026-01-20T00:00:00Z")
    folder = project / ".testinfra" / "runs"
    prepare_folder(folder)
    save_run(replace(run, header=header), folder / "s20.jsonl")
    assert main(["history", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["histories"][0]["points"] == before
    assert "left out: s20: no property in its runs of the profile 'local'" in captured.err


def test_sessions_of_other_profiles_are_counted_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each bare `measure` makes one, and none of them belongs to this history."""
    folder = project / ".testinfra" / "runs"
    prepare_folder(folder)
    for day in (20, 21):
        run = make_run([Measurement(nodeid="test_a.py::test_p", kind=Kind.PLAIN, outcome=Outcome.PASSED)])
        name = f"s{day}"
        began = f"2026-01-{day}T00:00:00Z"
        header = replace(run.header, session_id=name, run_id=name, profile="as-is", started_at=began)
        save_run(replace(run, header=header), folder / f"{name}.jsonl")
    assert main(["history", "--json"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "as-is" in line or "profile" in line] == [
        "left out: 2 sessions without runs of the profile 'local'"
    ]


def test_seconds_are_on_a_line_of_their_own(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A session without calibration cannot be put on the same scale, and the output says so."""
    folder = project / ".testinfra" / "runs"
    prepare_folder(folder)
    run = make_run([make_record(NAMES[0], calibration_s=None)])
    header = replace(run.header, session_id="s20", run_id="s20", started_at="2026-01-20T00:00:00Z")
    save_run(replace(run, header=header), folder / "s20.jsonl")
    assert main(["history", "--json"]) == 0
    captured = capsys.readouterr()
    points = json.loads(captured.out)["histories"][0]["points"]
    assert [point.get("line", 0) for point in points] == [0] * 12 + [1]
    assert points[-1]["begins"] == "calibration made up before"
    assert points[-1]["cost_us"] == 1000
    assert main(["history"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "1 test: earlier costs cannot be compared with the latest ones (calibration made up" in output


def test_baselines_that_do_not_name_their_calibration_are_on_another_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From before it was recorded: what is known of them is the CPU time, and no change is found across."""
    document = json.loads((project / FILE).read_text())
    (project / FILE).unlink()
    runs = [
        replace(run, header=replace(run.header, calibration=None, run_id=f"old-{i}"))
        for i, run in enumerate(a_session(14, 0.0001))
    ]
    save_baseline(project / FILE, complete(gather_evidence(runs, targets=Targets(), tiers={}), "2026-01-14"))
    assert "calibration" not in json.loads((project / FILE).read_text())["provenance"]
    assert document["provenance"]["calibration"] == "made up"
    points = history(capsys)[NAMES[0]]
    assert [point.get("line", 0) for point in points] == [0] * 12 + [1]
    assert "change" not in points[-1]
    assert points[-1]["cost_us"] == 100


def test_a_session_of_two_calibrations_is_left_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is averaged over them; the line that says so names both."""
    folder = project / ".testinfra" / "runs"
    prepare_folder(folder)
    for i, run in enumerate(a_session(20, 0.001)):
        header = replace(run.header, calibration="made up" if i else "another")
        save_run(replace(run, header=header), folder / f"{run.header.run_id}.jsonl")
    assert main(["history", "--json"]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["histories"][0]["points"]) == 12
    assert (
        "left out: s20: 's20' mixes runs of different calibrations: calibration another and" in captured.err
    )


class TestFromTheFuture:
    """A clock that was ahead while something was measured does not make it the latest point."""

    NOTE = "says that it was measured in the future, at 2999-01-01 00:00: a clock was wrong"

    def made_ahead(self, session_id: str, sequence: int) -> list[Run]:
        """Return five runs of a session that says that it is of the year 2999."""
        return [
            replace(
                run,
                header=replace(
                    run.header,
                    session_id=session_id,
                    run_id=f"{session_id}-r{i}",
                    started_at="2999-01-01T00:00:00Z",
                    sequence=sequence,
                ),
            )
            for i, run in enumerate(a_session(1, 0.004))
        ]

    def test_a_committed_baseline_is_shown_when_it_was_committed(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The next one comes after it, and the change is that of the last two."""
        evidence = gather_evidence(self.made_ahead("ahead", 1), targets=Targets(), tiers={})
        save_baseline(project / FILE, complete(evidence, "2999-01-01T01:00:00Z"))
        monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-13T00:00:00Z")
        git(project, "commit", "-q", "-a", "-m", "ahead")
        monkeypatch.delenv("GIT_COMMITTER_DATE")
        evidence = gather_evidence(a_session(14, 0.002), targets=Targets(), tiers={})
        save_baseline(project / FILE, complete(evidence, "2026-01-14T01:00:00Z"))
        points = history(capsys)[NAMES[0]]
        assert [point["at"] for point in points[11:]] == [f"2026-01-{day}T00:00:00Z" for day in (12, 13, 14)]
        assert main(["history"]) == 0
        assert self.NOTE in capsys.readouterr().err

    def test_a_session_and_its_baseline_stand_before_the_next_session(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Sessions are numbered; a baseline that is not committed is as old as its session."""
        folder = project / ".testinfra" / "runs"
        prepare_folder(folder)
        ahead = self.made_ahead("ahead", 1)
        after = [replace(run, header=replace(run.header, sequence=2)) for run in a_session(14, 0.002)]
        for run in [*ahead, *after]:
            save_run(run, folder / f"{run.header.run_id}.jsonl")
        assert [point["name"] for point in history(capsys)[NAMES[0]][12:]] == ["ahead", "s14"]
        evidence = gather_evidence(ahead, targets=Targets(), tiers={})
        save_baseline(project / FILE, complete(evidence, "2999-01-01T01:00:00Z"))
        assert [point["name"] for point in history(capsys)[NAMES[0]][12:]] == ["now", "s14"]
        assert main(["report"]) == 0
        assert self.NOTE in capsys.readouterr().err
