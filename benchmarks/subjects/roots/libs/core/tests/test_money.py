"""Properties of amounts."""

from hypothesis import given
from hypothesis import strategies as st
from money import parse, show, split


@given(st.integers(), st.integers(1, 50))
def test_shares_add_up(amount, n_shares):
    """No cent is lost."""
    assert sum(split(amount, n_shares)) == amount


@given(st.integers(), st.integers(1, 50))
def test_shares_differ_by_a_cent(amount, n_shares):
    """Nobody pays for the others."""
    shares = split(amount, n_shares)
    assert max(shares) - min(shares) <= 1


@given(st.integers().filter(lambda amount: amount % 3))
def test_an_amount_reads_back(amount):
    """What is shown can be typed in again."""
    assert parse(show(amount)) == amount
