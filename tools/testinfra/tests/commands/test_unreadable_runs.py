"""A run file that cannot be read hinders no verb that does not need it, and each says that it is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.made_runs import make_record, make_run

from atom_testinfra.cli import main
from atom_testinfra.measuring.session import Session
from atom_testinfra.storage.folders import prepare_folder
from atom_testinfra.storage.runs import save_run

RUNS = Path(".testinfra/runs")
FOREIGN = b'{"title": "notes"}\n'
REASON = "a run file that cannot be read: "


def write_session(session: str, n_runs: int, folder: Path = RUNS) -> None:
    prepare_folder(folder)
    for repeat in range(n_runs):
        run = make_run([make_record("test_a.py::test_a")], repeat=repeat)
        header = replace(run.header, session_id=session, run_id=f"{session}-local-s0-r{repeat}")
        save_run(replace(run, header=header), folder / f"{header.run_id}.jsonl")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sessions, and a third one's file that something else has written; no git."""
    (tmp_path / "pyproject.toml").write_text("[tool.testinfra]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for session in ("s1", "s2"):
        write_session(session, 5)
    (RUNS / "s3-local-s0-r0.jsonl").write_bytes(FOREIGN)
    return tmp_path


@pytest.mark.parametrize(
    "arguments", ["verify --no-suite", "verify --no-suite --session s1", "compare s1", "compare s1 latest"]
)
def test_another_session_is_read_and_the_file_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: str
) -> None:
    """A run file that cannot be read is named once, on stderr."""
    main(["verify", "--no-suite"])
    capsys.readouterr()
    assert main(arguments.split()) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "cannot be read" in line]
    assert len(told) == 1
    assert told[0].startswith(f"note: passed over {REASON}")
    assert "s3-local-s0-r0.jsonl" in told[0]


@pytest.mark.parametrize(
    ("verb", "prefix"), [("history", "left out: "), ("report", "left out of the history: ")]
)
def test_the_past_is_shown_without_the_file(
    project: Path, capsys: pytest.CaptureFixture[str], verb: str, prefix: str
) -> None:
    """Among what was left out, with the reason; the sessions are there."""
    main(["verify", "--no-suite", "--session", "s1"])
    capsys.readouterr()
    assert main([verb, "--json"]) == 0
    captured = capsys.readouterr()
    assert f"{prefix}{REASON}" in captured.err
    document = json.loads(captured.out)
    (history,) = document["histories"] if verb == "history" else document["history"]["histories"]
    assert [point["name"] for point in history["points"]] == ["now", "s2"]


def test_a_measurement_goes_on_beside_it(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`measure` names the file that cannot be read, and measures."""
    monkeypatch.setattr(Session, "run", lambda session: None)
    assert main(["measure"]) == 3, "nothing was measured, because nothing was run"
    captured = capsys.readouterr()
    assert captured.err.startswith(f"note: passed over {REASON}")
    assert "nothing was measured" in captured.err


@pytest.mark.parametrize(
    "arguments",
    ["verify --session s3", "verify --runs downloaded", "compare s1 s3", "compare s1 downloaded"],
)
def test_what_was_asked_for_by_itself_has_to_be_readable(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: str
) -> None:
    """The error names the file, and the hint says how to be rid of it."""
    downloaded = Path("downloaded")
    write_session("s1", 5, downloaded)
    (downloaded / "notes.jsonl").write_bytes(FOREIGN)
    assert main(arguments.split()) == 2
    error, hint = capsys.readouterr().err.splitlines()
    name = "notes.jsonl" if "downloaded" in arguments else "s3-local-s0-r0.jsonl"
    assert error.startswith("error: ")
    assert f"{name}':1: not a record of a run" in error
    assert hint.startswith("hint: remove '")
    assert hint.endswith(f"{name}' or move it elsewhere")
