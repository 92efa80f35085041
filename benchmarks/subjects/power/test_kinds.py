"""
Ten properties that can be slowed down in every part of what they cost; the subject of compare_kinds.py.

`KINDS_EXTRA`, a JSON object, says by how much: the name of a property to a kind and a number of loop turns
for each valid example. The same source runs in both cases.
"""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTRA: dict[str, tuple[str, int]] = json.loads(os.environ.get("KINDS_EXTRA", "{}"))
N_EXAMPLES = int(os.environ.get("KINDS_EXAMPLES", "50"))
SHARED_TURNS = 400_000
"""What the module's fixture does, once, for whichever test comes first."""


def spin(turns: int) -> int:
    """Do a fixed amount of work."""
    state = 0
    for i in range(turns):
        state = (state * 31 + i) & 0xFFFF
    return state


class Current:
    """The property that runs, and how often it was called."""

    name = ""
    n_calls = 0

    @classmethod
    def work(cls, *kinds: str, times: int = 1) -> None:
        """Do the extra work of the property, if it has some of one of these kinds."""
        kind, turns = EXTRA.get(cls.name, ("", 0))
        if kind in kinds:
            spin(turns * times)


@pytest.fixture(scope="module", autouse=True)
def shared() -> int:
    """A fixture that the first test of the module pays for."""
    return spin(SHARED_TURNS)


@pytest.fixture(autouse=True)
def around(request: pytest.FixtureRequest) -> Iterator[None]:
    """Work around a property, as much as for all of its examples."""
    Current.name, Current.n_calls = request.node.name, 0
    Current.work("set-up", times=N_EXAMPLES)
    yield
    Current.work("teardown", times=N_EXAMPLES)


def slowed(strategy: st.SearchStrategy[int]) -> st.SearchStrategy[int]:
    """Return a strategy that does a property's extra work, and draws the same."""

    def pass_on(value: int) -> int:
        Current.work("strategy")
        return value

    return strategy.map(pass_on)


def body(turns: int) -> None:
    """Do what a property does, and its extra work in whichever way it is asked for."""
    kind, extra = EXTRA.get(Current.name, ("", 0))
    Current.n_calls += 1
    spin(turns)
    if kind == "body":
        spin(extra)
    elif kind == "slow path" and Current.n_calls % 4 == 0:
        spin(extra * 4)
    elif kind == "thread":
        thread = threading.Thread(target=spin, args=(extra,))
        thread.start()
        thread.join()
    elif kind == "child":
        child = os.fork()
        if child == 0:
            spin(extra)
            os._exit(0)
        os.waitpid(child, 0)
    elif kind == "filter" and Current.n_calls % extra == 0:
        reject()


class TestKinds:
    """Properties whose bodies are from nothing to most of their cost."""

    def setup_example(self) -> None:
        """Work before each example, outside of the body."""
        Current.work("context")

    @given(slowed(st.integers(0, 10**6)))
    def test_unit(self, number: int) -> None:
        """A loop of 4,000 turns: the unit in which extra work is counted."""
        body(4000)
        assert number >= 0

    @given(slowed(st.integers(0, 10**6)))
    def test_nothing(self, number: int) -> None:
        """No work of its own."""
        body(0)
        assert number >= 0

    @given(slowed(st.integers(0, 10**6)))
    def test_short(self, number: int) -> None:
        """A short loop."""
        body(1000)
        assert number >= 0

    @given(slowed(st.integers(0, 10**6)))
    def test_long(self, number: int) -> None:
        """A long loop."""
        body(16000)
        assert number >= 0

    @given(st.lists(st.integers(), max_size=30), slowed(st.integers(0, 9)))
    def test_list(self, values: list[int], number: int) -> None:
        """A list to draw, and little to do with it."""
        body(500)
        assert sorted(values, reverse=True)[::-1] == sorted(values)
        assert number >= 0

    @given(st.text("abc", max_size=40), slowed(st.integers(0, 9)))
    def test_text(self, text: str, number: int) -> None:
        """A text to draw."""
        body(2000)
        assert text.upper().lower() == text
        assert number >= 0

    @given(
        st.dictionaries(st.text("abcdef", max_size=4), st.integers(), max_size=8), slowed(st.integers(0, 9))
    )
    def test_dictionary(self, values: dict[str, int], number: int) -> None:
        """A dictionary to draw."""
        body(3000)
        assert json.loads(json.dumps(values)) == values
        assert number >= 0

    @given(slowed(st.integers(0, 10**6).filter(lambda n: n % 3 != 0)))
    def test_filtered(self, number: int) -> None:
        """A third of what is drawn is filtered out."""
        body(3000)
        assert number % 3

    @given(st.tuples(st.integers(), st.booleans(), st.integers()), slowed(st.integers(0, 9)))
    def test_tuple(self, values: tuple[int, bool, int], number: int) -> None:
        """Three values to draw."""
        body(6000)
        assert len(values) == 3
        assert number >= 0

    @given(st.lists(st.booleans(), max_size=60), slowed(st.integers(0, 9)))
    def test_booleans(self, values: list[bool], number: int) -> None:
        """Many small values to draw."""
        body(8000)
        assert sum(values) <= len(values)
        assert number >= 0
