"""How figures are written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.reports import numbers

durations = st.floats(min_value=1e-9, max_value=1e6, allow_nan=False)
FACTORS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}


def read(text: str) -> float:
    value, unit = text.replace(",", "").split(" ")
    return float(value) * FACTORS[unit]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 s"),
        (0.000412, "412 µs"),
        (0.0381, "38.1 ms"),
        (0.9996, "1.00 s"),
        (2.3449, "2.34 s"),
        (63.41, "63.4 s"),
        (1204.4, "1,204 s"),
        (1e-7, "0.100 µs"),
    ],
)
def test_seconds_have_three_digits_and_a_readable_unit(value: float | None, text: str) -> None:
    """A duration is read at a glance, whatever its size."""
    assert numbers.seconds(value) == text


@given(durations)
def test_seconds_are_what_they_say(value: float) -> None:
    """A written duration differs from the duration by less than a hundredth of it."""
    assert read(numbers.seconds(value)) == pytest.approx(value, rel=0.0051)


@given(durations, durations)
def test_seconds_keep_the_order(first: float, second: float) -> None:
    """A longer duration is never written as a shorter one."""
    low, high = sorted([first, second])

    assert read(numbers.seconds(low)) <= read(numbers.seconds(high)) * (1 + 1e-9)


@given(st.floats(min_value=0.01, max_value=1000), st.floats(min_value=0.01, max_value=1000))
def test_a_duration_beside_its_limit_is_on_its_own_side(value: float, limit: float) -> None:
    """Rounding never makes a miss look like a hit, or the other way round."""
    written = read(numbers.seconds_beside(value, limit))

    assert (value < limit) == (written < limit)
    if written != limit and numbers.seconds(value) != numbers.seconds(limit):
        assert numbers.seconds_beside(value, limit) == numbers.seconds(value)


@given(st.floats(min_value=0, max_value=1))
def test_only_zero_is_0_percent_and_only_all_is_100(value: float) -> None:
    """Rounding never turns almost into none or all."""
    text = numbers.share(value)

    assert (text == "0 %") == (value == 0)
    assert (text == "100 %") == (value == 1)


@given(st.floats(min_value=0, max_value=1e9))
def test_no_figure_needs_an_exponent(value: float) -> None:
    """Nobody has to read 1e-05."""
    texts = [numbers.seconds(value), numbers.micros(value), numbers.share(value), numbers.ratio(value)]

    assert all(re.fullmatch(r"[<>]? ?[\d.,]+ ?(µs|ms|s|%|x)", text) for text in texts)


@pytest.mark.parametrize(
    ("n", "noun", "text"),
    [
        (1, "test", "1 test"),
        (2, "test", "2 tests"),
        (2, "property", "2 properties"),
        (1200, "run", "1,200 runs"),
    ],
)
def test_a_noun_agrees_with_its_count(n: int, noun: str, text: str) -> None:
    """A count agrees with its noun."""
    assert numbers.plural(n, noun) == text
