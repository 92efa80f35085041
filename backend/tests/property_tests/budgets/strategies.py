"""Work, expenses and amounts, many of them at the edge of a limit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hypothesis import strategies as st

LIMIT_MINOR = 100


class Booking(StrEnum):
    """What is booked, as far as a project is concerned."""

    BILL = "bill"
    PAID_BILL = "paid bill"
    EXPENSE = "expense"
    REVERSED_BILL = "reversed bill"
    DRAFT = "draft"
    INVOICE = "invoice"
    OTHER_PROJECT = "other project"
    OTHER_CURRENCY = "other currency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Minutes on a task of somebody with a rate; without one of nobody."""

    minutes: int
    rate_minor: int | None


work = st.lists(
    st.builds(
        Work,
        minutes=st.sampled_from((0, 1, 20, 30, 59, 60, 61, 1000)),
        rate_minor=st.sampled_from((None, 0, 1, 3, 5_000, 7_500)),
    ),
    max_size=4,
)
bookings = st.lists(st.tuples(st.sampled_from(Booking), st.integers(1, 20_000)), max_size=3)
amounts = st.sampled_from((1, 20, 40, LIMIT_MINOR - 1, LIMIT_MINOR, LIMIT_MINOR + 1))
