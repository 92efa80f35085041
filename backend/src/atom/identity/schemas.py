"""Requests and responses of identity."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from atom.identity.models import ApiKeyScope, UserRole, WorkspaceStatus
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.kit.text import MAX_NAME
from atom.web.schemas import WHOLE, Answer, Id, Moment, Name, PageQuery, Request

EMAIL = r"^[^@\s\u001c-\u001f\u0085\ufeff]+@[^@\s\u001c-\u001f\u0085\ufeff]+$"
"""Something on both sides of an at sign, and no space of any kind; whether it exists shows a letter to it."""


class KeyRequest(Request):
    """A key to make."""

    name: Name = Field(examples=["nightly import"])
    scope: ApiKeyScope = ApiKeyScope.READ
    user_id: Id | None = Field(None, description="the person whose key it is: it speaks for nobody else")
    expires_at: Moment | None = None


class KeyListQuery(PageQuery):
    """Whose keys to list, and which part of them."""

    user_id: Id | None = Field(None, description="only keys of this person")


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
    """A key that was just made; the secret is shown only once."""

    secret: str | None = Field(
        examples=["atom_..."],
        description="shown only once: null in a repeated answer",
        json_schema_extra={"x-shown-once": True},
    )


class UserRequest(Request):
    """A user to add."""

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


class UserChangeRequest(Request):
    """What is to change of a user; a field that is not sent stays."""

    # Made by a factory, so that the document shows no default: what is not sent is not changed.
    email: str = Field(default_factory=str, max_length=MAX_NAME, pattern=EMAIL)
    role: UserRole = Field(default_factory=lambda: UserRole.MEMBER)
    specialty: Name | None = Field(None, description="null removes it")
    hourly_cost_rate_minor: Annotated[int, Field(ge=0, le=MAX_AMOUNT_MINOR), WHOLE] = Field(
        default_factory=int
    )


class RotationRequest(Request):
    """For how long the key that is replaced stays good."""

    overlap_s: Annotated[int, Field(ge=0, le=30 * 86_400, examples=[3_600]), WHOLE] = 3_600


class WorkspaceRequest(Request):
    """Another name for the workspace."""

    name: Name


class WorkspaceResponse(Answer):
    """The workspace, to which everything else belongs."""

    id: str
    name: str
    status: WorkspaceStatus


class ExportResponse(Answer):
    """A user, and the rows of each table that name them."""

    user: UserResponse
    tables: dict[str, list[dict[str, Any]]]
    cut: list[str] = Field(description="the tables that hold more rows than are shown")
