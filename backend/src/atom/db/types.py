"""Column types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from json import loads
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, DateTime, Enum
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict, MutableList
from sqlalchemy.types import TypeDecorator

from atom.kit.json_depth import depth_of, flatten

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

    from sqlalchemy.engine import Dialect

ENUM_LENGTH = 32
MAX_STORED_DEPTH = 64
"""How deep JSON of a column may be: twice what a sender may nest, because the service puts more around it."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware datetimes go in, UTC comes out, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn an aware datetime to UTC; a naive one is a mistake of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"{value!r} has no time zone"
            raise ValueError(msg)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Attach UTC to what SQLite returns, turn what PostgreSQL returns to UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """Return what reads a column: of SQLite in one step, which takes a third of the time."""
        if dialect.name == "sqlite":
            return _read_utc
        return super().result_processor(dialect, coltype)


def _read_utc(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(f"{stored}+00:00")


def json_type() -> JSON:
    """Return JSON: text on SQLite, JSONB on PostgreSQL; None is SQL NULL, not a JSON null."""
    return JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def is_too_deep(text: str) -> bool:
    """Whether a stored JSON text is deeper than an answer can be."""
    n_levels_at_most = text.count("[") + text.count("{")
    return n_levels_at_most > MAX_STORED_DEPTH and depth_of(text) > MAX_STORED_DEPTH


def load_json(stored: str | bytes) -> Any:
    """Return the value of a stored JSON text; what stands too deep in it becomes a string, its JSON text."""
    text = stored if isinstance(stored, str) else stored.decode()
    return loads(flatten(text, max_depth=MAX_STORED_DEPTH) if is_too_deep(text) else text)


JsonList: Any = MutableList.as_mutable(json_type())
"""A JSON array; appending to it in place marks the row as changed."""

JsonObject: Any = MutableDict.as_mutable(json_type())
"""A JSON object; setting a key in place marks the row as changed."""


def str_enum(members: type[StrEnum], *, name: str) -> Enum:
    """Return a VARCHAR that a CHECK constraint called `name` holds to the values of `members`."""
    return Enum(
        members,
        name=name,
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=ENUM_LENGTH,
        values_callable=lambda enum: [member.value for member in enum],
    )


def one_of(*values: str, name: str) -> Enum:
    """Return the same column as `str_enum` from plain text: migrations keep the values of their day."""
    return Enum(*values, name=name, native_enum=False, create_constraint=True, length=ENUM_LENGTH)
