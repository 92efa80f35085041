"""Work and amounts, many of them at the edge of a limit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from hypothesis import strategies as st

LIMIT_MINOR = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Minutes of work on a task, and the worker's hourly rate; None if nobody is assigned."""

    minutes: int
    rate_minor: int | None


MINUTES = (0, 1, 20, 30, 59, 60, 61, 1000)
RATES_MINOR = (None, 0, 1, 3, 5_000, 7_500)
work = st.lists(
    st.sampled_from([Work(minutes=some, rate_minor=rate) for some, rate in product(MINUTES, RATES_MINOR)]),
    max_size=4,
)
amounts = st.sampled_from((1, 20, 40, LIMIT_MINOR - 1, LIMIT_MINOR, LIMIT_MINOR + 1))
