"""Text from outside: what either database can store, and how long it may be."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from atom.kit.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NAME = 200
MAX_JSON_LENGTH = 100_000
ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def check_text(text: str, *, field: str, max_length: int) -> None:
    """Refuse text that is blank, too long, or that a database cannot store."""
    if not text.strip():
        raise InvalidError(f"{field} is blank", field=field)
    if len(text) > max_length:
        raise InvalidError(
            f"{field} has {len(text)} characters, at most {max_length} are allowed", field=field
        )
    _check_storable(text, field=field)


def checked_text(text: str, *, field: str, max_length: int = MAX_NAME) -> str:
    """Return the text without surrounding space, or raise as `check_text` does."""
    stripped = text.strip()
    check_text(stripped, field=field, max_length=max_length)
    return stripped


def check_json(value: Mapping[str, Any], *, field: str) -> None:
    """Refuse an object that is not JSON, too long, or that a database cannot store."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidError(f"{field} is not JSON: {exc}", field=field) from exc
    if len(text) > MAX_JSON_LENGTH:
        raise InvalidError(
            f"{field} has {len(text)} characters, at most {MAX_JSON_LENGTH} are allowed", field=field
        )
    if ESCAPED_NUL.search(text):
        raise InvalidError(f"{field} has a NUL character", field=field)
    _check_storable(text, field=field)


def _check_storable(text: str, *, field: str) -> None:
    if "\0" in text:
        raise InvalidError(f"{field} has a NUL character", field=field)
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidError(f"{field} has half a surrogate pair at {exc.start}", field=field) from exc
