"""Text that is no Unicode, as Python reads it from odd file names, in the form in which records hold it."""

from __future__ import annotations

from typing import Any


def escape(text: str) -> str:
    """Return the text with escapes for what is no Unicode, which no JSON can hold."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def escape_all(value: Any) -> Any:
    """Return plain data with all text in it escaped, the keys of its dicts included."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, list):
        return [escape_all(part) for part in value]
    if isinstance(value, dict):
        return {escape(key): escape_all(part) for key, part in value.items()}
    return value
