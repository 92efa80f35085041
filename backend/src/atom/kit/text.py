"""Text from outside: what either database can store, and how long it may be."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from atom.kit.errors import InvalidError
from atom.kit.json_depth import depth_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NAME = 200
MAX_JSON_LENGTH = 100_000
MAX_JSON_DEPTH = 32
"""How many levels of arrays and objects a sender may nest."""
TOO_DEEP = f"is nested deeper than {MAX_JSON_DEPTH} levels"
ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def normal_form(text: str) -> str:
    """Return the text in Unicode's form NFC: what looks the same is the same."""
    return unicodedata.normalize("NFC", text)


def name_form(text: str) -> str:
    """Return a name in the one form that is stored and looked for: composed, without space around it."""
    return normal_form(text).strip()


def check_text(text: str, *, field: str, max_length: int) -> None:
    """Refuse text that is blank, too long, or that a database cannot store."""
    if not text.strip():
        raise InvalidError(f"{field} is blank", field=field)
    if len(text) > max_length:
        raise InvalidError(
            f"{field} has {len(text)} characters, at most {max_length} are allowed", field=field
        )
    fault = text_fault(text)
    if fault is not None:
        raise InvalidError(f"{field} {fault}", field=field)


def checked_text(text: str, *, field: str, max_length: int = MAX_NAME) -> str:
    """Return the text without surrounding space, or raise as `check_text` does."""
    stripped = text.strip()
    check_text(stripped, field=field, max_length=max_length)
    return stripped


def check_json(value: Mapping[str, Any], *, field: str) -> None:
    """Refuse an object that is not JSON, too long, nested too deep, or that a database cannot store."""
    fault = json_fault(value)
    if fault is not None:
        raise InvalidError(f"{field} {fault}", field=field)


def json_fault(value: object) -> str | None:
    """Return what keeps a value from being stored as JSON, as the rest of a sentence about it."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as exc:
        return f"is not JSON: {exc}"
    except RecursionError:
        return TOO_DEEP
    if len(text) > MAX_JSON_LENGTH:
        return f"has {len(text)} characters, at most {MAX_JSON_LENGTH} are allowed"
    if text.count("[") + text.count("{") > MAX_JSON_DEPTH and depth_of(text) > MAX_JSON_DEPTH:
        return TOO_DEEP
    return text_fault(text) or ("has a NUL character" if ESCAPED_NUL.search(text) else None)


def text_fault(text: str) -> str | None:
    """Return what keeps a text from being stored, as the rest of a sentence about it."""
    if "\0" in text:
        return "has a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        return f"has half a surrogate pair at {exc.start}"
    return None
