"""Sums are exact, however large they become."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, column, literal, select, union_all

from atom.db.sums import whole_sum
from tests.database import Database

LARGEST = 2**63 - 1


@given(amounts=st.lists(st.integers(-LARGEST, LARGEST), max_size=5))
@example(amounts=[LARGEST, LARGEST])
@example(amounts=[-LARGEST, -LARGEST, 1])
@example(amounts=[])
def test_a_whole_sum_is_exact(database: Database, amounts: list[int]) -> None:
    """
    Whole numbers that each fit a column add up exactly, even beyond 64 bits; the sum of no numbers is 0.
    """
    rows = [select(literal(amount, BigInteger).label("amount")) for amount in (0, *amounts)]
    table = union_all(*rows).subquery()
    amount = column("amount", BigInteger)
    with database.session() as session:
        assert session.scalar(select(whole_sum(amount)).select_from(table)) == sum(amounts)
        assert session.scalar(select(whole_sum(amount)).select_from(table).where(amount > LARGEST - 1)) == (
            amounts.count(LARGEST) * LARGEST
        )
