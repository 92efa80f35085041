"""
Ten properties whose bodies cost 10 to 400 us, of ten kinds; the subject of compare_power.py.

`POWER_EXTRA`, a JSON object, slows a property down by a fixed amount of work: its name to loop turns.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections import OrderedDict
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

EXTRA: dict[str, int] = json.loads(os.environ.get("POWER_EXTRA", "{}"))
DATABASE = sqlite3.connect(":memory:", isolation_level=None)
DATABASE.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, amount INTEGER CHECK (amount >= 0), note TEXT)")
WORD = re.compile(r"(\w+)\s*(\d*)")
AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**6), max_value=10**6)


def spin(turns: int) -> int:
    """Do a fixed amount of work."""
    state = 0
    for i in range(turns):
        state = (state * 31 + i) & 0xFFFF
    return state


def slow_down(name: str) -> None:
    """Do the extra work of a property, if it has any."""
    turns = EXTRA.get(name)
    if turns:
        spin(turns)


@given(st.integers(0, 100))
def test_spin_short(number: int) -> None:
    """A short loop: the unit in which extra work is counted."""
    slow_down("test_spin_short")
    assert spin(400) + number >= 0


@given(st.integers(0, 100))
def test_spin_long(number: int) -> None:
    """A long loop."""
    slow_down("test_spin_long")
    assert spin(8000) + number >= 0


@given(st.lists(st.integers(), max_size=40))
def test_sorting(values: list[int]) -> None:
    """Work that grows with the input."""
    slow_down("test_sorting")
    for _ in range(10):
        by_digit = sorted(values, key=lambda value: (value & 7, value))
    assert sorted(by_digit) == sorted(values)


@given(st.lists(st.integers(0, 9), min_size=12, max_size=30))
def test_pairs(values: list[int]) -> None:
    """Work that grows with the square of the input."""
    slow_down("test_pairs")
    rising = sum(1 for a in values for b in values if a < b)
    falling = sum(1 for a in values for b in values if a > b)
    assert rising == falling


@given(st.lists(st.tuples(st.integers(0, 1000), st.text("abc", max_size=8)), min_size=1, max_size=10))
def test_database(rows: list[tuple[int, str]]) -> None:
    """Statements in a transaction that is rolled back."""
    slow_down("test_database")
    DATABASE.execute("BEGIN")
    DATABASE.executemany("INSERT INTO entry (amount, note) VALUES (?, ?)", rows)
    stored = DATABASE.execute("SELECT count(*), sum(amount) FROM entry").fetchone()
    DATABASE.execute("ROLLBACK")
    assert stored == (len(rows), sum(amount for amount, _ in rows))


@given(st.dictionaries(st.text("abcdef", max_size=5), st.integers(), max_size=10))
def test_json(document: dict[str, int]) -> None:
    """C code that allocates."""
    slow_down("test_json")
    for _ in range(5):
        assert json.loads(json.dumps(document)) == document


@given(st.text("ab 12", max_size=60))
def test_regex(text: str) -> None:
    """Matching and replacing."""
    slow_down("test_regex")
    for _ in range(5):
        replaced = WORD.sub(r"\2\1", text)
    assert len(replaced) <= len(text)


@given(st.lists(AMOUNTS, min_size=1, max_size=10))
def test_decimals(amounts: list[Decimal]) -> None:
    """Exact arithmetic."""
    slow_down("test_decimals")
    for _ in range(10):
        assert sum(amounts, Decimal(0)) - amounts[0] == sum(amounts[1:], Decimal(0))


@given(st.integers(0, 300))
def test_allocation(n: int) -> None:
    """Objects by the hundred."""
    slow_down("test_allocation")
    table = OrderedDict((i, [i] * 5) for i in range(300))
    assert len([key for key in table if table[key][0] == key]) == 300 >= n


@given(st.recursive(st.integers(), lambda inner: st.lists(inner, max_size=4), max_leaves=20))
def test_recursion(tree: Any) -> None:
    """Calls of a Python function."""
    slow_down("test_recursion")

    def count(node: Any) -> int:
        return 1 + sum(map(count, node)) if isinstance(node, list) else 1

    assert all(count(tree) >= 1 for _ in range(20))
