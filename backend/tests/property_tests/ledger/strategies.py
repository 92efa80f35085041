"""What the properties of the ledger draw: transfers, balanced postings, what can be wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations, product

from hypothesis import strategies as st

from atom.ledger.postings import AccountType, Posting, Side

FUNDS_MINOR = 100
"""What an account holds at the start; one amount in three exceeds it."""

AMOUNTS = (*range(1, 151), *(FUNDS_MINOR - 1, FUNDS_MINOR, FUNDS_MINOR + 1) * 3)
"""Amounts; those around what an account holds stand here more often, so that they are drawn more often."""


@dataclass(frozen=True, slots=True)
class Move:
    """A transfer from the n-th account to the m-th."""

    source: int
    target: int
    amount_minor: int


def moves(n_accounts: int) -> st.SearchStrategy[Move]:
    """Draw transfers among this many accounts, never from one to itself."""
    pairs = permutations(range(n_accounts), 2)
    return st.sampled_from([Move(*pair, amount) for pair, amount in product(pairs, AMOUNTS)])


@dataclass(frozen=True, slots=True)
class Line:
    """A posting on the account of a type."""

    type: AccountType
    side: Side
    amount_minor: int

    def on(self, account_ids: dict[AccountType, str]) -> Posting:
        """The posting, on the account of its type."""
        return Posting(account_id=account_ids[self.type], side=self.side, amount_minor=self.amount_minor)


MAX_LINES = 3
"""At most this many lines on each side."""


def balanced(
    debits: list[tuple[AccountType, int]], credits_: list[tuple[AccountType, int]], order: tuple[int, ...]
) -> tuple[Line, ...]:
    """
    The debits, and credits of the same sum: each takes its amount while more is left, the last the rest.
    """
    lines = [Line(type_, Side.DEBIT, amount) for type_, amount in debits]
    left = sum(amount for _, amount in debits)
    for type_, amount in credits_[:-1]:
        if amount < left:
            lines.append(Line(type_, Side.CREDIT, amount))
            left -= amount
    lines.append(Line(credits_[-1][0], Side.CREDIT, left))
    return tuple(lines[place] for place in order if place < len(lines))


_parts = st.sampled_from([*product(AccountType, (1, 2, 3, 10, 33, 49, 50, 51, 99, 100, 101, 150))])
_sides = st.lists(_parts, min_size=1, max_size=MAX_LINES)
balanced_lines = st.builds(balanced, _sides, _sides, st.sampled_from([*permutations(range(2 * MAX_LINES))]))
"""One to three debits, the same sum in credits, in any order, over accounts of all types."""


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


dated_deeds = st.sampled_from(
    [
        DatedDeed(place=place, day=day, n_days=n_days, closes=closes, is_draft=is_draft)
        for place, day, n_days, closes, is_draft in product(
            range(2), range(1, 7), range(1, 4), (False, True), (False, True)
        )
    ]
)
"""Deeds on the same few days, so that periods touch and overlap."""
