"""
The use cases of the ledger: accounts, postings, drafts, reversals, closed periods, balances.

Every function works inside the caller's transaction. One that raises has written nothing and the caller may
go on: what it writes, it writes under a savepoint.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from atom.db.violations import violates
from atom.kit.errors import InvalidError, NotFoundError, StaleVersionError
from atom.kit.ids import new_id
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.kit.pagination import DEFAULT_LIMIT, Cursor, KeyPage, Page
from atom.kit.text import checked_text, normal_form
from atom.ledger import repository
from atom.ledger.errors import (
    DraftedBeforeError,
    DuplicateCodeError,
    ExternalIdReusedError,
    InactiveAccountError,
    NotPendingError,
    NotReversibleError,
    OverdraftError,
    PeriodBlockedError,
    PeriodClosedError,
)
from atom.ledger.models import Account, ClosedPeriod, Transaction, TransactionStatus
from atom.ledger.postings import DEFAULT_CURRENCY, TRANSFER, NewTransaction, Posting, reversal
from atom.ledger.rows import Balance, Entry, Header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime
    from typing import Unpack

    from sqlalchemy.orm import Session

    from atom.db.violations import Rule
    from atom.kit.clock import Clock
    from atom.kit.errors import ConflictError
    from atom.kit.pagination import PageRequest
    from atom.ledger.postings import AccountType, Details
    from atom.ledger.repository import LockedAccount

MAX_CODE = 64
CURRENCY_LENGTH = 3


REFUSALS: tuple[tuple[Rule, type[ConflictError], str], ...] = (
    (Account.FLOOR, OverdraftError, "an account would fall below its floor"),
    (Account.BALANCE_RANGE, OverdraftError, "an account would leave the range of balances"),
    (Transaction.UNIQUE_REVERSAL, NotReversibleError, "the transaction is reversed already"),
    *((rule, PeriodClosedError, "the period was closed meanwhile") for rule in Transaction.IN_TIME),
)
"""What the schema refuses, as the error it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a request to post: the transaction, and whether it was written now or earlier."""

    transaction_id: str
    status: TransactionStatus
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """The sums of all posted debits and credits of a workspace in one currency."""

    currency: str
    debit_minor: int
    credit_minor: int

    @property
    def is_balanced(self) -> bool:
        """Whether the sums are equal."""
        return self.debit_minor == self.credit_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """An account whose balance is not what its posted entries add up to."""

    account_id: str
    balance_minor: int
    entries_minor: int


def open_account(
    session: Session,
    *,
    workspace_id: str,
    code: str,
    name: str,
    type_: AccountType,
    currency: str = DEFAULT_CURRENCY,
    floor_minor: int | None = 0,
) -> Balance:
    """Open an account; its balance never falls below the floor, and None means no floor."""
    if floor_minor is not None and not -MAX_AMOUNT_MINOR <= floor_minor <= 0:
        raise InvalidError(
            f"{floor_minor} is out of range, expected -{MAX_AMOUNT_MINOR} to 0", field="floor_minor"
        )
    if len(currency) != CURRENCY_LENGTH or not (currency.isascii() and currency.isupper()):
        raise InvalidError(f"{currency!r} is not a currency code such as 'USD'", field="currency")
    account = Balance(
        id=new_id(),
        code=checked_text(normal_form(code), field="code", max_length=MAX_CODE),
        name=checked_text(name, field="name"),
        type=type_,
        currency=currency,
        is_active=True,
        balance_minor=0,
        floor_minor=floor_minor,
        version=1,
    )
    try:
        with session.connection().begin_nested():
            repository.insert_account(session, account, workspace_id=workspace_id)
    except IntegrityError as exc:
        if violates(exc, Account.UNIQUE_CODE):
            raise DuplicateCodeError(f"the workspace has an account {account.code!r}") from exc
        raise NotFoundError("workspace", workspace_id) from exc
    return account


def get_account(session: Session, *, workspace_id: str, account_id: str) -> Balance:
    """Return an account of the workspace."""
    account = repository.get_account(session, workspace_id, account_id)
    if account is None:
        raise NotFoundError("account", account_id)
    return account


def update_account(
    session: Session,
    *,
    workspace_id: str,
    account_id: str,
    expected_version: int,
    name: str | None = None,
    is_active: bool | None = None,
) -> Balance:
    """Rename, close or reopen the account, unless somebody changed it since it was at `expected_version`."""
    is_changed = repository.update_account(
        session,
        workspace_id,
        account_id,
        expected_version,
        name=None if name is None else checked_text(name, field="name"),
        is_active=is_active,
    )
    account = get_account(session, workspace_id=workspace_id, account_id=account_id)
    if not is_changed:
        raise StaleVersionError(f"the account is at version {account.version}, not {expected_version}")
    return account


def post(session: Session, clock: Clock, new: NewTransaction) -> Receipt:
    """
    Post a transaction: write it and change the balances.

    With an external id that the workspace has seen, nothing is written and the receipt is the earlier one's;
    if that one says something else, its details included, it is an `ExternalIdReusedError`. If it is a draft,
    pending or cancelled, it is a `DraftedBeforeError`: a receipt would read as if the transaction was posted.
    """
    return _write_once(session, clock, new, to=TransactionStatus.POSTED)


def draft(session: Session, clock: Clock, new: NewTransaction) -> Receipt:
    """
    Write a transaction that waits to be posted or cancelled; until then balances stay as they are.

    With an external id that the workspace has seen, the receipt tells what has become of that draft.
    """
    return _write_once(session, clock, new, to=TransactionStatus.PENDING)


def transfer(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    source_account_id: str,
    target_account_id: str,
    amount_minor: int,
    **details: Unpack[Details],
) -> Receipt:
    """Move money from one asset account to another."""
    new = TRANSFER.transaction(
        workspace_id=workspace_id,
        debit_account_id=target_account_id,
        credit_account_id=source_account_id,
        amount_minor=amount_minor,
        **details,
    )
    return post(session, clock, new)


def reverse(
    session: Session, clock: Clock, *, workspace_id: str, transaction_id: str, on: date | None = None
) -> Receipt:
    """Post the opposite of a posted transaction, dated today or `on`: the way to correct one."""
    original = get_transaction(session, workspace_id=workspace_id, transaction_id=transaction_id)
    if original.status is not TransactionStatus.POSTED:
        raise NotReversibleError(f"transaction {transaction_id!r} is {original.status}, not posted")
    new = NewTransaction(
        workspace_id=workspace_id,
        postings=reversal(_postings_of(session, transaction_id)),
        currency=original.currency,
        on=on,
        source="reversal",
        project_id=original.project_id,
    )
    return _write(session, clock, new, to=TransactionStatus.POSTED, reverses_id=transaction_id)


def post_draft(session: Session, clock: Clock, *, workspace_id: str, transaction_id: str) -> Receipt:
    """Post a pending transaction under its own date."""
    transaction = get_transaction(session, workspace_id=workspace_id, transaction_id=transaction_id)
    day = transaction.transaction_date
    account_ids = [posting.account_id for posting in _postings_of(session, transaction_id)]
    for account in repository.lock_accounts(session, workspace_id, account_ids, day).values():
        _require_usable(account, day)
    with _writing(session):
        _finish(session, transaction_id, TransactionStatus.POSTED, posted_at=clock.now())
        repository.apply_entries(session, transaction_id)
    return Receipt(transaction_id=transaction_id, status=TransactionStatus.POSTED, is_new=True)


def cancel_draft(session: Session, *, workspace_id: str, transaction_id: str) -> Receipt:
    """Cancel a pending transaction for good."""
    get_transaction(session, workspace_id=workspace_id, transaction_id=transaction_id)
    _finish(session, transaction_id, TransactionStatus.CANCELLED)
    return Receipt(transaction_id=transaction_id, status=TransactionStatus.CANCELLED, is_new=True)


def get_transaction(session: Session, *, workspace_id: str, transaction_id: str) -> Header:
    """Return a transaction of the workspace."""
    transaction = repository.get_transaction(session, workspace_id, transaction_id)
    if transaction is None:
        raise NotFoundError("transaction", transaction_id)
    return transaction


def list_transactions(
    session: Session, *, workspace_id: str, page: PageRequest, account_id: str | None = None
) -> Page[Header]:
    """Return the workspace's transactions, or those that touch one of its accounts, newest first."""
    if account_id is not None:
        get_account(session, workspace_id=workspace_id, account_id=account_id)
    rows = repository.list_transactions(session, workspace_id, page, account_id=account_id)
    return Page.cut(rows, limit=page.limit, place=lambda row: Cursor(at=row.created_at, id=row.id))


