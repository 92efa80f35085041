"""What `testinfra verify` prints: the verdicts with their evidence, and what would meet the missed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from atom_testinfra.core.assessment import Assessment
    from atom_testinfra.core.baseline import Verdict
    from atom_testinfra.core.targets import TargetResult
    from atom_testinfra.core.verification import Difference

WORDS: dict[Verdict, str] = {True: "met", False: "missed", "partial": "partial", None: "no data"}
STYLES: dict[Verdict, str] = {True: "green", False: "red", "partial": "yellow", None: "dim"}


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
            result.key,
            f"{result.limit_s:g} s",
            "" if result.slowest_s is None else f"{result.slowest_s:.4g} s",
            describe_count(result),
            Text(WORDS[result.verdict], style=STYLES[result.verdict]),
        )
    console.print(table)
    console.print(f"{assessment.n_met} of {assessment.n_judged} targets met.", highlight=False)
    for result in assessment.results:
        _print_misses(result, console)
    if assessment.problems:
        console.print("\nNot verified:")
    for problem in assessment.problems:
        _print_line(f"  {problem}", console)


def print_differences(differences: list[Difference], console: Console) -> None:
    """Print each figure that does not follow from the others."""
    for difference in differences:
        _print_line(str(difference), console)


def describe_count(result: TargetResult) -> str:
    """Return how many of the measured tests meet the target."""
    if result.tier is None or result.n_measured == 0:
        return ""
    return f"{result.n_measured - result.n_missed} of {result.n_measured}"


def visible(text: str) -> str:
    """Return the text with everything escaped that a terminal would act on."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def _print_misses(result: TargetResult, console: Console) -> None:
    if not result.n_missed:
        return
    console.print(f"\n{result.key}:", highlight=False)
    if result.tier is None:
        _print_line(f"  {result.describe_misses()}", console)
    for miss in result.misses:
        _print_line(f"  {miss.duration_s:.4g} s  {miss.nodeid}", console)
        _print_line(f"      {miss.standing};", console)
        _print_line(f"      {miss.lever}.", console)
    if result.n_missed > len(result.misses):
        _print_line(f"  and {result.n_missed - len(result.misses)} more", console)


def _print_line(text: str, console: Console) -> None:
    console.print(visible(text), markup=False, highlight=False, soft_wrap=True)
