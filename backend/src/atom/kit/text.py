"""Text from outside: bounded, and storable by every database."""

from __future__ import annotations

from atom.kit.errors import InvalidError

MAX_NAME = 200


def checked_text(text: str, *, field: str, max_length: int = MAX_NAME) -> str:
    """
    Return the text without surrounding space, or raise.

    It has to be neither empty nor too long, and free of what PostgreSQL cannot store: NUL, lone surrogates.
    """
    stripped = text.strip()
    if not stripped:
        raise InvalidError("must not be empty", field=field)
    if len(stripped) > max_length:
        raise InvalidError(f"has {len(stripped)} characters, at most {max_length} are allowed", field=field)
    if not is_storable(stripped):
        raise InvalidError("contains a NUL or a lone surrogate", field=field)
    return stripped


def is_storable(text: str) -> bool:
    """Whether both databases can store the text."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
