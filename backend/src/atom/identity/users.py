"""Users of a workspace: the people whom conversations belong to and who decide what agents ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError

from atom.db.statements import table_of
from atom.db.violations import violates
from atom.identity.models import User, UserRole
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.kit.pagination import KeyPage
from atom.kit.text import checked_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

FIND_USER: Final = select(User).where(
    User.id == bindparam("user"), User.workspace_id == bindparam("workspace")
)
Users = table_of(User)
HAS_USER: Final = select(Users.c.id).where(
    Users.c.id == bindparam("user"), Users.c.workspace_id == bindparam("workspace")
)


def create_user(
    session: Session,
    *,
    workspace_id: str,
    email: str,
    role: UserRole = UserRole.MEMBER,
    specialty: str | None = None,
    hourly_cost_rate_minor: int = 0,
) -> User:
    """Write a user under an address that the workspace does not have yet."""
    if not 0 <= hourly_cost_rate_minor <= MAX_AMOUNT_MINOR:
        raise InvalidError(
            f"{hourly_cost_rate_minor} is out of range, expected 0 to {MAX_AMOUNT_MINOR}",
            field="hourly_cost_rate_minor",
        )
    user = User(
        id=new_id(),
        workspace_id=workspace_id,
        email=_checked_email(email),
        role=role,
        specialty=None if specialty is None else checked_text(specialty, field="specialty"),
        hourly_cost_rate_minor=hourly_cost_rate_minor,
    )
    try:
        with session.begin_nested():
            session.add(user)
            session.flush()
    except IntegrityError as exc:
        if violates(exc, User.UNIQUE_EMAIL):
            raise ConflictError(f"the workspace has a user {email!r}") from exc
        raise NotFoundError("workspace", workspace_id) from exc
    return user


def get_user(session: Session, *, workspace_id: str, user_id: str) -> User:
    """Return a user of the workspace."""
    user = session.scalar(FIND_USER, {"workspace": workspace_id, "user": user_id})
    if user is None:
        raise NotFoundError("user", user_id)
    return user


def require_user(session: Session, *, workspace_id: str, user_id: str) -> None:
    """Raise if the workspace has no such user; cheaper than to get one."""
    if session.scalar(HAS_USER, {"workspace": workspace_id, "user": user_id}) is None:
        raise NotFoundError("user", user_id)


def list_users(session: Session, *, workspace_id: str, limit: int, after: str | None = None) -> KeyPage[User]:
    """Return users of the workspace in the order of their ids."""
    query = select(User).where(User.workspace_id == workspace_id).order_by(User.id).limit(limit + 1)
    if after is not None:
        query = query.where(User.id > after)
    return KeyPage.cut(session.scalars(query).all(), limit=limit, key=lambda user: user.id)


def _checked_email(text: str) -> str:
    email = checked_text(text, field="email")
    name, _, host = email.rpartition("@")
    if not name or not host or any(letter.isspace() for letter in email):
        raise InvalidError(f"{email!r} is not an e-mail address", field="email")
    return email
