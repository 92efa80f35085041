"""Faults that are written as texts: those of a person, and lines that were removed."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.mutation.operators.mutants import Module
from atom_testinfra.mutation.operators.written import PUT_BACK, apply_written, put_back

SOURCE = textwrap.dedent(
    """\
    import math


    def add(items, price):
        if price < 0:
            raise ValueError("negative")
        items.append(price)
        if price > 9:
            items.append(0)
            items.append(0)
        return items


    def total(items):
        found = sum(items)
        found += 0
        return found


    class Cart:
        def __init__(self):
            self.items = []
            self.n = 0
    """
)
LINES = SOURCE.splitlines()
IN_A_FUNCTION = [(5, 6), (7, 7), (8, 10), (9, 9), (10, 10), (11, 11), (16, 16), (17, 17), (22, 22), (23, 23)]


@pytest.mark.parametrize(("first", "last"), IN_A_FUNCTION)
def test_removed_lines_are_back_where_they_were(first: int, last: int) -> None:
    """The mutant is the source as it was, and every test that enters the function is asked."""
    now = "\n".join([*LINES[: first - 1], *LINES[last:]]) + "\n"
    module = Module("src/shop.py", now)
    fault = put_back(module, first - 1, LINES[first - 1 : last])
    assert fault is not None
    (mutant,) = apply_written([fault], {module.path: module})
    assert module.patched(mutant) == SOURCE
    assert mutant.operator == PUT_BACK
    assert mutant.block == f"{mutant.function}#0"
    assert not module.is_same(mutant)


@pytest.mark.parametrize(
    ("first", "last"), [(1, 1), (1, 3), (4, 11), (14, 19), (2, 2), (20, 23)], ids=lambda line: str(line)
)
def test_what_stood_outside_of_functions_is_not_put_back(first: int, last: int) -> None:
    """An import, a function, a class: nobody calls what is there again."""
    now = "\n".join([*LINES[: first - 1], *LINES[last:]]) + "\n"
    assert put_back(Module("src/shop.py", now), first - 1, LINES[first - 1 : last]) is None


def test_a_comment_is_no_code() -> None:
    """Alone it changes nothing; above a check it is part of what was removed."""
    comment = "        # who pays"
    module = Module("src/shop.py", SOURCE)
    assert put_back(module, 6, [comment, ""]) is None
    assert put_back(module, 6, [comment, "    price += 1"]) is not None


def test_a_form_feed_ends_no_line() -> None:
    """Older sources have them between functions, and git counts lines without them."""
    source = SOURCE.replace("def add", "\f\ndef add")
    now = source.replace("    found += 0\n", "")
    module = Module("src/shop.py", now)
    after = now[: now.index("    return found")].count("\n")
    fault = put_back(module, after, ["    found += 0"])
    assert fault is not None
    (mutant,) = apply_written([fault], {module.path: module})
    assert module.patched(mutant) == source


@given(st.integers(0, len(LINES)), st.lists(st.text(max_size=12), max_size=3))
def test_whatever_was_removed_makes_a_valid_source_or_none(after: int, lines: list[str]) -> None:
    """Half of a statement, or of a text in quotes, is left out."""
    module = Module("src/shop.py", SOURCE)
    fault = put_back(module, after, lines)
    if fault is not None:
        (mutant,) = apply_written([fault], {module.path: module})
        compile(module.patched(mutant), "shop.py", "exec")
        assert SOURCE.count(fault.before) == 1
