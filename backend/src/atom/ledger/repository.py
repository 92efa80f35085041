"""
Every query of the ledger.

What a posting needs is a fixed number of statements of fixed text, however many entries it has: the database
loops over rows, not Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import (
    BigInteger,
    Date,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy import cast as sql_cast

from atom.db.direct import change, fetch, insert_all
from atom.db.rows import RowsOf
from atom.db.sums import whole_sum
from atom.db.types import UtcDateTime
from atom.identity.models import Workspace
from atom.ledger.models import Account, ClosedPeriod, JournalEntry, Transaction, TransactionStatus
from atom.ledger.postings import AccountType, Side
from atom.ledger.rows import Balance, ClosedDays, Entry, Header, Sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import BindParameter, ColumnElement, Row, Select
    from sqlalchemy.orm import Session

    from atom.kit.pagination import PageRequest

ACCOUNTS = cast("Table", Account.__table__)
TRANSACTIONS = cast("Table", Transaction.__table__)
ENTRIES = cast("Table", JournalEntry.__table__)
PERIODS = cast("Table", ClosedPeriod.__table__)
WORKSPACES = cast("Table", Workspace.__table__)

IS_DEBIT = ENTRIES.c.side == Side.DEBIT
GROWS_ON_DEBIT = or_(ACCOUNTS.c.type == AccountType.ASSET, ACCOUNTS.c.type == AccountType.EXPENSE)
EFFECT: ColumnElement[int] = case(
    (IS_DEBIT == GROWS_ON_DEBIT, ENTRIES.c.amount_minor), else_=-ENTRIES.c.amount_minor
)
"""What an entry adds to the balance of its account."""
IS_POSTED = TRANSACTIONS.c.status == TransactionStatus.POSTED


def _sum(amount: ColumnElement[int]) -> ColumnElement[int]:
    """An exact sum: PostgreSQL adds up in NUMERIC, and of no rows at all it is 0."""
    return sql_cast(func.coalesce(func.sum(amount), 0), BigInteger)


# Statements are built once: building one costs as much as running it.
ADD_ACCOUNT = insert(ACCOUNTS)
ADD_TRANSACTION = insert(TRANSACTIONS)
ADD_ENTRIES = insert(ENTRIES)
LOCK_WORKSPACE = select(WORKSPACES.c.id).where(WORKSPACES.c.id == bindparam("workspace")).with_for_update()
HEADER = RowsOf(Header, TRANSACTIONS)
ENTRY = RowsOf(Entry, ENTRIES)
BALANCE = RowsOf(Balance, ACCOUNTS)
CLOSED_DAYS = RowsOf(ClosedDays, PERIODS)
GET_ACCOUNT = select(*BALANCE.columns).where(
    ACCOUNTS.c.workspace_id == bindparam("workspace"), ACCOUNTS.c.id == bindparam("account")
)
GET_TRANSACTION = select(*HEADER.columns).where(
    TRANSACTIONS.c.workspace_id == bindparam("workspace"), TRANSACTIONS.c.id == bindparam("transaction")
)
ACCOUNT_CONDITIONS = {
    "type": ACCOUNTS.c.type == bindparam("type"),
    "is_active": ACCOUNTS.c.is_active == bindparam("is_active"),
    "after": ACCOUNTS.c.code > bindparam("after"),
}
"""What a query for accounts may ask for by name."""
TRANSACTION_CONDITIONS = {
    "after_id": tuple_(TRANSACTIONS.c.created_at, TRANSACTIONS.c.id)
    < tuple_(bindparam("after_at", type_=UtcDateTime()), bindparam("after_id", type_=TRANSACTIONS.c.id.type)),
    "account": TRANSACTIONS.c.id.in_(
        select(ENTRIES.c.transaction_id).where(ENTRIES.c.account_id == bindparam("account"))
    ),
}
"""The same for transactions."""
UPDATE_ACCOUNT = (
    update(ACCOUNTS)
    .where(ACCOUNTS.c.id == bindparam("account"), ACCOUNTS.c.workspace_id == bindparam("workspace"))
    .where(ACCOUNTS.c.version == bindparam("expected_version"))
    .values(version=ACCOUNTS.c.version + 1)
)
GET_BY_EXTERNAL_ID = (
    select(*HEADER.columns)
    .where(TRANSACTIONS.c.workspace_id == bindparam("workspace"))
    .where(TRANSACTIONS.c.external_id == bindparam("external"))
)
LIST_ENTRIES = (
    select(*ENTRY.columns)
    .where(ENTRIES.c.transaction_id == bindparam("transaction"))
    .order_by(ENTRIES.c.position)
)
LIST_POSTINGS = (
    select(ENTRIES.c.account_id, ENTRIES.c.side, ENTRIES.c.amount_minor)
    .where(ENTRIES.c.transaction_id == bindparam("transaction"))
    .order_by(ENTRIES.c.position)
)
FIND_OVERLAPPING_PERIOD = (
    select(*CLOSED_DAYS.columns)
    .where(
        PERIODS.c.workspace_id == bindparam("workspace"),
        PERIODS.c.starts_on <= bindparam("ends_on"),
        PERIODS.c.ends_on >= bindparam("starts_on"),
    )
    .limit(1)
)
LIST_PENDING = (
    select(TRANSACTIONS.c.id)
    .where(TRANSACTIONS.c.workspace_id == bindparam("workspace"))
    .where(TRANSACTIONS.c.status == TransactionStatus.PENDING)
    .where(TRANSACTIONS.c.transaction_date.between(bindparam("starts_on"), bindparam("ends_on")))
    .order_by(TRANSACTIONS.c.transaction_date, TRANSACTIONS.c.id)
)
FINISH = (
    update(TRANSACTIONS)
    .where(TRANSACTIONS.c.id == bindparam("transaction"))
    .where(TRANSACTIONS.c.status == TransactionStatus.PENDING)
    .values(status=bindparam("to"), posted_at=bindparam("at"))
)
APPLY_ENTRIES = (
    update(ACCOUNTS)
    .where(
        ACCOUNTS.c.id.in_(
            select(ENTRIES.c.account_id).where(ENTRIES.c.transaction_id == bindparam("transaction"))
        )
    )
    .values(
        balance_minor=ACCOUNTS.c.balance_minor
        + select(_sum(EFFECT))
        .where(ENTRIES.c.transaction_id == bindparam("transaction"), ENTRIES.c.account_id == ACCOUNTS.c.id)
        .scalar_subquery()
    )
)


SUMS = RowsOf(
    Sums,
    ACCOUNTS,
    debit_minor=whole_sum(case((IS_DEBIT, ENTRIES.c.amount_minor), else_=0)),
    credit_minor=whole_sum(case((IS_DEBIT, 0), else_=ENTRIES.c.amount_minor)),
    effect_minor=whole_sum(EFFECT),
)
SUM_ENTRIES = (
    select(*SUMS.columns)
    .select_from(
        ACCOUNTS.outerjoin(
            ENTRIES.join(TRANSACTIONS, and_(TRANSACTIONS.c.id == ENTRIES.c.transaction_id, IS_POSTED)),
            ENTRIES.c.account_id == ACCOUNTS.c.id,
        )
    )
    .where(ACCOUNTS.c.workspace_id == bindparam("workspace"))
    .group_by(ACCOUNTS.c.id)
    .order_by(ACCOUNTS.c.code)
)


@dataclass(frozen=True, slots=True)
class LockedAccount:
    """What a posting has to know of an account, and whether its day lies in a closed period."""

    id: str
    type: AccountType
    currency: str
    is_active: bool
    is_closed: bool


def insert_account(session: Session, account: Balance, *, workspace_id: str) -> None:
    """Write an account."""
    change(session.connection(), ADD_ACCOUNT, {"workspace_id": workspace_id, **BALANCE.values(account)})


def get_account(session: Session, workspace_id: str, account_id: str) -> Balance | None:
    """Return an account as the database has it."""
    sought = {"workspace": workspace_id, "account": account_id}
    return BALANCE.one(fetch(session.connection(), GET_ACCOUNT, sought))


def has_transactions(session: Session, workspace_id: str) -> bool:
    """Whether a workspace has a transaction."""
    query = select(TRANSACTIONS.c.id).where(TRANSACTIONS.c.workspace_id == workspace_id).limit(1)
    return session.connection().scalar(query) is not None


def list_accounts(
    session: Session,
    workspace_id: str,
    *,
    type_: AccountType | None,
    is_active: bool | None,
    limit: int,
    after: str | None,
) -> list[Balance]:
    """Return the workspace's first accounts by code, after a code if one is given."""
    asked = _asked(type=type_, is_active=is_active, after=after)
    sought = {"workspace": workspace_id, "most": limit, **asked}
    return BALANCE.all(fetch(session.connection(), _list_accounts(tuple(asked)), sought))


