"""Rows as the types that services work with: a dataclass names its fields once, for reading and writing."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy.exc import MultipleResultsFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import ClassVar, Protocol

    from sqlalchemy import ColumnElement, Table

    class Dataclass(Protocol):
        """Anything that `fields` takes."""

        __dataclass_fields__: ClassVar[dict[str, Any]]


Item = TypeVar("Item", bound="Dataclass")


class RowsOf(Generic[Item]):
    """
    The columns of a table that make a dataclass.

    A field has the name of its column, or `names` says which column it is: of this table by its name, or of
    another one that the query joins, which is read and never written.
    """

    def __init__(self, type_: type[Item], table: Table, **names: str | ColumnElement[Any]) -> None:
        self._type = type_
        places = {field.name: names.get(field.name, field.name) for field in fields(type_)}
        self._names = tuple(places)
        self._column_of = {name: place for name, place in places.items() if isinstance(place, str)}
        self.columns: list[ColumnElement[Any]] = [
            (table.c[place] if isinstance(place, str) else place).label(name)
            for name, place in places.items()
        ]

    def one(self, rows: Sequence[Sequence[Any]]) -> Item | None:
        """Return the one row there is, None for none."""
        if len(rows) > 1:
            raise MultipleResultsFound
        return self.read(rows[0]) if rows else None

    def all(self, rows: Iterable[Sequence[Any]]) -> list[Item]:
        """Return the rows."""
        return [self.read(row) for row in rows]

    def values(self, item: Item) -> dict[str, Any]:
        """Return what an INSERT of the item writes, by column."""
        return {column: getattr(item, name) for name, column in self._column_of.items()}

    def changes(self, item: Item, names: Iterable[str]) -> dict[str, Any]:
        """Return what an UPDATE of some of the item's fields writes, by column."""
        return {self._column_of[name]: getattr(item, name) for name in names}

    def read(self, row: Sequence[Any]) -> Item:
        """Return a row that begins with `columns` as the dataclass; what follows them is left out."""
        return self._type(**dict(zip(self._names, row, strict=False)))
