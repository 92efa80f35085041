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


@pytest.mark.parametrize(("amount_minor", "text"), [(0, "0.00"), (-5, "-0.05"), (123456, "1234.56")])
def test_format_has_two_places(amount_minor: int, text: str) -> None:
    """Small and negative amounts keep their zeros and their sign."""
    assert format_amount(amount_minor) == text
