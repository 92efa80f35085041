"""Requests and responses of identity."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from atom.identity.models import ApiKeyScope, UserRole
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.kit.text import MAX_NAME
from atom.web.schemas import WHOLE, Answer, Id, Moment, Name, Request

EMAIL = r"^[^@\s\u001c-\u001f\u0085\ufeff]+@[^@\s\u001c-\u001f\u0085\ufeff]+$"
"""Something on both sides of an at sign, and no space of any kind; whether it exists shows a letter to it."""


class KeyRequest(Request):
    """A key to make."""

    name: Name = Field(examples=["nightly import"])
    scope: ApiKeyScope = ApiKeyScope.READ
    user_id: Id | None = Field(None, description="the person whose key it is: it speaks for nobody else")
    expires_at: Moment | None = None


class KeyResponse(Answer):
    """A key, without its secret."""

    id: str
    name: str
    scope: ApiKeyScope
    user_id: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewKeyResponse(KeyResponse):
    """A key that was just made; the secret is shown this once."""

    secret: str | None = Field(
        examples=["atom_..."],
        description="shown this once: null where an answer is repeated",
        json_schema_extra={"x-shown-once": True},
    )


class UserRequest(Request):
    """A user to write down."""

    email: str = Field(max_length=MAX_NAME, pattern=EMAIL, examples=["ada@example.org"])
    role: UserRole = UserRole.MEMBER
    specialty: Name | None = Field(
        None, description="the category of agents whose corrections count at once", examples=["finance"]
    )
    hourly_cost_rate_minor: Annotated[int, Field(ge=0, le=MAX_AMOUNT_MINOR), WHOLE] = 0


class UserResponse(Answer):
    """A person of the workspace."""

    id: str
    email: str
    role: UserRole
    specialty: str | None
    hourly_cost_rate_minor: int