@cache
def _list_accounts(asked: tuple[str, ...]) -> Select[Any]:
    return (
        select(*BALANCE.columns)
        .where(ACCOUNTS.c.workspace_id == bindparam("workspace"))
        .where(*(ACCOUNT_CONDITIONS[name] for name in asked))
        .order_by(ACCOUNTS.c.code)
        .limit(bindparam("most"))
    )


def _asked(**values: object) -> dict[str, Any]:
    """Return what a query asks for."""
    return {name: value for name, value in values.items() if value is not None}


def update_account(
    session: Session,
    workspace_id: str,
    account_id: str,
    expected_version: int,
    *,
    name: str | None,
    is_active: bool | None,
) -> bool:
    """Change the account and count its version up, unless it is at another version already."""
    which = {"account": account_id, "workspace": workspace_id, "expected_version": expected_version}
    return _n_changed(session, UPDATE_ACCOUNT, {**which, **_asked(name=name, is_active=is_active)}) == 1


@cache
def lock_accounts_statement(n_accounts: int) -> Select[Any]:
    """Return the statement for this many accounts: one for any number would be written anew at each call."""
    ids: list[BindParameter[str]] = [bindparam(f"id_{number}") for number in range(n_accounts)]
    is_closed = exists().where(
        PERIODS.c.workspace_id == bindparam("workspace"),
        bindparam("day", type_=Date()).between(PERIODS.c.starts_on, PERIODS.c.ends_on),
    )
    return (
        select(
            ACCOUNTS.c.id,
            ACCOUNTS.c.type,
            ACCOUNTS.c.currency,
            ACCOUNTS.c.is_active,
            is_closed.label("is_closed"),
        )
        .where(ACCOUNTS.c.workspace_id == bindparam("workspace"), ACCOUNTS.c.id.in_(ids))
        .order_by(ACCOUNTS.c.id)  # every posting takes its locks in the same order: no deadlock
        .with_for_update(of=ACCOUNTS, key_share=True)
    )