def list_entries(session: Session, *, workspace_id: str, transaction_id: str) -> list[Entry]:
    """Return the entries of a transaction of the workspace in the order they were posted."""
    get_transaction(session, workspace_id=workspace_id, transaction_id=transaction_id)
    return repository.list_entries(session, transaction_id)


def list_accounts(
    session: Session,
    *,
    workspace_id: str,
    type_: AccountType | None = None,
    is_active: bool | None = None,
    limit: int = DEFAULT_LIMIT,
    after: str | None = None,
) -> KeyPage[Balance]:
    """Return accounts of the workspace by code, those of a type or state if one is given."""
    found = repository.list_accounts(
        session, workspace_id, type_=type_, is_active=is_active, limit=limit + 1, after=after
    )
    return KeyPage.cut(found, limit=limit, key=lambda account: account.code)


def has_books(session: Session, *, workspace_id: str) -> bool:
    """Whether the workspace has a transaction, of whatever status."""
    return repository.has_transactions(session, workspace_id)


def trial_balance(session: Session, *, workspace_id: str, currency: str = DEFAULT_CURRENCY) -> TrialBalance:
    """Add up every posted debit and credit of the workspace."""
    sums = [row for row in repository.sum_entries(session, workspace_id) if row.currency == currency]
    return TrialBalance(
        currency=currency,
        debit_minor=sum(row.debit_minor for row in sums),
        credit_minor=sum(row.credit_minor for row in sums),
    )


