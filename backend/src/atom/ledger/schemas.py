"""Requests and responses of the ledger; amounts are whole minor units."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from atom.kit.money import MAX_AMOUNT_MINOR
from atom.ledger.models import TransactionStatus
from atom.ledger.postings import DEFAULT_CURRENCY, MAX_DESCRIPTION, MAX_POSTINGS, AccountType, Side
from atom.web.schemas import (
    MAX_INTEGER,
    NOT_BLANK,
    WHOLE,
    AmountMinor,
    Answer,
    Day,
    Flag,
    Id,
    KeyQuery,
    Name,
    PageQuery,
    Request,
)

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(examples=[DEFAULT_CURRENCY])]


class AccountRequest(Request):
    """An account to open."""

    code: str = Field(min_length=1, max_length=64, pattern=NOT_BLANK, examples=["1000"])
    name: Name = Field(examples=["Cash"])
    type: AccountType
    currency: Currency = DEFAULT_CURRENCY
    floor_minor: Annotated[int, Field(ge=-MAX_AMOUNT_MINOR, le=0), WHOLE] | None = Field(
        0, description="the balance never falls below it; null means no floor"
    )


class AccountChange(Request):
    """What to change on an account, unless somebody changed it since it was at `expected_version`."""

    expected_version: Annotated[int, Field(ge=1, le=MAX_INTEGER), WHOLE]
    name: Name | None = Field(None, description="null leaves it as it is")
    is_active: Flag | None = Field(None, description="null leaves it as it is")


class AccountQuery(KeyQuery):
    """Which accounts to list, and which part of them."""

    type: AccountType | None = None
    is_active: bool | None = None


class AccountResponse(Answer):
    """An account with its balance, on the side on which its type grows."""

    id: str
    code: str
    name: str
    type: AccountType
    currency: str
    is_active: bool
    balance_minor: int
    floor_minor: int | None
    version: int


class Details(Request):
    """What a transaction may say in addition to what it moves."""

    currency: Currency = DEFAULT_CURRENCY
    on: Day | None = Field(None, description="its date, by default the day of posting")
    external_id: Name | None = Field(
        None, description="posting again with the same id changes nothing", examples=["bank-2026-0001"]
    )
    description: str | None = Field(None, min_length=1, max_length=MAX_DESCRIPTION, pattern=NOT_BLANK)
    project_id: Id | None = None


class PostingBody(Request):
    """One line of a transaction."""

    account_id: Id
    side: Side
    amount_minor: AmountMinor


class TransactionRequest(Details):
    """A transaction: at least two postings, as much debit as credit."""

    postings: list[PostingBody] = Field(min_length=2, max_length=MAX_POSTINGS)
    source: Name = "manual"
    is_draft: Flag = Field(False, description="write it, and let it wait to be posted or cancelled")


class PatternRequest(Details):
    """A transaction of two postings over two accounts, whose types the route requires."""

    debit_account_id: Id
    credit_account_id: Id
    amount_minor: AmountMinor


class TransferRequest(Details):
    """Money that goes from one asset account to another."""

    source_account_id: Id
    target_account_id: Id
    amount_minor: AmountMinor


class ReversalRequest(Request):
    """When to undo a transaction."""

    on: Day | None = Field(None, description="the date of the reversal, by default today")


class ReceiptResponse(Answer):
    """What became of a request to post: whether it was written now, or earlier under its external id."""

    transaction_id: str
    status: TransactionStatus
    is_new: bool


class TransactionResponse(Answer):
    """A transaction, without its entries."""

    id: str
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


class EntryResponse(Answer):
    """One line of a transaction as it was written."""

    id: str
    account_id: str
    position: int
    side: Side
    amount_minor: int


class TransactionQuery(PageQuery):
    """Which transactions to list."""

    account_id: Id | None = Field(None, description="only those that touch this account")


class TrialBalanceQuery(Request):
    """Which currency to add up."""

    currency: Currency = DEFAULT_CURRENCY


class TrialBalanceResponse(Answer):
    """The sums of all posted debits and credits."""

    currency: str
    debit_minor: int
    credit_minor: int
    is_balanced: bool


class DiscrepancyResponse(Answer):
    """An account whose balance is not what its posted entries add up to."""

    account_id: str
    balance_minor: int
    entries_minor: int


class PeriodRequest(Request):
    """A range of days to close, both ends included."""

    starts_on: Day
    ends_on: Day


class PeriodResponse(Answer):
    """A range of days in which nothing can be posted any more."""

    id: str
    starts_on: date
    ends_on: date
    closed_at: datetime
