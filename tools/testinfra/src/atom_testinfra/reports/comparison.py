"""What `testinfra compare` found, for the terminal."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from atom_testinfra.core.changes.judgement import CALLS, STEPS, ChangeVerdict
from atom_testinfra.core.records.parts import Part
from atom_testinfra.reports.numbers import micros, plural, seconds
from atom_testinfra.reports.tables import shorten_nodeid, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from atom_testinfra.core.changes.comparison import Comparison
    from atom_testinfra.core.changes.judgement import Change
    from atom_testinfra.core.statistics import Interval

STYLES = {
    ChangeVerdict.SLOWER: "bold red",
    ChangeVerdict.INCONCLUSIVE: "yellow",
    ChangeVerdict.WORKLOAD_CHANGED: "yellow",
    ChangeVerdict.FASTER: "green",
    ChangeVerdict.OK: "green",
}
N_NAMED = 3
"""Tests of a group that are named."""
FIGURES_WIDTH = 46
"""Verdict, costs and ratio, with the gaps between them."""
NARROWEST = 24
WORTH_TELLING = 0.05
"""The share of a test's cost from which on a part that did not decide is told."""


def render_comparison(
    comparison: Comparison, profile: str, *, show_all: bool = False, width: int | None = None
) -> Group:
    """
    Return what changed, worst first, and what to make of it.

    Args:
        comparison: what was found.
        profile: whose runs were compared.
        show_all: whether every test has a row, also those that are ok or could not be compared.
        width: of the terminal; `None` where there is none.
    """
    heading = f"{comparison.new} against {comparison.base}, profile {profile}, {comparison.threshold}"
    parts: list[RenderableType] = [Text(visible(heading), style="bold")]
    shown = [change for change in comparison.changes if show_all or _is_listed(change)]
    shown += [change for change in comparison.outside if show_all or _is_listed(change)]
    if shown:
        parts.append(_table(shown, width))
    rest = [] if show_all else [change for change in comparison.changes if not _is_listed(change)]
    parts += [Text(visible(line)) for line in (*describe_groups(rest), *conclude(comparison))]
    return Group(*parts)


def _is_listed(change: Change) -> bool:
    """Whether a test has a row of its own: it moved, or may have moved more than half way to the limit."""
    if change.verdict is ChangeVerdict.INCONCLUSIVE:
        return change.ratio is not None and (change.is_suspect or change.suspected is not None)
    return change.verdict in {ChangeVerdict.SLOWER, ChangeVerdict.FASTER, ChangeVerdict.RENAMED}


def describe_groups(changes: Iterable[Change]) -> list[str]:
    """Return a line for all tests that have a verdict for the same reason, the largest group first."""
    groups: dict[tuple[ChangeVerdict, str], list[Change]] = defaultdict(list)
    for change in changes:
        if change.verdict is not ChangeVerdict.OK:
            groups[change.verdict, _reason_of(change)].append(change)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        f"{verdict}: {plural(len(group), 'test')}{reason and ', ' + reason} ({_name_some(group)})"
        for (verdict, reason), group in ordered
    ]


def _reason_of(change: Change) -> str:
    if change.verdict is ChangeVerdict.INCONCLUSIVE and change.ratio is not None:
        return "with an interval over the limit, but less than half way to it; --all lists them"
    return change.reason or ""


def _name_some(changes: Sequence[Change]) -> str:
    names = [shorten_nodeid(change.nodeid, 80) for change in changes[:N_NAMED]]
    more = len(changes) - N_NAMED
    return ", ".join(names) + (f" and {more:,} more" if more > 0 else "")


