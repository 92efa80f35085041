"""
How a route gets in: the caller of a request, and a unit of work in the caller's workspace.

A handler names its unit as `ShortReading`, `Reading`, `Recording`, `Writing` or `Administering`. It runs
inside of it, in one thread: the key is looked up, the body read and checked, the handler run, the answer
built and the transaction committed. A connection is never held by a request that waits for a thread. Changing
threads costs more than a query: a short reading of a SQLite file runs in the thread of the event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial, update_wrapper
from http import HTTPStatus
from inspect import signature
from typing import Annotated, Any, Self, TypeVar

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from atom.db.session import WritersQueue, unit_of_work
from atom.db.sqlite import is_refused
from atom.identity import idempotency
from atom.identity.idempotency import HEADER, REPLAYED, fingerprint_of
from atom.identity.keys import Caller, find_caller
from atom.identity.models import ApiKeyScope
from atom.identity.trust import require_trust, viewer_id
from atom.identity.uses import KeyUses
from atom.kit.clock import Clock
from atom.kit.errors import UnauthenticatedError, UnavailableError
from atom.kit.threads import Threads
from atom.web.bodies import JsonRequest, check_address, check_body
from atom.web.openapi import NEEDS_KEY, operation_id
from atom.web.problems import WITH_KEY, problem_responses
from atom.web.queries import refuse_repeats

logger = logging.getLogger(__name__)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What requests are served with; the app keeps one in its state."""

    sessions: sessionmaker[Session]
    read_only_sessions: sessionmaker[Session]
    readers: Engine
    """Also for the key of a request that writes: a session would cost more than this one look-up."""
    short_reader: Engine | None
    """For what is read in the event loop, where the database never makes it wait."""
    clock: Clock
    uses: KeyUses
    writers: WritersQueue
    reading_threads: Threads
    writing_threads: Threads
    """Writers wait for each other, in threads of their own so that nobody who reads waits with them."""

    async def read(self, call: Callable[[Engine], Value], *, is_short: bool) -> Value:
        """
        Return what a call reads with an engine.

        A short call runs in the event loop if the database allows for it: changing threads costs more. One
        that finds more than is short, or the database locked, is called again in a thread.
        """
        if is_short and self.short_reader is not None:
            try:
                return call(self.short_reader)
            except DBAPIError as exc:
                if not is_refused(exc):
                    raise
        return await self.reading_threads.run(partial(call, self.readers))

    def close(self) -> None:
        """Wait for what the threads run."""
        self.reading_threads.close()
        self.writing_threads.close()

    def write_uses(self) -> None:
        """Write which keys were used; a database that does not answer now loses nothing but these times."""
        try:
            with self.writers.turn(), unit_of_work(self.sessions) as session:
                written = self.uses.write(session)
            self.uses.forget(written)
        except (OperationalError, UnavailableError):
            logger.warning("the last uses of keys were not written: the database does not answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One request's transaction in the caller's workspace."""

    session: Session
    clock: Clock
    caller: Caller
    uses: KeyUses

    @property
    def workspace_id(self) -> str:
        """The workspace whose rows the request may see."""
        return self.caller.workspace_id

    def viewer_id(self, named: str | None = None) -> str | None:
        """The person for whom the request shows data, None for the workspace itself."""
        return viewer_id(self.caller, named)


class AnsweredBeforeError(Exception):
    """The request was sent before, and this is the answer that it got."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


class Door:
    """
    A request's way in: its key is looked at first, its transaction opened later, and committed last.

    What is committed was answered: the response is built, to its last byte, before the door closes.
    """

    def __init__(self, request: Request, entrance: Entrance, body: bytes, readers: Engine) -> None:
        self._request = request
        self._readers = readers
        self._body = body
        self._gateway: Gateway = request.app.state.gateway
        self._entrance = entrance
        self._secret = _secret_of(request)
        self._stack = ExitStack()
        self._kept_as: str | None = None

    def __enter__(self) -> Self:
        """Let in who has a key for this entrance."""
        if not self._entrance.is_read_only:
            with self._readers.connect() as connection:
                self._let_in(connection)
            return self
        self._reader = self._gateway.read_only_sessions(bind=self._readers)
        try:
            self._let_in(self._reader.connection())
        except BaseException:
            self._reader.close()
            raise
        return self

    def _let_in(self, connection: Connection) -> None:
        self.caller = find_caller(connection, self._gateway.clock, self._secret)
        self._gateway.uses.note(self.caller.key_id, self._gateway.clock.now())
        self.caller.require(self._entrance.scope)

    def open(self) -> Unit:
        """Give the unit of work; a writing one begins now: on SQLite it locks out the others."""
        if self._entrance.is_read_only:  # the handler reads in the transaction that the key was read in
            return self._unit(self._reader)
        self._stack.enter_context(self._gateway.writers.turn())
        self._session = self._stack.enter_context(unit_of_work(self._gateway.sessions))
        self._require_first_time()
        return self._unit(self._session)

    @property
    def workspace_id(self) -> str:
        """The workspace whose rows the request may see."""
        return self.caller.workspace_id

    @contextmanager
    def reading(self) -> Iterator[Unit]:
        """Give a unit that reads, for what takes long and has to be known before anything is written."""
        with unit_of_work(self._gateway.read_only_sessions) as session:
            yield self._unit(session)

    def _unit(self, session: Session) -> Unit:
        return Unit(
            session=session,
            clock=self._gateway.clock,
            caller=self.caller,
            uses=self._gateway.uses,
        )

    def _require_first_time(self) -> None:
        """Raise AnsweredBeforeError if the sender named the request and has sent it before."""
        request = self._request
        key = request.headers.get(HEADER)
        if key is None or request.method != "POST":
            return
        found = idempotency.begin(
            self._session,
            workspace_id=self.caller.workspace_id,
            key=key,
            fingerprint=fingerprint_of(
                self.caller, request.method, f"{request.url.path}?{request.url.query}", self._body
            ),
            now=self._gateway.clock.now(),
        )
        if found is not None:
            media_type = "application/json" if found.body else None
            raise AnsweredBeforeError(
                Response(found.body, found.status, {REPLAYED: "true"}, media_type=media_type)
            )
        self._kept_as = key

    def keep(self, response: Response, *, hidden: Collection[str]) -> None:
        """Keep the answer for when the request is sent again, if its sender named it."""
        if self._kept_as is not None:
            idempotency.keep(
                self._session,
                workspace_id=self.caller.workspace_id,
                key=self._kept_as,
                status=response.status_code,
                body=bytes(response.body),
                hidden=hidden,
            )

    def __exit__(self, *raised: Any) -> None:
        """Commit what was done, or undo it if anything was raised."""
        if self._entrance.is_read_only:
            self._reader.close()
        else:
            self._stack.__exit__(*raised)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """What a handler asks for by the type of its `unit`: the scope of key, and whether it writes."""

    scope: ApiKeyScope
    is_read_only: bool
    is_short: bool = False
    """Whether it reads one row, or one page along an index."""
    opens_itself: bool = False
    """Whether the handler is given the door, to read first and open the unit that writes when it needs it."""


class UnitRoute(APIRoute):
    """A route that answers inside of its unit of work: key, body, handler, answer, commit, in this order."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what FastAPI calls for a request."""
        handle = super().get_route_handler()
        entrance: Entrance = self.endpoint.entrance  # type: ignore[attr-defined] # set by `_in_unit`
        takes_body = self.body_field is not None
        hidden = fields_shown_once(self.response_model)

        async def answer(received: Request) -> Response:
            request = JsonRequest(received.scope, received.receive)
            gateway: Gateway = request.app.state.gateway
            _secret_of(request)  # a request without a key is not read further
            body = await _body_of(request) if takes_body else b""

            def serve(readers: Engine) -> Response:
                with Door(request, entrance, body, readers) as door:
                    request.state.door = door
                    check_address(request)
                    refuse_repeats(request)
                    if body:
                        check_body(request, body)
                    response = run_now(handle(request))
                    door.keep(response, hidden=hidden)
                    return response

            if entrance.is_read_only:
                return await gateway.read(serve, is_short=entrance.is_short)
            return await gateway.writing_threads.run(partial(serve, gateway.readers))

        return answer


async def named(
    _: Annotated[
        str | None,
        Header(
            alias=HEADER,
            min_length=1,
            max_length=200,
            pattern=r"^[!-~]+$",
            description="a unique name for this request, such as a UUID:"
            " repeated, it is executed once and answered again",
        ),
    ] = None,
) -> None:
    """Say in the document that a request can be named; FastAPI checks the name."""


def fields_shown_once(response_model: Any) -> tuple[str, ...]:
    """Return the fields of a response that are in the first answer to a request and in no other."""
    fields = getattr(response_model, "model_fields", {})
    return tuple(
        name for name, field in fields.items() if (field.json_schema_extra or {}).get("x-shown-once")
    )


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
            generate_unique_id_function=operation_id,
            responses=problem_responses(*WITH_KEY),
        )

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route whose handler takes a `unit`, and say in the document that it needs a key."""
        options["openapi_extra"] = {**(options.get("openapi_extra") or {}), "security": NEEDS_KEY}
        if "POST" in (options.get("methods") or ()):
            options["dependencies"] = [*(options.get("dependencies") or ()), Depends(named)]
        super().add_api_route(path, _in_unit(endpoint), **options)


def _in_unit(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return what FastAPI calls for a handler: it is given the request, and gives the handler its unit."""
    shape = signature(handler, eval_str=True)
    (entrance,) = shape.parameters["unit"].annotation.__metadata__
    as_request = shape.parameters["unit"].replace(annotation=Request)

    async def handle(*, unit: Request, **arguments: Any) -> Any:
        door: Door = unit.state.door
        require_trust(door.caller, arguments.values())
        try:
            return handler(unit=door if entrance.opens_itself else door.open(), **arguments)
        except AnsweredBeforeError as earlier:
            return earlier.response

    update_wrapper(handle, handler)
    parameters = {**shape.parameters, "unit": as_request}
    handle.__signature__ = shape.replace(parameters=list(parameters.values()))  # type: ignore[attr-defined]
    handle.entrance = entrance  # type: ignore[attr-defined] # for `UnitRoute`
    return handle


