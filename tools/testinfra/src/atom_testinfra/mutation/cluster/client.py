"""The side of a cluster that sends batches of mutants to the workers, and takes what they answer."""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

import msgspec

from atom_testinfra.core.errors import ConfigError, InfraError, SubjectError
from atom_testinfra.core.figures import plural
from atom_testinfra.measuring.environment import CI_VARIABLES
from atom_testinfra.mutation.cluster.checkouts import describe_checkout, find_difference
from atom_testinfra.mutation.cluster.hosts import (
    Commission,
    Host,
    ask_batch,
    ask_fresh_batch,
    look_at_checkout,
)
from atom_testinfra.mutation.orders import Fact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.mutation.cluster.checkouts import Checkout
    from atom_testinfra.mutation.orders import Orders
    from atom_testinfra.mutation.processes import Settings
    from atom_testinfra.mutation.product import Product

ANSWER_S = 10
"""How long the scheduler may take to answer, and to have a worker."""
ALONE_S = 60
"""How long there may be no worker at all while something is left to ask."""
LOOK_S = 5
"""How often to look whether there is one."""
BATCH = 25
"""Mutants that a worker is asked about at a time; as many are asked about again when it dies."""
FRESH_BATCH = 10
"""The same for mutants that need an interpreter of their own."""
N_RETRIES = 2
"""How often a batch is tried again after the process that asked it has ended by itself."""
CLOCK_S = 5
"""How far a worker's clock may be from ours where the time is limited."""


