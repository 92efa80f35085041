"""The application: routers, error handlers and the database, wired in this one place."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from atom import health
from atom.db import migrate
from atom.db.session import create_engine, read_only_session_factory, session_factory
from atom.identity import routes as identity
from atom.identity.access import Gateway
from atom.kit.clock import Clock, SystemClock
from atom.web.limits import BodyLimit
from atom.web.problems import add_problem_handlers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Engine

    from atom.settings import Settings

TITLE = "atom"
DESCRIPTION = "Chat agents: their conversations, episodes, permissions, money and metrics."


def create_app(settings: Settings, *, engine: Engine | None = None, clock: Clock | None = None) -> FastAPI:
    """
    Return the application.

    It refuses to start on a database at another migration than the code's. An engine that is passed in stays
    open at the end.
    """
    own_engine = engine or create_engine(settings.database_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        migrate.require_head(own_engine)
        yield
        if engine is None:
            own_engine.dispose()

    app = FastAPI(title=TITLE, description=DESCRIPTION, lifespan=lifespan)
    app.state.engine = own_engine
    app.state.gateway = Gateway(
        sessions=session_factory(own_engine),
        read_only_sessions=read_only_session_factory(own_engine),
        clock=clock or SystemClock(),
    )
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    add_problem_handlers(app)
    for module in (health, identity):
        app.include_router(module.router)
    return app
