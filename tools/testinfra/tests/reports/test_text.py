"""The report for a terminal."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console
from tests.samples import make_baseline

from atom_testinfra.reports.data import build_report
from atom_testinfra.reports.tables import CellKind, Column, Table
from atom_testinfra.reports.text import print_table, render_text

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("n", [0, 1, 60])
@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_is_wider_than_the_terminal(n: int, width: int) -> None:
    """A table that wraps cannot be read."""
    text = render_text(build_report(make_baseline(n, hostile=True), "b.json"), width=width)

    assert [line for line in text.splitlines() if cell_len(line) > width] == []


def test_without_colour_there_is_no_escape_sequence() -> None:
    """A pipe and a log get words, and a node id cannot bring a sequence of its own."""
    text = render_text(build_report(make_baseline(40, hostile=True), "b.json"))

    assert "\x1b" not in text
    assert r"\x1b[31mred" in text


def test_colour_says_nothing_that_words_do_not() -> None:
    """The coloured report with its colours taken away is the plain one."""
    report = build_report(make_baseline(40, hostile=True), "b.json")
    colored = render_text(report, color=True)

    assert ESCAPE.search(colored)
    assert [line.rstrip() for line in ESCAPE.sub("", colored).splitlines()] == render_text(
        report
    ).splitlines()


def test_the_text_has_the_answer_of_every_section() -> None:
    """Somebody who reads nothing but the terminal knows where the suite stands."""
    text = render_text(build_report(make_baseline(40), "perf.json"))

    assert "perf.json, verified 2026-11-20T09:30:00Z" in text
    assert "\n✗ 1 property failed; 2 of 7 targets missed\n" in text
    assert "(60 % of the measured ones); 80 % are asked for." in " ".join(text.split())
    assert "◐ partly met" in text
    assert "and 30 more" in text
    assert "no room for: " in text
    for title in ("inside the targets?", "time go?", "work on first?", "got slower?", "measured?"):
        assert title in text


def test_tests_that_end_alike_are_told_apart() -> None:
    """Two files of the same name, and two parameters behind a long name: no two rows look the same."""
    names = [
        f"pkg_{folder}/tests/property_tests/test_same.py::test_invariant_of_everything[{parameter}]"
        for folder in "ab"
        for parameter in ("x" * 40 + "1", "x" * 40 + "2")
    ]
    table = Table(
        id="t",
        caption="",
        columns=[Column("Test", CellKind.TEST), Column("Tier")],
        rows=[[name, "fast"] for name in names],
    )
    console = Console(width=60, file=StringIO())
    with console.capture() as capture:
        print_table(console, table)
    rows = capture.get().splitlines()[2:]
    assert len(rows) == len(set(rows)) == len(names)
    assert all(cell_len(row) <= 60 for row in rows)


def test_a_wide_terminal_shows_every_column() -> None:
    """Columns are left out for lack of room alone."""
    text = render_text(build_report(make_baseline(40), "b.json"), width=220)

    assert "no room for" not in text
    assert "tests/property_tests/analytics/test_analytics_invariants.py::test_rule_00007" in text
