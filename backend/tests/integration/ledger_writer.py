"""A process of its own: transfers one cent many times and prints how many transfers it committed."""

from __future__ import annotations

import sys

from atom.db.session import create_engine, session_factory, unit_of_work
from atom.kit.clock import SystemClock
from atom.ledger import service
from atom.ledger.errors import OverdraftError


def main(
    url: str, workspace_id: str, source_account_id: str, target_account_id: str, n_transfers: str
) -> None:
    """Transfer, skipping what the floor refuses."""
    engine = create_engine(url)
    sessions = session_factory(engine)
    n_done = 0
    for _ in range(int(n_transfers)):
        try:
            with unit_of_work(sessions) as session:
                service.transfer(
                    session,
                    SystemClock(),
                    workspace_id=workspace_id,
                    source_account_id=source_account_id,
                    target_account_id=target_account_id,
                    amount_minor=1,
                )
        except OverdraftError:
            continue
        n_done += 1
    engine.dispose()
    print(n_done)


if __name__ == "__main__":
    main(*sys.argv[1:])
