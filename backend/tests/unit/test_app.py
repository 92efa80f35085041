"""The application: whose engine it closes."""

from __future__ import annotations

from pathlib import Path

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