class Cluster:
    """A Dask scheduler whose workers ask about mutants."""

    def __init__(self, address: str, product: Product, settings: Settings) -> None:
        """
        Connect, and look at each worker.

        Raises:
            ConfigError: The package that this needs is not installed, or the address is not one.
            SubjectError: Nothing answers there, there is no worker, or one cannot give the same verdicts.
        """
        try:
            from distributed import Client
        except ImportError as exc:
            raise ConfigError(
                "`--cluster` needs the package `distributed`, which is not installed",
                hint="pip install 'atom-testinfra[cluster]'",
            ) from exc
        self._address = address
        self._settings = settings
        self._product = [product.relative(path) for path in product.files]
        self._rootdir = os.path.relpath(settings.rootdir, settings.root)
        self._checkout = describe_checkout(settings.root, settings.rootdir, self._product)
        try:
            self._client = Client(address, timeout=ANSWER_S)
        except ValueError as exc:
            raise ConfigError(f"--cluster: {exc}", hint="write it as tcp://host:8786") from exc
        except OSError as exc:
            raise SubjectError(
                f"no Dask scheduler answered at {address!r} within {ANSWER_S} s",
                hint="start one with `dask scheduler`; its first lines say the address",
            ) from exc
        try:
            self.n_workers = self._check_workers()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the scheduler; its workers end what they do for us."""
        self._client.close()

    @contextlib.contextmanager
    def run(self, orders: Orders) -> Iterator[Iterator[dict[str, Any]]]:
        """Ask the workers about mutants for as long as the context lasts; yields what they say."""
        futures: list[Any] = []
        host = self._client.submit(Host, self._pack(orders), pure=False)
        batches: list[tuple[Any, Sequence[Any]]] = [
            *((ask_batch, batch) for batch in _cut(orders.mutants, BATCH)),
            *((ask_fresh_batch, batch) for batch in _cut(orders.fresh, FRESH_BATCH)),
        ]
        try:
            for ask, batch in batches:
                futures.append(self._client.submit(ask, host, batch, pure=False, retries=N_RETRIES))
            yield self._hear(futures)
        finally:
            self._client.cancel(futures)
            del host  # the workers drop theirs then, and end its processes

    def _hear(self, futures: Sequence[Any]) -> Iterator[dict[str, Any]]:
        from distributed import wait

        left = set(futures)
        seen_at = time.monotonic()
        while left:
            try:
                done, left = wait(left, timeout=LOOK_S, return_when="FIRST_COMPLETED")
            except TimeoutError:
                if self._count_workers():
                    seen_at = time.monotonic()
                elif time.monotonic() - seen_at > ALONE_S:
                    raise SubjectError(
                        f"the scheduler at {self._address!r} has had no worker for {ALONE_S} s",
                        hint="start workers in the checkout, and go on with the same command",
                    ) from None
                continue
            for future in done:
                yield from self._take(future)

    def _take(self, future: Any) -> Iterator[dict[str, Any]]:
        """Yield what a batch says, with the worker where something is wrong."""
        from distributed.scheduler import KilledWorker

        try:
            address, facts = future.result()
        except KilledWorker as exc:
            last = getattr(exc.last_worker, "address", "unknown")
            n = exc.allowed_failures + 1
            raise SubjectError(
                f"{plural(n, 'worker')} died while {'it' if n == 1 else 'they'} asked about the same mutants,"
                f" the last one at {last}",
                hint="see what their logs say, such as too little memory; go on with the same command",
            ) from exc
        except CancelledError as exc:
            raise SubjectError(
                f"the scheduler at {self._address!r} no longer answers",
                hint="go on with the same command when it does",
            ) from exc
        except InfraError:
            raise
        except Exception as exc:
            raise SubjectError(f"a worker could not ask: {type(exc).__name__}: {exc}") from exc
        for fact in facts:
            if fact["fact"] == Fact.FAILED:
                yield fact | {"trouble": f"the worker at {address}: {fact['trouble']}"}
            elif fact["fact"] == Fact.BROKEN:
                yield fact | {"error": f"{fact['error']} (on the worker at {address})"}
            else:
                yield fact

    def _check_workers(self) -> int:
        """Return how many workers there are."""
        try:
            self._client.wait_for_workers(1, timeout=ANSWER_S)
        except TimeoutError as exc:
            raise SubjectError(
                f"the scheduler at {self._address!r} has no worker",
                hint=f"start one in each checkout: dask worker {self._address}",
            ) from exc
        began = time.time()
        answers = self._client.run(look_at_checkout, self._rootdir, self._product, on_error="return")
        problems = [
            f"the worker at {address} cannot be used: {problem}"
            for address, answer in sorted(answers.items())
            if (problem := self._find_problem(answer, began, time.time())) is not None
        ]
        if problems:
            more = f" ({len(problems)} of {len(answers)} workers cannot)" if len(problems) > 1 else ""
            raise SubjectError(
                problems[0] + more,
                hint="start it in a checkout of the same code, with the same packages, or stop it",
            )
        return len(answers)

    def _find_problem(
        self, answer: tuple[Checkout, float] | Exception, began: float, ended: float
    ) -> str | None:
        """Return why a worker would give other verdicts."""
        if isinstance(answer, Exception):
            is_without = "No module named 'atom_testinfra'" in str(answer).replace("\\", "")
            return "atom-testinfra is not installed there" if is_without else str(answer)
        checkout, clock = answer
        if self._settings.ends_at is not None and not began - CLOCK_S <= clock <= ended + CLOCK_S:
            return f"its clock differs from this one's by {abs(clock - ended):.0f} s, and --time goes by it"
        return find_difference(self._checkout, checkout)

    def _count_workers(self) -> int:
        try:
            return len(self._client.nthreads())
        except (OSError, TimeoutError) as exc:
            raise SubjectError(
                f"the scheduler at {self._address!r} no longer answers",
                hint="go on with the same command when it does",
            ) from exc

    def _pack(self, orders: Orders) -> bytes:
        environment = {
            name: value
            for name, value in self._settings.environment.items()
            if name in CI_VARIABLES or os.environ.get(name) != value
        }
        commission = Commission(
            orders=msgspec.structs.replace(orders, mutants=[], fresh=[], root="", product=self._product),
            rootdir=self._rootdir,
            environment=environment,
            checkout=self._checkout,
        )
        return zlib.compress(msgspec.json.encode(commission))


def _cut(values: Sequence[Any], n: int) -> Iterator[Sequence[Any]]:
    for place in range(0, len(values), n):
        yield values[place : place + n]
