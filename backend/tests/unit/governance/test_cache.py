"""What the cache's state machine does not reach: its defaults, its limits, and threads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread

import pytest

from atom.governance.cache import CacheStats, GovernanceCache
from atom.kit.clock import ManualClock
from tests.factories import NOW


def test_a_cache_holds_a_thousand_answers_for_a_minute() -> None:
    """One more pushes out the first; at sixty seconds an answer is still good, a moment later not."""
    clock = ManualClock(NOW)
    cache: GovernanceCache[int] = GovernanceCache(clock)
    for number in range(1_001):
        cache.set("agent", str(number), number)
    assert (cache.stats().size, cache.stats().evictions) == (1_000, 1)
    assert cache.get("agent", "0") is None
    clock.advance(timedelta(seconds=60))
    assert cache.get("agent", "1") == 1
    clock.advance(timedelta(microseconds=1))
    assert cache.get("agent", "1") is None
    assert cache.stats().size == 999


def test_a_cache_without_room_for_an_entry_is_refused() -> None:
    """One entry is the least; none would make every `set` an eviction of itself."""
    cache: GovernanceCache[int] = GovernanceCache(ManualClock(NOW), max_size=1)
    cache.set("agent", "list", 1)
    assert cache.get("agent", "list") == 1
    with pytest.raises(ValueError, match="max_size is 0"):
        GovernanceCache(ManualClock(NOW), max_size=0)


@pytest.mark.parametrize(
    ("hits", "misses", "rate"), [(0, 0, 0.0), (0, 1, 0.0), (1, 0, 100.0), (1, 2, 33.33), (2, 1, 66.67)]
)
def test_the_hit_rate_is_a_percentage_with_two_places(hits: int, misses: int, rate: float) -> None:
    """Without lookups it is zero."""
    stats = CacheStats(hits=hits, misses=misses, evictions=0, invalidations=0, size=0)
    assert stats.hit_rate_percent == rate


class StoppingClock(ManualClock):
    """A clock that holds up who asks it for the time, once told to."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.is_stopping = False
        self.asked, self.go = Event(), Event()

    def now(self) -> datetime:
        if self.is_stopping:
            self.is_stopping = False
            self.asked.set()
            assert self.go.wait(timeout=30)
        return super().now()


@pytest.mark.parametrize(
    "use",
    [
        lambda cache: cache.get("agent", "list"),
        lambda cache: cache.set("agent", "list", 2),
        lambda cache: cache.invalidate("agent"),
        lambda cache: cache.stats(),
    ],
    ids=["get", "set", "invalidate", "stats"],
)
def test_one_thread_at_a_time_is_inside(use: Callable[[GovernanceCache[int]], object]) -> None:
    """While a lookup is under way, every other use of the cache waits for it."""
    clock = StoppingClock()
    cache: GovernanceCache[int] = GovernanceCache(clock)
    cache.set("agent", "list", 1)
    clock.is_stopping = True
    found: list[int | None] = []
    done = Event()
    first = Thread(target=lambda: found.append(cache.get("agent", "list")))

    def use_it() -> None:
        use(cache)
        done.set()

    second = Thread(target=use_it)
    first.start()
    assert clock.asked.wait(timeout=30)
    second.start()
    was_inside = done.wait(timeout=0.05)
    clock.go.set()
    first.join(timeout=30)
    second.join(timeout=30)
    assert not was_inside
    assert done.is_set()
    assert found == [1]


def test_an_answer_is_dropped_however_its_action_is_written() -> None:
    """Actions are one whether in capitals or not, for dropping as for looking up."""
    cache: GovernanceCache[int] = GovernanceCache(ManualClock(NOW))
    cache.set("agent", "List", 1)
    assert cache.get("agent", "LIST") == 1
    assert cache.invalidate("agent", "LIST") == 1
    assert cache.get("agent", "list") is None
