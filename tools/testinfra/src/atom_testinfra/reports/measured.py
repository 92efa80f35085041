"""The table at the end of `testinfra measure`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.measurement import Kind
from atom_testinfra.reports.tables import shorten_nodeid, visible

if TYPE_CHECKING:
    from rich.console import Console

    from atom_testinfra.core.summary import MeasuredTest, Summary, UnmeasuredTest

SHOWN = 20
NUMBERS = ("time", "N", "gen", "body", "engine", "given up", "tier")
GAP = 2
"""Between two columns."""


def print_summary(summary: Summary, console: Console, *, n_shown: int = SHOWN) -> None:
    """Print what was measured, slowest first, and what was not, with the reasons."""
    for profile in dict.fromkeys(test.profile for test in summary.measured):
        tests = [test for test in summary.measured if test.profile == profile]
        _print_table(profile, tests[:n_shown], console)
        if len(tests) > n_shown:
            console.print(f"  and {len(tests) - n_shown} quicker ones (--top N shows more)")
        console.print()
    _print_list("failed; what fails has no cost worth keeping", summary.failed, console)
    _print_list("not measured", summary.unmeasured, console)
    noted = [test for test in summary.measured if test.problems]
    if noted:
        console.print("measured, but with no figures for a baseline:")
        for test in noted:
            for problem in test.problems:
                line = visible(f"  {test.nodeid} ({test.profile}): {problem}")
                console.print(line, markup=False, highlight=False, soft_wrap=True)
    if summary.is_traced:
        console.print(
            "A coverage tool, profiler or debugger was active: these times hold for nothing else. "
            "With pytest-cov: testinfra measure -- --no-cov",
            soft_wrap=True,
        )
    if (waited := summary.contention.describe()) is not None:
        console.print(f"note: {waited}", markup=False, highlight=False, soft_wrap=True)
    if summary.n_plain:
        n = "1 test" if summary.n_plain == 1 else f"{summary.n_plain} tests"
        console.print(f"Recorded, and not shown: {n} without Hypothesis.")


def _print_table(profile: str, tests: list[MeasuredTest], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{profile}: per example in ms", title_justify="left", box=None, pad_edge=False)
    table.add_column("test", overflow="ellipsis", no_wrap=True, ratio=1)
    for name in NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    table.expand = True
    rows = [(_name(test), _numbers(test)) for test in tests]
    widths = [
        max(map(len, column)) for column in zip(NUMBERS, *(numbers for _, numbers in rows), strict=True)
    ]
    room = console.width - sum(widths) - GAP * len(widths)
    for nodeid, numbers in rows:
        table.add_row(Text(shorten_nodeid(nodeid, room)), *numbers)
    console.print(table)


def _name(test: MeasuredTest) -> str:
    """Return the part of a node id that tells tests apart: from the file's name on."""
    path, separator, name = test.nodeid.partition("::")
    kind = " (helper)" if test.kind is Kind.HELPER else ""
    return visible(f"{path.rpartition('/')[2]}{separator}{name}{kind}")


def _numbers(test: MeasuredTest) -> list[str]:
    n = f"{test.n_examples}" + (
        "" if test.max_examples in {None, test.n_examples} else f"/{test.max_examples}"
    )
    split = [
        f"{seconds * 1000:.2f}" for seconds in (test.generate_s, test.body_s, test.engine_s, test.filtered_s)
    ]
    return [_seconds(test.duration_s), n, *split, test.tier]


def _print_list(title: str, tests: list[UnmeasuredTest], console: Console) -> None:
    if not tests:
        return
    console.print(f"{title}:")
    profiles: dict[tuple[str, str], list[str]] = {}
    for test in tests:
        profiles.setdefault((test.nodeid, test.reason), []).append(test.profile)
    for (nodeid, reason), names in profiles.items():
        line = visible(f"  {nodeid} ({', '.join(names)}): {reason}")
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 100 else f"{value:.0f} s"
