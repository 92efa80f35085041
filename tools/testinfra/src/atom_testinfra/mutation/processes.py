"""A worker as a process of its own: how it is started, heard and stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from atom_testinfra.core.errors import SubjectError
from atom_testinfra.mutation.orders import Fact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from atom_testinfra.core.mutants import Mutant
    from atom_testinfra.mutation.operators.written import WrittenFault
    from atom_testinfra.mutation.orders import Orders


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where and how a session of `mutate` runs the tests."""

    root: Path
    rootdir: Path
    arguments: list[str]
    """pytest's arguments."""
    environment: Mapping[str, str]
    n_jobs: int
    ends_at: float | None
    """Seconds since the epoch."""
    seed: int
    faults: list[WrittenFault]
    """Faults that a person wrote down, where these are asked about."""


class WorkerProcess:
    """A worker process, and what it has said."""

    def __init__(self, orders: Orders, settings: Settings) -> None:
        self._reader, writer = os.pipe()
        self._folder = tempfile.TemporaryDirectory(prefix="testinfra-mutate-")
        orders = msgspec.structs.replace(orders, events=writer)
        passed = [writer]
        self._requests: int | None = None
        if orders.requests is not None:
            requests, self._requests = os.pipe()
            orders = msgspec.structs.replace(orders, requests=requests)
            passed.append(requests)
        path = Path(self._folder.name) / "orders.json"
        path.write_bytes(msgspec.json.encode(orders))
        self._log = (Path(self._folder.name) / "log").open("wb")
        self._process = subprocess.Popen(  # noqa: S603 (the person's own tests, without a shell)
            [sys.executable, "-m", "atom_testinfra.mutation.asking.worker", os.fspath(path)],
            cwd=settings.rootdir,
            env=dict(settings.environment),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            pass_fds=passed,
            start_new_session=True,
        )
        for end in passed:
            os.close(end)
        self._rest = b""

    def feed(self, mutants: Sequence[Mutant]) -> None:
        """Let a process ask about mutants whose orders say that they come line by line."""
        assert self._requests is not None
        line = memoryview(msgspec.json.encode(mutants) + b"\n")
        while line:
            line = line[os.write(self._requests, line) :]

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield what the process says until it ends."""
        while part := os.read(self._reader, 1 << 16):
            *lines, self._rest = (self._rest + part).split(b"\n")
            for line in lines:
                yield msgspec.json.decode(line)

    def stop(self) -> None:
        """End the process, and take away what it needed."""
        self._kill()
        self._process.wait()
        for end in (self._reader, self._requests):
            with contextlib.suppress(OSError):
                if end is not None:
                    os.close(end)
        self._log.close()
        self._folder.cleanup()

    def log_tail(self) -> str:
        """Return the end of what pytest printed."""
        self._log.flush()
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")[-2000:]

    def _kill(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


@contextlib.contextmanager
def run_worker(orders: Orders, settings: Settings) -> Iterator[Iterator[dict[str, Any]]]:
    """
    Run a worker for as long as the context lasts; yields what it says, line by line.

    Raises:
        SubjectError: It ended without having said that it is done.
    """
    process = WorkerProcess(orders, settings)
    try:
        yield _complete(process)
    finally:
        process.stop()


def _complete(process: WorkerProcess) -> Iterator[dict[str, Any]]:
    """Yield what a worker says; fail if it stops without having said that it is done."""
    is_done = False
    for fact in process.lines():
        is_done = is_done or fact["fact"] in {Fact.DONE, Fact.FAILED, Fact.BROKEN}
        yield fact | {"log": process.log_tail()} if fact["fact"] == Fact.FAILED else fact
    if not is_done:
        lines = process.log_tail().strip().splitlines() or ["it printed nothing"]
        raise SubjectError(f"the process that asks the tests ended by itself: {lines[-1]}")
