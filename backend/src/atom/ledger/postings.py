"""What may be posted: debits and credits that balance to the cent. Pure: nothing here knows the database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from atom.kit.errors import InvalidError
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.kit.text import checked_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from typing import Unpack

MAX_POSTINGS = 500
MAX_DESCRIPTION = 2_000
DEFAULT_CURRENCY = "USD"


class Side(StrEnum):
    """The side of an account that an entry is written on."""

    DEBIT = "debit"
    CREDIT = "credit"

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.CREDIT if self is Side.DEBIT else Side.DEBIT


class AccountType(StrEnum):
    """What an account counts; the first two grow on the debit side, the others on the credit side."""

    ASSET = "asset"
    EXPENSE = "expense"
    LIABILITY = "liability"
    EQUITY = "equity"
    REVENUE = "revenue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One line of a transaction: so much on that side of that account."""

    account_id: str
    side: Side
    amount_minor: int

    def __post_init__(self) -> None:
        if not 0 < self.amount_minor <= MAX_AMOUNT_MINOR:
            raise InvalidError(
                f"{self.amount_minor} is out of range, expected 1 to {MAX_AMOUNT_MINOR}", field="amount_minor"
            )


class Details(TypedDict, total=False):
    """What a transaction may say in addition to its postings."""

    currency: str
    on: date | None
    external_id: str | None
    source: str
    description: str | None
    project_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTransaction:
    """
    A transaction that may be posted: at least two postings, as much debit as credit.

    Without `on` it is dated the day it is posted. Posting again with the same `external_id` changes nothing.
    """

    workspace_id: str
    postings: tuple[Posting, ...]
    currency: str = DEFAULT_CURRENCY
    on: date | None = None
    external_id: str | None = None
    source: str = "manual"
    description: str | None = None
    project_id: str | None = None
    pattern: Pattern | None = None

    def __post_init__(self) -> None:
        if not 2 <= len(self.postings) <= MAX_POSTINGS:
            raise InvalidError(
                f"{len(self.postings)} postings, expected 2 to {MAX_POSTINGS}", field="postings"
            )
        debit_minor, credit_minor = total(self.postings, Side.DEBIT), total(self.postings, Side.CREDIT)
        if debit_minor != credit_minor:
            raise InvalidError(
                f"debits are {debit_minor}, credits are {credit_minor}; they have to be equal",
                field="postings",
            )
        checked_text(self.source, field="source")
        if self.external_id is not None:
            checked_text(self.external_id, field="external_id")
        if self.description is not None:
            checked_text(self.description, field="description", max_length=MAX_DESCRIPTION)

    @property
    def amount_minor(self) -> int:
        """What the transaction moves: the sum of either side."""
        return total(self.postings, Side.DEBIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A transaction of two postings that comes again and again: the type it debits, the type it credits."""

    name: str
    debit: AccountType
    credit: AccountType

    def expects(self, side: Side) -> AccountType:
        """Return the type of the account on that side."""
        return self.debit if side is Side.DEBIT else self.credit

    def transaction(
        self,
        *,
        workspace_id: str,
        debit_account_id: str,
        credit_account_id: str,
        amount_minor: int,
        **details: Unpack[Details],
    ) -> NewTransaction:
        """Return the transaction of this pattern over two accounts; posting it checks their types."""
        if debit_account_id == credit_account_id:
            raise InvalidError(
                "the transaction debits and credits the same account", field="credit_account_id"
            )
        details.setdefault("source", self.name)
        return NewTransaction(
            workspace_id=workspace_id,
            postings=(debit(debit_account_id, amount_minor), credit(credit_account_id, amount_minor)),
            pattern=self,
            **details,
        )


INVOICE = Pattern(name="invoice", debit=AccountType.ASSET, credit=AccountType.REVENUE)
BILL = Pattern(name="bill", debit=AccountType.EXPENSE, credit=AccountType.LIABILITY)
BILL_PAYMENT = Pattern(name="bill_payment", debit=AccountType.LIABILITY, credit=AccountType.ASSET)
EXPENSE_PAYMENT = Pattern(name="expense_payment", debit=AccountType.EXPENSE, credit=AccountType.ASSET)
TRANSFER = Pattern(name="transfer", debit=AccountType.ASSET, credit=AccountType.ASSET)
PATTERNS = (INVOICE, BILL, BILL_PAYMENT, EXPENSE_PAYMENT, TRANSFER)


def debit(account_id: str, amount_minor: int) -> Posting:
    """Return a posting on the debit side."""
    return Posting(account_id=account_id, side=Side.DEBIT, amount_minor=amount_minor)


def credit(account_id: str, amount_minor: int) -> Posting:
    """Return a posting on the credit side."""
    return Posting(account_id=account_id, side=Side.CREDIT, amount_minor=amount_minor)


def total(postings: Iterable[Posting], side: Side) -> int:
    """Return the sum of one side."""
    return sum(posting.amount_minor for posting in postings if posting.side is side)


def reversal(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """Return the postings that undo these: the same amounts on the opposite sides."""
    return tuple(
        Posting(account_id=posting.account_id, side=posting.side.opposite, amount_minor=posting.amount_minor)
        for posting in postings
    )


def normal_side(type_: AccountType) -> Side:
    """Return the side on which an account of this type grows."""
    return Side.DEBIT if type_ in (AccountType.ASSET, AccountType.EXPENSE) else Side.CREDIT
