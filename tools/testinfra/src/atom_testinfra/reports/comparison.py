"""What `testinfra compare` found, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from atom_testinfra.core.judgement import ChangeVerdict
from atom_testinfra.reports.numbers import micros
from atom_testinfra.reports.tables import visible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from atom_testinfra.core.comparison import Comparison
    from atom_testinfra.core.judgement import Change

STYLES = {
    ChangeVerdict.SLOWER: "bold red",
    ChangeVerdict.INCONCLUSIVE: "yellow",
    ChangeVerdict.WORKLOAD_CHANGED: "yellow",
    ChangeVerdict.FASTER: "green",
    ChangeVerdict.OK: "green",
}


def render_comparison(comparison: Comparison, profile: str, *, show_all: bool = False) -> Group:
    """Return what changed, worst first, and what to make of it."""
    shown = [c for c in comparison.changes if show_all or c.verdict is not ChangeVerdict.OK]
    heading = f"{comparison.new} against {comparison.base}, profile {profile}, {comparison.threshold}"
    parts: list[RenderableType] = [Text(visible(heading), style="bold")]
    if shown:
        parts.append(_table(shown))
    parts += [Text(visible(line)) for line in _conclude(comparison)]
    return Group(*parts)


def _table(changes: list[Change]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("test", overflow="fold", ratio=1)
    table.add_column("before", justify="right", no_wrap=True)
    table.add_column("now", justify="right", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    for change in changes:
        name = Text(visible(change.nodeid))
        for line in _details(change):
            name.append(f"\n{visible(line)}", style="dim")
        table.add_row(
            Text(change.verdict.value, style=STYLES.get(change.verdict, "")),
            name,
            micros(change.base_us) if change.ratio else "",
            micros(change.new_us) if change.ratio else "",
            "" if change.ratio is None else f"{change.ratio.value:.2f}",
        )
    return table


def _details(change: Change) -> list[str]:
    lines = []
    if change.renamed_from is not None:
        lines.append(f"was {change.renamed_from}")
    if change.ratio is not None and change.limit is not None and change.verdict is not ChangeVerdict.OK:
        lines.append(f"{change.ratio.low:.2f} to {change.ratio.high:.2f}, limit {change.limit:.2f}")
    if change.suspected is not None:
        lines.append(
            f"run again {change.n_runs[0]} and {change.n_runs[1]} times; was {change.suspected.value:.2f}"
        )
    if change.instructions is not None:
        before, after = change.instructions
        lines.append(f"{before:,.0f} instructions an example before, {after - before:+,.0f} now")
    if change.reason is not None:
        lines.append(change.reason)
    return lines


def _conclude(comparison: Comparison) -> list[str]:
    counts = comparison.count()
    lines = [", ".join(f"{counts[verdict]} {verdict}" for verdict in ChangeVerdict if counts[verdict])]
    lines.append(
        f"{comparison.n_compared} compared; by chance {comparison.expected_by_chance:.2g} of them"
        " would be called slower before the rerun."
    )
    if comparison.suite is not None:
        suite = comparison.suite
        meaning = ", which is slower: machine, library or shared code" if comparison.is_suite_slower else ""
        lines.append(
            f"The suite as a whole: {suite.value:.2f} times the base ({suite.low:.2f} to {suite.high:.2f})"
            f"{meaning}; {comparison.suite_factor:.2f} is taken out of each test."
        )
    return [*lines, *comparison.notes]
