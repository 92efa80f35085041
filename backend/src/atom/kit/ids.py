"""Identifiers: random UUIDs as text, made by the application so that a row has one before it is written."""

from __future__ import annotations

import uuid

ID_LENGTH = 36


def new_id() -> str:
    """Return a fresh identifier."""
    return str(uuid.uuid4())
