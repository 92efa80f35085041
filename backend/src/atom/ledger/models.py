"""
Tables of the ledger.

The schema itself refuses what the rules forbid: a posted transaction balances, its entries belong to its
workspace and currency, no balance falls below its floor, and what is posted stays as it is (the triggers of
migration 0002). Entries are written before their header, which the schema checks against them.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from atom.db.base import Base, ForeignId, PrimaryId
from atom.db.types import str_enum
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.ledger.postings import DEFAULT_CURRENCY, AccountType, Side

MAX_BALANCE_MINOR = 10**18
"""Above any sum of money, below the largest 64-bit integer: beyond it SQLite would turn to floats."""


class TransactionStatus(StrEnum):
    """Where a transaction stands; all but the first are final."""

    PENDING = "pending"
    POSTED = "posted"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Account(Base):
    """An account of a workspace; its balance counts on the side on which its type grows."""

    __tablename__ = "ledger_accounts"
    UNIQUE_CODE = UniqueConstraint("workspace_id", "code")
    FLOOR = CheckConstraint("balance_minor >= floor_minor", name="floor")
    BALANCE_RANGE = CheckConstraint(
        f"balance_minor BETWEEN -{MAX_BALANCE_MINOR} AND {MAX_BALANCE_MINOR}", name="balance_range"
    )
    __table_args__ = (
        UNIQUE_CODE,
        UniqueConstraint("id", "workspace_id", "currency"),
        FLOOR,
        BALANCE_RANGE,
        CheckConstraint("length(currency) = 3", name="currency"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id"))
    code: Mapped[str]
    name: Mapped[str]
    type: Mapped[AccountType] = mapped_column(str_enum(AccountType, name="type"))
    currency: Mapped[str] = mapped_column(String(3), default=DEFAULT_CURRENCY)
    is_active: Mapped[bool] = mapped_column(default=True)
    balance_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    floor_minor: Mapped[int | None] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(default=1)


class Transaction(Base):
    """The header of a group of entries: pending while they are written, then posted or cancelled for good."""

    __tablename__ = "ledger_transactions"
    UNIQUE_EXTERNAL_ID = UniqueConstraint("workspace_id", "external_id")
    UNIQUE_REVERSAL = UniqueConstraint("reverses_id")
    IN_TIME = ("transaction_is_in_time", "draft_is_in_time")
    __table_args__ = (
        UNIQUE_EXTERNAL_ID,
        UNIQUE_REVERSAL,
        UniqueConstraint("id", "workspace_id", "currency"),
        CheckConstraint(f"amount_minor BETWEEN 1 AND {MAX_BALANCE_MINOR}", name="amount_minor"),
        CheckConstraint("(status = 'posted') = (posted_at IS NOT NULL)", name="posted_at"),
        Index(None, "workspace_id", "transaction_date", "id"),
        Index(None, "workspace_id", "created_at", "id"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id"))
    currency: Mapped[str] = mapped_column(String(3), default=DEFAULT_CURRENCY)
    external_id: Mapped[str | None]
    source: Mapped[str]
    description: Mapped[str | None]
    status: Mapped[TransactionStatus] = mapped_column(
        str_enum(TransactionStatus, name="status"), default=TransactionStatus.PENDING
    )
    transaction_date: Mapped[date]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    project_id: Mapped[ForeignId | None] = mapped_column(index=True)
    reverses_id: Mapped[ForeignId | None] = mapped_column(ForeignKey("ledger_transactions.id"))
    created_at: Mapped[datetime]
    posted_at: Mapped[datetime | None]


class JournalEntry(Base):
    """One line of a transaction; never changed, never deleted."""

    __tablename__ = "journal_entries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["transaction_id", "workspace_id", "currency"],
            ["ledger_transactions.id", "ledger_transactions.workspace_id", "ledger_transactions.currency"],
            deferrable=True,
            initially="DEFERRED",
        ),
        ForeignKeyConstraint(
            ["account_id", "workspace_id", "currency"],
            ["ledger_accounts.id", "ledger_accounts.workspace_id", "ledger_accounts.currency"],
        ),
        UniqueConstraint("transaction_id", "position"),
        CheckConstraint(f"amount_minor BETWEEN 1 AND {MAX_AMOUNT_MINOR}", name="amount_minor"),
        CheckConstraint("position >= 0", name="position"),
        Index(None, "account_id", "transaction_id"),
    )

    id: Mapped[PrimaryId]
    transaction_id: Mapped[ForeignId]
    account_id: Mapped[ForeignId]
    workspace_id: Mapped[ForeignId]
    currency: Mapped[str] = mapped_column(String(3), default=DEFAULT_CURRENCY)
    position: Mapped[int]
    side: Mapped[Side] = mapped_column(str_enum(Side, name="side"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)


class ClosedPeriod(Base):
    """A range of days, both ends included, in which nothing can be posted any more."""

    __tablename__ = "closed_periods"
    __table_args__ = (
        CheckConstraint("starts_on <= ends_on", name="range"),
        UniqueConstraint("workspace_id", "starts_on"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id"))
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    closed_at: Mapped[datetime]
