"""The command line: from an empty folder to a service with a key, and what it says when it cannot start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import uvicorn

from atom import cli
from atom.db import migrate
from atom.db.session import connected, session_factory
from atom.identity.keys import authenticate
from atom.identity.models import ApiKeyScope
from atom.kit.clock import SystemClock


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a database file that is not there yet, which the environment names."""
    address = f"sqlite:///{tmp_path / 'atom.sqlite3'}"
    monkeypatch.setenv("ATOM_DATABASE_URL", address)
    return address


def scope_of(url: str, secret: str) -> ApiKeyScope:
    with connected(url) as engine, session_factory(engine)() as session:
        return authenticate(session, SystemClock(), secret).scope


def test_create_key_prints_a_secret_that_works(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout is the secret alone; the workspace goes to stderr."""
    assert cli.main(["migrate"]) == 0
    capsys.readouterr()
    assert cli.main(["create-key", "--scope", "read"]) == 0
    out, err = capsys.readouterr()
    assert scope_of(url, out.strip()) is ApiKeyScope.READ
    assert re.search(r"workspace [0-9a-f-]{36}, scope read", err)


def test_create_key_adds_to_a_workspace(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A workspace that is named gets the key; one that is not there is an error."""
    cli.main(["migrate"])
    cli.main(["create-key"])
    workspace = re.findall(r"workspace (\S+),", capsys.readouterr().err)[0]
    assert cli.main(["create-key", "--workspace", workspace]) == 0
    assert f"workspace {workspace}," in capsys.readouterr().err
    assert cli.main(["create-key", "--workspace", "nowhere"]) == 2
    assert "error: no workspace 'nowhere'" in capsys.readouterr().err


def test_demo_prints_shell_variables(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout can be given to `eval`: a key that works, and ids."""
    cli.main(["migrate"])
    capsys.readouterr()
    assert cli.main(["demo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    variables = dict(line.split("=", 1) for line in lines)
    assert variables.keys() == {"KEY", "USER_ID", "AGENT_ID", "CHAT_ID"}
    assert all(re.fullmatch(r"[\w-]+", value) for value in variables.values())
    assert scope_of(url, variables["KEY"]) is ApiKeyScope.ADMIN


@pytest.mark.parametrize("command", [["serve", "--no-migrate"], ["serve"]], ids=" ".join)
def test_serve_migrates_first_or_says_what_to_run(
    url: str, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On another migration than the code's the service does not start, and names the command that helps."""
    with connected(url) as engine:
        migrate.upgrade(engine)
        migrate.downgrade(engine, "-1")
    started = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **_: started.append(app))

    status = cli.main(command)

    is_migrating = command == ["serve"]
    with connected(url) as engine:
        assert (migrate.current(engine) == migrate.head()) is is_migrating
    assert (status == 0, len(started)) == (is_migrating, int(is_migrating))
    if not is_migrating:
        assert "run `atom migrate`" in capsys.readouterr().err


def test_a_port_that_is_none_is_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting that is wrong is named with what was expected, without a traceback."""
    monkeypatch.setenv("ATOM_PORT", "eighty")
    assert cli.main(["serve"]) == 2
    assert (
        capsys.readouterr().err == "error: ATOM_PORT is 'eighty', expected a whole number from 0 to 65535\n"
    )


@pytest.mark.parametrize("command", ["create-key", "demo"])
def test_a_database_without_tables_is_one_line(
    url: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What writes needs the code's migration, and names the command that brings it."""
    assert cli.main([command]) == 2
    assert "run `atom migrate`" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["migrate", "serve", "create-key", "demo"])
def test_a_database_that_does_not_answer_is_one_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is the driver's, the setting to look at is named."""
    monkeypatch.setenv("ATOM_DATABASE_URL", f"sqlite:///{tmp_path / 'no folder' / 'atom.sqlite3'}")
    assert cli.main([command]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "error: the database does not answer: unable to open database file"
    assert "ATOM_DATABASE_URL" in hint


def test_a_workspace_is_deleted_only_if_a_person_is_sure(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody can be asked, nothing is deleted without --yes."""
    cli.main(["migrate"])
    cli.main(["create-key", "--workspace-name", "Mine"])
    workspace = re.findall(r"workspace (\S+),", capsys.readouterr().err)[0]

    assert cli.main(["workspaces", "delete", workspace]) == 2
    assert "add --yes if you are sure" in capsys.readouterr().err
    assert cli.main(["workspaces", "list"]) == 0
    assert capsys.readouterr().out == f"{workspace} active Mine\n"
    assert cli.main(["workspaces", "delete", "--yes", workspace]) == 0
    assert cli.main(["workspaces", "list"]) == 0
    assert capsys.readouterr().out == ""
