"""What the requests and responses of all domains are made of: strict bodies, fields, pages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints

from atom.kit.ids import ID_LENGTH
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.kit.pagination import DEFAULT_LIMIT, MAX_LIMIT, Cursor, PageRequest, decode_key, encode_key
from atom.kit.text import MAX_NAME, json_fault, name_form

if TYPE_CHECKING:
    from collections.abc import Callable

    from atom.kit.pagination import KeyPage, Page

ID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
NOT_BLANK = r"[^\s\u001c-\u001f\u0085\ufeff][\s\S]*$"
"""
A character that nobody calls a space, and what follows: Python, Rust and ECMAScript disagree about spaces.

JSON Schema means ECMAScript. What follows says nothing new, but Schemathesis takes a single character for all
that a text may be made of, and a text of 100,000 such characters for a pattern of 60 MB.
"""
MAX_CURSOR = 200
MAX_KEY_CURSOR = 1_100
"""A name of 200 characters, each of four bytes, in base64."""
MAX_INTEGER = 2**31 - 1
"""The largest number that a column of type INTEGER holds."""

DATE_TEXT = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MOMENT_TEXT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)


def _day(value: object) -> object:
    """Return a day from its text; pydantic alone would take numbers of seconds and days with a time."""
    if not isinstance(value, str):
        return value
    if not DATE_TEXT.fullmatch(value):
        msg = "expected a day such as 2026-03-01"
        raise ValueError(msg)
    return date.fromisoformat(value)


def _moment(value: object) -> object:
    """Return a moment in UTC from the text that RFC 3339 calls a date-time."""
    if not isinstance(value, str):
        return value
    if not MOMENT_TEXT.fullmatch(value):
        msg = "expected a moment with its time zone such as 2026-03-01T12:00:00Z"
        raise ValueError(msg)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except OverflowError as exc:
        msg = "out of range: in UTC its year has to be 1 to 9999"
        raise ValueError(msg) from exc


def _whole(value: object) -> object:
    """Return what JSON Schema calls an integer as one: `2.0` too, and no text or truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = "expected a whole number"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports no other
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _free(value: object) -> object:
    """Return JSON of any shape, unless it is too much to store or to answer."""
    fault = json_fault(value)
    if fault is not None:
        msg = f"the value {fault}"
        raise ValueError(msg)
    return value


Id = Annotated[
    str,
    StringConstraints(pattern=ID_PATTERN, min_length=ID_LENGTH, max_length=ID_LENGTH),
    Field(json_schema_extra={"format": "uuid"}),
]
"""The id of a row."""
Name = Annotated[
    str,
    StringConstraints(pattern=NOT_BLANK, min_length=1, max_length=MAX_NAME),
    AfterValidator(name_form),
]
"""A text of a line that is not blank, in the one form of a name once it is read."""
Day = Annotated[date, Strict(), BeforeValidator(_day)]
"""A day of the calendar."""
Moment = Annotated[datetime, Strict(), BeforeValidator(_moment)]
"""A moment, in UTC once it is read."""
WHOLE = BeforeValidator(_whole)
"""Of a whole number in a body: `Annotated[int, Field(ge=1), WHOLE]`; the document has no bounds after it."""
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
"""A finite number."""
Flag = Annotated[bool, Strict()]
"""A truth value, and neither a text nor a number that could be read as one."""
AmountMinor = Annotated[int, Field(ge=1, le=MAX_AMOUNT_MINOR, examples=[1250]), WHOLE]
"""An amount of money in minor units."""
JsonValue = Annotated[Any, AfterValidator(_free)]
"""A value whose meaning is the sender's own."""
JsonObject = Annotated[dict[str, Any], AfterValidator(_free)]
"""An object whose meaning is the sender's own."""


class Request(BaseModel):
    """A body or a query: a field that the route does not know is an error, not a typing mistake unnoticed."""

    model_config = ConfigDict(extra="forbid")

    def acts_for(self) -> tuple[str, ...]:
        """Return the people in whose name the request acts: its key has to speak for each of them."""
        return ()

    def lifts(self) -> bool:
        """Whether the request makes an agent more trusted, which takes a key of scope admin."""
        return False


class Answer(BaseModel):
    """A response, read from what a service returned."""

    model_config = ConfigDict(from_attributes=True)


class CountResponse(Answer):
    """How many rows the request changed."""

    n: int


class LimitQuery(Request):
    """How many rows to list."""

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="the most rows to return")


class IdPageQuery(LimitQuery):
    """Which part of a list in the order of ids to return."""

    cursor: Id | None = Field(None, description="`next` of the page before; none for the first page")


class KeyQuery(LimitQuery):
    """Which part of a list in the order of names to return."""

    cursor: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_KEY_CURSOR,
        description="`next` of the page before; none for the first page",
        json_schema_extra={"format": "key-cursor"},
    )

    @property
    def after(self) -> str | None:
        """The name after which the page starts."""
        return None if self.cursor is None else decode_key(self.cursor)


class PlaceQuery(LimitQuery):
    """Which part of a list of numbered rows to return."""

    cursor: int | None = Field(
        None, ge=0, le=MAX_INTEGER, description="`next` of the page before; none for the first page"
    )


class PageQuery(LimitQuery):
    """Which part of a list in the order of time to return."""

    cursor: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_CURSOR,
        description="`next` of the page before; none for the first page",
        json_schema_extra={"format": "cursor"},
    )

    @property
    def page(self) -> PageRequest:
        """The page that a service is asked for."""
        after = None if self.cursor is None else Cursor.decode(self.cursor)
        return PageRequest(limit=self.limit, after=after)


Row = TypeVar("Row")
Item = TypeVar("Item")


class ItemsAnswer(Answer, Generic[Row]):
    """What a request brought about, one by one."""

    items: list[Row]


class PageAnswer(ItemsAnswer[Row], Generic[Row]):
    """A part of a list."""

    next: str | None = Field(description="the `cursor` of the next page; null when this is the last one")

    @classmethod
    def of(cls, page: Page[Item] | KeyPage[Item], read: Callable[[Item], Row]) -> PageAnswer[Row]:
        """Return the answer for a page, each of its items read by `read`."""
        place = page.next.encode() if isinstance(page.next, Cursor) else page.next
        return cls(items=[read(item) for item in page.items], next=place)

    @classmethod
    def of_names(cls, page: KeyPage[Item], read: Callable[[Item], Row]) -> PageAnswer[Row]:
        """Return the answer for a page in the order of names, which a cursor holds encoded."""
        place = None if page.next is None else encode_key(page.next)
        return cls(items=[read(item) for item in page.items], next=place)
