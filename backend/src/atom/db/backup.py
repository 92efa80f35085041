"""
A copy of everything while the service goes on, and the way back into an empty database.

Of SQLite it is a SQLite file, made by its own online backup. Of PostgreSQL it is a zip archive with a COPY of
each table, all of one moment, and a manifest.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zipfile
import zlib
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import literal, select, text

from atom.db import migrate
from atom.kit.errors import ConflictError, InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Table

FORMAT = 1
MANIFEST = "manifest.json"
CHUNK = 1 << 16


def back_up(engine: Engine, tables: Sequence[Table], target: Path) -> int:
    """Write a backup that nobody but its owner may read; return how many rows it has. It replaces no file."""
    migrate.require_head(engine)
    with _new_file(target) as unfinished:
        if engine.dialect.name == "sqlite":
            return _back_up_sqlite(engine, tables, unfinished)
        return _back_up_postgres(engine, tables, unfinished)


def restore(engine: Engine, tables: Sequence[Table], source: Path) -> int:
    """Put a backup into a database without rows, and return how many it has: all of them or none."""
    if not source.is_file():
        raise InvalidError(f"there is no backup {str(source)!r}", field="FILE")
    if engine.dialect.name == "sqlite":
        return _restore_sqlite(engine, tables, source)
    return _restore_postgres(engine, tables, source)


def _back_up_sqlite(engine: Engine, tables: Sequence[Table], target: Path) -> int:
    with closing(engine.raw_connection()) as pooled, closing(sqlite3.connect(target)) as copy:
        origin: Any = pooled.driver_connection
        origin.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        _require_whole(copy, target)
        return sum(_count(copy, table) for table in tables)


def _restore_sqlite(engine: Engine, tables: Sequence[Table], source: Path) -> int:
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as copy:
        _require_whole(copy, source)
        _require_known(_revision_of(copy))
        _require_empty(engine, tables)
        with closing(engine.raw_connection()) as pooled:
            target: Any = pooled.driver_connection
            copy.backup(target)
            target.execute("PRAGMA journal_mode = WAL")
        return sum(_count(copy, table) for table in tables if _has(copy, table))


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    try:
        damages = connection.execute("PRAGMA integrity_check").fetchall()
    except sqlite3.DatabaseError as exc:
        raise InvalidError(
            f"{str(path)!r} is not a backup of a SQLite database: {exc}", field="FILE"
        ) from exc
    if damages != [("ok",)] or connection.execute("PRAGMA foreign_key_check").fetchall():
        raise InvalidError(f"the backup {str(path)!r} is damaged", field="FILE")


def _revision_of(connection: sqlite3.Connection) -> str:
    try:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.DatabaseError, TypeError) as exc:
        raise InvalidError("the file is a SQLite database, and not one of atom's", field="FILE") from exc
    return str(revision)


def _has(connection: sqlite3.Connection, table: Table) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table.name,))
    return found.fetchone() is not None


def _count(connection: sqlite3.Connection, table: Table) -> int:
    statement = f'SELECT count(*) FROM "{table.name}"'  # noqa: S608 - a name of ours
    (n,) = connection.execute(statement).fetchone()
    return int(n)


def _back_up_postgres(engine: Engine, tables: Sequence[Table], target: Path) -> int:
    n_rows = 0
    manifest: dict[str, Any] = {"format": FORMAT, "migration": migrate.head(), "tables": []}
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with snapshot.connect() as connection, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in tables:
            columns = [column.name for column in table.columns]
            with archive.open(table.name, "w", force_zip64=True) as member:
                n = _copy_out(connection, table, columns, member)
            manifest["tables"].append({"name": table.name, "columns": columns, "n_rows": n})
            n_rows += n
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2))
    return n_rows


def _copy_out(connection: Connection, table: Table, columns: Sequence[str], member: Any) -> int:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        with cursor.copy(f"COPY {_named(table.name, columns)} TO STDOUT") as rows:
            for chunk in rows:
                member.write(chunk)
        return int(cursor.rowcount)


def _restore_postgres(engine: Engine, tables: Sequence[Table], source: Path) -> int:
    try:
        archive = zipfile.ZipFile(source)
        manifest = json.loads(archive.read(MANIFEST))
        damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError) as exc:
        detail = f"{str(source)!r} is not a backup of a PostgreSQL database: {exc}"
        raise InvalidError(detail, field="FILE") from exc
    with archive:
        if damaged is not None or manifest["format"] != FORMAT:
            raise InvalidError(f"the backup {str(source)!r} is damaged, or of a newer version", field="FILE")
        _require_known(manifest["migration"])
        _require_empty(engine, tables)
        migrate.upgrade(engine, manifest["migration"])
        with engine.begin() as connection:
            # Past the triggers, which would take the rows for changes of what is posted.
            for saved in manifest["tables"]:
                connection.execute(text(f'ALTER TABLE "{saved["name"]}" DISABLE TRIGGER USER'))
            n_rows = sum(_copy_in(connection, saved, archive) for saved in manifest["tables"])
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            for saved in manifest["tables"]:
                connection.execute(text(f'ALTER TABLE "{saved["name"]}" ENABLE TRIGGER USER'))
            return n_rows


def _copy_in(connection: Connection, saved: dict[str, Any], archive: zipfile.ZipFile) -> int:
    name, driver = saved["name"], connection.connection.driver_connection
    with driver.cursor() as cursor:  # type: ignore[union-attr] # there is a driver: SQLAlchemy's stubs say less
        with (
            archive.open(name) as member,
            cursor.copy(f"COPY {_named(name, saved['columns'])} FROM STDIN") as rows,
        ):
            while chunk := member.read(CHUNK):
                rows.write(chunk)
        n_rows = int(cursor.rowcount)
    if n_rows != saved["n_rows"]:
        raise InvalidError(f"the backup has {n_rows} rows of {name!r}, not {saved['n_rows']}", field="FILE")
    return n_rows


def _named(table: str, columns: Sequence[str]) -> str:
    return f'"{table}" ({", ".join(f"{chr(34)}{column}{chr(34)}" for column in columns)})'


def _require_known(revision: str) -> None:
    if not migrate.is_known(revision):
        raise InvalidError(
            f"the backup is at migration {revision!r}, which this version does not know; install a newer one",
            field="FILE",
        )


def _require_empty(engine: Engine, tables: Sequence[Table]) -> None:
    if migrate.current(engine) is None:
        return
    with engine.connect() as connection:
        for table in tables:
            has_table = engine.dialect.has_table(connection, table.name)
            if has_table and connection.execute(select(literal(1)).select_from(table).limit(1)).first():
                raise ConflictError(
                    f"the database has rows in {table.name!r}; name an empty one in ATOM_DATABASE_URL"
                )


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """Give a file to write, which becomes the target once it is on the disk."""
    if target.exists():
        raise ConflictError(f"{str(target)!r} is there already; name another file")
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield unfinished
        with unfinished.open("rb+") as written:
            os.fsync(written.fileno())
        unfinished.replace(target)
    except FileExistsError as exc:
        detail = f"{str(unfinished)!r} is there: another backup runs, or one was cut off; remove it then"
        raise ConflictError(detail) from exc
    except OSError as exc:
        raise InvalidError(f"cannot write {str(target)!r}: {exc.strerror}", field="FILE") from exc
    finally:
        unfinished.unlink(missing_ok=True)
