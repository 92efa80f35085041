"""A training goes one way, and takes its proposal with it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from atom.agents.models import Agent
from atom.governance import proposals
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.models import ProposalType
from atom.graduation import training_sessions
from atom.graduation.models import TrainingSession
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfWorkspace


def take(step: str, session: Session, clock: ManualClock, workspace_id: str, training_id: str) -> None:
    where = {"workspace_id": workspace_id, "training_id": training_id}
    match step:
        case "start":
            training_sessions.start_training(session, **where)
        case "complete":
            decisions = DecisionCache(GovernanceCache(clock))
            training_sessions.complete_training(session, clock, decisions, **where, performance_score=0.6)
        case "cancel":
            training_sessions.cancel_training(session, clock, **where)
        case "fail":
            training_sessions.fail_training(session, clock, **where)


@pytest.mark.parametrize(
    ("steps", "illegal", "status", "proposal_status"),
    [
        ([], "complete", "scheduled", "approved"),
        ([], "fail", "scheduled", "approved"),
        (["start"], "start", "in_progress", "approved"),
        (["cancel"], "start", "cancelled", "cancelled"),
        (["start", "cancel"], "complete", "cancelled", "cancelled"),
        (["start", "fail"], "cancel", "failed", "cancelled"),
        (["start", "complete"], "fail", "completed", "executed"),
    ],
)
def test_a_training_goes_one_way(
    database: Database, steps: list[str], illegal: str, status: str, proposal_status: str
) -> None:
    """A step that does not follow is refused and moves nothing; nobody else's workspace has the training."""
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant = factories.tenant(session, status="intern", confidence=0.6)
        stranger = factories.tenant(session)
        proposal = proposals.propose(session, clock, **tenant.agent, type=ProposalType.TRAINING)
        training = training_sessions.approve_training(
            session,
            clock,
            workspace_id=tenant.workspace_id,
            proposal_id=proposal.id,
            supervisor_id=tenant.user_id,
        )
        assert (training.status, training.created_at, training.ended_at) == ("scheduled", NOW, None)
        assert (training.agent_id, training.supervisor_id) == (tenant.agent_id, tenant.user_id)
        assert (proposal.status, proposal.approved_by) == ("approved", tenant.user_id)
        for step in steps:
            clock.advance(timedelta(hours=1))
            with pytest.raises(NotFoundError, match=training.id):
                take(step, session, clock, stranger.workspace_id, training.id)
            take(step, session, clock, tenant.workspace_id, training.id)
        ended_at = None if status in ("scheduled", "in_progress") else clock.now()
        clock.advance(timedelta(hours=1))
        with pytest.raises(ConflictError, match=status):
            take(illegal, session, clock, tenant.workspace_id, training.id)
        session.expire_all()
        assert (training.status, training.ended_at) == (status, ended_at)
        assert proposal.status == proposal_status
        confidence = session.get_one(Agent, tenant.agent_id).confidence
        assert confidence == (0.75 if status == "completed" else 0.6)
        assert training.promoted_to_intern is False


def test_only_an_open_training_proposal_becomes_a_training(database: Database) -> None:
    """Another kind, another workspace's user, or a second approval is refused, and nothing is written."""
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant, stranger = factories.tenant(session), factories.tenant(session)
        action = proposals.propose(session, clock, **tenant.agent, type=ProposalType.ACTION)
        open_one = proposals.propose(session, clock, **tenant.agent, type=ProposalType.TRAINING)

        def approve(proposal_id: str, supervisor_id: str = tenant.user_id) -> None:
            training_sessions.approve_training(
                session,
                clock,
                workspace_id=tenant.workspace_id,
                proposal_id=proposal_id,
                supervisor_id=supervisor_id,
            )

        with pytest.raises(ConflictError, match="action"):
            approve(action.id)
        with pytest.raises(NotFoundError, match=stranger.user_id):
            approve(open_one.id, stranger.user_id)
        with pytest.raises(NotFoundError, match="nothing"):
            approve("nothing")
        session.expire_all()
        assert (action.status, open_one.status) == ("proposed", "proposed")
        assert session.query(TrainingSession).count() == 0
        approve(open_one.id)
        with pytest.raises(ConflictError, match="approved"):
            approve(open_one.id)
        assert session.query(TrainingSession).count() == 1


def test_who_approved_a_proposal_stays_who_approved_it(database: Database) -> None:
    """One decides on the proposal, another one of the workspace holds the training; a stranger may not."""
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant, stranger = factories.tenant(session), factories.tenant(session)
        trainer = factories.user(session, workspace_id=tenant.workspace_id)
        proposal = proposals.propose(session, clock, **tenant.agent, type=ProposalType.TRAINING)
        where = {"workspace_id": tenant.workspace_id, "proposal_id": proposal.id}
        proposals.decide_proposal(session, clock, **where, user_id=tenant.user_id, is_approved=True)
        with pytest.raises(NotFoundError, match=stranger.user_id):
            training_sessions.approve_training(session, clock, **where, supervisor_id=stranger.user_id)
        training = training_sessions.approve_training(session, clock, **where, supervisor_id=trainer.id)
        session.expire_all()
        assert (proposal.status, proposal.approved_by) == ("approved", tenant.user_id)
        assert (training.status, training.supervisor_id) == ("scheduled", trainer.id)


def test_a_performance_out_of_range_ends_nothing(database: Database) -> None:
    """The training is still in progress."""
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant = factories.tenant(session)
        proposal = proposals.propose(session, clock, **tenant.agent, type=ProposalType.TRAINING)
        where = OfWorkspace(workspace_id=tenant.workspace_id)
        training = training_sessions.approve_training(
            session, clock, **where, proposal_id=proposal.id, supervisor_id=tenant.user_id
        )
        training_sessions.start_training(session, **where, training_id=training.id)
        with pytest.raises(InvalidError, match="performance"):
            training_sessions.complete_training(
                session,
                clock,
                DecisionCache(GovernanceCache(clock)),
                **where,
                training_id=training.id,
                performance_score=1.1,
            )
        session.expire_all()
        assert training.status == "in_progress"
