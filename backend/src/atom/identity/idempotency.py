"""
A request that is sent again is answered again, and done once.

The sender names a request with the header `Idempotency-Key`. Its answer is kept in the transaction that the
request is done in: either both are committed or neither is. Who sends the request again gets the kept answer.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, select, update

from atom.db.statements import rows_changed, table_of, upsert
from atom.identity.models import IdempotentRequest
from atom.kit.clock import moved
from atom.kit.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from sqlalchemy import Table
    from sqlalchemy.orm import Session

    from atom.identity.keys import Caller

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LIFETIME = timedelta(hours=24)
"""How long an answer is kept."""

Requests = table_of(IdempotentRequest)
SAME = (Requests.c.workspace_id == bindparam("workspace"), Requests.c.key == bindparam("name"))
FORGET: Final = delete(Requests).where(
    Requests.c.workspace_id == bindparam("workspace"), Requests.c.created_at <= bindparam("until")
)
FIND: Final = select(Requests.c.fingerprint, Requests.c.status, Requests.c.body).where(*SAME)
KEEP: Final = update(Requests).where(*SAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """The answer that a request was given the first time."""

    status: int
    body: bytes


def fingerprint_of(caller: Caller, method: str, target: str, body: bytes) -> str:
    """Return what tells a request from another one: who sends it, where to, and its body."""
    parts = (caller.user_id or "", method, target, hashlib.sha256(body).hexdigest())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def begin(
    session: Session, *, workspace_id: str, key: str, fingerprint: str, now: datetime
) -> KeptAnswer | None:
    """
    Return the answer that the request was given before, None if this is the first time.

    Of two at the same time the second one waits here until the first is committed or undone.
    """
    which = {"workspace": workspace_id, "name": key}
    rows_changed(session, FORGET, {"workspace": workspace_id, "until": moved(now, -LIFETIME)})
    values = {"workspace_id": workspace_id, "key": key, "fingerprint": fingerprint, "created_at": now}
    if session.connection().execute(_claim(session), values).first() is not None:
        return None
    found = session.connection().execute(FIND, which).one()
    if found.fingerprint != fingerprint:
        raise InvalidError(f"{HEADER} {key!r} was sent with another request before", field=HEADER)
    return KeptAnswer(status=found.status, body=found.body)


def keep(
    session: Session, *, workspace_id: str, key: str, status: int, body: bytes, hidden: Collection[str]
) -> None:
    """Keep the answer of a request that `begin` saw for the first time; a hidden field is kept as null."""
    if hidden:
        answer: dict[str, Any] = json.loads(body)
        body = json.dumps({**answer, **dict.fromkeys(hidden)}).encode()
    which = {"workspace": workspace_id, "name": key}
    session.connection().execute(KEEP, {**which, "status": status, "body": body})


@upsert
def _claim(insert: Callable[[Table], Any]) -> Any:
    # Not by `rowcount`: on PostgreSQL it is -1 for an INSERT that inserted nothing.
    claimed = insert(Requests).on_conflict_do_nothing(index_elements=["workspace_id", "key"])
    return claimed.returning(Requests.c.key)
