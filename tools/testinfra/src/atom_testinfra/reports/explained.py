"""What `testinfra measure --explain` prints about one test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.reports.tables import visible

if TYPE_CHECKING:
    from rich.console import Console

    from atom_testinfra.core.explanation import Explanation, Part, Waste
    from atom_testinfra.core.measurement import Measurement, Property

N_PARTS, N_LINES = 30, 10


def print_explanation(record: Measurement, explanation: Explanation, console: Console) -> None:
    """Print where the time of a property goes, what is slow, and what is thrown away."""
    cost = record.hypothesis
    lines = [f"{record.nodeid}: {record.outcome}", *(_totals(explanation, cost) if cost is not None else [])]
    for line in lines:
        _print(line, console)
    _print_parts(explanation.parts, console)
    _print_slowest(explanation, console)
    _print_waste(explanation.waste, console)
    for problem in record.problems:
        _print(f"note: {problem}", console)


def _print(line: str, console: Console) -> None:
    """Print a line as it is, but for what would steer the terminal: names and arguments may hold anything."""
    console.print(visible(line), markup=False, highlight=False, soft_wrap=True)


def _totals(explanation: Explanation, cost: Property) -> list[str]:
    run_s = sum(phase.run_s for phase in cost.phases.values())
    whole_s = sum(phase.duration_s for phase in cost.phases.values())
    filtered_s = sum(phase.filtered_s for phase in cost.phases.values())
    lines = [
        f"{explanation.n_cases} test cases observed",
        (
            f"{whole_s:.2f} s in Hypothesis's phases: {run_s:.2f} s in test cases, {filtered_s:.2f} s of it "
            f"in those it filtered out, and {max(0.0, whole_s - run_s):.2f} s for its own work"
        ),
    ]
    if explanation.n_untimed:
        lines.append(
            f"{explanation.n_untimed} test cases gave up while drawing, and Hypothesis observes no times for "
            f"those: the parts below add up to {explanation.timed_s:.2f} s"
        )
    lines.append(
        "observed, each test case takes longer than it does otherwise: none of this enters a baseline"
    )
    return lines


def _print_parts(parts: list[Part], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    whole = sum(part.total_s for part in parts) or 1.0
    table = Table(title="where the time goes", title_justify="left", box=None, pad_edge=False, expand=True)
    for name in ("total", "share", "cases", "per case", "most"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("part", overflow="fold", ratio=1)
    for part in parts[:N_PARTS]:
        share = f"{part.total_s / whole:.0%}"
        times = [_milliseconds(part.total_s / part.n), _milliseconds(part.max_s)]
        table.add_row(_milliseconds(part.total_s), share, str(part.n), *times, Text(visible(_name(part))))
    console.print()
    console.print(table)
    if len(parts) > N_PARTS:
        console.print(f"  and {len(parts) - N_PARTS} smaller ones")


def _name(part: Part) -> str:
    return part.name if part.strategy is None else f"{part.name}: {part.strategy}"


def _print_slowest(explanation: Explanation, console: Console) -> None:
    if explanation.slowest:
        console.print("\nslowest test cases:")
    for case in explanation.slowest:
        lines = case.call.splitlines()
        more = [] if len(lines) <= N_LINES else [f"and {len(lines) - N_LINES} lines more"]
        _print(f"  {_milliseconds(case.total_s)} {case.status}", console)
        for line in [*lines[:N_LINES], *more]:
            _print(f"    {line}", console)


def _print_waste(waste: list[Waste], console: Console) -> None:
    if waste:
        console.print("\nthrown away:")
    for entry in waste:
        what = []
        if entry.n_gave_up:
            what.append(f"ended {entry.n_gave_up} test cases ({_milliseconds(entry.total_s)} observed)")
        if entry.n_retried:
            what.append(f"made a draw start again in {entry.n_retried}")
        _print(f"  {entry.cause}: {', '.join(what)}", console)


def _milliseconds(value: float) -> str:
    return f"{value * 1000:.2f} ms"
