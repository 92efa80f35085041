"""What the properties of the ledger draw: transfers, balanced postings, what can be wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from hypothesis import strategies as st

from atom.ledger.postings import AccountType, Posting, Side

FUNDS_MINOR = 100
"""What an account holds at the start: an amount goes beyond it every third time."""

amounts = st.integers(1, 150)


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


@dataclass(frozen=True, slots=True)
class Line:
    """A posting on the account of a type."""

    type: AccountType
    side: Side
    amount_minor: int

    def on(self, account_ids: dict[AccountType, str]) -> Posting:
        """The posting, on the account of its type."""
        return Posting(account_id=account_ids[self.type], side=self.side, amount_minor=self.amount_minor)


@st.composite
def balanced_lines(draw: st.DrawFn) -> tuple[Line, ...]:
    """Draw one to three debits, the same sum in credits, in any order, over accounts of all types."""
    types = st.sampled_from(AccountType)
    debits = draw(st.lists(st.tuples(types, amounts), min_size=1, max_size=3))
    total = sum(amount for _, amount in debits)
    cuts = draw(st.sets(st.integers(1, max(1, total - 1)), max_size=2))
    edges = (0, *sorted(cut for cut in cuts if cut < total), total)
    lines = [Line(type_, Side.DEBIT, amount) for type_, amount in debits]
    lines += [Line(draw(types), Side.CREDIT, high - low) for low, high in pairwise(edges)]
    return tuple(draw(st.permutations(lines)))


class Defect(StrEnum):
    """What is wrong with a transaction that has to be rejected."""

    UNBALANCED = "unbalanced"
    ONE_SIDED = "one side only"
    EMPTY = "empty"
    ZERO_AMOUNT = "zero amount"
    NEGATIVE_AMOUNT = "negative amount"
    UNKNOWN_ACCOUNT = "unknown account"
    FOREIGN_ACCOUNT = "account of another workspace"
    OTHER_CURRENCY = "account in another currency"
    INACTIVE_ACCOUNT = "inactive account"
    CLOSED_PERIOD = "closed period"
    OVERDRAFT = "overdraft"
    REUSED_EXTERNAL_ID = "reused external id"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedDeed:
    """In one of two workspaces: days to close, or a day to post or draft something on."""

    place: int
    day: int
    n_days: int
    closes: bool
    is_draft: bool


def dated_deeds() -> st.SearchStrategy[DatedDeed]:
    """Draw deeds on the same few days, so that they meet at either end."""
    return st.builds(
        DatedDeed,
        place=st.integers(0, 1),
        day=st.integers(1, 6),
        n_days=st.integers(1, 3),
        closes=st.booleans(),
        is_draft=st.booleans(),
    )
