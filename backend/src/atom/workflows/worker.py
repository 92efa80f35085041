"""A worker: claims steps of workflows, runs them side by side, keeps their leases, reports their results."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from atom.db.session import unit_of_work
from atom.kit.clock import LAST
from atom.kit.errors import ConflictError, InvalidError
from atom.workflows import claims
from atom.workflows.runner import StepHandler, describe
from atom.workflows.scheduling import Assignment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event

    from sqlalchemy.orm import Session, sessionmaker

    from atom.kit.clock import Clock
    from atom.workflows.claims import Claim

LEASE: Final = timedelta(seconds=60)
POLL_S: Final = 1.0
"""How long a worker with nothing to do waits before it looks again."""


@dataclass(slots=True)
class _Running:
    claim: Claim
    lease_until: datetime


@dataclass(slots=True, kw_only=True)
class Worker:
    """
    Runs steps until it is told to stop, and then reports those that it has begun.

    Each claim, renewal and report is a transaction of its own. A worker that is killed leaves its steps to
    whoever claims next once their leases have ended: a step may then have been done twice, so a handler has
    to bear that.
    """

    sessions: sessionmaker[Session]
    clock: Clock
    handler: StepHandler
    executor: Executor
    name: str
    n_steps: int
    workspace_id: str | None = None
    lease: timedelta = LEASE
    _running: dict[Future[Mapping[str, Any]], _Running] = field(default_factory=dict)

    def run(self, stop: Event) -> None:
        """Work until the event is set."""
        while not stop.is_set():
            self.claim()
            if self._running:
                wait(self._running, timeout=POLL_S, return_when=FIRST_COMPLETED)
            else:
                stop.wait(POLL_S)
            self.attend()
        while self._running:
            wait(self._running, timeout=POLL_S, return_when=FIRST_COMPLETED)
            self.attend()

    def claim(self) -> int:
        """Begin as many steps as there is room for, and return how many those are."""
        room = min(self.n_steps - len(self._running), claims.MAX_CLAIMS)
        if room < 1:
            return 0
        with unit_of_work(self.sessions) as session:
            found = claims.claim_steps(
                session,
                self.clock,
                worker=self.name,
                limit=room,
                lease=self.lease,
                workspace_id=self.workspace_id,
            )
        for claim in found:
            assignment = Assignment(step_id=claim.step_id, action=claim.action, inputs=claim.inputs)
            future = self.executor.submit(self.handler, assignment)
            self._running[future] = _Running(claim, claim.lease_until)
        return len(found)

    def attend(self) -> int:
        """Report the steps that are done, renew the leases of the others; return how many were reported."""
        done = [future for future in self._running if future.done()]
        for future in done:
            self._report(self._running.pop(future).claim, future)
        for running in self._running.values():
            if running.lease_until - self.clock.now() < self.lease / 2:
                self._renew(running)
        return len(done)

    def _report(self, claim: Claim, future: Future[Mapping[str, Any]]) -> None:
        failure = future.exception()
        try:
            if failure is None:
                try:
                    with unit_of_work(self.sessions) as session:
                        claims.complete(session, self.clock, claim_id=claim.id, output=future.result())
                except InvalidError as exc:  # what the step returned cannot be stored
                    failure = exc
            if failure is not None:
                with unit_of_work(self.sessions) as session:
                    claims.fail(session, self.clock, claim_id=claim.id, error=describe(failure))
        except ConflictError:
            return  # cancelled, or given to another worker after a long silence of ours

    def _renew(self, running: _Running) -> None:
        try:
            with unit_of_work(self.sessions) as session:
                running.lease_until = claims.renew(
                    session, self.clock, claim_id=running.claim.id, lease=self.lease
                )
        except ConflictError:
            running.lease_until = LAST  # the step is lost: there is nothing to renew


def load_handler(place: str) -> StepHandler:
    """Return the function at `package.module:function`, which does the work of a step."""
    module_name, _, name = place.partition(":")
    if not module_name or not name:
        raise InvalidError(f"{place!r} is not `package.module:function`", field="handler")
    try:
        handler: StepHandler = getattr(import_module(module_name), name)
    except (ImportError, AttributeError) as exc:
        raise InvalidError(f"no handler at {place!r}: {exc}", field="handler") from exc
    if not callable(handler):
        raise InvalidError(f"{place!r} cannot be called", field="handler")
    return handler
