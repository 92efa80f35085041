"""Use cases of approval: an agent asks, a person answers once, and an old question lapses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atom.agents.service import require_agent
from atom.governance import repository
from atom.governance.models import ApprovalStatus, HitlAction
from atom.governance.policy import ACTION_LENGTH
from atom.identity.users import require_user
from atom.kit.clock import moved
from atom.kit.errors import ConflictError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import Page, PageRequest
from atom.kit.text import check_json, check_text

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock


def request_approval(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    agent_id: str,
    action_type: str,
    params: dict[str, Any],
) -> HitlAction:
    """Ask a person whether the agent may take an action."""
    check_text(action_type, field="action_type", max_length=ACTION_LENGTH)
    check_json(params, field="params")
    require_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    action = HitlAction(
        id=new_id(),
        agent_id=agent_id,
        action_type=action_type,
        params=params,
        status=ApprovalStatus.PENDING,
        created_at=clock.now(),
    )
    session.add(action)
    session.flush()
    return action


def decide_approval(
    session: Session, clock: Clock, *, workspace_id: str, action_id: str, user_id: str, is_approved: bool
) -> HitlAction:
    """Answer a question that is still open; the answer is final."""
    require_user(session, workspace_id=workspace_id, user_id=user_id)
    action = repository.hold(session, HitlAction, workspace_id=workspace_id, row_id=action_id)
    if action is None:
        raise NotFoundError("approval", action_id)
    if action.status is not ApprovalStatus.PENDING:
        raise ConflictError(f"approval {action_id!r} is {action.status.value!r} already, which is final")
    action.status = ApprovalStatus.APPROVED if is_approved else ApprovalStatus.REJECTED
    action.reviewed_at = clock.now()
    action.reviewed_by = user_id
    session.flush()
    return action


def expire_approvals(session: Session, clock: Clock, *, workspace_id: str, older_than: timedelta) -> int:
    """Close the questions that have been open for that long, and return how many there were."""
    now = clock.now()
    return repository.expire_approvals(
        session, workspace_id=workspace_id, asked_before=moved(now, -older_than), at=now
    )


def list_approvals(
    session: Session, *, workspace_id: str, agent_id: str | None = None, page: PageRequest | None = None
) -> Page[HitlAction]:
    """Return the questions of a workspace, of one agent if it is given, newest first."""
    return repository.newest_page(
        session, HitlAction, workspace_id=workspace_id, agent_id=agent_id, page=page or PageRequest()
    )
