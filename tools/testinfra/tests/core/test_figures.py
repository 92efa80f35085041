"""How figures are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.figures import percent, seconds, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 s"), (1.25, "1.25 s"), (1250.0, "1,250 s"), (0.00125, "1.25 ms"), (4.12e-4, "412 µs")],
)
def test_a_duration_has_a_readable_unit(value: float, text: str) -> None:
    """No figure needs an exponent."""
    assert seconds(value) == text


@given(st.floats(1e-9, 1e9), st.integers(1, 6))
def test_a_figure_has_no_exponent_and_keeps_its_digits(value: float, digits: int) -> None:
    """What is read back is the value, but for the digits that were left out."""
    text = significant(value, digits=digits)
    assert "e" not in text
    assert abs(float(text.replace(",", "")) - value) <= value * 10 ** (1 - digits)


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.004, "under 1 %"), (0.996, "over 99 %"), (1.0, "100 %")]
)
def test_only_zero_is_0_percent_and_only_all_is_100(share: float, text: str) -> None:
    """Rounding never turns almost into none or all."""
    assert percent(share) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0004, "under 0.1 %"), (0.938, "93.8 %"), (0.9996, "over 99.9 %"), (1.0, "100.0 %")],
)
def test_a_share_with_a_place_keeps_that_place(share: float, text: str) -> None:
    """With one place after the point, the ends are a tenth of a per cent away."""
    assert percent(share, places=1) == text
