"""What the schema of the ledger refuses, whoever writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from atom.db.session import unit_of_work
from atom.db.violations import Rule, violates
from atom.kit.clock import ManualClock
from atom.ledger import service
from atom.ledger.models import Account, Transaction
from atom.ledger.postings import NewTransaction, credit, debit
from tests import factories
from tests.database import Database
from tests.factories import Books

CLOCK = ManualClock(factories.NOW)
HEADER = """
    INSERT INTO ledger_transactions
        (id, workspace_id, currency, source, status, transaction_date, amount_minor, created_at, posted_at)
    VALUES (:new, :workspace, :currency, 'raw', {status}, '2026-01-05', 5, '2026-01-05', NULL)"""
PENDING_HEADER = HEADER.format(status="'pending'")
POSTED_HEADER = HEADER.format(status="'posted'").replace("NULL", "'2026-01-05'")
ENTRY = """
    INSERT INTO journal_entries
        (id, transaction_id, account_id, workspace_id, currency, position, side, amount_minor)
    VALUES (:entry, :transaction, :account, :workspace, :currency, 9, :side, :amount)"""
PERIOD = (
    "INSERT INTO closed_periods (id, workspace_id, starts_on, ends_on, closed_at)"
    " VALUES ('closed', :workspace, '2026-01-01', '2026-01-31', '2026-02-01')"
)


class Writer:
    """Writes to the ledger's tables directly, with values that are fine unless told otherwise."""

    def __init__(self, session: Session, books: Books, foreign: Books, posted: str, pending: str) -> None:
        self.session = session
        self.values = {
            "workspace": books.workspace_id,
            "foreign_workspace": foreign.workspace_id,
            "account": books.asset_ids[0],
            "foreign_account": foreign.asset_ids[0],
            "posted": posted,
            "pending": pending,
            "transaction": pending,
            "currency": "USD",
            "side": "debit",
            "amount": 5,
            "new": "new",
            "entry": "entry",
        }

    def run_all(self, *statements: str) -> None:
        for statement in statements:
            self.run(statement)

    def run(self, statement: str, **values: Any) -> None:
        named = {key: self.values.get(value, value) for key, value in values.items()}
        known = {**self.values, **named}
        used = {key: value for key, value in known.items() if f":{key}" in statement}
        self.session.execute(text(statement), used)


REFUSED: dict[str, Callable[[Writer], None]] = {
    "changing an entry": lambda w: w.run("UPDATE journal_entries SET amount_minor = 1"),
    "deleting an entry": lambda w: w.run("DELETE FROM journal_entries"),
    "adding to a posted transaction": lambda w: w.run(ENTRY, transaction="posted"),
    "changing a posted transaction": lambda w: w.run(
        "UPDATE ledger_transactions SET description = 'x' WHERE id = :posted"
    ),
    "unposting": lambda w: w.run(
        "UPDATE ledger_transactions SET status = 'pending', posted_at = NULL WHERE id = :posted"
    ),
    "deleting a transaction": lambda w: w.run("DELETE FROM ledger_transactions WHERE id = :pending"),
    "posting without entries": lambda w: w.run(POSTED_HEADER),
    "posting a lopsided draft": lambda w: w.run_all(
        ENTRY, "UPDATE ledger_transactions SET status = 'posted', posted_at = created_at WHERE id = :pending"
    ),
    "drafting into a closed period": lambda w: w.run_all(PERIOD, PENDING_HEADER),
    "posting without a time": lambda w: w.run(
        "UPDATE ledger_transactions SET status = 'posted' WHERE id = :pending"
    ),
    "posting a draft of a closed period": lambda w: w.run_all(
        PERIOD, "UPDATE ledger_transactions SET status = 'posted', posted_at = created_at WHERE id = :pending"
    ),
    "an entry of nothing": lambda w: w.run(ENTRY, amount=0),
    "an entry of less than nothing": lambda w: w.run(ENTRY, amount=-5),
    "an entry on no side": lambda w: w.run(ENTRY, side="left"),
    "an entry on a foreign account": lambda w: w.run(ENTRY, account="foreign_account"),
    "an entry in another currency": lambda w: w.run(ENTRY, currency="EUR"),
    "an entry without a transaction": lambda w: w.run(ENTRY, transaction="nowhere"),
    "an entry of another workspace": lambda w: w.run(
        ENTRY, workspace="foreign_workspace", account="foreign_account"
    ),
    "a transaction of an unknown status": lambda w: w.run(HEADER.format(status="'maybe'")),
    "a transaction of an unknown workspace": lambda w: w.run(PENDING_HEADER, workspace="nowhere"),
    "a balance below the floor": lambda w: w.run(
        "UPDATE ledger_accounts SET balance_minor = -1 WHERE id = :account"
    ),
    "a balance out of range": lambda w: w.run(
        "UPDATE ledger_accounts SET floor_minor = NULL, balance_minor = -2 * 1000000000000000000"
    ),
    "an account code twice": lambda w: w.run(
        "UPDATE ledger_accounts SET code = '0000' WHERE workspace_id = :workspace"
    ),
    "an account of an unknown type": lambda w: w.run(
        "UPDATE ledger_accounts SET type = 'x' WHERE id = :account"
    ),
    "a period that ends before it starts": lambda w: w.run_all(
        PERIOD, "UPDATE closed_periods SET ends_on = '2025-12-31'"
    ),
    "the same period twice": lambda w: w.run_all(PERIOD, PERIOD.replace("'closed'", "'again'")),
    "deleting a workspace with books": lambda w: w.run("DELETE FROM workspaces WHERE id = :workspace"),
    "deleting an account with entries": lambda w: w.run("DELETE FROM ledger_accounts WHERE id = :account"),
}