def list_discrepancies(session: Session, *, workspace_id: str) -> list[Discrepancy]:
    """Return the accounts whose balance is not the sum of their entries: none in an undamaged database."""
    return [
        Discrepancy(account_id=row.id, balance_minor=row.balance_minor, entries_minor=row.effect_minor)
        for row in repository.sum_entries(session, workspace_id)
        if row.balance_minor != row.effect_minor
    ]


def close_period(
    session: Session, clock: Clock, *, workspace_id: str, starts_on: date, ends_on: date
) -> ClosedPeriod:
    """Close a range of days, both ends included: from now on nothing can be posted into it."""
    if starts_on > ends_on:
        raise InvalidError(f"ends on {ends_on}, before it starts on {starts_on}", field="ends_on")
    if not repository.lock_workspace(session, workspace_id):
        raise NotFoundError("workspace", workspace_id)
    closed = repository.find_overlapping_period(session, workspace_id, starts_on, ends_on)
    if closed is not None:
        raise PeriodClosedError(f"{closed.starts_on} to {closed.ends_on} is closed already")
    pending = tuple(repository.list_pending(session, workspace_id, starts_on, ends_on))
    if pending:
        raise PeriodBlockedError(
            f"{len(pending)} transactions are pending; post or cancel them", pending=pending
        )
    period = ClosedPeriod(
        workspace_id=workspace_id, starts_on=starts_on, ends_on=ends_on, closed_at=clock.now()
    )
    repository.add_closed_period(session, period)
    return period


def _write_once(session: Session, clock: Clock, new: NewTransaction, *, to: TransactionStatus) -> Receipt:
    earlier = _find_earlier(session, new, to=to)
    if earlier is not None:
        return earlier
    try:
        return _write(session, clock, new, to=to)
    except IntegrityError as exc:
        # Another transaction used the external id after we looked, and has committed it by now.
        taken = violates(exc, Transaction.UNIQUE_EXTERNAL_ID)
        earlier = _find_earlier(session, new, to=to) if taken else None
        if earlier is None:
            raise
        return earlier


