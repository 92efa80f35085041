"""Text that is not valid Unicode becomes valid, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.storage.run_writer import RunWriter, escape, escape_all
from atom_testinfra.storage.runs import wait_for_writers

ANY_TEXT = st.text(st.characters())  # lone surrogates included
UNICODE = st.text()


@given(ANY_TEXT)
def test_escaping_twice_changes_nothing_more(text: str) -> None:
    """Escaped text can be encoded, and is the same when it is escaped again."""
    escaped = escape(text)
    assert escaped.encode().decode() == escaped
    assert escape(escaped) == escaped


@given(UNICODE)
def test_unicode_stays_as_it_is(text: str) -> None:
    """Text that can be encoded is not escaped."""
    assert escape(text) == text


@given(
    st.recursive(
        ANY_TEXT | st.integers() | st.none(),
        lambda values: st.lists(values) | st.dictionaries(ANY_TEXT, values),
    )
)
def test_data_is_escaped_all_through(value: object) -> None:
    """A second time there is nothing left to escape."""
    escaped = escape_all(value)
    assert json.dumps(escaped, ensure_ascii=False).encode()
    assert escape_all(escaped) == escaped


def test_two_odd_names_stay_two() -> None:
    """As long as nobody names a file by an escape."""
    assert escape("test_\udcff.py") == r"test_\udcff.py"
    assert escape_all({"a\udcfe": ["b", "\ud800", 1, None]}) == {r"a\udcfe": ["b", r"\ud800", 1, None]}


def test_a_line_may_follow_when_the_file_is_closed(tmp_path: Path) -> None:
    """Before that there is nothing to follow; the file may be read meanwhile, and is not locked after it."""
    path = tmp_path / "run.jsonl"
    writer = RunWriter(path)
    writer.write_line("1")
    writer.write_after("too early")
    writer.close()
    writer.write_after("2")
    assert path.read_text() == "1\n2\n"
    wait_for_writers([path], patience_s=0)
