"""Tables and how their cells are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.reports.tables import CellKind, Column, Table, shorten_nodeid, visible, write_cell


def make_table(n: int) -> Table:
    return Table(id="t", caption="c", columns=[Column("A", CellKind.COUNT)], rows=[[i] for i in range(n)])


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_no_row_is_lost_by_shortening_a_table(n: int, first: int, second: int) -> None:
    """What is not shown is counted, also when a table is shortened twice."""
    head = make_table(n).head(first).head(second)

    assert len(head.rows) + head.n_left_out == n
    assert len(head.rows) <= min(first, second)


@given(st.text(max_size=120), st.integers(1, 80))
def test_a_shortened_node_id_fits_and_keeps_its_end(nodeid: str, width: int) -> None:
    """The test's name is at the end, so the end stays."""
    short = shorten_nodeid(nodeid, width)

    assert len(short) <= width
    assert nodeid.endswith(short.rpartition("…")[2]) or short == nodeid


def test_a_node_id_gives_up_its_folders_first() -> None:
    """The file and the name say most."""
    nodeid = "tests/property_tests/chat/test_chat.py::TestSessions::test_order"

    assert shorten_nodeid(nodeid, 60) == "…/test_chat.py::TestSessions::test_order"
    assert shorten_nodeid(nodeid, 30) == "…::TestSessions::test_order"
    assert shorten_nodeid(nodeid, 10) == "…est_order"


@given(st.text())
def test_visible_text_is_printable_and_keeps_what_is(text: str) -> None:
    """Nothing of a node id steers a terminal, and nothing printable is lost."""
    shown = visible(text)

    assert not any(character in shown for character in "\x00\x07\x1b\n\r\x7f\x9b\u202e\u2028\ud800")
    assert shown == text or not text.isprintable()


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (CellKind.VERDICT, True, "✓ met"),
        (CellKind.VERDICT, False, "✗ missed"),
        (CellKind.VERDICT, "partial", "◐ partly met"),
        (CellKind.VERDICT, None, "\N{EN DASH} not measured"),
        (CellKind.LIMIT, 0.5, "< 0.5 s"),
        (CellKind.RATIO, 1.5, "1.50x"),
        (CellKind.SHARE, 0.5, "50 %"),
        (CellKind.MICROS, 1500.0, "1.50 ms"),
        (CellKind.COUNT, 1200, "1,200"),
        (CellKind.SECONDS, None, "\N{EN DASH}"),
    ],
)
def test_a_cell_is_written_by_its_kind(kind: CellKind, value: float | str | None, text: str) -> None:
    """The same value reads the same in every format."""
    assert write_cell(kind, value) == text
