"""The application: whose engine it closes, and how many requests it works on at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from atom.app import create_app
from atom.db import migrate
from atom.db.session import connected
from atom.identity.access import Gateway
from atom.settings import Settings


def test_only_an_engine_of_its_own_is_closed_at_the_end(tmp_path: Path) -> None:
    """One that was passed in keeps its pool of connections; the app's own gives its connections up."""
    url = f"sqlite:///{tmp_path / 'atom.sqlite3'}"
    with connected(url) as engine:
        migrate.upgrade(engine)
        for passed in (engine, None):
            app = create_app(Settings(database_url=url), engine=passed)
            pool = app.state.engine.pool
            with TestClient(app) as client:
                assert client.get("/health").status_code == 200
            assert (app.state.engine.pool is pool) == (passed is not None)


def test_an_application_that_refuses_to_start_closes_its_engine(tmp_path: Path) -> None:
    """A database that is not migrated ends the start, and the connection that found it out is given up."""
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'atom.sqlite3'}"))
    pool = app.state.engine.pool
    with pytest.raises(migrate.MigrationError, match="run `atom migrate`"), TestClient(app):
        pass
    assert app.state.engine.pool is not pool


def test_as_many_handlers_run_at_once_as_the_setting_says(tmp_path: Path) -> None:
    """Those who read have that many threads, and those who write have as many of their own."""
    with connected(f"sqlite:///{tmp_path / 'atom.sqlite3'}") as engine:
        app = create_app(Settings.from_environment({"ATOM_THREADS": "3"}), engine=engine)
        gateway: Gateway = app.state.gateway
        assert (gateway.reading_threads.n_threads, gateway.writing_threads.n_threads) == (3, 3)
        assert gateway.reading_threads is not gateway.writing_threads
