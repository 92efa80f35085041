"""The application: whose engine it closes, and how many requests it works on at once."""

from __future__ import annotations

from pathlib import Path

from anyio.to_thread import current_default_thread_limiter
from starlette.testclient import TestClient

from atom.app import create_app
from atom.db import migrate
from atom.db.session import create_engine
from atom.settings import Settings


def test_only_an_engine_of_its_own_is_closed_at_the_end(tmp_path: Path) -> None:
    """One that was passed in keeps its pool of connections; the app's own gives its connections up."""
    url = f"sqlite:///{tmp_path / 'atom.sqlite3'}"
    engine = create_engine(url)
    migrate.upgrade(engine)
    for passed in (engine, None):
        app = create_app(Settings(database_url=url), engine=passed)
        pool = app.state.engine.pool
        with TestClient(app) as client:
            assert client.get("/health").status_code == 200
        assert (app.state.engine.pool is pool) == (passed is not None)
    engine.dispose()


def test_as_many_handlers_run_at_once_as_the_setting_says(tmp_path: Path) -> None:
    """The thread pool of the app's event loop has that many places."""
    url = f"sqlite:///{tmp_path / 'atom.sqlite3'}"
    engine = create_engine(url)
    migrate.upgrade(engine)
    with TestClient(create_app(Settings.from_environment({"ATOM_THREADS": "3"}), engine=engine)) as client:
        assert client.portal is not None
        assert client.portal.call(_places) == 3
    engine.dispose()


async def _places() -> float:
    return current_default_thread_limiter().total_tokens
