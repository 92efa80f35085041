"""Threads for the event loop: a bounded number, counted, and nothing that they raise is lost."""

from __future__ import annotations

import asyncio
import threading

import pytest

from atom.kit.threads import Threads


def test_calls_beyond_the_threads_wait() -> None:
    """As many calls run as there are threads, the others wait; all are answered."""

    async def run() -> None:
        threads, may_end = Threads(2, name="test"), threading.Event()
        calls = [asyncio.ensure_future(threads.run(may_end.wait)) for _ in range(5)]
        await asyncio.sleep(0)
        assert (threads.n_running, threads.n_waiting) == (2, 3)
        may_end.set()
        assert await asyncio.gather(*calls) == [True] * 5
        assert (threads.n_running, threads.n_waiting) == (0, 0)
        threads.close()

    asyncio.run(run())


def test_what_a_call_raises_is_raised_to_its_caller() -> None:
    """The thread goes on with the next call."""

    async def run() -> None:
        threads = Threads(1, name="test")
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        assert await threads.run(lambda: 1) == 1
        threads.close()

    asyncio.run(run())
