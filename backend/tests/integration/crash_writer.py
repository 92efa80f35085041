"""
A process of its own that forks writers to be killed: it imports the product once, and each writer is a fork.

A line of standard input asks for a writer: `SEED`. It announces itself with `writer PID`, then says
`posted N` after each commit, and goes on until it is killed. What became of it follows as `ended STATUS`:
minus the number of the signal, as in `subprocess`, or an exit code.
"""

from __future__ import annotations

import json
import os
import random
import sys

from atom.db.session import create_engine, session_factory, unit_of_work
from atom.kit.clock import SystemClock
from atom.ledger import service
from atom.ledger.postings import NewTransaction, Posting, credit, debit

MOST_POSTINGS = 6


def new_transaction(workspace_id: str, account_ids: list[str], seed: int, number: int) -> NewTransaction:
    """Return the n-th transaction of a writer: one account credited, others debited."""
    choose = random.Random(f"{seed}-{number}")
    source, *targets = choose.sample(account_ids, len(account_ids))
    debits = [
        debit(choose.choice(targets), choose.randint(1, 9))
        for _ in range(choose.randint(1, MOST_POSTINGS - 1))
    ]
    postings: list[Posting] = [*debits, credit(source, sum(posting.amount_minor for posting in debits))]
    return NewTransaction(workspace_id=workspace_id, postings=tuple(postings), external_id=f"{seed}-{number}")


def say(line: str) -> None:
    """Write a line at once: what a killed process left in a buffer would be lost."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def write(url: str, workspace_id: str, account_ids: list[str], seed: int) -> None:
    """Post one transaction after the other, without end."""
    sessions = session_factory(create_engine(url))
    number = 0
    while True:
        with unit_of_work(sessions) as session:
            service.post(session, SystemClock(), new_transaction(workspace_id, account_ids, seed, number))
        say(f"posted {number}")
        number += 1


def main(url: str, workspace_id: str, account_ids: str) -> None:
    """Fork a writer for each line, one at a time."""
    for line in sys.stdin:
        writer = os.fork()
        if writer == 0:
            say(f"writer {os.getpid()}")
            write(url, workspace_id, json.loads(account_ids), int(line))
        say(f"ended {os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1])}")


if __name__ == "__main__":
    main(*sys.argv[1:])
