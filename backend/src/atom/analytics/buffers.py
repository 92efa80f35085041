"""Bounded memory between those who measure and the database; when nobody empties it, the oldest items go."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Item = TypeVar("Item")

METRIC_CAPACITY: Final = 10_000
EVENT_CAPACITY: Final = 50_000


class BoundedBuffer(Generic[Item]):
    """A queue of the newest items, at most `capacity`; safe to use from several threads."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            msg = f"capacity is {capacity}, expected at least 1"
            raise ValueError(msg)
        self.capacity = capacity
        self._items: deque[Item] = deque()
        self._n_dropped = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def n_dropped(self) -> int:
        """How many items were lost because the buffer was full."""
        return self._n_dropped

    def append(self, item: Item) -> None:
        """Add an item, the newest now."""
        self.extend((item,))

    def extend(self, items: Iterable[Item]) -> None:
        """Add items in order, the last one being the newest."""
        with self._lock:
            self._items.extend(items)
            self._drop_oldest()

    def snapshot(self) -> tuple[Item, ...]:
        """Return what is in the buffer, the oldest first."""
        with self._lock:
            return tuple(self._items)

    @contextmanager
    def draining(self) -> Iterator[tuple[Item, ...]]:
        """
        Take everything out, the oldest first; when the block raises, it is put back in its place.

        Open the transaction inside of the block: then what it could not commit is still here.
        """
        with self._lock:
            taken = tuple(self._items)
            self._items.clear()
        try:
            yield taken
        except BaseException:
            with self._lock:
                self._items.extendleft(reversed(taken))
                self._drop_oldest()
            raise

    def _drop_oldest(self) -> None:
        while len(self._items) > self.capacity:
            self._items.popleft()
            self._n_dropped += 1
