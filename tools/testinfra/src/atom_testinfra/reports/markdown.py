"""The report as Markdown, for a job summary and for documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from atom_testinfra.reports.tables import (
    VERDICT_SIGNS,
    CellKind,
    Table,
    split_code,
    verdict_key,
    visible,
    write_cell,
)

if TYPE_CHECKING:
    from atom_testinfra.reports.data import ReportData, Section

SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a job summary; GitHub drops a longer one whole."""
MAX_ROWS = 50

_SPECIAL = re.compile(r"([\\`*_\[\]|~#@$])")
_TAG = re.compile(r"<(?![ \d])")
_CODE_SPECIAL = frozenset("\\`|<")


def escape(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, no link, no mention, no second cell."""
    text = _SPECIAL.sub(r"\\\1", visible(text).replace("&", "&amp;"))
    return _TAG.sub("&lt;", text)


def escape_html(text: str) -> str:
    """Return text for the inside of an HTML element, on one line."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """
    Return text as code in a table cell: as it is, with no way out of the cell or into HTML.

    A code span cannot carry backticks, and not every backslash beside a bar, so such text is an HTML
    element in which each special character is a reference.
    """
    text = visible(text)
    if text and text == text.strip() and _CODE_SPECIAL.isdisjoint(text):
        return f"`{text}`"
    return (
        "<code>" + "".join(c if c.isalnum() or c in " ./:-=,'" else f"&#{ord(c)};" for c in text) + "</code>"
    )


def prose(text: str) -> str:
    """Return a sentence in which what stands between backticks is code, and nothing else is markup."""
    pieces = enumerate(split_code(text))
    return "".join(code(piece) if place % 2 else escape(piece) for place, piece in pieces)


def render_table(table: Table, *, max_rows: int = MAX_ROWS) -> str:
    """Return a Markdown table; rows past `max_rows` are counted below it."""
    head = table.head(max_rows)
    lines = [
        "| " + " | ".join(escape(column.title) for column in head.columns) + " |",
        "| " + " | ".join("---:" if column.kind.is_number else "---" for column in head.columns) + " |",
    ]
    for row in head.rows:
        cells = [
            code(str(value)) if column.kind is CellKind.TEST else escape(write_cell(column.kind, value))
            for column, value in zip(head.columns, row, strict=True)
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if head.n_left_out:
        lines += ["", f"and {head.n_left_out:,} more"]
    return "\n".join(lines)


def render_markdown(report: ReportData, *, limit: int = SUMMARY_LIMIT) -> str:
    """
    Return the report as Markdown of at most `limit` bytes.

    Where it would be longer, the tables are cut, the last sections first, and the text says which.
    """
    max_rows = {section.id: MAX_ROWS for section in report.sections}
    cut: list[str] = []
    text = _render(report, max_rows, cut)
    while len(text.encode()) > limit:
        candidates = [section for section in reversed(report.sections) if max_rows[section.id] > 0]
        if not candidates:
            return _shortest(report)
        section = candidates[0]
        max_rows[section.id] //= 4
        if section.title not in cut:
            cut.append(section.title)
        text = _render(report, max_rows, cut)
    return text


def _shortest(report: ReportData) -> str:
    return (
        f"{_head(report)}\n\n{prose(report.targets.summary)}\n\n"
        "**Cut to fit into the job summary:** everything else. `testinfra report` shows it.\n"
    )


def _head(report: ReportData) -> str:
    """Return the title, and what has to be known before the rest is believed: it is never cut."""
    targets = report.targets
    sign = VERDICT_SIGNS[verdict_key(targets.is_met)]
    head = f"### Property tests: {sign} {prose(targets.headline)}\n\n{prose(report.identity)}"
    return head if report.warning is None else f"{head}\n\n**{prose(report.warning)}**"


def _render(report: ReportData, max_rows: dict[str, int], cut: list[str]) -> str:
    parts = [_head(report)]
    if cut:
        sections = "; ".join(escape(title) for title in cut)
        parts.append(f"**Cut to fit into the job summary:** {sections}. `testinfra report` shows all of it.")
    for section in report.sections:
        parts += _section(section, max_rows[section.id])
    parts.append(f"<sub>{escape(report.baseline)}, verified {escape(report.verified_at)}</sub>")
    return "\n\n".join(parts) + "\n"


def _section(section: Section, max_rows: int) -> list[str]:
    body = [prose(section.summary)]
    if max_rows:
        body += ["\n".join(f"- {prose(note)}" for note in section.notes)] if section.notes else []
        body += [render_table(table, max_rows=max_rows) for table in section.tables() if table.rows]
    if section.id == "targets":
        return [*body]
    return [f"<details><summary>{escape_html(section.title)}</summary>", *body, "</details>"]
