"""
How a route gets in: the caller of a request, and a unit of work in the caller's workspace.

A handler names its unit as `Reading`, `Recording`, `Writing` or `Administering`. It runs inside of it, in one
thread: the key is looked up, the body read and checked, the handler run, the answer built and the transaction
committed. A connection is never held by a request that waits for a thread, and changing threads costs as much
as a query.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from http import HTTPStatus
from inspect import signature
from typing import Annotated, Any, Self

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from sqlalchemy.orm import Session, sessionmaker
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from atom.db.session import WritersQueue, unit_of_work
from atom.identity.keys import Caller, authenticate
from atom.identity.models import ApiKeyScope
from atom.identity.trust import require_trust, viewer_id
from atom.kit.clock import Clock
from atom.kit.errors import UnauthenticatedError
from atom.web.bodies import check_address, check_body
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
    reading_threads: CapacityLimiter
    writing_threads: CapacityLimiter
    """Writers wait for each other, in threads of their own so that nobody who reads waits with them."""


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

    def viewer_id(self, named: str | None = None) -> str | None:
        """The person for whom the request shows data, None for the workspace itself."""
        return viewer_id(self.caller, named)


class Door:
    """
    A request's way in: its key is looked at first, its transaction opened later, and committed last.

    What is committed was answered: the response is built, to its last byte, before the door closes.
    """

    def __init__(self, gateway: Gateway, entrance: Entrance, secret: str) -> None:
        self._gateway = gateway
        self._entrance = entrance
        self._secret = secret
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Let in who has a key for this entrance."""
        with ExitStack() as stack:
            session = stack.enter_context(unit_of_work(self._gateway.read_only_sessions))
            self.caller = authenticate(session, self._gateway.clock, self._secret)
            self.caller.require(self._entrance.scope)
            if self._entrance.is_read_only:  # the handler reads in the transaction that the key was read in
                self._session = session
                self._stack = stack.pop_all()
        return self

    def open(self) -> Unit:
        """Give the unit of work; a writing one begins now: on SQLite it locks out the others."""
        if not self._entrance.is_read_only:
            self._stack.enter_context(self._gateway.writers.turn())
            self._session = self._stack.enter_context(unit_of_work(self._gateway.sessions))
        return Unit(session=self._session, clock=self._gateway.clock, caller=self.caller)

    @property
    def workspace_id(self) -> str:
        """The workspace whose rows the request may see."""
        return self.caller.workspace_id

    @contextmanager
    def reading(self) -> Iterator[Unit]:
        """Give a unit that reads, for what takes long and has to be known before anything is written."""
        with unit_of_work(self._gateway.read_only_sessions) as session:
            yield Unit(session=session, clock=self._gateway.clock, caller=self.caller)

    def __exit__(self, *raised: Any) -> None:
        """Commit what was done, or undo it if anything was raised."""
        self._stack.__exit__(*raised)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """What a handler asks for by the type of its `unit`: the scope of key, and whether it writes."""

    scope: ApiKeyScope
    is_read_only: bool
    opens_itself: bool = False
    """Whether the handler is given the door, to read first and open the unit that writes when it needs it."""

    async def __call__(self, request: Request, _: Annotated[object, Depends(BEARER)]) -> Door:
        """Return the door that the request came through; FastAPI calls this before the handler."""
        door: Door = request.state.door
        return door


class UnitRoute(APIRoute):
    """A route that answers inside of its unit of work: key, body, handler, answer, commit, in this order."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what FastAPI calls for a request."""
        handle = super().get_route_handler()
        entrance: Entrance = self.endpoint.entrance  # type: ignore[attr-defined] # set by `_in_unit`
        takes_body = self.body_field is not None

        async def answer(request: Request) -> Response:
            gateway: Gateway = request.app.state.gateway
            door = Door(gateway, entrance, _secret_of(request))
            body = await _body_of(request) if takes_body else b""

            def serve() -> Response:
                with door:
                    request.state.door = door
                    check_address(request)
                    if body:
                        check_body(request, body)
                    return run_now(handle(request))

            threads = gateway.reading_threads if entrance.is_read_only else gateway.writing_threads
            return await to_thread.run_sync(serve, limiter=threads)

        return answer


def _secret_of(request: Request) -> str:
    """Return the secret of the request's one key."""
    given = request.headers.getlist("authorization")
    scheme, _, secret = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if len(given) > 1:
        raise UnauthenticatedError(f"the request has {len(given)} headers Authorization, expected one")
    if scheme.lower() != "bearer" or not secret.strip():
        raise UnauthenticatedError("an API key is needed: `Authorization: Bearer atom_...`")
    return secret.strip()


async def _body_of(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect as exc:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the body broke off") from exc


def run_now(answering: Coroutine[Any, Any, Response]) -> Response:
    """Run a coroutine that waits for nothing, in this thread."""
    try:
        answering.send(None)
    except StopIteration as done:
        response: Response = done.value
        return response
    answering.close()
    msg = "a route waited inside of its unit of work; what it depends on has to be async and never wait"
    raise RuntimeError(msg)


class DomainRouter(APIRouter):
    """The routes of a domain: each handler runs in the unit of work that it names."""

    def __init__(self, *, prefix: str, tag: str | None = None) -> None:
        tags: list[str | Enum] | None = None if tag is None else [tag]
        super().__init__(
            prefix=prefix,
            tags=tags,
            route_class=UnitRoute,
            dependencies=[Depends(refuse_repeats)],
            responses=problem_responses(*WITH_KEY),
        )

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route whose handler takes a `unit`."""
        super().add_api_route(path, _in_unit(endpoint), **options)


def _in_unit(handler: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(handler)
    async def handle(*, unit: Door, **arguments: Any) -> Any:
        require_trust(unit.caller, arguments.values())
        return handler(unit=unit if entrance.opens_itself else unit.open(), **arguments)

    (dependency,) = signature(handler, eval_str=True).parameters["unit"].annotation.__metadata__
    entrance: Entrance = dependency.dependency
    handle.entrance = entrance  # type: ignore[attr-defined] # for `UnitRoute`
    return handle


# What a handler is given is the `Unit` of the `Door` that FastAPI resolves: `_in_unit` opens it.
Reading = Annotated[Unit, Depends(Entrance(scope=ApiKeyScope.READ, is_read_only=True))]
"""A read-only transaction, for a key of any scope."""
Recording = Annotated[Unit, Depends(Entrance(scope=ApiKeyScope.READ, is_read_only=False))]
"""A transaction that notes who looked at what, for a key of any scope."""
ReadingThenRecording = Annotated[
    Door, Depends(Entrance(scope=ApiKeyScope.READ, is_read_only=False, opens_itself=True))
]
"""The same for a look that takes long: the handler reads in `reading()` and notes in `open()`."""
ReadingThenWriting = Annotated[
    Door, Depends(Entrance(scope=ApiKeyScope.WRITE, is_read_only=False, opens_itself=True))
]
"""For a key of scope write or admin: the handler computes in `reading()`, and writes in `open()`."""
Writing = Annotated[Unit, Depends(Entrance(scope=ApiKeyScope.WRITE, is_read_only=False))]
"""A transaction, for a key of scope write or admin."""
Administering = Annotated[Unit, Depends(Entrance(scope=ApiKeyScope.ADMIN, is_read_only=False))]
"""A transaction, for a key of scope admin."""
