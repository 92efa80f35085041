"""How a route gets in: the caller of a request, and a unit of work in the caller's workspace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session, sessionmaker

from atom.db.session import unit_of_work
from atom.identity.keys import Caller, authenticate
from atom.identity.models import ApiKeyScope
from atom.kit.clock import Clock
from atom.kit.errors import UnauthenticatedError

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


async def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
GatewayOf = Annotated[Gateway, Depends(_gateway)]


def _secret(credentials: HTTPAuthorizationCredentials | None) -> str:
    if credentials is None:
        raise UnauthenticatedError("an API key is needed: `Authorization: Bearer atom_...`")
    return credentials.credentials


def _reading(credentials: Credentials, gateway: GatewayOf) -> Iterator[Unit]:
    secret = _secret(credentials)
    with unit_of_work(gateway.read_only_sessions) as session:
        caller = authenticate(session, gateway.clock, secret)
        yield Unit(session=session, clock=gateway.clock, caller=caller)


def _recording(credentials: Credentials, gateway: GatewayOf) -> Iterator[Unit]:
    yield from _changing(credentials, gateway, ApiKeyScope.READ)


def _writing(credentials: Credentials, gateway: GatewayOf) -> Iterator[Unit]:
    yield from _changing(credentials, gateway, ApiKeyScope.WRITE)


def _administering(credentials: Credentials, gateway: GatewayOf) -> Iterator[Unit]:
    yield from _changing(credentials, gateway, ApiKeyScope.ADMIN)


def _changing(
    credentials: HTTPAuthorizationCredentials | None, gateway: Gateway, scope: ApiKeyScope
) -> Iterator[Unit]:
    """Open the writing transaction only for a caller who may write: on SQLite it locks out the others."""
    secret = _secret(credentials)
    with unit_of_work(gateway.read_only_sessions) as session:
        caller = authenticate(session, gateway.clock, secret)
    caller.require(scope)
    with unit_of_work(gateway.sessions) as session:
        yield Unit(session=session, clock=gateway.clock, caller=caller)


# The transaction ends before the answer is sent: a commit that fails must not follow a "201 Created".
Reading = Annotated[Unit, Depends(_reading, scope="function")]
"""A read-only transaction, for a key of any scope."""
Recording = Annotated[Unit, Depends(_recording, scope="function")]
"""A transaction that notes who looked at what, for a key of any scope."""
Writing = Annotated[Unit, Depends(_writing, scope="function")]
"""A transaction, for a key of scope write or admin."""
Administering = Annotated[Unit, Depends(_administering, scope="function")]
"""A transaction, for a key of scope admin."""
