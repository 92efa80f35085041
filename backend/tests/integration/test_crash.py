"""The ledger under writers that are killed in the middle of what they do."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import pytest
from sqlalchemy import case, func, select, text

from atom.db.session import unit_of_work
from atom.ledger import service
from atom.ledger.postings import Side
from atom.tables import ledger
from tests import factories
from tests.database import Clone, Database
from tests.factories import Books
from tests.integration.crash_writer import new_transaction

pytestmark = pytest.mark.integration

N_KILLS = 120
"""On each database; `make test-integration` runs on both."""
N_WRITERS = 2
LONGEST_LIFE_S = 0.03
"""After a writer's first commit: time for several transactions, each some milliseconds long."""
PROGRAM = Path(__file__).with_name("crash_writer.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """What a killed writer had said of itself: its seed, and how many commits it had acknowledged."""

    seed: int
    n_acknowledged: int


class Writers:
    """Starts writers, one at a time, and kills each at a moment that nothing it does has chosen."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def kill_one(self, seed: int) -> Death:
        """Let a writer commit at least once, and kill it some milliseconds later."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{seed}\n")
        self._process.stdin.flush()
        pid, n_acknowledged = 0, 0
        for line in self._process.stdout:
            word, value = line.split()
            if word == "writer":
                pid = int(value)
            elif word == "ended":
                assert int(value) == -signal.SIGKILL, "the writer gave up before it was killed"
                return Death(seed=seed, n_acknowledged=n_acknowledged)
            else:
                assert int(value) == n_acknowledged
                n_acknowledged += 1
                if n_acknowledged == 1:
                    delay_s = random.Random(seed).uniform(0, LONGEST_LIFE_S)
                    Timer(delay_s, os.kill, (pid, signal.SIGKILL)).start()
        raise AssertionError("the process that forks the writers ended")


@contextmanager
def writers(clone: Clone, books: Books) -> Iterator[Writers]:
    account_ids = json.dumps([books.equity_id, *books.asset_ids])
    command = [sys.executable, str(PROGRAM), clone.url.render_as_string(hide_password=False)]
    with subprocess.Popen(
        [*command, books.workspace_id, account_ids],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Writers(process)
        finally:
            process.kill()


def test_a_killed_writer_loses_no_commit_and_leaves_no_half_transaction(database: Database) -> None:
    """
    Whenever a writer is killed, what it acknowledged is there, whole, and the next one goes on.

    At most one transaction more than acknowledged is there: the one whose commit came before its message.
    """
    with database.clone() as clone, ExitStack() as stack:
        books = factories.books(clone.sessions, 0, 0, 0, floor_minor=None)
        forks = [stack.enter_context(writers(clone, books)) for _ in range(N_WRITERS)]
        pool = stack.enter_context(ThreadPoolExecutor(N_WRITERS))
        for first in range(0, N_KILLS, N_WRITERS):
            clone.engine.dispose()  # with no connection left, the next has to recover what lies there
            seeds = range(first, first + N_WRITERS)
            deaths = list(pool.map(Writers.kill_one, forks, seeds))
            found = posted(clone, books)
            for death in deaths:
                whole = expected(books, death.seed, death.n_acknowledged)
                one_more = expected(books, death.seed, death.n_acknowledged + 1)
                of_this_one = {id_: sums for id_, sums in found.items() if id_.startswith(f"{death.seed}-")}
                assert of_this_one in (whole, one_more)
            assert_sound(clone, books)


def expected(books: Books, seed: int, n_transactions: int) -> dict[str, tuple[int, int, int]]:
    """The first transactions of a writer by external id: how many entries, their debits, their credits."""
    account_ids = [books.equity_id, *books.asset_ids]
    found = {}
    for number in range(n_transactions):
        new = new_transaction(books.workspace_id, account_ids, seed, number)
        debited = sum(posting.amount_minor for posting in new.postings if posting.side is Side.DEBIT)
        found[f"{seed}-{number}"] = (len(new.postings), debited, debited)
    return found


def posted(clone: Clone, books: Books) -> dict[str, tuple[int, int, int]]:
    """The same of what the database holds, in one statement: a commit under way may arrive at any time."""
    entry, header = ledger.JournalEntry, ledger.Transaction
    sums = [
        func.sum(case((entry.side == side, entry.amount_minor), else_=0))
        for side in (Side.DEBIT, Side.CREDIT)
    ]
    statement = (
        select(header.external_id, func.count(entry.id), *sums)
        .outerjoin(entry, entry.transaction_id == header.id)
        .where(header.workspace_id == books.workspace_id)
        .group_by(header.external_id)
    )
    with unit_of_work(clone.readers) as session:
        return {row[0]: (row[1], int(row[2]), int(row[3])) for row in session.execute(statement)}


def assert_sound(clone: Clone, books: Books) -> None:
    """The database itself is undamaged: each balance is the sum of its entries, and no entry is an orphan."""
    with unit_of_work(clone.readers) as session:
        assert service.list_discrepancies(session, workspace_id=books.workspace_id) == []
        assert service.trial_balance(session, workspace_id=books.workspace_id).is_balanced
        headers = select(ledger.Transaction.id)
        orphans = select(ledger.JournalEntry.id).where(ledger.JournalEntry.transaction_id.not_in(headers))
        assert session.scalars(orphans).all() == []
        if clone.engine.dialect.name == "sqlite":
            assert session.scalar(text("PRAGMA integrity_check")) == "ok"