def _table(changes: Sequence[Change], width: int | None) -> Table:
    room = None if width is None else max(NARROWEST, width - FIGURES_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("test", overflow="fold", ratio=1)
    table.add_column("before", justify="right", no_wrap=True)
    table.add_column("now", justify="right", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    for change in changes:
        nodeid = visible(change.nodeid)
        name = Text(nodeid if room is None else shorten_nodeid(nodeid, room))
        for line in describe_change(change):
            name.append(f"\n{visible(line)}", style="dim")
        table.add_row(
            Text(change.verdict.value, style=STYLES.get(change.verdict, "")),
            name,
            micros(change.base_us) if change.ratio else "",
            micros(change.new_us) if change.ratio else "",
            "" if change.times is None else f"{change.times:.2f}",
        )
    return table


def describe_change(change: Change) -> list[str]:
    """Return the remarks about a change, without its costs, line by line."""
    lines = []
    if change.renamed_from is not None:
        lines.append(f"was {change.renamed_from}")
    if change.parts and change.verdict is not ChangeVerdict.OK:
        lines.append(describe_parts(change))
    if change.ratio is not None and change.limit is not None and change.verdict is not ChangeVerdict.OK:
        if change.part in {CALLS, STEPS}:
            lines.append(f"counted, limit {change.limit:.2f}")
        else:
            lines.append(f"{_judged_by(change)}{describe_interval(change.ratio)}, limit {change.limit:.2f}")
    if change.counts is not None:
        for what, before, now in zip((CALLS, STEPS), *change.counts, strict=True):
            if before != now:
                lines.append(f"{what}: {before or 0:g} before, {now or 0:g} now")
    if change.suspected is not None and change.verdict is not ChangeVerdict.OK:
        first, again = change.suspected.value, change.n_runs
        lines.append(f"run again {again[0]} and {again[1]} times; {first:.2f} before that")
    if change.suite_s is not None and change.verdict is ChangeVerdict.SLOWER:
        lines.append(f"costs the suite {signed_seconds(change.suite_s)} a run")
    if change.instructions is not None:
        before, after = change.instructions
        lines.append(f"{before:,.0f} instructions an example before, {after - before:+,.0f} now")
    if change.reason is not None:
        lines.append(change.reason)
    return lines


def describe_interval(ratio: Interval) -> str:
    """Return a ratio with its interval."""
    return f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _judged_by(change: Change) -> str:
    if change.part is None or change.part not in change.parts:
        return ""
    what = change.part if change.part == Part.BODY else f"what {change.part} adds"
    return f"judged by {what}: "


def describe_parts(change: Change) -> str:
    """Return what the part that moved most adds, and what else moved."""
    told = [change.part] if change.part in change.parts else []
    least_us = WORTH_TELLING * (change.base_us or 0.0)
    told += [
        name for name, part in change.parts.items() if name != change.part and abs(part.added_us) > least_us
    ]
    return ", ".join(f"{name} {signed_seconds(change.parts[name].added_us / 1e6)}" for name in told if name)


def signed_seconds(value: float) -> str:
    """Return a duration with its sign."""
    return f"{'-' if value < 0 else '+'}{seconds(abs(value))}"


def conclude(comparison: Comparison) -> list[str]:
    """Return the counts, what the slower tests cost together, and what happened to the suite as a whole."""
    counts = comparison.count()
    lines = [", ".join(f"{counts[verdict]} {verdict}" for verdict in ChangeVerdict if counts[verdict])]
    slower = [c for c in comparison.changes if c.verdict is ChangeVerdict.SLOWER and c.suite_s is not None]
    if slower and comparison.base_s:
        added_s = sum(change.suite_s or 0.0 for change in slower)
        lines.append(
            f"The slower tests cost the suite {signed_seconds(added_s)} of CPU time a run;"
            f" all {comparison.n_compared} compared tests took {seconds(comparison.base_s)} before."
        )
    lines.append(
        f"{comparison.n_compared} compared; by chance {comparison.expected_by_chance:.2g} of them"
        " would be called slower before the rerun."
    )
    if comparison.suite is not None:
        suite = comparison.suite
        meaning = ", which is slower: machine, library or shared code" if comparison.is_suite_slower else ""
        lines.append(
            f"The suite as a whole: {suite.value:.2f} times the base ({suite.low:.2f} to {suite.high:.2f}),"
            f" run against run{meaning}."
        )
        factors = ", ".join(f"{name} {factor:.2f}" for name, factor in comparison.factors.items())
        lines.append(
            f"The median test changed by these factors, which are removed from each test: {factors}."
            " Ratios therefore say how a test differs from the others."
        )
    return [*lines, *comparison.notes]
