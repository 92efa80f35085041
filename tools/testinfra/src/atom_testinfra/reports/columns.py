"""Rows for a terminal or a pipe: figures first, and the test last, where it needs no room but its own."""

from __future__ import annotations

import hashlib
import os
import sys
from typing import TYPE_CHECKING

from atom_testinfra.reports.tables import shorten_nodeid, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console

GAP = "  "
NARROWEST = 24
"""The least that a label gets: numbers go over the edge first."""
WIDE = 10_000
"""Columns of what is not a terminal: nothing is cut or wrapped there."""


def output_width() -> int | None:
    """
    Return the columns of standard output: what `COLUMNS` says, else the terminal's, else `None`.

    A file and a pipe have no width: what is printed there is searched and pasted, not looked at.
    """
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return int(columns)
    if not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        return None


def open_console(*, highlight: bool = True) -> Console:
    """Return a console on standard output that is as wide as it is; what has no width gets all it needs."""
    from rich.console import Console

    return Console(highlight=highlight, width=output_width() or WIDE)


def render_rows(
    titles: Sequence[str], rows: Sequence[Sequence[str]], names: Sequence[str], *, width: int | None
) -> list[str]:
    """Return lines of right-aligned cells, each followed by its name; the first line holds the titles."""
    *figures, last = titles
    widths = [max(map(len, column)) for column in zip(figures, *rows, strict=True)]
    room = None if width is None else max(NARROWEST, width - sum(widths) - len(GAP) * len(widths))
    labels = tell_apart([visible(name) for name in names], room)
    lines = [(figures, last), *zip(rows, labels, strict=True)]
    return [
        GAP.join([*(cell.rjust(size) for cell, size in zip(cells, widths, strict=True)), label]).rstrip()
        for cells, label in lines
    ]


def tell_apart(names: Sequence[str], room: int | None) -> list[str]:
    """
    Return labels of at most `room` characters; different names have different labels.

    A name that fits is left as it is, so that it can be pasted into pytest.
    """
    if room is None:
        return list(names)
    short = dict.fromkeys(name for name in names if len(name) > room)
    taken = {name for name in names if len(name) <= room}
    labels: dict[str, str] = {}
    for cut in _CUTS:
        found = {name: cut(name, room) for name in short if name not in labels}
        counts: dict[str, int] = {}
        for label in found.values():
            counts[label] = counts.get(label, 0) + 1
        for name, label in found.items():
            if counts[label] == 1 and label not in taken:
                labels[name] = label
                taken.add(label)
    return [labels.get(name, name) if len(name) > room else name for name in names]


def _keep_end(name: str, room: int) -> str:
    return shorten_nodeid(name, room)


def _keep_both_ends(name: str, room: int) -> str:
    head = (room - 1) // 2
    return f"{name[:head]}…{name[len(name) - (room - 1 - head) :]}"


def _keep_beginning(name: str, room: int) -> str:
    return f"{name[: room - 1]}…"


def _add_digest(name: str, room: int) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[: room - 10]}…~{digest}"


_CUTS: Iterable[Callable[[str, int], str]] = (_keep_end, _keep_both_ends, _keep_beginning, _add_digest)


def printable(text: str) -> str:
    """Return text in which a character that the output's encoding does not have is a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
