"""Backups: everything comes back, in a database with the same rules; nothing is replaced or half done."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from atom import cli
from atom.db import migrate
from tests.database import ALL_TABLES, Clone, Database, read_rows
from tests.property_tests.api.world import build


def rows_of(clone: Clone) -> dict[str, list[str]]:
    """Return every row of every table."""
    return read_rows(clone.engine, ALL_TABLES)


class Site:
    """Two databases, one with rows and one without, and a folder for backups."""

    def __init__(self, full: Clone, empty: Clone, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full, self.empty, self.file = full, empty, folder / "backup"
        self._monkeypatch = monkeypatch

    def atom(self, clone: Clone, *arguments: str) -> int:
        """Run a command on one of the databases."""
        self._monkeypatch.setenv("ATOM_DATABASE_URL", clone.url.render_as_string(hide_password=False))
        return cli.main([*arguments, str(self.file)])


@pytest.fixture(scope="module")
def full(database: Database) -> Iterator[Clone]:
    """A database with rows; a test may change some, and no test says which are there."""
    with database.clone() as clone:
        build(clone.sessions)
        yield clone


@pytest.fixture
def site(database: Database, full: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with database.clone() as empty:
        yield Site(full, empty, tmp_path, monkeypatch)


@pytest.mark.parametrize("is_migrated", [True, False])
def test_a_restored_database_has_every_row(site: Site, is_migrated: bool) -> None:
    """Row for row, into a database with the tables and into one without."""
    if not is_migrated:
        migrate.downgrade(site.empty.engine, "base")
    assert site.atom(site.full, "backup") == 0
    assert site.atom(site.empty, "restore") == 0
    assert rows_of(site.empty) == rows_of(site.full)
    assert any(rows_of(site.full).values())
    assert migrate.current(site.empty.engine) == migrate.head()


def test_a_restored_database_keeps_the_rules_of_its_schema(site: Site) -> None:
    """The rules of the schema hold in the restored database: what is posted stays."""
    site.atom(site.full, "backup")
    site.atom(site.empty, "restore")
    with pytest.raises(IntegrityError), site.empty.engine.begin() as connection:
        connection.execute(text("DELETE FROM journal_entries"))
    with pytest.raises(IntegrityError), site.empty.engine.begin() as connection:
        connection.execute(text("UPDATE chat_sessions SET user_id = 'nobody'"))


def test_a_backup_is_its_owners_and_of_one_moment(site: Site) -> None:
    """Nobody else may read the file; what is written later is not in it."""
    site.atom(site.full, "backup")
    before = rows_of(site.full)
    with site.full.engine.begin() as connection:
        connection.execute(text("UPDATE chat_sessions SET title = 'later'"))
    assert site.file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in site.file.parent.iterdir()] == ["backup"]
    site.atom(site.empty, "restore")
    assert rows_of(site.empty) == before


def test_a_backup_replaces_no_file_and_a_restore_no_rows(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is there stays, and a database that has rows does."""
    assert site.atom(site.full, "backup") == 0
    written = site.file.read_bytes()
    assert site.atom(site.full, "backup") == 2
    assert "name another file" in capsys.readouterr().err
    assert site.file.read_bytes() == written
    before = rows_of(site.full)
    assert site.atom(site.full, "restore") == 2
    assert "name an empty one" in capsys.readouterr().err
    assert rows_of(site.full) == before


@pytest.mark.parametrize(
    "damage", ["nothing there", "garbage", "empty", "cut off", "other database", "newer"]
)
def test_what_is_not_a_whole_backup_is_refused(
    site: Site, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    """One line says what is wrong, and the database stays without rows."""
    site.atom(site.full, "backup")
    whole = site.file.read_bytes()
    if damage == "nothing there":
        site.file.unlink()
    elif damage in ("garbage", "empty", "cut off"):
        contents = {"garbage": b"nonsense" * 1_000, "empty": b"", "cut off": whole[: len(whole) // 2]}
        site.file.write_bytes(contents[damage])
    else:
        change(site.file, "UPDATE alembic_version SET version_num = 'newer'" if damage == "newer" else None)
    capsys.readouterr()
    before = rows_of(site.empty)
    assert site.atom(site.empty, "restore") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert rows_of(site.empty) == before


def test_a_damaged_backup_is_refused(
    site: Site, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that can be opened and whose rows or bytes are not what was written is not restored."""
    site.atom(site.full, "backup")
    content = bytearray(site.file.read_bytes())
    if database.dialect == "sqlite":
        place = content.index(b"@example.org")  # once in the row, once in the index
    else:
        with zipfile.ZipFile(site.file) as archive:
            place = archive.getinfo("agent_registry").header_offset + 90
    content[place] ^= 0x01
    site.file.write_bytes(content)
    before = rows_of(site.empty)
    capsys.readouterr()
    assert site.atom(site.empty, "restore") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert rows_of(site.empty) == before


def change(file: Path, statement: str | None) -> None:
    """Let a backup be of a migration that nobody knows, or of another program."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        manifest = members.pop("manifest.json").replace(migrate.head().encode(), b"newer")
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
            if statement is not None:
                archive.writestr("manifest.json", manifest)
        return
    if statement is None:
        file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute(statement or "CREATE TABLE something (else_ INTEGER)")
    connection.close()


@pytest.mark.parametrize("answer", ["y", "n", None])
def test_a_downgrade_asks_before_it_drops_tables(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str | None
) -> None:
    """Every table goes only for a yes, said here or by --yes; where nobody can answer, nothing is done."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: answer is not None, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: answer or "")
    monkeypatch.setenv("ATOM_DATABASE_URL", site.empty.url.render_as_string(hide_password=False))
    status = cli.main(["downgrade", "base"])
    assert status == {"y": 0, "n": 130, None: 2}[answer]
    assert (migrate.current(site.empty.engine) is None) is (answer == "y")
    if answer is None:
        assert "--yes" in capsys.readouterr().err
        assert cli.main(["downgrade", "base", "--yes"]) == 0
        assert migrate.current(site.empty.engine) is None
