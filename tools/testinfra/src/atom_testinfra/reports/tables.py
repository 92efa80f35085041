"""Tables as values: the rows of a section, before a renderer formats them."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from atom_testinfra.reports import numbers

Cell = str | int | float | bool | None


class CellKind(StrEnum):
    """What a column holds, which decides how it is written and on which side it is aligned."""

    TEXT = "text"
    TEST = "test"
    """A node id: may be shortened from the left if there is not enough room."""
    COUNT = "count"
    SECONDS = "seconds"
    MICROS = "micros"
    LIMIT = "limit"
    SHARE = "share"
    RATIO = "ratio"
    VERDICT = "verdict"

    @property
    def is_number(self) -> bool:
        """Whether the column is aligned to the right."""
        return self not in {CellKind.TEXT, CellKind.TEST, CellKind.VERDICT}


class Column(Struct, frozen=True):
    """One column: its heading and what it holds."""

    title: str
    kind: CellKind = CellKind.TEXT
    rank: int = 0
    """If there is not enough room, columns with the highest rank are left out first; 0 always stays."""
    is_remark: bool = False
    """Holds a sentence about the row, which is printed below it if the columns are narrow."""


class Table(Struct, frozen=True, kw_only=True):
    """A caption, columns and rows of raw values."""

    id: str
    caption: str
    columns: list[Column]
    rows: list[list[Cell]]
    n_left_out: int = 0
    """How many rows are not shown; a line below the table says so."""

    def head(self, n: int) -> Table:
        """Return the table with its first `n` rows; the rest are counted as left out."""
        if len(self.rows) <= n:
            return self
        return Table(
            id=self.id,
            caption=self.caption,
            columns=self.columns,
            rows=self.rows[:n],
            n_left_out=self.n_left_out + len(self.rows) - n,
        )


VERDICT_WORDS = {"true": "met", "false": "missed", "partial": "partly met", "none": "not measured"}
VERDICT_SIGNS = {"true": "✓", "false": "✗", "partial": "◐", "none": numbers.MISSING}


def verdict_key(value: Cell) -> str:
    """Return `true`, `false`, `partial` or `none`."""
    return "none" if value is None else str(value).lower()


def verdict_text(value: Cell) -> str:
    """Return a verdict as a sign and a word, so that it can be read without colour."""
    key = verdict_key(value)
    return f"{VERDICT_SIGNS[key]} {VERDICT_WORDS[key]}"


def write_cell(kind: CellKind, value: Cell) -> str:
    """Return a raw value as text, the same in every format; text is not escaped."""
    if kind is CellKind.VERDICT:
        return verdict_text(value)
    if value is None:
        return numbers.MISSING
    if isinstance(value, str) or kind in {CellKind.TEXT, CellKind.TEST}:
        return str(value)
    match kind:
        case CellKind.COUNT:
            return numbers.count(int(value))
        case CellKind.SECONDS:
            return numbers.seconds(value)
        case CellKind.MICROS:
            return numbers.micros(value)
        case CellKind.LIMIT:
            return f"< {numbers.limit(value)}"
        case CellKind.SHARE:
            return numbers.share(value)
        case _:
            return numbers.ratio(value)


_CODE = re.compile(r"`([^`]+)`")
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_INVISIBLE = (0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
_VISIBLE = _CONTROL | {code: f"\\u{code:04x}" for code in _INVISIBLE}


def visible(text: str) -> str:
    """Return text with escapes for characters that control a terminal or the reading direction."""
    return text.translate(_VISIBLE)


def split_code(text: str) -> list[str]:
    """Return the pieces of a sentence: alternately text, and what is between backticks."""
    return _CODE.split(text)


def shorten_nodeid(nodeid: str, width: int) -> str:
    """Return a node id of at most `width` characters that keeps its end, where the test's name is."""
    if len(nodeid) <= width:
        return nodeid
    path, separator, name = nodeid.partition("::")
    file = path.rpartition("/")[2]
    for candidate in (f"…/{file}{separator}{name}", f"…::{name}"):
        if separator and len(candidate) <= width:
            return candidate
    return "…" + nodeid[len(nodeid) - width + 1 :] if width > 1 else "…"[:width]
