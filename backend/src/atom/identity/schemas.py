"""Requests and responses of identity."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from atom.identity.models import ApiKeyScope
from atom.kit.text import MAX_NAME


class KeyRequest(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=MAX_NAME, examples=["nightly import"])
    scope: ApiKeyScope = ApiKeyScope.READ
    expires_at: AwareDatetime | None = None


class KeyResponse(BaseModel):
    """A key, without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    scope: ApiKeyScope
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeyResponse(KeyResponse):
    """A key that was just made; the secret is shown this once."""

    secret: str = Field(examples=["atom_..."])
