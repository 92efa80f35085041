"""Answers remembered for a while: the least recently used goes first, nothing outlives its time."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from atom.kit.clock import Clock

MAX_SIZE = 1_000
TTL = timedelta(seconds=60)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """What the cache did since it was made, and how full it is."""

    hits: int
    misses: int
    evictions: int
    invalidations: int
    """Entries dropped by `invalidate`."""
    size: int

    @property
    def hit_rate_percent(self) -> float:
        """Hits among the lookups, two places; 0 before the first lookup."""
        lookups = self.hits + self.misses
        return round(self.hits / lookups * 100, 2) if lookups else 0.0


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Value]):
    value: Value
    stored_at: datetime


class GovernanceCache(Generic[Value]):
    """
    A thread-safe LRU cache with a time to live, its entries grouped by agent.

    The key is the agent and the action, not one text made of both: an agent called `a:b` is not agent `a`.
    Values are copied on the way in and out, so that nobody changes what the next reader gets.
    """

    def __init__(self, clock: Clock, *, max_size: int = MAX_SIZE, ttl: timedelta = TTL) -> None:
        if max_size < 1:
            msg = f"max_size is {max_size}, expected at least 1"
            raise ValueError(msg)
        self._clock = clock
        self._max_size = max_size
        self._ttl = ttl
        self._entries: OrderedDict[tuple[str, str], _Entry[Value]] = OrderedDict()
        self._lock = Lock()
        self._hits = self._misses = self._evictions = self._invalidations = 0
        self._generation = 0

    @property
    def generation(self) -> int:
        """A number that every invalidation changes: read before a value, it tells if that may be old."""
        return self._generation

    def get(self, agent_id: str, action: str) -> Value | None:
        """Return the value if it is there and not too old, and make it the most recently used."""
        key = (agent_id, action.lower())
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and not self._is_fresh(entry):
                del self._entries[key]
                entry = None
            if entry is None:
                self._misses += 1
                return None
            self._hits += 1
            self._entries.move_to_end(key)
            return deepcopy(entry.value)

    def set(self, agent_id: str, action: str, value: Value, *, generation: int | None = None) -> bool:
        """
        Remember a value as the most recently used; return whether it was.

        A value read at an earlier `generation` is not remembered: it may be what was invalidated since.
        """
        key = (agent_id, action.lower())
        entry = _Entry(deepcopy(value), self._clock.now())
        with self._lock:
            if generation is not None and generation != self._generation:
                return False
            if key not in self._entries and len(self._entries) >= self._max_size:
                self._entries.popitem(last=False)
                self._evictions += 1
            self._entries[key] = entry
            self._entries.move_to_end(key)
            return True

    def invalidate(self, agent_id: str, action: str | None = None) -> int:
        """Drop all values of an agent, or that of one action, and return how many there were."""
        with self._lock:
            if action is None:
                stale = [key for key in self._entries if key[0] == agent_id]
            else:
                stale = [key for key in [(agent_id, action.lower())] if key in self._entries]
            for key in stale:
                del self._entries[key]
            self._generation += 1
            self._invalidations += len(stale)
            return len(stale)

    def stats(self) -> CacheStats:
        """Return what happened so far."""
        with self._lock:
            return CacheStats(
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
                invalidations=self._invalidations,
                size=len(self._entries),
            )

    def _is_fresh(self, entry: _Entry[Value]) -> bool:
        # An entry from the future was kept before the clock was set back: its age is unknown.
        return timedelta(0) <= self._clock.now() - entry.stored_at <= self._ttl
