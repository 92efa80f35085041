"""Use cases of training: an approved proposal becomes a training, and a finished training confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom.agents.maturity import AgentStatus
from atom.agents.service import AgentWatcher, hold_agent, set_standing
from atom.governance import proposals
from atom.governance.models import ProposalStatus, ProposalType
from atom.graduation import repository
from atom.graduation.models import TrainingSession, TrainingStatus
from atom.graduation.training import standing_after_training, training_boost
from atom.identity.users import require_user
from atom.kit.errors import ConflictError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import Page, PageRequest

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock

NEXT = {
    TrainingStatus.SCHEDULED: (TrainingStatus.IN_PROGRESS, TrainingStatus.CANCELLED),
    TrainingStatus.IN_PROGRESS: (
        TrainingStatus.COMPLETED,
        TrainingStatus.CANCELLED,
        TrainingStatus.FAILED,
    ),
}
"""Where a training can go; what is not listed is final."""


def approve_training(
    session: Session, clock: Clock, *, workspace_id: str, proposal_id: str, supervisor_id: str
) -> TrainingSession:
    """
    Schedule the training that was proposed, once, under the supervisor.

    A proposal that nobody has decided is approved by the supervisor with it; one that was approved stays so.
    """
    require_user(session, workspace_id=workspace_id, user_id=supervisor_id)
    proposal = proposals.hold_proposal(session, workspace_id=workspace_id, proposal_id=proposal_id)
    if proposal.type is not ProposalType.TRAINING:
        raise ConflictError(f"proposal {proposal_id!r} is for {proposal.type.value!r}, not for a training")
    if has_training(session, proposal_id=proposal_id):
        raise ConflictError(f"proposal {proposal_id!r} is {proposal.status.value!r} and has its training")
    if proposal.status is not ProposalStatus.APPROVED:
        proposals.move(session, clock, proposal, ProposalStatus.APPROVED)
        proposal.approved_by = supervisor_id
    training = TrainingSession(
        id=new_id(),
        proposal_id=proposal_id,
        agent_id=proposal.agent_id,
        supervisor_id=supervisor_id,
        status=TrainingStatus.SCHEDULED,
        promoted_to_intern=False,
        created_at=clock.now(),
    )
    session.add(training)
    session.flush()
    return training


def has_training(session: Session, *, proposal_id: str) -> bool:
    """Whether a training was made from the proposal."""
    return repository.has_training(session, proposal_id=proposal_id)


def list_trainings(
    session: Session,
    *,
    workspace_id: str,
    agent_id: str | None = None,
    status: TrainingStatus | None = None,
    page: PageRequest | None = None,
) -> Page[TrainingSession]:
    """Return the trainings of the workspace's agents, the one that was scheduled last first."""
    return repository.newest_page(
        session,
        TrainingSession,
        TrainingSession.created_at,
        workspace_id=workspace_id,
        page=page or PageRequest(),
        agent_id=agent_id,
        status=status,
    )


def start_training(session: Session, *, workspace_id: str, training_id: str) -> TrainingSession:
    """Begin a scheduled training."""
    training = _hold(session, workspace_id=workspace_id, training_id=training_id)
    _check_move(training, TrainingStatus.IN_PROGRESS)
    training.status = TrainingStatus.IN_PROGRESS
    session.flush()
    return training


def complete_training(
    session: Session,
    clock: Clock,
    watcher: AgentWatcher,
    *,
    workspace_id: str,
    training_id: str,
    performance_score: float,
) -> TrainingSession:
    """
    End a training with a performance: the agent gains confidence, and as a student perhaps a rung.

    Its proposal is carried out by that, and what was blocked for it is resolved.
    """
    boost = training_boost(performance_score)
    training = _hold(session, workspace_id=workspace_id, training_id=training_id)
    _check_move(training, TrainingStatus.COMPLETED)
    agent = hold_agent(session, workspace_id=workspace_id, agent_id=training.agent_id)
    before = agent.status
    status, confidence = standing_after_training(before, agent.confidence, boost)
    training.performance_score = performance_score
    training.confidence_boost = boost
    training.promoted_to_intern = status is AgentStatus.INTERN and before is AgentStatus.STUDENT
    _end(session, clock, training, TrainingStatus.COMPLETED)
    set_standing(session, watcher, agent, status=status, confidence=confidence)
    proposal = proposals.hold_proposal(session, workspace_id=workspace_id, proposal_id=training.proposal_id)
    proposals.carry_out(session, clock, proposal)
    return training


def cancel_training(
    session: Session, clock: Clock, *, workspace_id: str, training_id: str
) -> TrainingSession:
    """Cancel a training and its proposal."""
    return _give_up(session, clock, workspace_id, training_id, TrainingStatus.CANCELLED)


def fail_training(session: Session, clock: Clock, *, workspace_id: str, training_id: str) -> TrainingSession:
    """Note that a running training failed, and its proposal with it."""
    return _give_up(session, clock, workspace_id, training_id, TrainingStatus.FAILED)


def _give_up(
    session: Session, clock: Clock, workspace_id: str, training_id: str, to: TrainingStatus
) -> TrainingSession:
    training = _hold(session, workspace_id=workspace_id, training_id=training_id)
    _check_move(training, to)
    _end(session, clock, training, to)
    proposal = proposals.hold_proposal(session, workspace_id=workspace_id, proposal_id=training.proposal_id)
    proposals.move(session, clock, proposal, ProposalStatus.CANCELLED)
    return training


def _hold(session: Session, *, workspace_id: str, training_id: str) -> TrainingSession:
    training = repository.hold(session, TrainingSession, workspace_id=workspace_id, row_id=training_id)
    if training is None:
        raise NotFoundError("training", training_id)
    return training


def _check_move(training: TrainingSession, to: TrainingStatus) -> None:
    if to not in NEXT.get(training.status, ()):
        raise ConflictError(
            f"training {training.id!r} is {training.status.value!r} and cannot become {to.value!r}"
        )


def _end(session: Session, clock: Clock, training: TrainingSession, to: TrainingStatus) -> None:
    training.status = to
    training.ended_at = clock.now()
    session.flush()
