"""What a GitHub workflow shows of a comparison: annotations at the tests, and a part of the job summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.changes.judgement import ChangeVerdict
from atom_testinfra.reports.comparison import (
    conclude,
    describe_change,
    describe_groups,
    describe_parts,
    signed_seconds,
)
from atom_testinfra.reports.markdown import escape, render_table
from atom_testinfra.reports.numbers import micros
from atom_testinfra.reports.tables import Cell, CellKind, Column, Table, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from atom_testinfra.core.changes.comparison import Comparison
    from atom_testinfra.core.changes.judgement import Change

    Places = Mapping[str, tuple[str, int | None]]
    """File and line of tests, by node id."""

N_ANNOTATIONS = 10
"""GitHub shows at most this many annotations of one kind for a step."""
N_ROWS = 50


def annotate(comparison: Comparison, places: Places, *, is_gate: bool) -> Iterator[str]:
    """Yield workflow commands that annotate slower tests at their lines: errors if they fail a gate."""
    kind = "error" if is_gate else "warning"
    changes = [*comparison.changes, *comparison.outside]
    slower = [change for change in changes if change.verdict is ChangeVerdict.SLOWER]
    if comparison.is_suite_slower:
        text = "the whole suite got slower: the machine, a library, or code that all tests share"
        yield f"::{kind} title=slower suite::{_escape_message(text)}"
    for change in slower[:N_ANNOTATIONS]:
        place = ""
        if change.nodeid in places:
            path, line = places[change.nodeid]
            place = f"file={_escape_property(path)},"
            place += f"line={line}," if line is not None else ""
        message = "; ".join([f"{change.nodeid}: {_headline(change)}", *describe_change(change)])
        yield f"::{kind} {place}title=slower test::{_escape_message(message)}"


def render_job_summary(comparison: Comparison, profile: str) -> str:
    """Return the comparison as Markdown: what got slower, by how much, in which part, at what cost."""
    verdict = "something got slower" if comparison.is_slower else "nothing got slower"
    listed = {ChangeVerdict.SLOWER, ChangeVerdict.FASTER}
    changes = [*comparison.changes, *comparison.outside]
    moved = [change for change in changes if change.verdict in listed or change.is_suspect]
    lines = [f"## Cost of the tests: {verdict}", ""]
    if moved:
        table = Table(
            id="comparison",
            caption="",
            columns=[
                Column("Verdict"),
                Column("Test", CellKind.TEST),
                Column("Before"),
                Column("Now"),
                Column("Ratio", CellKind.RATIO),
                Column("What moved"),
                Column("A run of the suite"),
            ],
            rows=[_row(change) for change in moved],
        )
        lines += [render_table(table, max_rows=N_ROWS), ""]
    others = [change for change in comparison.changes if change not in moved]
    heading = f"{comparison.new} against {comparison.base}, profile {profile}, {comparison.threshold}"
    told = [heading, *describe_groups(others), *conclude(comparison)]
    lines += [f"- {escape(visible(line))}" for line in told]
    return "\n".join(lines) + "\n"


def _row(change: Change) -> list[Cell]:
    return [
        change.verdict.value,
        change.nodeid,
        micros(change.base_us),
        micros(change.new_us),
        change.times,
        describe_parts(change) or change.part or "",
        "" if change.suite_s is None else signed_seconds(change.suite_s),
    ]


def _headline(change: Change) -> str:
    ratio = "" if change.times is None else f"{change.times:.2f} times, "
    return f"{ratio}{micros(change.base_us)} before, {micros(change.new_us)} now"


def _escape_message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_message(text).replace(":", "%3A").replace(",", "%2C")
