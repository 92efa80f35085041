"""What `testinfra verify` prints: the verdicts with their evidence, and what would meet the missed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.targets.conclusion import conclude
from atom_testinfra.reports import numbers
from atom_testinfra.reports.tables import VERDICT_SIGNS, VERDICT_WORDS, verdict_key, visible

if TYPE_CHECKING:
    from rich.console import Console

    from atom_testinfra.core.targets.assessment import Assessment
    from atom_testinfra.core.targets.targets import TargetResult
    from atom_testinfra.core.targets.verification import Difference

STYLES = {"true": "green", "false": "red", "partial": "yellow", "none": "dim"}


def print_assessment(assessment: Assessment, console: Console) -> None:
    """Print the table of verdicts, and below it what misses them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("target", no_wrap=True)
    for name in ("limit", "slowest", "met by"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for result in assessment.results:
        table.add_row(
            result.title,
            numbers.limit(result.limit_s),
            "" if result.slowest_s is None else numbers.seconds_beside(result.slowest_s, result.limit_s),
            describe_count(result),
            Text(VERDICT_WORDS[verdict_key(result.verdict)], style=STYLES[verdict_key(result.verdict)]),
        )
    console.print(table)
    for result in assessment.results:
        _print_misses(result, console)
    conclusion = conclude(assessment)
    if conclusion.problems:
        console.print("\nNot verified:")
    for problem in conclusion.problems:
        _print_line(f"  {problem}", console)
    if conclusion.age is not None:
        console.print()
        _print_line(conclusion.age, console)
    console.print()
    key = verdict_key(conclusion.is_met)
    _print_line(f"{VERDICT_SIGNS[key]} {conclusion.headline}.", console, style=STYLES[key])


def print_differences(differences: list[Difference], console: Console) -> None:
    """Print each figure that does not follow from the others."""
    for difference in differences:
        _print_line(str(difference), console)


def describe_count(result: TargetResult) -> str:
    """Return how many of the measured tests meet the target."""
    if result.tier is None or result.n_measured == 0:
        return ""
    return f"{result.n_measured - result.n_missed} of {result.n_measured}"


def _print_misses(result: TargetResult, console: Console) -> None:
    if not result.n_missed:
        return
    console.print(f"\n{visible(result.title)}:", highlight=False, markup=False)
    if result.tier is None:
        _print_line(f"  {result.describe_misses()}", console)
    for miss in result.misses:
        took = numbers.seconds_beside(miss.duration_s, miss.limit_s)
        _print_line(f"  {took}  {miss.nodeid}", console)
        _print_line(f"      {miss.status};", console)
        _print_line(f"      {miss.advice}.", console)
    if result.n_missed > len(result.misses):
        _print_line(f"  and {result.n_missed - len(result.misses)} more", console)


def _print_line(text: str, console: Console, *, style: str | None = None) -> None:
    console.print(visible(text), style=style, markup=False, highlight=False, soft_wrap=True)
