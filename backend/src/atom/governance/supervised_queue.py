"""Use cases of the supervised queue: runs that wait for a person, the most urgent first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from atom.agents.service import require_agent
from atom.governance import repository
from atom.governance.models import QueueStatus, SupervisedQueueEntry
from atom.identity.users import require_user
from atom.kit.clock import moved
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import Page, PageRequest
from atom.kit.text import check_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from atom.governance.routing import TriggerSource
    from atom.kit.clock import Clock

LIFETIME = timedelta(hours=24)
MAX_ATTEMPTS = 3
BATCH_SIZE = 10
PRIORITIES = range(-1_000, 1_001)


def enqueue(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    agent_id: str,
    user_id: str,
    source: TriggerSource,
    context: dict[str, Any],
    priority: int = 0,
) -> SupervisedQueueEntry:
    """Let a run wait for its supervisor; it lapses after `LIFETIME`."""
    if priority not in PRIORITIES:
        raise InvalidError(f"priority is {priority}, expected -1000 to 1000", field="priority")
    check_json(context, field="context")
    require_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    require_user(session, workspace_id=workspace_id, user_id=user_id)
    now = clock.now()
    entry = SupervisedQueueEntry(
        id=new_id(),
        agent_id=agent_id,
        user_id=user_id,
        trigger_source=source,
        trigger_context=context,
        status=QueueStatus.PENDING,
        priority=priority,
        attempt_count=0,
        max_attempts=MAX_ATTEMPTS,
        created_at=now,
        expires_at=moved(now, LIFETIME),
    )
    session.add(entry)
    session.flush()
    return entry


def claim_batch(
    session: Session, clock: Clock, *, workspace_id: str, limit: int = BATCH_SIZE
) -> Sequence[SupervisedQueueEntry]:
    """
    Start the next entries, the highest priority first, then the oldest; each start is an attempt.

    An entry whose time is over, or whose attempts are used up, never starts. One whose agent was paused,
    deprecated or demoted since waits on: it starts when the agent may run again, or lapses as others do.
    """
    if not 1 <= limit <= BATCH_SIZE:
        raise InvalidError(f"limit is {limit}, expected 1 to {BATCH_SIZE}", field="limit")
    entries = repository.hold_next_entries(session, workspace_id=workspace_id, at=clock.now(), limit=limit)
    for entry in entries:
        entry.status = QueueStatus.EXECUTING
        entry.attempt_count += 1
    session.flush()
    return entries


def complete_entry(session: Session, *, workspace_id: str, entry_id: str) -> SupervisedQueueEntry:
    """Note that a started run ended well."""
    entry = _hold(session, workspace_id=workspace_id, entry_id=entry_id, expected=QueueStatus.EXECUTING)
    return _move(session, entry, QueueStatus.COMPLETED)


def fail_entry(session: Session, *, workspace_id: str, entry_id: str) -> SupervisedQueueEntry:
    """Note that a started run failed: it waits again while attempts are left."""
    entry = _hold(session, workspace_id=workspace_id, entry_id=entry_id, expected=QueueStatus.EXECUTING)
    has_attempts = entry.attempt_count < entry.max_attempts
    return _move(session, entry, QueueStatus.PENDING if has_attempts else QueueStatus.FAILED)


def cancel_entry(session: Session, *, workspace_id: str, entry_id: str) -> SupervisedQueueEntry:
    """Take a waiting run out of the queue."""
    entry = _hold(session, workspace_id=workspace_id, entry_id=entry_id, expected=QueueStatus.PENDING)
    return _move(session, entry, QueueStatus.CANCELLED)


def cancel_expired_entries(session: Session, clock: Clock, *, workspace_id: str) -> int:
    """Cancel the waiting runs whose time is over, and return how many there were."""
    return repository.cancel_expired_entries(session, workspace_id=workspace_id, at=clock.now())


def list_entries(
    session: Session, *, workspace_id: str, agent_id: str | None = None, page: PageRequest | None = None
) -> Page[SupervisedQueueEntry]:
    """Return the entries of a workspace, of one agent if it is given, newest first."""
    return repository.newest_page(
        session,
        SupervisedQueueEntry,
        workspace_id=workspace_id,
        agent_id=agent_id,
        page=page or PageRequest(),
    )


def _hold(
    session: Session, *, workspace_id: str, entry_id: str, expected: QueueStatus
) -> SupervisedQueueEntry:
    entry = repository.hold(session, SupervisedQueueEntry, workspace_id=workspace_id, row_id=entry_id)
    if entry is None:
        raise NotFoundError("queue entry", entry_id)
    if entry.status is not expected:
        raise ConflictError(
            f"queue entry {entry_id!r} is {entry.status.value!r}, expected {expected.value!r}"
        )
    return entry


def _move(session: Session, entry: SupervisedQueueEntry, to: QueueStatus) -> SupervisedQueueEntry:
    entry.status = to
    session.flush()
    return entry
