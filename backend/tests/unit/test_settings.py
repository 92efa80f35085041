"""Settings: what the environment may say, and one line with the next step for what it may not."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any

import pytest

from atom import cli
from atom.db.session import database_address
from atom.kit.errors import InvalidError
from atom.settings import DEFAULT_DATABASE_URL, Settings, variable_of

REFUSED = [
    ("", "is empty"),
    ("  ", "is empty"),
    ("mysql:///production", "'mysql'"),
    ("mssql+pyodbc://host/name", "'mssql+pyodbc'"),
    ("postgresql+asyncpg://host/name", "'postgresql+asyncpg'"),
    ("sqlite+aiosqlite:///file", "'sqlite+aiosqlite'"),
    ("atom.sqlite3", "cannot be read"),
    ("/var/lib/atom.sqlite3", "cannot be read"),
    ("://", "cannot be read"),
    ("postgresql://host:port/name", "cannot be read"),
    ("sqlite://atom.sqlite3", "names the host 'atom.sqlite3'"),
    ("sqlite://var/lib/atom.sqlite3", "names the host 'var'"),
]


@pytest.mark.parametrize(("url", "reason"), REFUSED)
@pytest.mark.parametrize("command", ["serve", "migrate", "create-key", "settings"])
def test_a_database_that_is_none_of_ours_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, url: str, reason: str
) -> None:
    """No other database is taken for SQLite or PostgreSQL: the variable and what is expected are named."""
    monkeypatch.setenv("ATOM_DATABASE_URL", url)
    assert cli.main([command]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.startswith("error: ATOM_DATABASE_URL ")
    assert reason in line
    assert "sqlite:///" in line
    assert out == ""


@pytest.mark.parametrize(
    "url", ["mysql://ada:sesame@host/name", "ada:sesame@host", "sqlite://ada:sesame@host/x"]
)
def test_a_password_is_not_repeated(url: str) -> None:
    """An address that is refused may be a right one of another service, with its password."""
    with pytest.raises(InvalidError) as refused:
        Settings(database_url=url)
    assert "sesame" not in refused.value.message


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite://", "sqlite+atom"),
        ("sqlite:///file.sqlite3", "sqlite+atom"),
        ("sqlite:////var/lib/file.sqlite3", "sqlite+atom"),
        ("postgresql://ada@host/name", "postgresql+psycopg"),
        ("postgresql+psycopg://ada@host:5432/name?sslmode=require", "postgresql+psycopg"),
        ("postgres://ada@host/name", "postgresql+psycopg"),
    ],
)
def test_a_database_of_ours_gets_its_driver(url: str, driver: str) -> None:
    """SQLite and PostgreSQL, also by the name that hosts of databases give it."""
    assert database_address(Settings(database_url=url).database_url).drivername == driver


def test_without_variables_the_defaults_stand() -> None:
    """An environment that names nothing of ours changes nothing."""
    assert Settings.from_environment({"PATH": "/bin", "ATOMIC": "1"}) == Settings()
    assert Settings().database_url == DEFAULT_DATABASE_URL


@pytest.mark.parametrize("each", fields(Settings), ids=lambda each: each.name)
def test_every_setting_is_read_and_refused_empty(each: Field[Any]) -> None:
    """Each field has a variable; set but empty, which shells and compose files make, it is an error."""
    name = variable_of(each)
    if each.default is not None:
        assert Settings.from_environment({name: f" {each.default} "}) == Settings()
    with pytest.raises(InvalidError, match=f"{name} is empty"):
        Settings.from_environment({name: " "})


NUMBERS = [each for each in fields(Settings) if "least" in each.metadata]


@pytest.mark.parametrize("each", NUMBERS, ids=lambda each: each.name)
def test_a_number_is_held_to_its_bounds(each: Field[int]) -> None:
    """The bounds are allowed, one step beyond is not, and nothing but digits is a number."""
    name, bounds = variable_of(each), each.metadata
    postgres = {"ATOM_DATABASE_URL": "postgresql://host/name"}
    for number in (bounds["least"], bounds["most"]):
        assert getattr(Settings.from_environment({**postgres, name: str(number)}), each.name) == number
    for text in (bounds["least"] - 1, bounds["most"] + 1, "1.5", "٣", "many", "0x10", "9" * 5_000):
        with pytest.raises(InvalidError, match=f"expected a whole number from {bounds['least']}"):
            Settings.from_environment({name: str(text)})


def test_a_choice_is_one_of_its_words() -> None:
    """Any other word is refused, and the ones that are meant are named."""
    assert Settings.from_environment({"ATOM_LOG_FORMAT": "json"}).log_format == "json"
    with pytest.raises(InvalidError, match="ATOM_LOG_FORMAT is 'xml', expected 'text' or 'json'"):
        Settings.from_environment({"ATOM_LOG_FORMAT": "xml"})


def test_several_workers_need_postgresql() -> None:
    """A SQLite file lets one process write: several would only wait for each other."""
    Settings(database_url="postgresql://host/name", workers=2)
    with pytest.raises(InvalidError, match="name a PostgreSQL database"):
        Settings(workers=2)


def test_a_mistyped_variable_is_refused() -> None:
    """A name with our prefix that is not a setting would be ignored; the likely one is named."""
    with pytest.raises(InvalidError, match="ATOM_DATABSE_URL is not a setting, perhaps ATOM_DATABASE_URL"):
        Settings.from_environment({"ATOM_DATABSE_URL": "postgresql://host/name"})


def test_the_settings_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`atom settings` shows each variable, its value in force and its default; no password."""
    monkeypatch.setenv("ATOM_DATABASE_URL", "postgresql://ada:sesame@host/name?password=sesame")
    monkeypatch.setenv("ATOM_THREADS", "3")
    monkeypatch.setenv("ATOM_METRICS_TOKEN", "sesame")
    assert cli.main(["settings"]) == 0
    out = capsys.readouterr().out
    assert {variable_of(each) for each in fields(Settings)} <= set(out.replace("=", "\n").split())
    assert "ATOM_THREADS=3" in out
    assert "(default: 8)" in out
    assert "sesame" not in out
