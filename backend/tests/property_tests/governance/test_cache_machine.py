"""The governance cache against a model: a list of entries, the least recently used first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from atom.governance.cache import GovernanceCache
from atom.kit.clock import ManualClock
from tests.factories import NOW
from tests.property_tests.conftest import DEFAULT_PROFILE

TTL = timedelta(seconds=60)
AGENTS = ("a", "a:b", "b")
ACTIONS = ("list", "LIST", "b:list", "delete")
KEYS = tuple(product(AGENTS, ACTIONS))
agents = st.sampled_from(AGENTS)
keys = st.sampled_from(KEYS)
entries = st.sampled_from([*product(AGENTS, ACTIONS, range(3))])
"""Keys with a number to store."""
MOMENT = timedelta(microseconds=1)
waits = st.sampled_from(
    [timedelta(0), timedelta(seconds=30), TTL, TTL + MOMENT, -MOMENT, timedelta(hours=-1)]
)
"""How far the clock moves; now and then it is set back."""


@dataclass
class Entry:
    agent: str
    action: str
    number: int
    stored_at: datetime

    def is_of(self, agent: str, action: str) -> bool:
        return (self.agent, self.action) == (agent, action.lower())


class CacheMachine(RuleBasedStateMachine):
    """
    Invariant 39: the cache never exceeds its maximum size, evicts the least recently used entry, never
    returns an expired one, and counts each lookup as a hit or a miss.
    """

    @initialize(max_size=st.integers(1, 4))
    def make(self, max_size: int) -> None:
        self.clock = ManualClock(NOW)
        self.max_size = max_size
        self.cache: GovernanceCache[list[int]] = GovernanceCache(self.clock, max_size=max_size, ttl=TTL)
        self.entries: list[Entry] = []
        self.counts = {"hits": 0, "misses": 0, "evictions": 0, "invalidations": 0}
        self.generations = [self.cache.generation]

    def known(self, agent: str, action: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.is_of(agent, action)), None)

    def store(self, agent: str, action: str, number: int) -> None:
        found = self.known(agent, action)
        if found is not None:
            self.entries.remove(found)
        is_full = found is None and len(self.entries) == self.max_size
        evicted = [self.entries.pop(0)] if is_full else []
        self.counts["evictions"] += len(evicted)
        self.entries.append(Entry(agent, action.lower(), number, self.clock.now()))
        for entry in [*evicted, *self.entries]:  # reading all from the oldest on does not change their order
            self.get((entry.agent, entry.action))

    @rule(entry=entries)
    def set(self, entry: tuple[str, str, int]) -> None:
        agent, action, number = entry
        value = [number]
        assert self.cache.set(agent, action, value)
        value.append(-1)  # the cache has a copy
        self.store(agent, action, number)

    @rule(entry=entries, n_ago=st.sampled_from(range(4)))
    def set_what_was_read_before(self, entry: tuple[str, str, int], n_ago: int) -> None:
        agent, action, number = entry
        generation = self.generations[-min(n_ago + 1, len(self.generations))]
        is_current = generation == self.generations[-1]
        assert self.cache.set(agent, action, [number], generation=generation) == is_current
        if is_current:
            self.store(agent, action, number)

    @rule(key=keys)
    def get(self, key: tuple[str, str]) -> None:
        agent, action = key
        value = self.cache.get(agent, action)
        found = self.known(agent, action)
        if found is not None:
            self.entries.remove(found)
            if not timedelta(0) <= self.clock.now() - found.stored_at <= TTL:
                found = None
            else:
                self.entries.append(found)
        assert value == (None if found is None else [found.number])
        self.counts["misses" if found is None else "hits"] += 1
        if found is not None and value is not None:
            value.append(-1)
            assert self.cache.get(agent, action) == [found.number]  # each reader has a copy of its own
            self.counts["hits"] += 1

    @precondition(lambda self: self.entries)
    @rule(used=st.sampled_from(range(4)), added=entries)
    def use_one_and_add_another(self, used: int, added: tuple[str, str, int]) -> None:
        entry = self.entries[used % len(self.entries)]
        self.get((entry.agent, entry.action))
        unknown = [key for key in KEYS if self.known(*key) is None]
        self.set((*unknown[KEYS.index(added[:2]) % len(unknown)], added[2]))

    @rule(agent=agents)
    def invalidate_agent(self, agent: str) -> None:
        self.drop([entry for entry in self.entries if entry.agent == agent], self.cache.invalidate(agent))

    @rule(key=keys)
    def invalidate_action(self, key: tuple[str, str]) -> None:
        agent, action = key
        stale = [entry for entry in self.entries if entry.is_of(agent, action)]
        self.drop(stale, self.cache.invalidate(agent, action))

    def drop(self, stale: list[Entry], n_dropped: int) -> None:
        assert n_dropped == len(stale)
        self.counts["invalidations"] += n_dropped
        self.entries = [entry for entry in self.entries if entry not in stale]
        assert self.cache.generation not in self.generations
        self.generations.append(self.cache.generation)

    @rule(by=waits)
    def wait(self, by: timedelta) -> None:
        self.clock.advance(by)

    @invariant()
    def counts_agree(self) -> None:
        stats = self.cache.stats()
        assert {name: getattr(stats, name) for name in self.counts} == self.counts
        assert stats.size == len(self.entries) <= self.max_size
        lookups = self.counts["hits"] + self.counts["misses"]
        expected = 100 * self.counts["hits"] / lookups if lookups else 0.0
        assert abs(stats.hit_rate_percent - expected) <= 0.005001


@pytest.mark.invariant(39)
class TestCache(CacheMachine.TestCase):  # type: ignore[valid-type,misc]  # a class that Hypothesis makes
    """Runs the machine."""

    settings = settings(DEFAULT_PROFILE, stateful_step_count=30)
