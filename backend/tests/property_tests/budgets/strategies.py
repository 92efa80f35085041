"""Work, expenses and amounts, many of them at the edge of a limit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product

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


MINUTES = (0, 1, 20, 30, 59, 60, 61, 1000)
RATES_MINOR = (None, 0, 1, 3, 5_000, 7_500)
work = st.lists(
    st.sampled_from([Work(minutes=some, rate_minor=rate) for some, rate in product(MINUTES, RATES_MINOR)]),
    max_size=4,
)
bookings = st.lists(
    st.sampled_from([*product(Booking, (1, 2, 99, 1_000, 4_999, 5_000, 5_001, 19_999, 20_000))]), max_size=3
)
amounts = st.sampled_from((1, 20, 40, LIMIT_MINOR - 1, LIMIT_MINOR, LIMIT_MINOR + 1))