def prepare(sessions: sessionmaker[Session]) -> tuple[Books, Books, str, str]:
    """Books with one posted and one pending transaction, and the books of somebody else."""
    books, foreign = factories.books(sessions, 100), factories.books(sessions, 100)
    with unit_of_work(sessions) as session:
        postings = (debit(books.asset_ids[0], 5), credit(books.equity_id, 5))
        new = NewTransaction(
            workspace_id=books.workspace_id,
            postings=postings,
            on=factories.NOW.date().replace(month=1, day=5),
        )
        posted = service.post(session, CLOCK, new).transaction_id
        pending = service.draft(session, CLOCK, new).transaction_id
    return books, foreign, posted, pending


@pytest.mark.parametrize("case", REFUSED)
def test_the_schema_refuses_what_the_service_refuses(database: Database, case: str) -> None:
    """Raw SQL meets the same rules as the service, at the statement or at the commit."""
    with database.prepared(prepare) as (sessions, prepared):
        before = database.snapshot()
        session = sessions()
        with pytest.raises(IntegrityError):
            write_and_commit(session, prepared, REFUSED[case])
        session.rollback()
        session.close()
        assert database.snapshot() == before


def write_and_commit(
    session: Session, prepared: tuple[Books, Books, str, str], write: Callable[[Writer], None]
) -> None:
    write(Writer(session, *prepared))
    session.commit()


def test_the_same_statements_pass_where_nothing_is_wrong(database: Database) -> None:
    """The refusals above are not the statements' own mistakes."""
    with database.prepared(prepare) as (sessions, prepared), unit_of_work(sessions) as session:
        writer = Writer(session, *prepared)
        writer.run(PENDING_HEADER)
        writer.run(ENTRY, transaction="new")
        writer.run(ENTRY.replace("9", "8"), transaction="new", side="credit", entry="other")
        writer.run("UPDATE ledger_transactions SET status = 'posted', posted_at = created_at WHERE id = :new")
        writer.run(PERIOD)
        writer.run("UPDATE ledger_accounts SET balance_minor = balance_minor WHERE id = :account")


RULES: dict[str, Rule] = {
    "a balance below the floor": Account.FLOOR,
    "an account code twice": Account.UNIQUE_CODE,
    "posting a draft of a closed period": "draft_is_in_time",
}
OTHERS: tuple[Rule, ...] = (
    Account.BALANCE_RANGE,
    Transaction.UNIQUE_EXTERNAL_ID,
    Transaction.UNIQUE_REVERSAL,
    "transaction_is_in_time",
)


def test_a_refusal_names_its_rule_and_no_other(database: Database) -> None:
    """Both databases lead to the same constraint."""
    with database.prepared(prepare) as (sessions, prepared), sessions() as session:
        writer = Writer(session, *prepared)
        for deed, broken in RULES.items():
            with pytest.raises(IntegrityError) as caught:
                REFUSED[deed](writer)
            found = [rule for rule in (*RULES.values(), *OTHERS) if violates(caught.value, rule)]
            assert found == [broken]
            session.rollback()
