"""The report as Markdown."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.samples import HOSTILE, make_baseline

from atom_testinfra.reports.data import build_report
from atom_testinfra.reports.markdown import (
    SUMMARY_LIMIT,
    code,
    escape,
    prose,
    render_markdown,
    render_table,
)
from atom_testinfra.reports.tables import CellKind, Column, Table, visible

parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def text_of(tokens: list[Token]) -> str:
    """Return what a reader sees of inline tokens, and fail on markup that nobody wrote."""
    shown = []
    for token in tokens:
        if token.type in {"text", "code_inline", "text_special"}:
            shown.append(token.content)
        elif token.type == "html_inline":
            assert token.content in {"<code>", "</code>"}
        else:
            raise AssertionError(f"{token.type}: {token.content!r}")
    return "".join(shown)


def cells_of(markdown: str) -> list[list[str]]:
    tokens = parser.parse(markdown)
    rows: list[list[str]] = []
    for place, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in {"th_open", "td_open"}:
            rows[-1].append(text_of(tokens[place + 1].children or []))
    return rows


hostile_text = st.text(
    st.sampled_from("ab |`\\<>&*_[]()#!~$@\n\r\t\x1b'\"{}.:/-+=1"), min_size=1, max_size=30
) | st.sampled_from(HOSTILE)


@given(hostile_text)
def test_any_text_stays_in_its_cell_as_it_is(text: str) -> None:
    """Neither a node id nor a message can leave its cell, become markup, or lose a character."""
    table = Table(
        id="t",
        caption="",
        columns=[Column("Test", CellKind.TEST), Column("Words"), Column("Last")],
        rows=[[text, text, "end"]],
    )

    rows = cells_of(render_table(table))

    assert rows == [["Test", "Words", "Last"], [visible(text).strip(), visible(text).strip(), "end"]] or (
        rows[1][0].strip() == visible(text).strip() and rows[1][1:] == [visible(text).strip(), "end"]
    )


@given(hostile_text)
def test_escaped_text_is_one_line_and_reads_as_it_was(text: str) -> None:
    """A sentence with a hostile name in it is still that sentence."""
    tokens = parser.parse(f"x {escape(text)} y")

    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert text_of(tokens[1].children or []).split() == ["x", *visible(text).split(), "y"]


@pytest.mark.parametrize("nodeid", HOSTILE)
def test_a_hostile_node_id_is_code_and_nothing_else(nodeid: str) -> None:
    """What looks like HTML is shown, not obeyed."""
    html = parser.render(f"| a |\n| --- |\n| {code(nodeid)} |\n")

    assert "<script" not in html.lower()
    assert "<img" not in html.lower()
    assert html.count("<code>") == 1


def test_rows_that_are_not_shown_are_counted() -> None:
    """A table says how much of it there is."""
    table = Table(id="t", caption="", columns=[Column("A", CellKind.COUNT)], rows=[[1], [2], [3]])

    assert render_table(table, max_rows=2).endswith("| 1 |\n| 2 |\n\nand 1 more")


def test_the_report_begins_with_the_answer() -> None:
    """A job summary is read from the top."""
    lines = render_markdown(build_report(make_baseline(40), "b.json")).splitlines()

    assert lines[0] == "### Property tests: ✗ 1 property failed; 2 of 7 targets missed"
    assert lines[2] == "Measured 2026-11-20 09:20 UTC at 0123456789ab"
    assert lines[4] == (
        "1 property failed; 2 of 7 targets missed. 3 of 7 targets are met, 2 are missed, 2 are not measured "
        "(60 % of the measured ones); 80 % are asked for."
    )


@pytest.mark.parametrize("limit", [SUMMARY_LIMIT, 12_000, 6_000, 3_000, 1_000])
def test_a_summary_never_passes_its_limit_and_says_what_was_cut(limit: int) -> None:
    """GitHub drops a summary that is too long, whole: better a short one."""
    report = build_report(make_baseline(60, hostile=True), "b.json")
    text = render_markdown(report, limit=limit)

    assert len(text.encode()) <= limit
    assert ("Cut to fit" in text) == (len(render_markdown(report).encode()) > limit)
    assert "3 of 7 targets" in text


def test_a_warning_is_never_cut() -> None:
    """However little room there is, nobody reads a verdict without it."""
    report = build_report(make_baseline(60), "b.json")
    changed = msgspec.structs.replace(report, differences=["a figure"])
    assert changed.warning is not None

    for limit in (SUMMARY_LIMIT, 6_000, 1_000):
        lines = render_markdown(changed, limit=limit).splitlines()
        assert lines[4].startswith("**1 figure of the file do"), limit


def test_long_node_ids_do_not_break_the_limit() -> None:
    """The limit holds also where a single cell is longer than most tables."""
    baseline = make_baseline(30)
    properties = {nodeid + "x" * 50_000: cost for nodeid, cost in baseline.properties.items()}
    report = build_report(make_baseline(30, properties=properties), "b.json")

    text = render_markdown(report)

    assert len(text.encode()) <= SUMMARY_LIMIT
    assert "Cut to fit" in text


@given(hostile_text)
def test_a_sentence_reads_as_it_was_with_its_commands_as_code(text: str) -> None:
    """Backticks in pairs make code and are gone; a name is not markup, in code or out of it."""
    (paragraph,) = [token for token in parser.parse(f"Call {prose(text)} now") if token.type == "inline"]

    read = re.sub("`([^`]+)`", r"\1", visible(text))
    assert text_of(paragraph.children or []) == f"Call {read} now"


def test_a_command_in_a_sentence_is_code() -> None:
    """As its author wrote it, and not with backticks for everybody to see."""
    assert prose("`testinfra verify --check` names | them") == "`testinfra verify --check` names \\| them"
