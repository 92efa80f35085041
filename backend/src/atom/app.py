"""The application: routers, error handlers and the database, wired in this one place."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI

from atom import health, operations
from atom.agents import routes as agents
from atom.analytics import routes as analytics
from atom.analytics.reports import CachedReports
from atom.budgets import routes as budgets
from atom.budgets.service import has_project
from atom.chat import routes as chat
from atom.chat.service import has_session
from atom.db import migrate
from atom.db.session import (
    WritersQueue,
    create_engine,
    read_only,
    read_only_session_factory,
    session_factory,
    short_reader,
)
from atom.episodes import routes as episodes
from atom.episodes.access import MaturityGate
from atom.episodes.embedding import load_embedder
from atom.governance import routes as governance
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.service import may_access_data
from atom.graduation import routes as graduation
from atom.graduation.training_sessions import has_training
from atom.identity import routes as identity
from atom.identity.access import Gateway
from atom.identity.uses import KeyUses
from atom.kit.clock import Clock, SystemClock
from atom.kit.threads import Threads
from atom.ledger import routes as ledger
from atom.web.heads import AnswerHead
from atom.web.limits import BodyLimit, RequestLimit
from atom.web.metrics import RequestMetrics
from atom.web.observing import Observing
from atom.web.openapi import complete_openapi, operation_id
from atom.web.problems import add_problem_handlers
from atom.web.reference import add_reference
from atom.web.routing import RouteIndex
from atom.workflows import routes as workflows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Engine
    from starlette.types import ASGIApp

    from atom.settings import Settings

TITLE = "atom"
DESCRIPTION = "Chat agents: their conversations, episodes, permissions, money and metrics."
USES_WRITTEN_EVERY_S = 60
EXEMPT = frozenset({"/live", "/metrics"})
"""Paths that are answered however many requests there are."""
DOMAINS = (identity, agents, governance, chat, episodes, ledger, budgets, graduation, workflows, analytics)


class Application(FastAPI):
    """FastAPI's, with the figures of its requests, which are taken around everything else."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return what a server calls."""
        self.router.middleware_stack = RouteIndex(self.router.middleware_stack, routes=self.router.routes)
        return Observing(super().build_middleware_stack(), metrics=self.state.metrics)


def create_app(settings: Settings, *, engine: Engine | None = None, clock: Clock | None = None) -> FastAPI:
    """
    Return the application.

    It refuses to start on a database at another migration than the code's. An engine that is passed in stays
    open at the end.
    """
    own_engine = engine or create_engine(settings.database_url, max_connections=settings.database_connections)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            migrate.require_head(own_engine)
            if engine is None:  # nobody else writes into the database of a test at a time of our own
                async with _writing_uses(gateway):
                    yield
            else:
                yield
        finally:
            gateway.close()
            if engine is None:
                own_engine.dispose()

    app = Application(
        title=TITLE,
        description=DESCRIPTION,
        version=version("atom-backend"),
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would redirect to whatever the header Host says
    )
    app.state.engine = own_engine
    app.state.metrics = RequestMetrics()
    app.state.metrics_token = settings.metrics_token
    _provide(app, settings, own_engine, clock or SystemClock())
    gateway: Gateway = app.state.gateway
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(AnswerHead)
    app.add_middleware(RequestLimit, max_requests=settings.max_requests, exempt=EXEMPT)
    add_problem_handlers(app)
    for module in (health, operations, *DOMAINS):
        app.router.routes.extend(module.router.routes)  # an included router is gone through for each request
    complete_openapi(app)
    add_reference(app)
    return app


@asynccontextmanager
async def _writing_uses(gateway: Gateway) -> AsyncIterator[None]:
    """Write now and then, and at the end, which keys were used."""

    async def write() -> None:
        while True:
            await asyncio.sleep(USES_WRITTEN_EVERY_S)
            await gateway.writing_threads.run(gateway.write_uses)

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        writing.cancel()
        await gateway.writing_threads.run(gateway.write_uses)


def _provide(app: FastAPI, settings: Settings, engine: Engine, clock: Clock) -> None:
    """Put into the app's state what the routes ask for: each domain says in its routes what that is."""
    sessions, read_only_sessions = session_factory(engine), read_only_session_factory(engine)
    decisions = DecisionCache(GovernanceCache(clock))
    decisions.attach(read_only_sessions)  # a session that writes is attached by its first change of an agent
    app.state.gateway = Gateway(
        sessions=sessions,
        read_only_sessions=read_only_sessions,
        readers=read_only(engine),
        short_reader=short_reader(engine),
        clock=clock,
        uses=KeyUses(),
        writers=WritersQueue(engine),
        reading_threads=Threads(settings.threads, name="reading"),
        writing_threads=Threads(settings.threads, name="writing"),
    )
    app.state.decisions = decisions
    app.state.has_training = has_training
    app.state.has_chat = has_session
    app.state.has_project = has_project
    app.state.gatekeeper = MaturityGate(may_access_data)
    app.state.embedder = load_embedder(settings.embedder)
    app.state.reports = CachedReports(clock)
