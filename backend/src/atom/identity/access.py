"""
How a route gets in: the caller of a request, and a unit of work in the caller's workspace.

A handler names its unit as `Reading`, `Recording`, `Writing` or `Administering`. It runs inside of it, in one
thread from the look at the key to the commit: the commit comes before the answer, a connection is never held
by a request that waits for a thread, and changing threads costs as much as a query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session, sessionmaker

from atom.db.session import WritersQueue, unit_of_work
from atom.identity.keys import Caller, authenticate
from atom.identity.models import ApiKeyScope
from atom.kit.clock import Clock
from atom.kit.errors import UnauthenticatedError
from atom.web.problems import WITH_KEY, problem_responses
from atom.web.queries import refuse_repeats

BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    description="`Authorization: Bearer atom_...`, a workspace's API key",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What requests are served with; the app keeps one in its state."""

    sessions: sessionmaker[Session]
    read_only_sessions: sessionmaker[Session]
    clock: Clock
    writers: WritersQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One request's transaction in the caller's workspace."""

    session: Session
    clock: Clock
    caller: Caller

    @property
    def workspace_id(self) -> str:
        """The workspace whose rows the request may see."""
        return self.caller.workspace_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A unit of work that is not open yet: whose key it takes, and what for."""

    gateway: Gateway
    credentials: HTTPAuthorizationCredentials | None
    scope: ApiKeyScope
    is_read_only: bool

    @contextmanager
    def opened(self) -> Iterator[Unit]:
        """Give the unit to a caller who may have it; committed when the block ends."""
        if self.is_read_only:
            with unit_of_work(self.gateway.read_only_sessions) as session:
                yield self._unit(session, self._caller(session))
            return
        # The writing transaction is opened only for who may write: on SQLite it locks out the others.
        with unit_of_work(self.gateway.read_only_sessions) as session:
            caller = self._caller(session)
        with self.gateway.writers.turn(), unit_of_work(self.gateway.sessions) as session:
            yield self._unit(session, caller)

    def _caller(self, session: Session) -> Caller:
        if self.credentials is None:
            raise UnauthenticatedError("an API key is needed: `Authorization: Bearer atom_...`")
        caller = authenticate(session, self.gateway.clock, self.credentials.credentials)
        caller.require(self.scope)
        return caller

    def _unit(self, session: Session, caller: Caller) -> Unit:
        return Unit(session=session, clock=self.gateway.clock, caller=caller)


class DomainRouter(APIRouter):
    """The routes of a domain: each handler runs in the unit of work that it names."""

    def __init__(self, *, prefix: str, tag: str | None = None) -> None:
        tags: list[str | Enum] | None = None if tag is None else [tag]
        super().__init__(
            prefix=prefix,
            tags=tags,
            dependencies=[Depends(refuse_repeats)],
            responses=problem_responses(*WITH_KEY),
        )

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route whose handler takes a `unit`."""
        super().add_api_route(path, _in_unit(endpoint), **options)


def _in_unit(handler: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(handler)
    def handle(*, unit: Door, **arguments: Any) -> Any:
        with unit.opened() as opened:
            return handler(unit=opened, **arguments)

    return handle


def _door(scope: ApiKeyScope, *, is_read_only: bool) -> Any:
    async def door(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
    ) -> Door:
        gateway: Gateway = request.app.state.gateway
        return Door(gateway=gateway, credentials=credentials, scope=scope, is_read_only=is_read_only)

    return Depends(door)


# What a handler is given is the `Unit` of the `Door` that FastAPI resolves: `DomainRouter` opens it.
Reading = Annotated[Unit, _door(ApiKeyScope.READ, is_read_only=True)]
"""A read-only transaction, for a key of any scope."""
Recording = Annotated[Unit, _door(ApiKeyScope.READ, is_read_only=False)]
"""A transaction that notes who looked at what, for a key of any scope."""
Writing = Annotated[Unit, _door(ApiKeyScope.WRITE, is_read_only=False)]
"""A transaction, for a key of scope write or admin."""
Administering = Annotated[Unit, _door(ApiKeyScope.ADMIN, is_read_only=False)]
"""A transaction, for a key of scope admin."""
