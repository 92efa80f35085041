"""Money goes in and out of text without losing or inventing a cent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.kit.errors import InvalidError
from atom.kit.money import MAX_AMOUNT_MINOR, format_amount, parse_amount_minor


@given(st.integers(-MAX_AMOUNT_MINOR, MAX_AMOUNT_MINOR))
def test_format_and_parse_round_trip(amount_minor: int) -> None:
    """Reading what was written gives the same number of minor units."""
    assert parse_amount_minor(format_amount(amount_minor)) == amount_minor


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity", "1e99", "0.001", "1,5"])
def test_parse_refuses_what_is_not_an_amount(text: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidError) as caught:
        parse_amount_minor(text, field="limit")
    assert caught.value.field == "limit"


@pytest.mark.parametrize("amount_minor", [MAX_AMOUNT_MINOR, -MAX_AMOUNT_MINOR])
def test_parse_takes_the_largest_amount_and_none_above(amount_minor: int) -> None:
    """The bound itself is an amount, on both sides of zero; one minor unit more is out of range."""
    assert parse_amount_minor(format_amount(amount_minor)) == amount_minor
    above = amount_minor + (1 if amount_minor > 0 else -1)
    with pytest.raises(InvalidError, match="out of range"):
        parse_amount_minor(format_amount(above))


@pytest.mark.parametrize(
    ("amount_minor", "text"),
    [(0, "0.00"), (1, "0.01"), (-1, "-0.01"), (-5, "-0.05"), (-100, "-1.00"), (123456, "1234.56")],
)
def test_format_has_two_places(amount_minor: int, text: str) -> None:
    """Small and negative amounts keep their zeros and their sign."""
    assert format_amount(amount_minor) == text
