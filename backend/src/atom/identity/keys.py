"""API keys: made here, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, tuple_, update

from atom.db.direct import fetch
from atom.db.statements import table_of
from atom.db.types import UtcDateTime
from atom.identity.models import ApiKey, ApiKeyScope, Workspace, WorkspaceStatus
from atom.identity.users import hold_person
from atom.kit.clock import moved
from atom.kit.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)
from atom.kit.ids import new_id
from atom.kit.pagination import Cursor, Page, PageRequest
from atom.kit.text import checked_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock

PREFIX = "atom_"
SECRET_BYTES = 32
RANKS = {scope: rank for rank, scope in enumerate(ApiKeyScope)}
Keys = table_of(ApiKey)
Workspaces = table_of(Workspace)

FIND_CALLER = (
    select(Keys.c.id, Keys.c.workspace_id, Keys.c.user_id, Keys.c.scope, Workspaces.c.status)
    .join_from(Keys, Workspaces, Workspaces.c.id == Keys.c.workspace_id)
    .where(
        Keys.c.key_hash == bindparam("hash"),
        Keys.c.revoked_at.is_(None),
        Keys.c.expires_at.is_(None) | (Keys.c.expires_at > bindparam("now", type_=UtcDateTime())),
    )
)
"""Built once, and on tables: every request runs it."""
NOTE_USE = (
    update(Keys)
    .where(
        Keys.c.id == bindparam("used"),
        Keys.c.last_used_at.is_(None) | (Keys.c.last_used_at < bindparam("at", type_=UtcDateTime())),
    )
    .values(last_used_at=bindparam("at", type_=UtcDateTime()))
)
LONGEST_OVERLAP = timedelta(days=30)
CLOSED = {WorkspaceStatus.SUSPENDED, WorkspaceStatus.EXPIRED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who speaks: a key, and through it a workspace or, if the key belongs to a person, that person."""

    key_id: str
    workspace_id: str
    scope: ApiKeyScope
    user_id: str | None = None

    def require(self, scope: ApiKeyScope) -> None:
        """Raise unless the key's scope includes this one."""
        if RANKS[self.scope] < RANKS[scope]:
            raise ForbiddenError(f"the key has the scope {self.scope.value!r}, this needs {scope.value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key and its secret, which nobody can read again."""

    key: ApiKey
    secret: str


def create_key(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    name: str,
    scope: ApiKeyScope,
    user_id: str | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """
    Make a key for a workspace, or for one of its people.

    Its secret has 256 random bits, so a plain hash protects it.
    """
    if session.get(Workspace, workspace_id) is None:
        raise NotFoundError("workspace", workspace_id)
    if user_id is not None:
        hold_person(session, workspace_id=workspace_id, user_id=user_id)
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey(
        id=new_id(),
        workspace_id=workspace_id,
        user_id=user_id,
        name=checked_text(name, field="name"),
        key_hash=hash_secret(secret),
        scope=scope,
        created_at=clock.now(),
        expires_at=expires_at,
    )
    session.add(key)
    session.flush()
    return NewKey(key=key, secret=secret)


def rotate_key(
    session: Session, clock: Clock, *, workspace_id: str, key_id: str, overlap: timedelta
) -> NewKey:
    """
    Make a key that may do what another one may, which stays good for an overlap.

    So a program can be given the new one while it still runs with the old one.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidError(
            f"the overlap is {overlap.total_seconds():g} s, expected 0 to"
            f" {LONGEST_OVERLAP.total_seconds():g} s",
            field="overlap_s",
        )
    wanted = select(ApiKey).where(ApiKey.id == key_id, ApiKey.workspace_id == workspace_id)
    found = session.scalar(wanted)
    if found is not None and found.user_id is not None:
        # The person before the key, in the order of `anonymise_user`: else each could wait for the other.
        hold_person(session, workspace_id=workspace_id, user_id=found.user_id)
    old = session.scalar(wanted.with_for_update().execution_options(populate_existing=True))
    now = clock.now()  # read once the row is held: who waited for another rotation has to see the end it set
    if old is None:
        raise NotFoundError("API key", key_id)
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise ConflictError(f"API key {key_id!r} is revoked or expired; make another one instead")
    made = create_key(
        session,
        clock,
        workspace_id=workspace_id,
        name=old.name,
        scope=old.scope,
        user_id=old.user_id,
        expires_at=old.expires_at,
    )
    ends_at = moved(now, overlap)
    old.expires_at = ends_at if old.expires_at is None else min(old.expires_at, ends_at)
    session.flush()
    return made


def note_uses(session: Session, uses: Mapping[str, datetime]) -> None:
    """Write when keys were last used; an earlier use than the one that is known changes nothing."""
    for key_id, at in uses.items():
        session.connection().execute(NOTE_USE, {"used": key_id, "at": at})


def authenticate(session: Session, clock: Clock, secret: str) -> Caller:
    """Return who a secret belongs to, as `find_caller` does."""
    return find_caller(session.connection(), clock, secret)


def find_caller(connection: Connection, clock: Clock, secret: str) -> Caller:
    """
    Return who a secret belongs to.

    Unknown, expired and revoked keys are told apart for nobody: each raises the same error. A key of a
    suspended or expired workspace is known, and forbidden.
    """
    sought = {"hash": hash_secret(secret), "now": clock.now()}
    found = fetch(connection, FIND_CALLER, sought)
    if not found:
        raise UnauthenticatedError("the API key is unknown, expired or revoked")
    ((key_id, workspace_id, user_id, scope, status),) = found
    if status in CLOSED:
        raise ForbiddenError(f"the workspace is {status.value}")
    return Caller(key_id=key_id, workspace_id=workspace_id, scope=scope, user_id=user_id)


def list_keys(
    session: Session, *, workspace_id: str, user_id: str | None = None, page: PageRequest | None = None
) -> Page[ApiKey]:
    """Return the workspace's keys, or one person's, newest first; revoked ones too, as their history."""
    page = page or PageRequest()
    query = (
        select(ApiKey)
        .where(ApiKey.workspace_id == workspace_id)
        .order_by(ApiKey.created_at.desc(), ApiKey.id.desc())
        .limit(page.limit + 1)
    )
    if user_id is not None:
        query = query.where(ApiKey.user_id == user_id)
    if page.after is not None:
        query = query.where(tuple_(ApiKey.created_at, ApiKey.id) < tuple_(page.after.at, page.after.id))
    rows = session.scalars(query).all()
    return Page.cut(rows, limit=page.limit, place=lambda row: Cursor(at=row.created_at, id=row.id))


def revoke_key(session: Session, clock: Clock, *, workspace_id: str, key_id: str) -> ApiKey:
    """Make a key of the workspace useless from now on; a second time changes nothing."""
    key = session.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.workspace_id == workspace_id))
    if key is None:
        raise NotFoundError("API key", key_id)
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        session.flush()
    return key


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a secret, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()
