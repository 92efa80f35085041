"""What the properties of the ledger and of the database draw."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hypothesis import strategies as st

FUNDS_MINOR = 100
"""What an account holds at the start: amounts go beyond it about every third time."""

amounts = st.integers(1, 150)
funds = st.integers(0, 1000)


class WriteKind(StrEnum):
    """A write of a unit of work, by what the schema says to it."""

    TRANSFER = "transfer"
    """Fine, or refused by the CHECK constraint of the floor."""
    DUPLICATE_CODE = "duplicate code"
    """Refused by a UNIQUE constraint at the flush."""
    LOOSE_ENTRY = "loose entry"
    """Refused by a deferred foreign key at the commit."""


@dataclass(frozen=True, slots=True)
class Write:
    """One attempted write between two accounts, backwards if `is_back`."""

    kind: WriteKind
    amount_minor: int
    is_back: bool


KINDS = (WriteKind.TRANSFER,) * 4 + (WriteKind.DUPLICATE_CODE, WriteKind.LOOSE_ENTRY)

writes = st.builds(Write, st.sampled_from(KINDS), amounts, st.booleans())
units = st.lists(st.lists(writes, min_size=1, max_size=3), min_size=1, max_size=3)
"""Units of work, each a list of writes."""


@dataclass(frozen=True, slots=True)
class Move:
    """A transfer from the n-th account to the m-th."""

    source: int
    target: int
    amount_minor: int


def moves(n_accounts: int) -> st.SearchStrategy[Move]:
    """Draw transfers among so many accounts, never from one to itself."""
    pairs = [(a, b) for a in range(n_accounts) for b in range(n_accounts) if a != b]
    return st.builds(lambda pair, amount: Move(*pair, amount), st.sampled_from(pairs), amounts)
