"""Histories for the terminal: a sparkline for each property, or every point of one."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from atom_testinfra.reports.columns import tell_apart
from atom_testinfra.reports.numbers import micros, plural, ratio
from atom_testinfra.reports.tables import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.changes.history import History, Point

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
WIDTH = 24
"""Points of a sparkline."""
FIGURES_WIDTH = 20
"""Latest cost and change, with the gaps before them."""


def sparkline(values: Sequence[float], *, is_plain: bool = False) -> str:
    """Return one character for each value, on a scale of ratios from the least to the greatest."""
    bars = PLAIN_BARS if is_plain else BARS
    logs = [math.log(value) for value in values]
    low, spread = min(logs), max(logs) - min(logs)
    if spread < math.log(1.05):  # a flat line, not noise blown up to the full height
        return bars[3] * len(logs)
    return "".join(bars[min(len(bars) - 1, int((value - low) / spread * len(bars)))] for value in logs)


def render_histories(histories: Sequence[History], *, width: int, is_plain: bool = False) -> Table:
    """Return a row for each property: its latest line, the latest cost, and how that changed."""
    n_points = max((len(history.latest[-WIDTH:]) for history in histories), default=0)
    room = max(20, width - n_points - FIGURES_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("test", overflow="fold", ratio=1)
    table.add_column("", no_wrap=True)
    table.add_column("latest", justify="right", no_wrap=True)
    table.add_column("change", justify="right", no_wrap=True)
    labels = tell_apart([visible(history.nodeid) for history in histories], room)
    for history, label in zip(histories, labels, strict=True):
        costs = [point.cost_us for point in history.latest[-WIDTH:]]
        name = Text(label)
        for point in history.change_points:
            name.append(f"\n{_describe(point)}", style="bold")
        bars = Text(sparkline(costs, is_plain=is_plain))
        table.add_row(name, bars, micros(costs[-1]), ratio(history.change))
    return table


def describe_lines(histories: Sequence[History]) -> list[str]:
    """Return which changes earlier costs are left out of the rows for, the most frequent one first."""
    begun = Counter(point.begins for history in histories for point in history.latest[:1] if point.begins)
    return [
        f"{plural(n, 'test')}: earlier costs cannot be compared with the latest ones ({reason});"
        " name the test to see them."
        for reason, n in begun.most_common()
    ]


def render_history(history: History, *, is_plain: bool = False) -> Group:
    """Return every point of a property, oldest first."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("when", "from"):
        table.add_column(heading, no_wrap=True)
    table.add_column("per example", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for point in history.points:
        table.add_row(
            f"{point.at:%Y-%m-%d %H:%M}",
            Text(visible(point.name)),
            micros(point.cost_us),
            Text(_remark(point)),
        )
    lines = [[point.cost_us for point in line[-WIDTH:]] for line in history.lines]
    bars = "  ".join(sparkline(costs, is_plain=is_plain) for costs in lines)
    return Group(Text(visible(history.nodeid), style="bold"), Text(bars), table)


def _remark(point: Point) -> str:
    if point.change is not None:
        return f"changed: {ratio(point.change)} from here on"
    return f"a new line: {point.begins}" if point.begins is not None else ""


def _describe(point: Point) -> str:
    return f"{ratio(point.change)} from {point.at:%Y-%m-%d} on, {visible(point.name)}"
