"""Use cases of supervision: a person watches a run, steps in, ends it or rates it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from atom.agents.service import AgentWatcher, get_agent, hold_agent, set_standing
from atom.graduation import repository
from atom.graduation.models import SupervisionSession, SupervisionStatus
from atom.graduation.supervision import standing_after_supervision, supervision_boost
from atom.identity.users import require_user
from atom.kit.errors import ConflictError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import Page, PageRequest
from atom.kit.text import check_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock

MAX_NOTE = 2_000
MAX_INTERVENTIONS = 200
"""The most that a session takes before a termination: one JSON document holds them all."""


class Intervention(StrEnum):
    """How a supervisor steps in."""

    PAUSE = "pause"
    CORRECT = "correct"
    TERMINATE = "terminate"


def start_supervision(
    session: Session, clock: Clock, *, workspace_id: str, agent_id: str, supervisor_id: str
) -> SupervisionSession:
    """Begin to watch a run of an agent."""
    get_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    require_user(session, workspace_id=workspace_id, user_id=supervisor_id)
    supervision = SupervisionSession(
        id=new_id(),
        agent_id=agent_id,
        workspace_id=workspace_id,
        supervisor_id=supervisor_id,
        status=SupervisionStatus.RUNNING,
        started_at=clock.now(),
        intervention_count=0,
        interventions=[],
    )
    session.add(supervision)
    session.flush()
    return supervision


def intervene(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    supervision_id: str,
    intervention: Intervention,
    note: str,
) -> SupervisionSession:
    """Step into a running session: a pause or a correction leaves it running, a termination ends it."""
    check_text(note, field="note", max_length=MAX_NOTE)
    supervision = _hold_running(session, workspace_id=workspace_id, supervision_id=supervision_id)
    is_last = intervention is Intervention.TERMINATE
    if supervision.intervention_count >= MAX_INTERVENTIONS and not is_last:
        raise ConflictError(
            f"supervision {supervision_id!r} has {MAX_INTERVENTIONS} interventions, which is the limit"
        )
    now = clock.now()
    supervision.interventions.append({"type": intervention.value, "note": note, "at": now.isoformat()})
    supervision.intervention_count += 1
    if is_last:
        _end(supervision, clock, SupervisionStatus.INTERRUPTED)
    session.flush()
    return supervision


def complete_supervision(
    session: Session,
    clock: Clock,
    watcher: AgentWatcher,
    *,
    workspace_id: str,
    supervision_id: str,
    rating: int,
) -> SupervisionSession:
    """End a running session with a rating, which moves the agent's confidence and perhaps its rung."""
    supervision = _hold_running(session, workspace_id=workspace_id, supervision_id=supervision_id)
    boost = supervision_boost(rating=rating, n_interventions=supervision.intervention_count)
    agent = hold_agent(session, workspace_id=workspace_id, agent_id=supervision.agent_id)
    status, confidence = standing_after_supervision(agent.status, agent.confidence, boost)
    supervision.supervisor_rating = rating
    supervision.confidence_boost = boost
    _end(supervision, clock, SupervisionStatus.COMPLETED)
    session.flush()
    set_standing(session, watcher, agent, status=status, confidence=confidence)
    return supervision


def fail_supervision(
    session: Session, clock: Clock, *, workspace_id: str, supervision_id: str
) -> SupervisionSession:
    """Note that the watched run failed; the agent's confidence stays."""
    supervision = _hold_running(session, workspace_id=workspace_id, supervision_id=supervision_id)
    _end(supervision, clock, SupervisionStatus.FAILED)
    session.flush()
    return supervision


def list_supervisions(
    session: Session,
    *,
    workspace_id: str,
    agent_id: str | None = None,
    status: SupervisionStatus | None = None,
    page: PageRequest | None = None,
) -> Page[SupervisionSession]:
    """Return the supervised sessions of the workspace's agents, the one that began last first."""
    return repository.newest_page(
        session,
        SupervisionSession,
        SupervisionSession.started_at,
        workspace_id=workspace_id,
        page=page or PageRequest(),
        agent_id=agent_id,
        status=status,
    )


def _hold_running(session: Session, *, workspace_id: str, supervision_id: str) -> SupervisionSession:
    supervision = repository.hold(
        session, SupervisionSession, workspace_id=workspace_id, row_id=supervision_id
    )
    if supervision is None:
        raise NotFoundError("supervision", supervision_id)
    if supervision.status is not SupervisionStatus.RUNNING:
        raise ConflictError(
            f"supervision {supervision_id!r} is {supervision.status.value!r}, expected 'running'"
        )
    return supervision


def _end(supervision: SupervisionSession, clock: Clock, to: SupervisionStatus) -> None:
    now = clock.now()
    supervision.status = to
    supervision.completed_at = now
    supervision.duration_seconds = max(0.0, (now - supervision.started_at).total_seconds())
