"""The report for a terminal: tables that fit its width, plain where there is no colour."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from atom_testinfra.reports.columns import tell_apart
from atom_testinfra.reports.tables import (
    VERDICT_SIGNS,
    CellKind,
    Column,
    Table,
    verdict_key,
    visible,
    write_cell,
)

if TYPE_CHECKING:
    from atom_testinfra.reports.data import ReportData

MAX_ROWS = 10
GAP = 2
TEST_WIDTH = 36
"""What a node id needs to be told from its neighbours; columns of a rank give way to it."""
TEXT_WIDTH = 28
"""What the last column of words needs, so that it does not wrap at every second word."""
MIN_WIDTH = 8
STYLES = {"true": "green", "false": "bold red", "partial": "yellow", "none": "dim"}


def render_text(report: ReportData, *, width: int = 80, color: bool = False) -> str:
    """Return the report as text no wider than `width`; `color` adds escape sequences, and says no more."""
    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(Text(visible(f"{report.baseline}, verified {report.verified_at}"), style="dim"))
        key = verdict_key(report.targets.is_met)
        console.print(Text(f"{VERDICT_SIGNS[key]} {visible(report.targets.headline)}", style=STYLES[key]))
        console.print(Text(visible(report.identity), style="dim"))
        if report.warning is not None:
            console.print(Text(visible(report.warning), style="bold red"))
        for section in report.sections:
            console.print()
            console.print(Text(section.title, style="bold"))
            console.print(Text(visible(section.summary)))
            for note in section.notes:
                console.print(Text(visible(f"- {note}")))
            for table in section.tables():
                if table.rows:
                    console.print()
                    print_table(console, table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def print_table(console: Console, table: Table) -> None:
    """Print a table in the width of the console, of many tests the first; say what there was no room for."""
    has_tests = any(column.kind is CellKind.TEST for column in table.columns)
    head = table.head(MAX_ROWS) if has_tests else table
    cells = [
        [visible(write_cell(column.kind, value)) for column, value in zip(head.columns, row, strict=True)]
        for row in head.rows
    ]
    shown = _columns_that_fit(head, cells, console.width)
    widths = _widths(head, cells, shown, console.width)
    for index, width in zip(shown, widths, strict=True):
        if head.columns[index].kind is CellKind.TEST:
            for row, label in zip(cells, tell_apart([row[index] for row in cells], width), strict=True):
                row[index] = label
    console.print(Text(_line([head.columns[index].title for index in shown], head, shown, widths), "bold"))
    console.print(Text("─" * (sum(widths) + GAP * (len(widths) - 1)), style="dim"))
    for number, row in enumerate(cells):
        _print_row(console, head, number, row, shown, widths)
    left_out = [
        column.title
        for index, column in enumerate(head.columns)
        if index not in shown and not column.is_remark
    ]
    if head.n_left_out:
        console.print(Text(f"and {head.n_left_out:,} more", style="dim"))
    if left_out:
        console.print(Text(f"no room for: {', '.join(left_out)}", style="dim"))


def _print_row(
    console: Console, table: Table, number: int, row: list[str], shown: list[int], widths: list[int]
) -> None:
    wrapped = [
        _fold(table.columns[index], row[index], width) for index, width in zip(shown, widths, strict=True)
    ]
    for depth in range(max(len(lines) for lines in wrapped)):
        parts = [lines[depth] if depth < len(lines) else "" for lines in wrapped]
        text = Text(_line(parts, table, shown, widths))
        for index, part in zip(shown, parts, strict=True):
            if table.columns[index].kind is CellKind.VERDICT and part:
                text.highlight_words([part], STYLES[verdict_key(table.rows[number][index])])
        console.print(text, no_wrap=True, crop=False, overflow="ignore")
    for index, column in enumerate(table.columns):
        if column.is_remark and table.rows[number][index] is not None:
            for line in _wrap(row[index], console.width - 4):
                console.print(Text(f"    {line}", style="dim"))


def _line(parts: list[str], table: Table, shown: list[int], widths: list[int]) -> str:
    padded = []
    for index, part, width in zip(shown, parts, widths, strict=True):
        room = " " * max(0, width - cell_len(part))
        padded.append(room + part if table.columns[index].kind.is_number else part + room)
    return (" " * GAP).join(padded).rstrip()


def _columns_that_fit(table: Table, cells: list[list[str]], width: int) -> list[int]:
    """Return the columns to show: those with a rank go, the highest first, until the rest has its room."""
    shown = [index for index, column in enumerate(table.columns) if not column.is_remark]
    while sum(_wanted(table, cells, index) + GAP for index in shown) - GAP > width:
        expendable = [index for index in shown if table.columns[index].rank]
        if not expendable:
            break
        shown.remove(max(expendable, key=lambda index: table.columns[index].rank))
    return shown


def _natural(table: Table, cells: list[list[str]], index: int) -> int:
    return max(cell_len(table.columns[index].title), *[cell_len(row[index]) for row in cells])


def _wanted(table: Table, cells: list[list[str]], index: int) -> int:
    limits = {CellKind.TEST: TEST_WIDTH, CellKind.TEXT: TEXT_WIDTH}
    natural = _natural(table, cells, index)
    return min(natural, limits.get(table.columns[index].kind, natural))


def _widths(table: Table, cells: list[list[str]], shown: list[int], width: int) -> list[int]:
    """Return the columns' widths: what is left over goes to the node ids, then to the last words."""
    widths = [_wanted(table, cells, index) for index in shown]
    spare = width - sum(widths) - GAP * (len(widths) - 1)
    for kind in (CellKind.TEST, CellKind.TEXT):
        for place in reversed(range(len(shown))):
            if table.columns[shown[place]].kind is kind:
                natural = _natural(table, cells, shown[place])
                before = widths[place]
                widths[place] = max(min(natural, before + spare), min(natural, MIN_WIDTH))
                spare += before - widths[place]
    return widths


def _fold(column: Column, text: str, width: int) -> list[str]:
    return _wrap(text, width) if column.kind is CellKind.TEXT else [text]


def _wrap(text: str, width: int) -> list[str]:
    """Return text in lines of at most `width` cells, broken at spaces, and inside a word only if it must."""
    lines = [""]
    for word in text.split(" "):
        rest = word
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(rest) > width:
            lines.append("")
        while cell_len(rest) > width:
            piece = set_cell_size(rest, width).rstrip()
            lines[-1:] = [piece, ""]
            rest = rest[len(piece) :]
        lines[-1] = f"{lines[-1]} {rest}" if lines[-1] else rest
    return lines
