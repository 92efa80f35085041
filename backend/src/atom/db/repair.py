"""Finds stored JSON that is nested too deep to be returned, and repairs it without losing any of it."""

from __future__ import annotations

from dataclasses import dataclass
from json import loads
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Text, cast, func, select, update

from atom.db.types import MAX_STORED_DEPTH, is_too_deep
from atom.kit.json_depth import depth_of, flatten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, ColumnElement, Connection, MetaData

SHORTEST = 2 * (MAX_STORED_DEPTH + 1)
"""The length of the shortest text with more levels than are allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepValue:
    """A value of a JSON column that is nested too deep."""

    column: Column[Any]
    key: tuple[Any, ...]
    text: str

    def __str__(self) -> str:
        key = ", ".join(map(str, self.key))
        return f"{self.column.table.name}.{self.column.name} of {key}: {depth_of(self.text)} levels"

    def repair(self, connection: Connection) -> None:
        """Replace the part that is too deep by a string with its JSON text."""
        table = self.column.table
        value = loads(flatten(self.text, max_depth=MAX_STORED_DEPTH))
        is_row: list[ColumnElement[bool]] = [
            column == part for column, part in zip(table.primary_key, self.key, strict=True)
        ]
        connection.execute(update(table).where(*is_row).values({self.column: value}))


def deep_values(connection: Connection, metadata: MetaData) -> Iterator[DeepValue]:
    """Yield the values that are nested too deep, in every JSON column of every table."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            if not isinstance(column.type, JSON):
                continue
            text = cast(column, Text)
            rows = connection.execute(
                select(text, *table.primary_key).where(func.length(text) >= SHORTEST),
                execution_options={"yield_per": 100},
            )
            for found, *key in rows:
                if is_too_deep(found):
                    yield DeepValue(column=column, key=tuple(key), text=found)