# A handler names its entrance beside the type of what it is given: `_in_unit` reads it.
Reading = Annotated[Unit, Entrance(scope=ApiKeyScope.READ, is_read_only=True)]
"""A read-only transaction, for a key of any scope."""
ShortReading = Annotated[Unit, Entrance(scope=ApiKeyScope.READ, is_read_only=True, is_short=True)]
"""The same for a handler that reads one row, or one page along an index, and computes nothing."""
Recording = Annotated[Unit, Entrance(scope=ApiKeyScope.READ, is_read_only=False)]
"""A transaction that notes who looked at what, for a key of any scope."""
ReadingThenRecording = Annotated[
    Door, Entrance(scope=ApiKeyScope.READ, is_read_only=False, opens_itself=True)
]
"""The same for a look that takes long: the handler reads in `reading()` and notes in `open()`."""
ReadingThenWriting = Annotated[Door, Entrance(scope=ApiKeyScope.WRITE, is_read_only=False, opens_itself=True)]
"""For a key of scope write or admin: the handler computes in `reading()`, and writes in `open()`."""
Writing = Annotated[Unit, Entrance(scope=ApiKeyScope.WRITE, is_read_only=False)]
"""A transaction, for a key of scope write or admin."""
Administering = Annotated[Unit, Entrance(scope=ApiKeyScope.ADMIN, is_read_only=False)]
"""A transaction, for a key of scope admin."""
