"""Every query of governance; a row is found through its agent, and so only in its own workspace."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Select, bindparam, select, tuple_, update

from atom.agents.models import Agent
from atom.db.statements import table_of
from atom.governance.models import (
    AgentProposal,
    ApprovalStatus,
    BlockedTrigger,
    HitlAction,
    QueueStatus,
    SupervisedQueueEntry,
)
from atom.governance.routing import SUPERVISABLE
from atom.kit.pagination import Cursor, Page, PageRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Update
    from sqlalchemy.orm import Session

Owned = TypeVar("Owned", HitlAction, AgentProposal, BlockedTrigger, SupervisedQueueEntry)
Listed = TypeVar("Listed", HitlAction, AgentProposal, BlockedTrigger, SupervisedQueueEntry)


def _of_workspace(model: type[Owned]) -> Select[Owned]:
    of_agent = select(model).join(Agent, Agent.id == model.agent_id)
    return of_agent.where(Agent.workspace_id == bindparam("workspace"))


@functools.cache
def _hold(model: type[Owned]) -> Select[Owned]:
    row = _of_workspace(model).where(model.id == bindparam("row"))
    return row.with_for_update(of=model).execution_options(populate_existing=True)


AGENTS: Final = select(Agent.id).where(Agent.workspace_id == bindparam("workspace"))
EXPIRE_APPROVALS: Final = (
    update(table_of(HitlAction))
    .where(
        HitlAction.status == ApprovalStatus.PENDING,
        HitlAction.created_at <= bindparam("asked_before"),
        HitlAction.agent_id.in_(AGENTS),
    )
    .values(status=ApprovalStatus.EXPIRED, reviewed_at=bindparam("at"))
)
NEXT_ENTRIES: Final = (
    _of_workspace(SupervisedQueueEntry)
    .where(
        SupervisedQueueEntry.status == QueueStatus.PENDING,
        SupervisedQueueEntry.attempt_count < SupervisedQueueEntry.max_attempts,
        SupervisedQueueEntry.expires_at > bindparam("at"),
        Agent.status.in_(SUPERVISABLE),
    )
    .order_by(
        SupervisedQueueEntry.priority.desc(),
        SupervisedQueueEntry.created_at,
        SupervisedQueueEntry.id,
    )
    .limit(bindparam("limit"))
    .with_for_update(of=SupervisedQueueEntry, skip_locked=True)
    .execution_options(populate_existing=True)
)
CANCEL_EXPIRED_ENTRIES: Final = (
    update(table_of(SupervisedQueueEntry))
    .where(
        SupervisedQueueEntry.status == QueueStatus.PENDING,
        SupervisedQueueEntry.expires_at <= bindparam("at"),
        SupervisedQueueEntry.agent_id.in_(AGENTS),
    )
    .values(status=QueueStatus.CANCELLED)
)


def hold(session: Session, model: type[Owned], *, workspace_id: str, row_id: str) -> Owned | None:
    """Return a row as it is committed now, locked for other writers; None for another workspace's."""
    query: Select[Owned] = _hold(model)
    return session.scalar(query, {"workspace": workspace_id, "row": row_id})


def newest_page(
    session: Session, model: type[Listed], *, workspace_id: str, agent_id: str | None, page: PageRequest
) -> Page[Listed]:
    """Return a workspace's rows, of one agent if it is given, newest first."""
    query = _of_workspace(model).order_by(model.created_at.desc(), model.id.desc())
    if agent_id is not None:
        query = query.where(model.agent_id == agent_id)
    if page.after is not None:
        query = query.where(tuple_(model.created_at, model.id) < tuple_(page.after.at, page.after.id))
    rows = session.scalars(query.limit(page.limit + 1), {"workspace": workspace_id}).all()
    return Page.cut(rows, limit=page.limit, place=lambda row: Cursor(at=row.created_at, id=row.id))


def expire_approvals(session: Session, *, workspace_id: str, asked_before: datetime, at: datetime) -> int:
    """Close the questions that nobody answered, and return how many there were."""
    parameters = {"workspace": workspace_id, "asked_before": asked_before, "at": at}
    return _change(session, EXPIRE_APPROVALS, parameters)


def resolve_triggers(session: Session, *, proposal_id: str) -> None:
    """Mark what was blocked for this proposal as resolved."""
    session.execute(
        update(BlockedTrigger).where(BlockedTrigger.proposal_id == proposal_id).values(is_resolved=True)
    )


def hold_next_entries(
    session: Session, *, workspace_id: str, at: datetime, limit: int
) -> Sequence[SupervisedQueueEntry]:
    """Return the entries to run next, highest priority first; those another worker holds are left out."""
    return session.scalars(NEXT_ENTRIES, {"workspace": workspace_id, "at": at, "limit": limit}).all()


def cancel_expired_entries(session: Session, *, workspace_id: str, at: datetime) -> int:
    """Cancel the waiting entries whose time is over, and return how many there were."""
    return _change(session, CANCEL_EXPIRED_ENTRIES, {"workspace": workspace_id, "at": at})


def _change(session: Session, statement: Update, parameters: Mapping[str, Any]) -> int:
    """Change rows past the session, which reads them anew if there were any; return how many."""
    session.flush()
    n_changed = session.connection().execute(statement, parameters).rowcount
    if n_changed:
        session.expire_all()
    return n_changed
