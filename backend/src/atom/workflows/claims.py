"""
Use cases of workers: a step is claimed for a while, and whoever outlives its lease loses the step.

A worker that is alive renews its lease; one that died does not, and the next worker that claims anything
fails the step for it, so that it is tried again. A report under a claim that was lost is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from atom.kit.clock import moved
from atom.kit.errors import ConflictError, InvalidError, StaleVersionError
from atom.kit.ids import new_id
from atom.kit.text import checked_text
from atom.workflows import repository, service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock
    from atom.workflows.repository import ClaimedStep
    from atom.workflows.rows import Execution
    from atom.workflows.scheduling import Assignment

MAX_CLAIMS = 20
SHORTEST_LEASE = timedelta(seconds=1)
LONGEST_LEASE = timedelta(hours=1)
CANDIDATES = 100
"""How many executions one call looks at for something to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A step that a worker has to run, and until when it is the worker's."""

    id: str
    workspace_id: str
    execution_id: str
    workflow_id: str
    step_id: str
    action: str
    inputs: Mapping[str, Any]
    attempt: int
    lease_until: datetime


def claim_steps(
    session: Session,
    clock: Clock,
    *,
    worker: str,
    limit: int,
    lease: timedelta,
    workspace_id: str | None = None,
) -> list[Claim]:
    """
    Start the next steps for a worker, of one workspace or of all.

    The oldest execution's come first; executions in which a step runs come after those in which none does.
    Steps whose lease has ended are failed first: they are tried again, by whoever claims them then.
    """
    name = checked_text(worker, field="worker")
    if not 1 <= limit <= MAX_CLAIMS:
        raise InvalidError(f"limit is {limit}, expected 1 to {MAX_CLAIMS}", field="limit")
    _check_lease(lease)
    now = clock.now()
    until = moved(now, lease)
    _fail_lost(session, clock, workspace_id=workspace_id, now=now)
    claims: list[Claim] = []
    for execution in repository.find_claimable(session, now=now, workspace_id=workspace_id, limit=CANDIDATES):
        if len(claims) == limit:
            break
        scope = {"workspace_id": execution.workspace_id, "execution_id": execution.id}
        try:
            with session.begin_nested():
                found = service.advance(session, clock, **scope, at_most=limit - len(claims))
                held = [_hold(session, execution.id, one, worker=name, until=until) for one in found.start]
        except StaleVersionError:
            continue  # somebody else has just changed it, and takes what is to be run
        claims += [
            Claim(
                id=claim_id,
                workspace_id=execution.workspace_id,
                execution_id=execution.id,
                workflow_id=execution.workflow_id,
                step_id=assignment.step_id,
                action=assignment.action,
                inputs=assignment.inputs,
                attempt=attempt,
                lease_until=until,
            )
            for assignment, (claim_id, attempt) in zip(found.start, held, strict=True)
        ]
    return claims


def renew(
    session: Session, clock: Clock, *, claim_id: str, lease: timedelta, workspace_id: str | None = None
) -> datetime:
    """Keep a claimed step for longer, and return until when; a claim that was lost stays lost."""
    _check_lease(lease)
    step = _claimed(session, claim_id, workspace_id)
    until = moved(clock.now(), lease)
    repository.renew_claim(session, step.claim_id, until=until)
    return until


def complete(
    session: Session,
    clock: Clock,
    *,
    claim_id: str,
    output: Mapping[str, Any],
    workspace_id: str | None = None,
) -> Execution:
    """Record what a claimed step returned."""
    step = _claimed(session, claim_id, workspace_id)
    return service.complete_step(session, clock, **_scope(step), output=output)


def fail(
    session: Session, clock: Clock, *, claim_id: str, error: str, workspace_id: str | None = None
) -> Execution:
    """Record that a claimed step failed: it is tried again after a while, three times at most."""
    step = _claimed(session, claim_id, workspace_id)
    return service.fail_step(session, clock, **_scope(step), error=error)


def _fail_lost(session: Session, clock: Clock, *, workspace_id: str | None, now: datetime) -> None:
    for step in repository.find_lost(session, now=now, workspace_id=workspace_id, limit=CANDIDATES):
        error = f"worker {step.worker!r} did not report before its lease ended"
        try:
            with session.begin_nested():
                service.fail_step(session, clock, **_scope(step), error=error)
        except ConflictError:
            continue  # it has just reported, or somebody else has failed it


def _hold(
    session: Session, execution_id: str, assignment: Assignment, *, worker: str, until: datetime
) -> tuple[str, int]:
    claim_id = new_id()
    repository.update_steps(
        session, execution_id, [assignment.step_id], claim_id=claim_id, worker=worker, lease_until=until
    )
    return claim_id, 1 + repository.retries_of(session, execution_id, assignment.step_id)


def _claimed(session: Session, claim_id: str, workspace_id: str | None) -> ClaimedStep:
    step = repository.get_claimed(session, claim_id, workspace_id=workspace_id)
    if step is None:
        raise ConflictError(
            f"claim {claim_id!r} is not held: the step was reported, cancelled or given to another worker"
        )
    return step


def _scope(step: ClaimedStep) -> dict[str, str]:
    return {
        "workspace_id": step.workspace_id,
        "execution_id": step.execution_id,
        "step_id": step.step_id,
    }


def _check_lease(lease: timedelta) -> None:
    if not SHORTEST_LEASE <= lease <= LONGEST_LEASE:
        raise InvalidError(
            f"the lease is {lease.total_seconds():g} s, expected {SHORTEST_LEASE.total_seconds():g}"
            f" to {LONGEST_LEASE.total_seconds():g} s",
            field="lease_s",
        )
