"""Pages of a list: a cursor names the last row seen, so rows that are added later shift nothing."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

from atom.kit.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Item = TypeVar("Item")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_PAGE_LENGTH = 1_000_000
"""How many characters of text a page holds, where its rows hold texts of any length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The place after one row: its time, and its id where times are equal."""

    at: datetime
    id: str

    def encode(self) -> str:
        """Return the cursor as opaque, URL-safe text."""
        raw = f"{self.at.astimezone(UTC).isoformat()} {self.id}"
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Return the cursor that `encode` wrote."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
            at, _, id_ = raw.partition(" ")
            moment = datetime.fromisoformat(at)
            moment_utc = moment.astimezone(UTC)
        except (binascii.Error, ValueError, OverflowError) as exc:
            raise InvalidError(f"{text!r} is not a cursor", field="cursor") from exc
        if moment.tzinfo is None or not id_ or not id_.isprintable():
            raise InvalidError(f"{text!r} is not a cursor", field="cursor")
        return cls(at=moment_utc, id=id_)


def encode_key(key: str) -> str:
    """Return a name as opaque, URL-safe text."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_key(text: str) -> str:
    """Return the name that `encode_key` wrote."""
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as exc:
        raise InvalidError(f"{text!r} is not a cursor", field="cursor") from exc
    if not key or "\0" in key:
        raise InvalidError(f"{text!r} is not a cursor", field="cursor")
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """How many rows, and after which one."""

    limit: int = DEFAULT_LIMIT
    after: Cursor | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidError(f"limit is {self.limit}, expected 1 to {MAX_LIMIT}", field="limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Rows in order, and where the next page starts; no cursor means there is none."""

    items: tuple[Item, ...]
    next: Cursor | None = None

    @classmethod
    def cut(cls, rows: Sequence[Item], *, limit: int, place: Callable[[Item], Cursor]) -> Page[Item]:
        """Return the first `limit` rows of a query for one row more, which tells whether a page follows."""
        shown = tuple(rows[:limit])
        return cls(items=shown, next=place(shown[-1]) if len(rows) > limit else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPage(Generic[Item]):
    """Rows in the order of a unique key, and the key after which the next page starts, None at the end."""

    items: tuple[Item, ...]
    next: str | None = None

    @classmethod
    def cut(
        cls,
        rows: Sequence[Item],
        *,
        limit: int,
        key: Callable[[Item], str],
        length: Callable[[Item], int] | None = None,
    ) -> KeyPage[Item]:
        """
        Return the first `limit` rows of a query for one row more, which tells whether a page follows.

        With a `length` of each row the page ends before they exceed `MAX_PAGE_LENGTH`, but never empty.
        """
        shown = tuple(rows[:limit])
        if length is not None:
            ends = accumulate(length(row) for row in shown)
            shown = shown[: max(1, sum(end <= MAX_PAGE_LENGTH for end in ends))]
        return cls(items=shown, next=key(shown[-1]) if len(rows) > len(shown) else None)

    @classmethod
    def within(
        cls, items: Iterable[Item], *, limit: int, after: str | None, key: Callable[[Item], str]
    ) -> KeyPage[Item]:
        """Return the page of a list that is at hand: its items after a key, in the order of their keys."""
        rest = sorted((item for item in items if after is None or key(item) > after), key=key)
        return cls.cut(rest, limit=limit, key=key)
