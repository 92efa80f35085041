"""The ledger under several connections and several processes at once."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.ledger import service
from atom.ledger.errors import OverdraftError, PeriodClosedError
from atom.ledger.postings import NewTransaction, credit, debit
from atom.tables import ledger
from tests import factories
from tests.database import Clone, Database
from tests.factories import NOW, Books

pytestmark = pytest.mark.integration

CLOCK = ManualClock(NOW)
N_THREADS = 4
N_TRANSFERS = 30
WRITER = Path(__file__).with_name("ledger_writer.py")


def test_concurrent_transfers_conserve_money_without_deadlock(database: Database) -> None:
    """Threads that transfer among the same accounts, in all directions, lose nothing and overdraw nothing."""
    with database.clone() as clone:
        books = factories.books(clone.sessions, 100, 100, 100)

        def work(seed: int) -> int:
            choose = random.Random(seed)
            n_refused = 0
            for _ in range(N_TRANSFERS):
                source, target = choose.sample(range(3), 2)
                try:
                    with unit_of_work(clone.sessions) as session:
                        books.transfer(session, source, target, choose.randint(1, 150))
                except OverdraftError:
                    n_refused += 1
            return n_refused

        with ThreadPoolExecutor(N_THREADS) as pool:
            n_refused = sum(pool.map(work, range(N_THREADS)))
        balances = books.balances(clone.sessions)
        assert sum(balances) == 300
        assert min(balances) >= 0
        assert 0 < n_refused < N_THREADS * N_TRANSFERS
        assert n_posted(clone) == 1 + N_THREADS * N_TRANSFERS - n_refused
        assert_consistent(clone, books)


def test_one_external_id_from_many_threads_is_posted_once(database: Database) -> None:
    """Whoever comes second gets the receipt of the first, whether it saw it coming or not."""
    with database.clone() as clone:
        books = factories.books(clone.sessions, 100)

        def work(number: int) -> service.Receipt:
            new = NewTransaction(
                workspace_id=books.workspace_id,
                postings=(debit(books.asset_ids[0], 7), credit(books.equity_id, 7)),
                external_id=f"bank-{number // N_THREADS}",
            )
            with unit_of_work(clone.sessions) as session:
                return service.post(session, CLOCK, new)

        with ThreadPoolExecutor(N_THREADS) as pool:
            receipts = list(pool.map(work, range(10 * N_THREADS)))
        assert sum(receipt.is_new for receipt in receipts) == 10
        assert len({receipt.transaction_id for receipt in receipts}) == 10
        assert books.balances(clone.sessions) == (170,)
        assert_consistent(clone, books)


def test_nothing_slips_into_a_period_that_is_being_closed(database: Database) -> None:
    """Of posts and a close that meet, each post comes before the close or is refused."""
    with database.clone() as clone:
        books = factories.books(clone.sessions, 1000, 0)

        def post(_: int) -> bool:
            try:
                with unit_of_work(clone.sessions) as session:
                    books.transfer(session, 0, 1, 1)
            except PeriodClosedError:
                return False
            return True

        def close() -> int:
            period = {"starts_on": NOW.date(), "ends_on": NOW.date()}
            with unit_of_work(clone.sessions) as session:
                service.close_period(session, CLOCK, workspace_id=books.workspace_id, **period)
                return session.scalars(select(func.count()).select_from(ledger.Transaction)).one()

        with ThreadPoolExecutor(N_THREADS) as pool:
            before = [pool.submit(post, number) for number in range(10)]
            closing = pool.submit(close)
            after = [pool.submit(post, number) for number in range(10)]
            n_at_close = closing.result()
            n_done = sum(future.result() for future in before + after)
        assert n_posted(clone) == n_at_close == 1 + n_done
        assert_consistent(clone, books)


def test_processes_share_a_database(database: Database) -> None:
    """Two processes that transfer back and forth wait for each other and lose nothing."""
    with database.clone() as clone:
        books = factories.books(clone.sessions, 100, 100)
        command = [sys.executable, str(WRITER), clone.url.render_as_string(hide_password=False)]
        writers = [
            subprocess.Popen(
                [*command, books.workspace_id, *ids, str(N_TRANSFERS)], stdout=subprocess.PIPE, text=True
            )
            for ids in (books.asset_ids, books.asset_ids[::-1])
        ]
        outputs = [writer.communicate(timeout=120)[0] for writer in writers]
        assert [writer.returncode for writer in writers] == [0, 0]
        n_done = sum(map(int, outputs))
        assert sum(books.balances(clone.sessions)) == 200
        assert n_posted(clone) == 1 + n_done
        assert n_done >= N_TRANSFERS
        assert_consistent(clone, books)


def test_a_file_is_in_wal_mode(database: Database) -> None:
    """Readers of a SQLite file do not wait for its writer."""
    if database.dialect != "sqlite":
        pytest.skip("WAL is SQLite's")
    with database.clone() as clone, clone.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"


def test_a_reader_sees_the_last_commit_while_a_writer_is_busy(database: Database) -> None:
    """A read-only session neither waits nor sees what is not committed."""
    with database.clone() as clone:
        books = factories.books(clone.sessions, 100, 0)
        with unit_of_work(clone.sessions) as session:
            books.transfer(session, 0, 1, 30)
            with unit_of_work(clone.readers) as reader:
                accounts = service.list_accounts(reader, workspace_id=books.workspace_id).items
                assert {account.balance_minor for account in accounts} == {100, 0}
        assert books.balances(clone.sessions) == (70, 30)


def n_posted(clone: Clone) -> int:
    with unit_of_work(clone.sessions) as session:
        return session.scalars(select(func.count()).select_from(ledger.Transaction)).one()


def assert_consistent(clone: Clone, books: Books) -> None:
    with unit_of_work(clone.sessions) as session:
        assert service.trial_balance(session, workspace_id=books.workspace_id).is_balanced
        assert service.list_discrepancies(session, workspace_id=books.workspace_id) == []
