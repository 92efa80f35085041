"""What the ledger reads and writes: headers and entries, balances and sums of accounts, closed days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from atom.ledger.models import TransactionStatus
    from atom.ledger.postings import AccountType, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A transaction without its entries."""

    id: str
    workspace_id: str
    currency: str
    external_id: str | None
    source: str
    description: str | None
    status: TransactionStatus
    transaction_date: date
    amount_minor: int
    project_id: str | None
    reverses_id: str | None
    created_at: datetime
    posted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a transaction."""

    id: str
    transaction_id: str
    account_id: str
    workspace_id: str
    currency: str
    position: int
    side: Side
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account and its balance."""

    id: str
    code: str
    name: str
    type: AccountType
    currency: str
    is_active: bool
    balance_minor: int
    floor_minor: int | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """An account's balance, and what its posted entries say: debits, credits, their effect."""

    id: str
    currency: str
    balance_minor: int
    debit_minor: int
    credit_minor: int
    effect_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedDays:
    """A closed range of days, both ends included."""

    starts_on: date
    ends_on: date
