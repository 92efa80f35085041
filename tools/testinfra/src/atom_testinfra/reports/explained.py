"""What `testinfra measure --explain` prints about one test: two screens at most, whatever the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.reports import numbers
from atom_testinfra.reports.tables import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from atom_testinfra.core.records.explanation import (
        Draw,
        Explanation,
        FixtureCost,
        FunctionCost,
        Part,
        Waste,
    )
    from atom_testinfra.core.records.measurement import Measurement, Property

Row = tuple[str, ...]

N_PARTS, N_DRAWS, N_FUNCTIONS, N_FIXTURES, N_CAUSES, N_NOTES = 10, 10, 10, 5, 5, 5
N_SLOWEST, N_LINES = 3, 3
WIDEST = 160
"""Characters of a line where there is no terminal, which has no width."""
MUCH_SET_UP_S = 0.001
"""Fixtures below this are pytest's own bookkeeping."""


def print_explanation(record: Measurement, explanation: Explanation, console: Console) -> None:
    """
    Print where the time of a property goes, what is slow, and what is thrown away.

    Sentences are wrapped at the console's width, rows of tables are cut there.
    """
    reason = "" if record.reason is None else f": {record.reason}"
    _print_cut(console, f"{record.nodeid}: {record.outcome}{reason}")
    for sentence in () if record.hypothesis is None else _totals(explanation, record.hypothesis):
        console.print(visible(sentence), markup=False, emoji=False, highlight=False)
    for line in explain_lines(explanation):
        _print_cut(console, line)
    for problem in record.problems[:N_NOTES]:
        _print_cut(console, f"note: {problem}")


def _print_cut(console: Console, line: str) -> None:
    width = console.width if console.is_terminal else min(console.width, WIDEST)
    shown = visible(line)
    shown = shown if len(shown) <= width else f"{shown[: width - 1]}…"
    console.print(shown, markup=False, emoji=False, highlight=False, soft_wrap=True)


def explain_lines(explanation: Explanation) -> Iterable[str]:
    """Yield the rows of the tables, as long as they are."""
    yield from _table("where the time goes", PART_HEAD, *_part_rows(explanation))
    yield from _table("lines that draw", DRAW_HEAD, *_draw_rows(explanation.draws))
    yield from _table(
        "functions of the test and of what it calls, under a profiler, in a second run",
        FUNCTION_HEAD,
        *_function_rows(explanation.functions),
    )
    yield from _table("fixtures set up for it", FIXTURE_HEAD, *_fixture_rows(explanation.fixtures))
    yield from _slowest(explanation)
    yield from _waste(explanation)


def _totals(explanation: Explanation, cost: Property) -> Iterable[str]:
    run_s = sum(phase.run_s for phase in cost.phases.values())
    whole_s = sum(phase.duration_s for phase in cost.phases.values())
    filtered_s = sum(phase.filtered_s for phase in cost.phases.values())
    yield f"{numbers.plural(explanation.n_cases, 'test case')} observed"
    yield (
        f"{numbers.seconds(whole_s)} in Hypothesis's phases: {numbers.seconds(run_s)} in test cases, "
        f"{numbers.seconds(filtered_s)} of it in those that were given up, and "
        f"{numbers.seconds(max(0.0, whole_s - run_s))} between them"
    )
    if n := explanation.n_untimed:
        yield (
            f"{numbers.plural(n, 'test case')} gave up while drawing, and Hypothesis observes no times for "
            f"{'it' if n == 1 else 'those'}: the parts below add up to {numbers.seconds(explanation.timed_s)}"
        )
    yield "observed, each test case takes longer than it does otherwise: none of this enters a baseline"


PART_HEAD = ("total", "share", "cases", "per case", "most", "part")
DRAW_HEAD = ("own", "total", "draws", "line, function, strategy")
FUNCTION_HEAD = ("own", "calls", "function")
FIXTURE_HEAD = ("own", "scope", "fixture")


def _part_rows(explanation: Explanation) -> tuple[list[Row], int]:
    whole = explanation.timed_s
    rows: list[Row] = [
        (
            numbers.seconds(part.total_s),
            numbers.share(part.total_s / whole if whole else None),
            numbers.count(part.n),
            numbers.seconds(part.total_s / part.n if part.n else None),
            numbers.seconds(part.max_s),
            _name(part),
        )
        for part in explanation.parts[:N_PARTS]
    ]
    return rows, max(explanation.n_parts, len(explanation.parts)) - len(rows)


def _name(part: Part) -> str:
    return part.name if part.strategy is None else f"{part.name}: {part.strategy}"


def _draw_rows(draws: list[Draw]) -> tuple[list[Row], int]:
    rows: list[Row] = [
        (
            numbers.seconds(draw.own_s),
            numbers.seconds(draw.total_s),
            numbers.count(draw.n),
            f"{draw.place} {draw.function}: {draw.strategy}",
        )
        for draw in draws[:N_DRAWS]
    ]
    return rows, len(draws) - len(rows)


def _function_rows(functions: list[FunctionCost]) -> tuple[list[Row], int]:
    rows: list[Row] = [
        (numbers.seconds(found.own_s), numbers.count(found.n), f"{found.place} {found.function}")
        for found in functions[:N_FUNCTIONS]
    ]
    return rows, 0


def _fixture_rows(fixtures: list[FixtureCost]) -> tuple[list[Row], int]:
    slow = [fixture for fixture in fixtures if fixture.own_s >= MUCH_SET_UP_S]
    rows: list[Row] = [
        (numbers.seconds(fixture.own_s), fixture.scope, f"{fixture.place or ''} {fixture.name}".strip())
        for fixture in slow[:N_FIXTURES]
    ]
    return rows, len(slow) - len(rows)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], n_left_out: int) -> Iterable[str]:
    """Yield a table whose last column is words, and whose others are figures; nothing without rows."""
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(head[:-1], *(row[:-1] for row in rows), strict=True)]
    yield ""
    yield title
    for row in (head, *rows):
        figures = [cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        yield "  ".join([*figures, " ".join(row[-1].split())])
    if n_left_out:
        yield f"  and {n_left_out:,} more"


def _slowest(explanation: Explanation) -> Iterable[str]:
    if explanation.slowest:
        yield ""
        yield "slowest test cases:"
    for case in explanation.slowest[:N_SLOWEST]:
        yield f"  {numbers.seconds(case.total_s)} {case.status}"
        lines = case.call.splitlines()
        shown = lines if len(lines) <= N_LINES else lines[: N_LINES - 1]
        for line in shown:
            yield f"    {line}"
        if len(shown) < len(lines):
            yield f"    and {numbers.plural(len(lines) - len(shown), 'more line')}"


def _waste(explanation: Explanation) -> Iterable[str]:
    if explanation.waste:
        yield ""
        yield "thrown away:"
    for entry in explanation.waste[:N_CAUSES]:
        place = "" if entry.place is None else f"{entry.place} "
        yield f"  {', '.join(_effects(entry))}: {place}{entry.cause}"
    n_left_out = max(explanation.n_causes, len(explanation.waste)) - N_CAUSES
    if n_left_out > 0:
        yield f"  and {numbers.plural(n_left_out, 'more cause')}"


def _effects(entry: Waste) -> Iterable[str]:
    if entry.n_gave_up:
        ended = numbers.plural(entry.n_gave_up, "test case")
        yield f"ended {ended} ({numbers.seconds(entry.total_s)} observed)"
    if entry.n_retried:
        yield f"made a draw start again in {entry.n_retried}"