def lock_accounts(
    session: Session, workspace_id: str, account_ids: Iterable[str], day: date
) -> dict[str, LockedAccount]:
    """Lock the accounts until the transaction ends; return what a posting of that day has to know of them."""
    session.flush()
    ids = {f"id_{number}": id_ for number, id_ in enumerate(sorted(set(account_ids)))}
    sought = {"workspace": workspace_id, "day": day, **ids}
    accounts = (
        LockedAccount(*row) for row in fetch(session.connection(), lock_accounts_statement(len(ids)), sought)
    )
    return {account.id: account for account in accounts}


def lock_workspace(session: Session, workspace_id: str) -> bool:
    """Wait for the postings under way in the workspace, hold back new ones; False if there is no such one."""
    session.flush()
    return session.connection().scalar(LOCK_WORKSPACE, {"workspace": workspace_id}) is not None


def add_transaction(session: Session, header: Header, entries: Sequence[Entry], *, is_applied: bool) -> None:
    """Write a transaction, its entries first, and if it is applied add them to the balances."""
    connection = session.connection()
    insert_all(connection, ADD_ENTRIES, [ENTRY.values(entry) for entry in entries])
    change(connection, ADD_TRANSACTION, HEADER.values(header))
    if is_applied:
        change(connection, APPLY_ENTRIES, {"transaction": header.id})


