"""Invariants 12 to 21: transactions, constraints and the ledger on a real database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.kit.ids import new_id
from atom.ledger import service
from atom.ledger.errors import DuplicateCodeError, OverdraftError
from atom.ledger.postings import AccountType, Side
from atom.tables import ledger
from tests import factories
from tests.database import Database
from tests.factories import NOW, Books
from tests.faults import InjectedError, failing_after
from tests.property_tests.database import strategies
from tests.property_tests.database.strategies import FUNDS_MINOR, Move, Write, WriteKind

CLOCK = ManualClock(NOW)
LEDGER_TABLES = ("ledger_accounts", "ledger_transactions", "journal_entries", "closed_periods")


def two_accounts(sessions: sessionmaker[Session]) -> Books:
    """Two accounts that hold less than two transfers may want."""
    return factories.books(sessions, FUNDS_MINOR, FUNDS_MINOR)


def two_rich_accounts(sessions: sessionmaker[Session]) -> Books:
    """Two accounts that hold more than any transfers want."""
    return factories.books(sessions, 1000, 1000)


@pytest.mark.invariant(14)
@given(moves=st.lists(strategies.moves(2), min_size=1, max_size=3), fail_after=st.integers(1, 10))
def test_transaction_atomicity(database: Database, moves: list[Move], fail_after: int) -> None:
    """Invariant 14: a unit of work that fails after any of its writes leaves every row as it was."""
    with database.prepared(two_rich_accounts) as (sessions, books):
        before = database.snapshot(*LEDGER_TABLES)
        try:
            with failing_after(database.engine, fail_after) as counter, unit_of_work(sessions) as session:
                for move in moves:
                    make(session, books, move)
        except InjectedError:
            assert database.snapshot(*LEDGER_TABLES) == before
        else:
            assert counter.n_writes < fail_after
            after = database.snapshot(*LEDGER_TABLES)
            assert len(after["ledger_transactions"]) == len(before["ledger_transactions"]) + len(moves)


@pytest.mark.invariant(14)
@given(units=strategies.units)
def test_atomic_rollback_with_constraint_violation(database: Database, units: list[list[Write]]) -> None:
    """Invariant 14: a unit that meets a constraint, at a flush or at its commit, is undone, others stay."""
    with database.prepared(two_accounts) as (sessions, books):
        balances = (FUNDS_MINOR, FUNDS_MINOR)
        for unit in units:
            expected = model_of(balances, unit)
            before = database.snapshot(*LEDGER_TABLES)
            try:
                with unit_of_work(sessions) as session:
                    for write in unit:
                        attempt(session, books, write)
            except (OverdraftError, DuplicateCodeError, IntegrityError):
                assert expected is None
                assert database.snapshot(*LEDGER_TABLES) == before
            else:
                assert expected is not None
                balances = expected
        assert balances_of(sessions, books) == balances


def model_of(balances: tuple[int, int], unit: list[Write]) -> tuple[int, int] | None:
    """The balances after the unit, None if a constraint refuses it."""
    source, target = balances
    for write in unit:
        if write.kind is not WriteKind.TRANSFER:
            return None
        moved = -write.amount_minor if write.is_back else write.amount_minor
        source, target = source - moved, target + moved
        if min(source, target) < 0:
            return None
    return source, target


def attempt(session: Session, books: Books, write: Write) -> None:
    """Make the write; a loose entry is refused at the commit only."""
    if write.kind is WriteKind.TRANSFER:
        make(session, books, Move(int(write.is_back), int(not write.is_back), write.amount_minor))
    elif write.kind is WriteKind.DUPLICATE_CODE:
        service.open_account(
            session, workspace_id=books.workspace_id, code="0000", name="Twin", type_=AccountType.ASSET
        )
    else:
        session.add(
            ledger.JournalEntry(
                transaction_id=new_id(),
                account_id=books.asset_ids[0],
                workspace_id=books.workspace_id,
                position=0,
                side=Side.DEBIT,
                amount_minor=write.amount_minor,
            )
        )
        session.flush()


def make(session: Session, books: Books, move: Move) -> None:
    """Transfer between two of the books' asset accounts."""
    service.transfer(
        session,
        CLOCK,
        workspace_id=books.workspace_id,
        source_account_id=books.asset_ids[move.source],
        target_account_id=books.asset_ids[move.target],
        amount_minor=move.amount_minor,
    )


def balances_of(sessions: sessionmaker[Session], books: Books) -> tuple[int, ...]:
    """The balances of the books' asset accounts."""
    with unit_of_work(sessions) as session:
        accounts = service.list_balances(session, workspace_id=books.workspace_id)
        found = {account.id: account.balance_minor for account in accounts}
    return tuple(found[id_] for id_ in books.asset_ids)
