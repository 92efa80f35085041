"""Invariants 14, 17, 19, 20 and 21: transactions and constraints on a real database."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    ForeignKeyConstraint,
    Select,
    and_,
    bindparam,
    delete,
    func,
    inspect,
    literal,
    select,
    union_all,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from atom.db.base import Base
from atom.db.session import unit_of_work
from atom.kit.errors import StaleVersionError
from atom.kit.ids import new_id
from atom.ledger import service
from atom.ledger.errors import OverdraftError
from atom.ledger.postings import AccountType, Side
from atom.tables import METADATA, agents, chat, identity, ledger
from tests import factories
from tests.database import Database
from tests.factories import NOW, Books
from tests.faults import InjectedError, failing_after
from tests.keywords import OfAccount
from tests.property_tests.database import strategies
from tests.property_tests.database.strategies import Draft, Parents, Write, WriteKind
from tests.property_tests.ledger import strategies as ledger_strategies
from tests.property_tests.ledger.strategies import FUNDS_MINOR, Move

LEDGER_TABLES = ("ledger_accounts", "ledger_transactions", "journal_entries", "closed_periods")

Sessions = sessionmaker[Session]


def two_accounts(sessions: Sessions) -> Books:
    """Two accounts that two transfers can overdraw."""
    return factories.books(sessions, FUNDS_MINOR, FUNDS_MINOR)


def two_rich_accounts(sessions: Sessions) -> Books:
    """Two accounts with enough money for every transfer."""
    return factories.books(sessions, 1000, 1000)


@pytest.mark.invariant(14)
@given(moves=st.lists(ledger_strategies.moves(2), min_size=1, max_size=3), fail_after=st.integers(1, 10))
def test_transaction_atomicity(database: Database, moves: list[Move], fail_after: int) -> None:
    """Invariant 14: a unit of work that fails after any of its writes leaves every ledger row as it was."""
    with database.prepared(two_rich_accounts) as (sessions, books):
        before = database.snapshot(*LEDGER_TABLES)
        try:
            with failing_after(database.engine, fail_after) as counter, unit_of_work(sessions) as session:
                for move in moves:
                    books.transfer(session, move.source, move.target, move.amount_minor)
        except InjectedError:
            assert database.snapshot(*LEDGER_TABLES) == before
        else:
            assert counter.n_writes < fail_after
            after = database.snapshot(*LEDGER_TABLES)
            assert len(after["ledger_transactions"]) == len(before["ledger_transactions"]) + len(moves)


@pytest.mark.invariant(14)
@given(units=strategies.units)
def test_atomic_rollback_with_constraint_violation(database: Database, units: list[list[Write]]) -> None:
    """
    Invariant 14: a unit of work that violates a constraint, at a flush
    or at its commit, is undone as a whole; other units stay.
    """
    with database.prepared(two_accounts) as (sessions, books):
        balances, before = (FUNDS_MINOR, FUNDS_MINOR), database.snapshot(*LEDGER_TABLES)
        for unit in units:
            expected = balances_after(balances, unit)
            try:
                with unit_of_work(sessions) as session:
                    for write in unit:
                        attempt(session, books, write)
            except (OverdraftError, IntegrityError):
                assert expected is None
                assert database.snapshot(*LEDGER_TABLES) == before
            else:
                assert expected is not None
                balances, before = expected, database.snapshot(*LEDGER_TABLES)
        assert books.balances(sessions) == balances


def balances_after(balances: tuple[int, int], unit: list[Write]) -> tuple[int, int] | None:
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
    """
    Make the write; the database refuses a duplicate code at the flush, a loose entry only at the commit.
    """
    if write.kind is WriteKind.TRANSFER:
        books.transfer(session, int(write.is_back), int(not write.is_back), write.amount_minor)
        return
    of_books: dict[str, Any] = {"workspace_id": books.workspace_id}
    if write.kind is WriteKind.DUPLICATE_CODE:
        row: Base = ledger.Account(**of_books, code="0000", name="Twin", type=AccountType.ASSET)
    else:
        row = ledger.JournalEntry(
            **of_books,
            transaction_id=new_id(),
            account_id=books.asset_ids[0],
            position=0,
            side=Side.DEBIT,
            amount_minor=write.amount_minor,
        )
    factories.add(session, row)


BLOCKS = [
    (is_kept, nested)
    for is_kept in (False, True)
    for n_nested in range(3)
    for nested in product((False, True), repeat=n_nested)
]
"""Whether a savepoint is kept, and the same for each of up to two savepoints inside it."""


@pytest.mark.invariant(17)
@given(blocks=st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=3))
def test_savepoint_rollback_removes_exactly_the_inner_writes(
    database: Database, blocks: list[tuple[bool, tuple[bool, ...]]]
) -> None:
    """Invariant 17: rolling back a savepoint removes exactly the writes inside it; all others are kept."""
    with database.prepared(two_rich_accounts) as (sessions, books):
        n_kept = 0
        with unit_of_work(sessions) as session:
            for is_kept, nested in blocks:
                books.transfer(session, 0, 1, 1)
                n_kept += 1
                savepoint = session.begin_nested()
                n_inner = 0
                for is_inner_kept in nested:
                    inner = session.begin_nested()
                    books.transfer(session, 0, 1, 1)
                    if is_inner_kept:
                        inner.commit()
                        n_inner += 1
                    else:
                        inner.rollback()
                if is_kept:
                    savepoint.commit()
                    n_kept += n_inner
                else:
                    savepoint.rollback()
        assert books.balances(sessions) == (1000 - n_kept, 1000 + n_kept)
        assert len(database.snapshot("journal_entries")["journal_entries"]) == 3 + 2 * n_kept


def parents(sessions: Sessions) -> Parents:
    """One row of each table that others refer to."""
    with unit_of_work(sessions) as session:
        workspace_id = factories.workspace(session).id
        user_id = factories.user(session, workspace_id=workspace_id).id
        agent_id = factories.agent(session, workspace_id=workspace_id).id
        execution_id = factories.execution(session, agent_id=agent_id).id
        conversation = chat.ChatSession(
            workspace_id=workspace_id, user_id=user_id, created_at=NOW, updated_at=NOW
        )
        session_id = factories.add(session, conversation).id
    return Parents(
        workspace_id=workspace_id,
        user_id=user_id,
        agent_id=agent_id,
        execution_id=execution_id,
        session_id=session_id,
    )


def family(sessions: Sessions) -> tuple[tuple[type[Base], str], ...]:
    """Rows of every table that has parents or children, some in use, some not."""
    books = factories.books(sessions, FUNDS_MINOR, 0)
    with unit_of_work(sessions) as session:
        unused = factories.workspace(session).id
        user_id = factories.user(session, workspace_id=unused).id
        agent_id = factories.agent(session, workspace_id=unused).id
        execution_id = factories.execution(session, agent_id=agent_id).id
        factories.execution(session, agent_id=agent_id)
        feedback = agents.AgentFeedback(
            agent_id=agent_id,
            user_id=user_id,
            execution_id=execution_id,
            feedback_type=agents.FeedbackType.COMMENT,
            created_at=NOW,
        )
        factories.add(session, feedback)
        posted_id = session.scalars(select(ledger.Transaction.id)).one()
    return (
        (identity.Workspace, unused),
        (identity.Workspace, books.workspace_id),
        (identity.User, user_id),
        (agents.Agent, agent_id),
        (agents.AgentExecution, execution_id),
        (agents.AgentFeedback, feedback.id),
        (ledger.Account, books.asset_ids[0]),
        (ledger.Account, books.asset_ids[1]),
        (ledger.Transaction, posted_id),
    )


N_FAMILY = 9


def orphans_of(constraint: ForeignKeyConstraint) -> Select[Any]:
    """The query for rows whose parent is missing: the name of the constraint for each of them."""
    child, parent = constraint.table, constraint.referred_table.alias()
    pairs = [(element.parent, parent.c[element.column.name]) for element in constraint.elements]
    is_parent = and_(*(child_column == parent_column for child_column, parent_column in pairs))
    has_all = and_(*(child_column.is_not(None) for child_column, _ in pairs))
    parents = select(*parent.primary_key).where(is_parent).correlate(child)
    return select(literal(constraint.name)).select_from(child).where(has_all, ~parents.exists())


ORPHANS = union_all(
    *(orphans_of(key) for table in METADATA.sorted_tables for key in table.foreign_key_constraints)
)
DELETE = {
    table.name: delete(table).where(table.c.id == bindparam("row"))
    for table in METADATA.sorted_tables
    if "id" in table.c
}


@pytest.mark.invariant(19)
@given(order=st.lists(st.sampled_from(range(N_FAMILY)), min_size=1, max_size=6))
def test_deleting_leaves_no_orphan(database: Database, order: list[int]) -> None:
    """
    Invariant 19: a delete also deletes the row's children or is refused,
    so that no row ever refers to a missing one.
    """
    with database.prepared(family) as (sessions, rows), sessions() as session:
        connection = session.connection()
        for number in order:
            model, id_ = rows[number]
            try:
                with connection.begin_nested():
                    connection.execute(DELETE[model.__tablename__], {"row": id_})
            except IntegrityError:
                assert model in (identity.Workspace, ledger.Account, ledger.Transaction)
            else:
                assert model is not ledger.Transaction
        assert connection.execute(ORPHANS).all() == []
        assert connection.scalar(select(func.count()).select_from(ledger.JournalEntry)) == 2


@pytest.mark.invariant(20)
@given(draft=strategies.drafts)
def test_rows_round_trip(database: Database, draft: Draft) -> None:
    """Invariant 20: a row read in a new session equals the written one, to the microsecond and the cent."""
    with database.prepared(parents) as (sessions, known):
        row = draft.row(known)
        with unit_of_work(sessions) as session:
            session.add(row)
            session.flush()
            written = values_of(row)
            identity = inspect(row).identity
        with unit_of_work(sessions) as session:
            found = session.get_one(type(row), identity)
            assert found is not row
            assert values_of(found) == written


def values_of(row: Base) -> dict[str, object]:
    """The mapped values of a row, by attribute."""
    return {attribute.key: getattr(row, attribute.key) for attribute in inspect(type(row)).column_attrs}


@pytest.mark.invariant(21)
@given(steps=st.lists(st.sampled_from([*product(range(3), (False, True))]), min_size=1, max_size=8))
def test_a_stale_writer_loses(database: Database, steps: list[tuple[int, bool]]) -> None:
    """
    Invariant 21: of the clients that read the same version of an account,
    only the first to write succeeds, and each write adds one to the version.
    """
    with database.prepared(two_accounts) as (sessions, books), sessions() as session:
        address = OfAccount(workspace_id=books.workspace_id, account_id=books.asset_ids[0])
        seen = [1, 1, 1]
        version, name = 1, "Account"
        for client, is_read in steps:
            if is_read:
                seen[client] = service.get_account(session, **address).version
                continue
            try:
                service.update_account(
                    session, **address, expected_version=seen[client], name=f"by {client} at {version}"
                )
            except StaleVersionError:
                assert seen[client] != version
            else:
                assert seen[client] == version
                version, name = version + 1, f"by {client} at {version}"
        account = service.get_account(session, **address)
        assert (account.version, account.name) == (version, name)
        assert account.balance_minor == FUNDS_MINOR