def finish(
    session: Session, transaction_id: str, to: TransactionStatus, *, posted_at: datetime | None = None
) -> bool:
    """Move a pending transaction to its final status; False if it is not pending."""
    values = {"transaction": transaction_id, "to": to, "at": posted_at}
    return _n_changed(session, FINISH, values) == 1


def apply_entries(session: Session, transaction_id: str) -> None:
    """Add the transaction's entries to the balances of their accounts."""
    change(session.connection(), APPLY_ENTRIES, {"transaction": transaction_id})


def get_transaction(session: Session, workspace_id: str, transaction_id: str) -> Header | None:
    """Return a transaction as the database has it."""
    sought = {"workspace": workspace_id, "transaction": transaction_id}
    return HEADER.one(fetch(session.connection(), GET_TRANSACTION, sought))


def get_transaction_by_external_id(session: Session, workspace_id: str, external_id: str) -> Header | None:
    """Return the transaction that was given this external id."""
    parameters = {"workspace": workspace_id, "external": external_id}
    return HEADER.one(fetch(session.connection(), GET_BY_EXTERNAL_ID, parameters))


def list_transactions(
    session: Session, workspace_id: str, page: PageRequest, *, account_id: str | None = None
) -> list[Header]:
    """Return transactions, newest first, one more than the page holds if there is a next page."""
    asked = _asked(account=account_id, after_id=page.after and page.after.id)
    sought = {"workspace": workspace_id, "most": page.limit + 1, **asked}
    if page.after is not None:
        sought["after_at"] = page.after.at
    return HEADER.all(fetch(session.connection(), _list_transactions(tuple(asked)), sought))


@cache
def _list_transactions(asked: tuple[str, ...]) -> Select[Any]:
    return (
        select(*HEADER.columns)
        .where(TRANSACTIONS.c.workspace_id == bindparam("workspace"))
        .where(*(TRANSACTION_CONDITIONS[name] for name in asked))
        .order_by(TRANSACTIONS.c.created_at.desc(), TRANSACTIONS.c.id.desc())
        .limit(bindparam("most"))
    )


def list_entries(session: Session, transaction_id: str) -> list[Entry]:
    """Return a transaction's entries in the order they were posted."""
    return ENTRY.all(fetch(session.connection(), LIST_ENTRIES, {"transaction": transaction_id}))


def list_postings(session: Session, transaction_id: str) -> Sequence[Row[str, Side, int]]:
    """Return account, side and amount of a transaction's entries in the order they were posted."""
    return session.connection().execute(LIST_POSTINGS, {"transaction": transaction_id}).all()


def find_overlapping_period(
    session: Session, workspace_id: str, starts_on: date, ends_on: date
) -> ClosedDays | None:
    """Return a closed period that shares a day with the range."""
    values = {"workspace": workspace_id, "starts_on": starts_on, "ends_on": ends_on}
    return CLOSED_DAYS.one(fetch(session.connection(), FIND_OVERLAPPING_PERIOD, values))


def list_pending(session: Session, workspace_id: str, starts_on: date, ends_on: date) -> Sequence[str]:
    """Return the ids of the transactions of the range that are still pending."""
    values = {"workspace": workspace_id, "starts_on": starts_on, "ends_on": ends_on}
    return session.connection().scalars(LIST_PENDING, values).all()


def add_closed_period(session: Session, period: ClosedPeriod) -> None:
    """Write a closed period."""
    session.add(period)
    session.flush()


def sum_entries(session: Session, workspace_id: str) -> list[Sums]:
    """Return for each account its balance, and what its posted entries say."""
    session.flush()
    return SUMS.all(fetch(session.connection(), SUM_ENTRIES, {"workspace": workspace_id}))


def _n_changed(session: Session, statement: Any, values: Mapping[str, Any]) -> int:
    return session.connection().execute(statement, dict(values)).rowcount
