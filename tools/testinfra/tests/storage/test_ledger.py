"""The file in which workers tell each other what began and ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from atom_testinfra.core.budgets.events import Began, Collected, Ended, Ending, Event
from atom_testinfra.storage.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path


def test_what_one_writes_the_others_read_once(tmp_path: Path) -> None:
    """Each reader gets each event once, in the order in which they were written."""
    events: list[Event] = [
        Collected(worker="gw0", names=["a::b"], properties=[0], floor_s=1.5, left_s=9.0, n_unknown=0),
        Began(test=0, worker="gw0", at_s=1.0, planned_s=2.0, cpu_s=0.5),
        Ended(test=0, worker="gw0", at_s=3.0, ending=Ending.CUT, wall_s=2.0, process_s=1.0, n_examples=7),
    ]
    writer, reader = Ledger(tmp_path / "ledger"), Ledger(tmp_path / "ledger")
    assert reader.news() == []
    writer.append(events[0])
    writer.append(events[1])
    assert reader.news() == events[:2]
    writer.append(events[2])
    assert reader.news() == events[2:]
    assert reader.news() == []
    assert Ledger(tmp_path / "ledger").news() == events


def test_an_unfinished_line_waits(tmp_path: Path) -> None:
    """A worker that was killed while it wrote leaves a line that nobody reads, until it is whole."""
    path = tmp_path / "ledger"
    reader = Ledger(path)
    Ledger(path).append(Began(test=0, worker="gw0", at_s=1.0))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:10])
    assert len(reader.news()) == 1
    path.write_bytes(whole * 2)
    assert len(reader.news()) == 1


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    """Eight writers at once leave whole lines only."""

    def write(worker: int) -> None:
        ledger = Ledger(tmp_path / "ledger")
        for test in range(20):
            ledger.append(Began(test=test, worker=f"gw{worker}", at_s=0.0))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    news = Ledger(tmp_path / "ledger").news()
    assert {(event.worker, event.test) for event in news if isinstance(event, Began)} == {
        (f"gw{worker}", test) for worker in range(8) for test in range(20)
    }
