"""What runs on a Dask worker: a process that collected the tests and asks them about batches of mutants."""

from __future__ import annotations

import os
import threading
import time
import weakref
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from atom_testinfra.core.errors import InfraError, SubjectError
from atom_testinfra.measuring.environment import CI_VARIABLES
from atom_testinfra.mutation.cluster.checkouts import Checkout, describe_checkout, find_difference
from atom_testinfra.mutation.orders import Fact, Orders
from atom_testinfra.mutation.processes import Settings, WorkerProcess, run_worker
from atom_testinfra.storage.project import load_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.mutants import Mutant

TOLD = frozenset({Fact.VERDICT, Fact.SAME, Fact.CHECKED, Fact.BROKEN, Fact.ONCE, Fact.UNFIT})
"""What the client hears; what tests enter it has found out itself."""


class Commission(Struct, frozen=True, kw_only=True):
    """What a client wants of every worker, with paths relative to the project's root."""

    orders: Orders
    rootdir: str
    environment: dict[str, str]
    """Variables that the client sets for the tests; none of a machine's own that say that it is CI."""
    checkout: Checkout


class Host:
    """
    Asks about mutants on one Dask worker.

    The worker drops it when the client needs it no more or is gone, and its process ends then. Another worker
    that gets it makes one of its own, with its own process.
    """

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._commission = msgspec.json.decode(zlib.decompress(packed), type=Commission)
        self._lock = threading.Lock()
        self._process: WorkerProcess | None = None
        self._facts: Iterator[dict[str, Any]] = iter(())
        self._end: Any = None

    def __reduce__(self) -> tuple[type[Host], tuple[bytes]]:
        return Host, (self._packed,)

    def ask(self, mutants: Sequence[Mutant]) -> list[dict[str, Any]]:
        """
        Return what became of mutants in functions; one call at a time.

        Raises:
            SubjectError: The process that asks ended by itself.
        """
        with self._lock:
            if self._is_over():
                return []
            try:
                if self._process is None:
                    self._start(self._process_settings())
                assert self._process is not None
                self._process.feed(mutants)
                told = [fact for fact in self._until(Fact.DONE) if fact["fact"] in TOLD]
            except _RefusedError as exc:
                self.close()
                return [{"fact": Fact.FAILED, "trouble": str(exc)}]
            except BaseException:
                self.close()
                raise
            return told

    def ask_fresh(self, mutants: Sequence[Mutant]) -> list[dict[str, Any]]:
        """Return what became of mutants that need an interpreter of their own, one after the other."""
        if self._is_over():
            return []
        try:
            settings = self._process_settings()
        except _RefusedError as exc:
            return [{"fact": Fact.FAILED, "trouble": str(exc)}]
        orders = msgspec.structs.replace(self._orders(settings), fresh=list(mutants), n_jobs=1)
        with run_worker(orders, settings) as facts:
            return [fact for fact in facts if fact["fact"] in TOLD]

    def close(self) -> None:
        """End the process."""
        if self._end is not None:
            self._end()
        self._process = self._end = None

    def _is_over(self) -> bool:
        ends_at = self._commission.orders.ends_at
        return ends_at is not None and time.time() > ends_at

    def _process_settings(self) -> Settings:
        """Return where the tests run on this machine, if they are the client's."""
        from distributed import get_worker

        commission = self._commission
        try:
            root = load_project(Path.cwd()).root
            rootdir = root / commission.rootdir
            there = describe_checkout(root, rootdir, commission.orders.product)
        except (InfraError, OSError) as exc:
            raise _RefusedError(str(exc)) from exc
        difference = find_difference(commission.checkout, there)
        if difference is not None:
            raise _RefusedError(difference)
        own = {name: value for name, value in os.environ.items() if name not in CI_VARIABLES}
        return Settings(
            root=root,
            rootdir=rootdir,
            arguments=commission.orders.arguments,
            environment=own | commission.environment,
            n_jobs=get_worker().state.nthreads,
            ends_at=commission.orders.ends_at,
            seed=0,
            faults=commission.orders.faults,
        )

    def _orders(self, settings: Settings) -> Orders:
        orders = self._commission.orders
        return msgspec.structs.replace(
            orders,
            root=os.fspath(settings.root),
            product=[os.fspath(settings.root / path) for path in orders.product],
            n_jobs=settings.n_jobs,
        )

    def _start(self, settings: Settings) -> None:
        """Start the process, and let it run the unchanged tests that it is going to ask."""
        orders = msgspec.structs.replace(self._orders(settings), requests=-1)
        self._process = WorkerProcess(orders, settings)
        self._end = weakref.finalize(self, self._process.stop)
        self._facts = self._process.lines()
        for fact in self._until(Fact.READY):
            if fact["fact"] == Fact.COLLECTED and fact["broken"]:
                raise _RefusedError(f"pytest could not collect {fact['broken'][0]!r} there")
            if fact["fact"] == Fact.RAN and fact.get("error") is not None:
                raise _RefusedError(
                    f"{fact['nodeid']!r} passed unchanged elsewhere and fails there: {fact['error']}"
                )

    def _until(self, last: Fact) -> Iterator[dict[str, Any]]:
        """Yield what the process says until it has said this."""
        assert self._process is not None
        for fact in self._facts:
            if fact["fact"] == Fact.FAILED:
                detail = (fact.get("trouble") or self._process.log_tail()).strip().splitlines()
                raise _RefusedError(detail[-1] if detail else "pytest said nothing")
            yield fact
            if fact["fact"] == last:
                return
        lines = self._process.log_tail().strip().splitlines() or ["it printed nothing"]
        raise SubjectError(f"the process that asks the tests ended by itself: {lines[-1]}")


class _RefusedError(Exception):
    """This worker cannot ask, now or later."""


def look_at_checkout(rootdir: str, product: Sequence[str]) -> tuple[Checkout, float]:
    """Return what the checkout has that this worker runs in, and what time it is here."""
    root = load_project(Path.cwd()).root
    return describe_checkout(root, root / rootdir, product), time.time()


def ask_batch(host: Host, mutants: Sequence[Mutant]) -> tuple[str, list[dict[str, Any]]]:
    """Ask a host, as a task of Dask's; return the worker's address and what it says."""
    return _address(), host.ask(mutants)


def ask_fresh_batch(host: Host, mutants: Sequence[Mutant]) -> tuple[str, list[dict[str, Any]]]:
    """Ask a host about mutants that need an interpreter of their own, as a task of Dask's."""
    return _address(), host.ask_fresh(mutants)


def _address() -> str:
    from distributed import get_worker

    return str(get_worker().address)