def _find_earlier(session: Session, new: NewTransaction, *, to: TransactionStatus) -> Receipt | None:
    if new.external_id is None:
        return None
    found = repository.get_transaction_by_external_id(session, new.workspace_id, new.external_id)
    if found is None:
        return None
    if not _says_the_same(session, found, new):
        raise ExternalIdReusedError(f"external id {new.external_id!r} belongs to another transaction")
    if to is TransactionStatus.POSTED and found.status is not TransactionStatus.POSTED:
        raise DraftedBeforeError(
            f"external id {new.external_id!r} belongs to draft {found.id!r}, which is {found.status}"
        )
    return Receipt(transaction_id=found.id, status=found.status, is_new=False)


def _says_the_same(session: Session, found: Header, new: NewTransaction) -> bool:
    return (
        new.on in (None, found.transaction_date)
        and (found.currency, found.source) == (new.currency, new.source)
        and (found.description, found.project_id) == (new.description, new.project_id)
        and _postings_of(session, found.id) == new.postings
    )


def _write(
    session: Session,
    clock: Clock,
    new: NewTransaction,
    *,
    to: TransactionStatus,
    reverses_id: str | None = None,
) -> Receipt:
    now = clock.now()
    day = new.on or now.date()
    _lock_accounts(session, new, day)
    transaction_id = new_id()
    header = Header(
        id=transaction_id,
        workspace_id=new.workspace_id,
        currency=new.currency,
        external_id=new.external_id,
        source=new.source,
        description=new.description,
        status=to,
        transaction_date=day,
        amount_minor=new.amount_minor,
        project_id=new.project_id,
        reverses_id=reverses_id,
        created_at=now,
        posted_at=now if to is TransactionStatus.POSTED else None,
    )
    entries = [
        Entry(
            id=new_id(),
            transaction_id=transaction_id,
            account_id=posting.account_id,
            workspace_id=new.workspace_id,
            currency=new.currency,
            position=position,
            side=posting.side,
            amount_minor=posting.amount_minor,
        )
        for position, posting in enumerate(new.postings)
    ]
    with _writing(session):
        repository.add_transaction(session, header, entries, is_applied=to is TransactionStatus.POSTED)
    return Receipt(transaction_id=transaction_id, status=to, is_new=True)


def _finish(
    session: Session, transaction_id: str, to: TransactionStatus, *, posted_at: datetime | None = None
) -> None:
    if not repository.finish(session, transaction_id, to, posted_at=posted_at):
        raise NotPendingError(f"transaction {transaction_id!r} is not pending")


@contextmanager
def _writing(session: Session) -> Iterator[None]:
    """Run the block under a savepoint; what the schema refuses becomes the error it means."""
    try:
        with session.connection().begin_nested():
            yield
    except IntegrityError as exc:
        for rule, error, message in REFUSALS:
            if violates(exc, rule):
                raise error(message) from exc
        raise


def _lock_accounts(session: Session, new: NewTransaction, day: date) -> None:
    """Lock the accounts of the postings, and require that each may take them on that day."""
    account_ids = (posting.account_id for posting in new.postings)
    accounts = repository.lock_accounts(session, new.workspace_id, account_ids, day)
    for posting in new.postings:
        account = accounts.get(posting.account_id)
        if account is None:
            raise NotFoundError("account", posting.account_id)
        _require_usable(account, day)
        if account.currency != new.currency:
            raise InvalidError(f"account {account.id!r} is in {account.currency}", field="currency")
        expected = account.type if new.pattern is None else new.pattern.expects(posting.side)
        if account.type is not expected:
            raise InvalidError(
                f"account {account.id!r} is of type {account.type}, expected {expected}",
                field=f"{posting.side}_account_id",
            )


def _require_usable(account: LockedAccount, day: date) -> None:
    if not account.is_active:
        raise InactiveAccountError(f"account {account.id!r} is not active")
    if account.is_closed:
        raise PeriodClosedError(f"{day} lies in a closed period")


def _postings_of(session: Session, transaction_id: str) -> tuple[Posting, ...]:
    return tuple(
        Posting(account_id=entry.account_id, side=entry.side, amount_minor=entry.amount_minor)
        for entry in repository.list_postings(session, transaction_id)
    )
