"""Threads that run what must not hold up the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class Threads:
    """
    A bounded number of threads, and a queue of what they are to run; for one event loop.

    A thread that is done takes the next call from the queue without being woken. anyio hands each call to a
    thread that waits for it: under load that took more CPU time than a small request's queries.
    """

    def __init__(self, n_threads: int, *, name: str) -> None:
        self.n_threads = n_threads
        self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix=name)
        self._n_calls = 0

    @property
    def n_running(self) -> int:
        """How many threads run a call."""
        return min(self._n_calls, self.n_threads)

    @property
    def n_waiting(self) -> int:
        """How many calls wait for a thread."""
        return self._n_calls - self.n_running

    async def run(self, call: Callable[[], Value]) -> Value:
        """Run a call in a thread, and return what it returned; what it raises is raised here."""
        self._n_calls += 1
        running = asyncio.get_running_loop().run_in_executor(self._pool, call)
        running.add_done_callback(self._ended)
        return await running

    def close(self) -> None:
        """Wait for the calls that run; the threads end."""
        self._pool.shutdown()

    def _ended(self, _: object) -> None:
        self._n_calls -= 1
