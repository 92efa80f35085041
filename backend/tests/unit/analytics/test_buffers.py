"""Memory that is bounded."""

from __future__ import annotations

import pytest

from atom.analytics.buffers import BoundedBuffer
from atom.analytics.collector import Collector
from atom.kit.clock import ManualClock
from tests.database import Database


def test_collector_keeps_ten_thousand_metrics_and_fifty_thousand_events(
    database: Database, clock: ManualClock
) -> None:
    """The documented capacities hold unless others are asked for."""
    with database.sessions() as sessions:
        collector = Collector(sessions, clock)
    assert (collector.metrics.capacity, collector.events.capacity) == (10_000, 50_000)


@pytest.mark.parametrize("capacity", [0, -1])
def test_buffer_holds_at_least_one_item(capacity: int) -> None:
    """A buffer that could hold nothing is a mistake."""
    with pytest.raises(ValueError, match="at least 1"):
        BoundedBuffer(capacity)
    assert BoundedBuffer[int](1).capacity == 1


def test_unused_buffer_is_empty() -> None:
    """Nothing is in it, nothing was lost."""
    buffer: BoundedBuffer[int] = BoundedBuffer(2)
    assert (len(buffer), buffer.snapshot(), buffer.n_dropped) == (0, (), 0)
    with buffer.draining() as taken:
        assert taken == ()
