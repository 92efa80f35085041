"""The `atom` command: migrate, serve, make the first key, make example data."""

from __future__ import annotations

import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click
from sqlalchemy.exc import OperationalError

from atom import server
from atom.db import migrate
from atom.db.backup import back_up, restore
from atom.db.repair import deep_values
from atom.db.session import connected, session_factory, unit_of_work
from atom.demo import WORKSPACE_NAME, make_demo
from atom.identity import keys, workspaces
from atom.identity.models import ApiKeyScope, WorkspaceStatus
from atom.kit.clock import SystemClock
from atom.kit.errors import AtomError
from atom.kit.pagination import MAX_LIMIT
from atom.ledger.service import has_books
from atom.settings import Settings
from atom.tables import METADATA
from atom.workflows import claims
from atom.workflows.worker import Worker, load_handler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def atom() -> None:
    """Run the atom backend; `atom settings` lists the environment variables that it reads."""


@atom.command("migrate")
@click.argument("revision", default="head")
def migrate_command(revision: str) -> None:
    """Upgrade the database to REVISION, by default the newest."""
    with connected(_settings().database_url) as engine:
        migrate.upgrade(engine, revision)
        click.echo(f"the database is at {migrate.current(engine)}")


@atom.command()
@click.argument("revision")
@click.option("--yes", "is_sure", is_flag=True, help="do not ask")
def downgrade(revision: str, is_sure: bool) -> None:
    """
    Downgrade the database to REVISION; drops data of later ones.

    The revision `base` drops every table.
    """
    with connected(_settings().database_url) as engine:
        _confirm(f"This drops the data that later versions than {revision!r} store. Go on?", is_sure=is_sure)
        migrate.downgrade(engine, revision)
        click.echo(f"the database is at {migrate.current(engine)}")


@atom.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """
    Write a backup of the database to FILE.

    The backup has the state of one moment. The service may keep running.
    """
    with connected(_settings().database_url) as engine:
        n_rows = back_up(engine, METADATA.sorted_tables, file)
    click.echo(f"wrote {n_rows} rows to {str(file)!r}", err=True)


@atom.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
def restore_command(file: Path) -> None:
    """Restore the backup FILE into a database without rows."""
    with connected(_settings().database_url) as engine:
        n_rows = restore(engine, METADATA.sorted_tables, file)
        found = migrate.current(engine)
    click.echo(f"restored {n_rows} rows; the database is at {found}", err=True)
    if found != migrate.head():
        click.echo("hint: `atom migrate` brings it to the newest migration", err=True)


@atom.command("settings")
def settings_command() -> None:
    """List the settings with their values and defaults."""
    for variable, value, default, meaning in _settings().described():
        click.echo(f"{variable}={value}\n    {meaning} (default: {default})")


@atom.command()
@click.option("--check", "is_checking", is_flag=True, help="change nothing; exit with 1 if any is found")
def repair(is_checking: bool) -> None:
    """
    Repair stored JSON that is nested too deep to be returned.

    The part that is too deep is replaced by a string with its JSON text. Prints the values found on stdout.
    """
    with _migrated_database() as session:
        found = list(deep_values(session.connection(), METADATA))
        for value in found:
            click.echo(str(value))
            if not is_checking:
                value.repair(session.connection())
    click.echo(f"{len(found)} values {'are' if is_checking else 'were'} nested too deep", err=True)
    if found and is_checking:
        click.echo("hint: `atom repair` repairs them", err=True)
        raise click.exceptions.Exit(1)


@atom.command()
@click.option("--migrate/--no-migrate", "is_migrating", default=True, help="migrate the database first")
@click.option("--quiet", "is_quiet", is_flag=True, help="log warnings and errors only, no requests")
def serve(is_migrating: bool, is_quiet: bool) -> None:
    """
    Serve the API.

    With --no-migrate, a database whose tables do not have the version of the code is refused.
    """
    settings = _settings()
    with connected(settings.database_url) as engine:
        if is_migrating:
            migrate.upgrade(engine)
        migrate.require_head(engine)
    server.serve(settings, is_quiet=is_quiet)


@atom.command()
@click.option("--handler", "place", required=True, help="package.module:function that does a step's work")
@click.option("--workspace", "workspace_id", help="id of a workspace, to work only for it")
@click.option("--name", default=None, help="name of this worker; by default its host and process")
@click.option(
    "--steps",
    "n_steps",
    default=4,
    show_default=True,
    type=click.IntRange(1, claims.MAX_CLAIMS),
    help="steps that run at once",
)
@click.option(
    "--lease",
    "lease_s",
    default=60,
    show_default=True,
    type=click.IntRange(1, 3_600),
    help="seconds after which another worker takes over the steps of one that died",
)
def worker(place: str, workspace_id: str | None, name: str | None, n_steps: int, lease_s: int) -> None:
    """
    Run the steps of workflows until SIGTERM or SIGINT.

    Steps that have begun then end and are reported.
    """
    handler = load_handler(place)
    with connected(_settings().database_url) as engine, ThreadPoolExecutor(n_steps) as pool:
        migrate.require_head(engine)
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        working = Worker(
            sessions=session_factory(engine),
            clock=SystemClock(),
            handler=handler,
            executor=pool,
            name=name or f"{socket.gethostname()}-{os.getpid()}",
            n_steps=n_steps,
            workspace_id=workspace_id,
            lease=timedelta(seconds=lease_s),
        )
        click.echo(f"worker {working.name!r} runs steps of workflows", err=True)
        working.run(stop)


