"""Answer a question in a copy of this process, within limits, and hear what it says while it works."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[dict[str, Any]], None]
    Question = Callable[[Say], None]
    """Says what it finds out, as often as it likes."""

MOST_MEMORY = 2 << 30
"""Bytes of address space that a copy may take in addition to what it begins with."""
MOST_FILE = 1 << 28
"""Bytes that a copy may write into one file."""


@dataclass
class Copy:
    """A running copy: what it was asked, and what it said so far."""

    pid: int
    reader: int
    ends_at: float
    said: list[dict[str, Any]] = field(default_factory=list)
    rest: bytes = b""
    is_overdue: bool = False
    """It was stopped because it took too long on the clock."""


class Copies:
    """Runs questions in copies of this process, a limited number at a time."""

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._running: dict[int, Copy] = {}

    @property
    def is_full(self) -> bool:
        """Whether as many are running as may."""
        return len(self._running) >= self._n_jobs

    def __len__(self) -> int:
        return len(self._running)

    def start(self, question: Question, *, wall_s: float, is_limited: bool = True) -> Copy:
        """Fork; the copy answers the question and ends, after `wall_s` seconds at the latest."""
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _answer(question, reader, writer, is_limited=is_limited)
        os.close(writer)
        copy = Copy(pid=pid, reader=reader, ends_at=time.monotonic() + wall_s)
        self._running[reader] = copy
        return copy

    def start_unlimited(self, question: Question) -> Copy:
        """Fork a copy that is trusted: no limit but its own end."""
        return self.start(question, wall_s=float("inf"), is_limited=False)

    def wait(self) -> list[tuple[Copy, int]]:
        """Wait until something happens; return the copies that ended, each with its wait status."""
        ready, _, _ = select.select(list(self._running), [], [], 0.2)
        ended = []
        for reader in ready:
            copy = self._running[reader]
            part = os.read(reader, 1 << 16)
            if part:
                *lines, copy.rest = (copy.rest + part).split(b"\n")
                self._hear(copy, lines)
                continue
            os.close(reader)
            del self._running[reader]
            _, status = os.waitpid(copy.pid, 0)
            ended.append((copy, status))
        now = time.monotonic()
        for copy in self._running.values():
            if now > copy.ends_at and not copy.is_overdue:
                copy.is_overdue = True
                _kill(copy.pid)
        return ended

    def wait_for_one(self) -> tuple[Copy, int]:
        """Wait until a copy ends, where only one is running; return it with its wait status."""
        ended: list[tuple[Copy, int]] = []
        while not ended:
            ended = self.wait()
        return ended[0]

    def _hear(self, copy: Copy, lines: list[bytes]) -> None:
        for line in lines:
            fact = json.loads(line)
            copy.said.append(fact)
            if "wall_s" in fact:
                copy.ends_at = time.monotonic() + fact["wall_s"]

    def stop(self) -> None:
        """End all copies now."""
        for copy in self._running.values():
            _kill(copy.pid)
            os.close(copy.reader)
            os.waitpid(copy.pid, 0)
        self._running.clear()


def find_shared_things() -> frozenset[str]:
    """Return the threads and connections of this process, which two copies of it could not both use."""
    main = threading.main_thread()
    found = {
        f"the thread {thread.name!r} is running" for thread in threading.enumerate() if thread is not main
    }
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (asked after each test)
        with contextlib.suppress(OSError, ValueError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):  # noqa: PTH115
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                peer = connection.getpeername()
            if peer:
                found.add(f"a connection to {peer!r} is open")
    return frozenset(found)


def _kill(pid: int) -> None:
    """End a copy and the processes that it started: it leads a group of its own."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _answer(question: Question, reader: int, writer: int, *, is_limited: bool) -> None:
    """Answer in the copy, which never returns from here."""
    status = 1
    try:
        os.close(reader)
        os.setpgid(0, 0)
        die_with_parent()
        if is_limited:
            _limit()

        own_pid = os.getpid()

        def say(fact: dict[str, Any]) -> None:
            if is_fork := os.getpid() != own_pid:
                fact = {"came_back": True}  # only the copy answers, not a fork that a test did not end
            os.write(writer, json.dumps(fact).encode() + b"\n")
            if is_fork:
                os._exit(status)

        try:
            question(say)
            status = 0
        except BaseException:  # noqa: BLE001 (an edge: this process ends here, the other one says why)
            say({"trouble": traceback.format_exc()[-4000:]})
    finally:
        os._exit(status)


def _limit() -> None:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (no import is needed for it)
        now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    _lower(resource.RLIMIT_AS, now + MOST_MEMORY)
    _lower(resource.RLIMIT_FSIZE, MOST_FILE)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(what: int, limit: int) -> None:
    _, hard = resource.getrlimit(what)
    allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(what, (allowed, hard))


def die_with_parent() -> None:
    """Let the kernel end this process when the one that started it ends, however that ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
