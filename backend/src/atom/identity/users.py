"""Users of a workspace: the people whom conversations belong to and who decide what agents ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError

from atom.db.statements import table_of
from atom.db.types import UtcDateTime
from atom.db.violations import violates
from atom.identity.models import ApiKey, User, UserRole
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.kit.pagination import KeyPage
from atom.kit.text import checked_text, normal_form

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock

FIND_USER: Final = select(User).where(
    User.id == bindparam("user"), User.workspace_id == bindparam("workspace")
)
HOLD_USER: Final = FIND_USER.with_for_update().execution_options(populate_existing=True)
Users = table_of(User)
Keys = table_of(ApiKey)
REVOKE_KEYS: Final = (
    update(Keys)
    .where(Keys.c.user_id == bindparam("owner"), Keys.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at", type_=UtcDateTime()))
)
ANONYMOUS_HOST = "anonymous.invalid"
"""A domain that nobody can have (RFC 2606)."""
HAS_USER: Final = select(Users.c.id).where(
    Users.c.id == bindparam("user"), Users.c.workspace_id == bindparam("workspace")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChange:
    """What is to change of a user; None leaves a field as it is."""

    email: str | None = None
    role: UserRole | None = None
    specialty: str | None = None
    forgets_specialty: bool = False
    hourly_cost_rate_minor: int | None = None


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
    _check_rate(hourly_cost_rate_minor)
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
            raise ConflictError(f"the workspace has a user {user.email!r}") from exc
        raise NotFoundError("workspace", workspace_id) from exc
    return user


def update_user(session: Session, *, workspace_id: str, user_id: str, change: UserChange) -> User:
    """Change what is known of a user; a field that is not given stays."""
    user = hold_person(session, workspace_id=workspace_id, user_id=user_id)
    values = _values_of(change)
    try:
        with session.begin_nested():
            for name, value in values.items():
                setattr(user, name, value)
            session.flush()
    except IntegrityError as exc:
        raise ConflictError(f"the workspace has a user {values.get('email')!r}") from exc
    return user


def _values_of(change: UserChange) -> dict[str, Any]:
    """Return the checked values of the columns that change."""
    values: dict[str, Any] = {}
    if change.email is not None:
        values["email"] = _checked_email(change.email)
    if change.role is not None:
        values["role"] = change.role
    if change.forgets_specialty:
        values["specialty"] = None
    elif change.specialty is not None:
        values["specialty"] = checked_text(change.specialty, field="specialty")
    if change.hourly_cost_rate_minor is not None:
        _check_rate(change.hourly_cost_rate_minor)
        values["hourly_cost_rate_minor"] = change.hourly_cost_rate_minor
    return values


def anonymise_user(session: Session, clock: Clock, *, workspace_id: str, user_id: str) -> User:
    """
    Forget who a user is: address, specialty and role go, and their keys are revoked.

    Books, decisions and conversations stay, and name the same id of nobody in particular. This is final: the
    id gets no key and no address again.
    """
    user = _hold(session, workspace_id=workspace_id, user_id=user_id)
    user.email = f"{user.id}@{ANONYMOUS_HOST}"
    user.specialty = None
    user.role = UserRole.GUEST
    session.execute(REVOKE_KEYS, {"owner": user_id, "at": clock.now()})
    session.flush()
    session.expire_all()
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


def hold_person(session: Session, *, workspace_id: str, user_id: str) -> User:
    """Return a user, locked for other writers; who was anonymised is nobody any more."""
    user = _hold(session, workspace_id=workspace_id, user_id=user_id)
    if user.email.endswith(f"@{ANONYMOUS_HOST}"):
        raise ConflictError(f"user {user_id!r} was anonymised, which is final")
    return user


def _hold(session: Session, *, workspace_id: str, user_id: str) -> User:
    found = session.scalar(HOLD_USER, {"workspace": workspace_id, "user": user_id})
    if found is None:
        raise NotFoundError("user", user_id)
    return found


def _check_rate(rate_minor: int) -> None:
    if not 0 <= rate_minor <= MAX_AMOUNT_MINOR:
        raise InvalidError(
            f"{rate_minor} is out of range, expected 0 to {MAX_AMOUNT_MINOR}", field="hourly_cost_rate_minor"
        )


def _checked_email(text: str) -> str:
    """Return an address in the one form that is stored: composed, and without regard to case."""
    email = checked_text(normal_form(text).casefold(), field="email")
    name, _, host = email.rpartition("@")
    if not name or host in ("", ANONYMOUS_HOST) or any(letter.isspace() for letter in email):
        raise InvalidError(f"{email!r} is not an e-mail address", field="email")
    return email