@atom.group("workspaces")
def workspaces_group() -> None:
    """List, suspend, resume and delete the workspaces of the service."""


@workspaces_group.command("list")
@click.option(
    "--status", type=click.Choice([s.value for s in WorkspaceStatus]), help="only workspaces with this status"
)
def list_workspaces(status: str | None) -> None:
    """List workspaces, one per line: id, status and name."""
    wanted = None if status is None else WorkspaceStatus(status)
    after = None
    with _migrated_database() as session:
        while True:
            page = workspaces.list_workspaces(session, status=wanted, limit=MAX_LIMIT, after=after)
            for found in page.items:
                click.echo(f"{found.id} {found.status.value} {found.name}")
            if page.next is None:
                break
            after = page.next


@workspaces_group.command("suspend")
@click.argument("workspace_id")
def suspend_workspace(workspace_id: str) -> None:
    """Refuse all keys of a workspace."""
    _set_status(workspace_id, WorkspaceStatus.SUSPENDED)


@workspaces_group.command("resume")
@click.argument("workspace_id")
def resume_workspace(workspace_id: str) -> None:
    """Accept the keys of a suspended workspace again."""
    _set_status(workspace_id, WorkspaceStatus.ACTIVE)


@workspaces_group.command("delete")
@click.argument("workspace_id")
@click.option("--yes", "is_sure", is_flag=True, help="do not ask")
def delete_workspace(workspace_id: str, is_sure: bool) -> None:
    """
    Delete a workspace and all that belongs to it.

    A workspace with a ledger can only be suspended.
    """
    _confirm(f"Delete workspace {workspace_id} and all that belongs to it?", is_sure=is_sure)
    with _migrated_database() as session:
        workspaces.delete_workspace(session, has_books, workspace_id=workspace_id)
    click.echo(f"workspace {workspace_id} is deleted", err=True)


def _set_status(workspace_id: str, status: WorkspaceStatus) -> None:
    with _migrated_database() as session:
        workspaces.set_status(session, workspace_id=workspace_id, status=status)
    click.echo(f"workspace {workspace_id} is {status.value}", err=True)


@atom.command("create-key")
@click.option("--workspace", "workspace_id", help="id of the workspace; by default a new one is made")
@click.option("--workspace-name", default="My workspace", show_default=True, help="name of the new workspace")
@click.option("--name", default="first key", show_default=True, help="what the key is for")
@click.option(
    "--scope",
    type=click.Choice([s.value for s in ApiKeyScope]),
    default="admin",
    show_default=True,
    help="what the key may do",
)
def create_key(workspace_id: str | None, workspace_name: str, name: str, scope: str) -> None:
    """
    Make an API key and print its secret.

    The secret is shown only this once.
    """
    with _migrated_database() as session:
        if workspace_id is None:
            workspace_id = workspaces.create_workspace(session, name=workspace_name).id
        made = keys.create_key(
            session, SystemClock(), workspace_id=workspace_id, name=name, scope=ApiKeyScope(scope)
        )
    click.echo(f"workspace {workspace_id}, scope {scope}", err=True)
    click.echo(made.secret)


@atom.command("demo")
def demo_command() -> None:
    """
    Make a new workspace with example data.

    Prints what a first request needs as shell variables on stdout: KEY, a key's secret, and some ids.
    """
    with _migrated_database() as session:
        demo = make_demo(session, SystemClock())
    click.echo(f"made the workspace {WORKSPACE_NAME!r}, {demo.workspace_id}", err=True)
    for name, value in (
        ("KEY", demo.secret),
        ("USER_ID", demo.user_id),
        ("AGENT_ID", demo.agent_id),
        ("CHAT_ID", demo.chat_id),
    ):
        click.echo(f"{name}={value}")


def _confirm(question: str, *, is_sure: bool) -> None:
    """Ask a person, unless they are sure; where nobody can answer, nothing is done."""
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise click.ClickException("nobody can be asked here; add --yes if you are sure")
    click.confirm(question, abort=True)


def _settings() -> Settings:
    return Settings.from_environment(os.environ)


@contextmanager
def _migrated_database() -> Iterator[Session]:
    """Open one transaction on the database of the settings, if it is at this code's migration."""
    with connected(_settings().database_url) as engine:
        migrate.require_head(engine)
        with unit_of_work(session_factory(engine)) as session:
            yield session


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; an error of ours is one line on stderr."""
    try:
        status: int | None = atom.main(args=arguments, prog_name="atom", standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        return 2
    except click.Abort:
        return 130
    except AtomError as exc:
        click.echo(f"error: {exc.message}", err=True)
        return 2
    except OperationalError as exc:
        reason = str(exc.orig).strip().partition("\n")[0]
        click.echo(f"error: the database does not answer: {reason}", err=True)
        click.echo("hint: ATOM_DATABASE_URL names it", err=True)
        return 2
    return status or 0
