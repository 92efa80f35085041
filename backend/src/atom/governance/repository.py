"""Every query of governance; a row is found through its agent, and so only in its own workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Select, select, tuple_, update

from atom.agents.models import Agent
from atom.governance.models import (
    AgentProposal,
    ApprovalStatus,
    BlockedTrigger,
    HitlAction,
    QueueStatus,
    SupervisedQueueEntry,
)
from atom.kit.pagination import Cursor, Page, PageRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

Owned = TypeVar("Owned", HitlAction, AgentProposal, BlockedTrigger, SupervisedQueueEntry)
Listed = TypeVar("Listed", HitlAction, AgentProposal, BlockedTrigger, SupervisedQueueEntry)


def hold(session: Session, model: type[Owned], *, workspace_id: str, row_id: str) -> Owned | None:
    """Return a row as it is committed now, held against other writers; None for another workspace's."""
    query = _of_workspace(model, workspace_id).where(model.id == row_id).with_for_update(of=model)
    return session.scalar(query.execution_options(populate_existing=True))


def newest_page(
    session: Session, model: type[Listed], *, workspace_id: str, agent_id: str | None, page: PageRequest
) -> Page[Listed]:
    """Return a workspace's rows, of one agent if it is given, newest first."""
    query = _of_workspace(model, workspace_id).order_by(model.created_at.desc(), model.id.desc())
    if agent_id is not None:
        query = query.where(model.agent_id == agent_id)
    if page.after is not None:
        query = query.where(tuple_(model.created_at, model.id) < tuple_(page.after.at, page.after.id))
    rows = session.scalars(query.limit(page.limit + 1)).all()
    shown = tuple(rows[: page.limit])
    has_more = len(rows) > page.limit
    return Page(items=shown, next=Cursor(at=shown[-1].created_at, id=shown[-1].id) if has_more else None)


def expire_approvals(session: Session, *, workspace_id: str, asked_before: datetime, at: datetime) -> int:
    """Close the questions that nobody answered, and return how many there were."""
    expired = (
        update(HitlAction)
        .where(
            HitlAction.status == ApprovalStatus.PENDING,
            HitlAction.created_at <= asked_before,
            HitlAction.agent_id.in_(_agents_of(workspace_id)),
        )
        .values(status=ApprovalStatus.EXPIRED, reviewed_at=at)
        .returning(HitlAction.id)
    )
    return len(session.scalars(expired).all())


def resolve_triggers(session: Session, *, proposal_id: str) -> None:
    """Mark what was blocked for this proposal as resolved."""
    session.execute(
        update(BlockedTrigger).where(BlockedTrigger.proposal_id == proposal_id).values(is_resolved=True)
    )


def hold_next_entries(
    session: Session, *, workspace_id: str, at: datetime, limit: int
) -> Sequence[SupervisedQueueEntry]:
    """Return the entries to run next, highest priority first; those another worker holds are left out."""
    query = (
        _of_workspace(SupervisedQueueEntry, workspace_id)
        .where(
            SupervisedQueueEntry.status == QueueStatus.PENDING,
            SupervisedQueueEntry.attempt_count < SupervisedQueueEntry.max_attempts,
            SupervisedQueueEntry.expires_at > at,
        )
        .order_by(
            SupervisedQueueEntry.priority.desc(),
            SupervisedQueueEntry.created_at,
            SupervisedQueueEntry.id,
        )
        .limit(limit)
        .with_for_update(of=SupervisedQueueEntry, skip_locked=True)
    )
    return session.scalars(query.execution_options(populate_existing=True)).all()


def cancel_expired_entries(session: Session, *, workspace_id: str, at: datetime) -> int:
    """Cancel the waiting entries whose time is over, and return how many there were."""
    cancelled = (
        update(SupervisedQueueEntry)
        .where(
            SupervisedQueueEntry.status == QueueStatus.PENDING,
            SupervisedQueueEntry.expires_at <= at,
            SupervisedQueueEntry.agent_id.in_(_agents_of(workspace_id)),
        )
        .values(status=QueueStatus.CANCELLED)
        .returning(SupervisedQueueEntry.id)
    )
    return len(session.scalars(cancelled).all())


def _of_workspace(model: type[Owned], workspace_id: str) -> Select[Owned]:
    return select(model).join(Agent, Agent.id == model.agent_id).where(Agent.workspace_id == workspace_id)


def _agents_of(workspace_id: str) -> Select[str]:
    return select(Agent.id).where(Agent.workspace_id == workspace_id)
