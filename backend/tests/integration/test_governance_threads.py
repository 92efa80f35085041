"""Two people at once: a decision is made once, an outcome is not lost, a run is started by one worker."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread

import pytest
from sqlalchemy.orm import Session

from atom.agents import service as registry
from atom.agents.models import Agent
from atom.governance import approvals, proposals, supervised_queue
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.models import ProposalType, SupervisedQueueEntry
from atom.graduation import supervision_sessions, training_sessions
from atom.graduation.training_sessions import has_training
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError
from tests import factories
from tests.database import Clone, Database
from tests.factories import NOW, Tenant
from tests.keywords import OfWorkspace

pytestmark = pytest.mark.integration

HEAD_START_S = 0.2
"""How long the second may work before the first commits: correct code passes however long it takes."""

CLOCK = ManualClock(NOW)
Use = Callable[[Session], object]


def meet(clone: Clone, use: Use) -> list[object]:
    """Do the same twice, the second time while the first is not committed yet; return the results."""
    results: list[object] = []

    def second() -> None:
        try:
            with clone.sessions.begin() as session:
                results.append(use(session))
        except ConflictError as error:
            results.append(error)

    with clone.sessions() as session:
        results.append(use(session))
        thread = Thread(target=second)
        thread.start()
        thread.join(HEAD_START_S)
        session.commit()
    thread.join(30)
    assert not thread.is_alive()
    return results


def decisions() -> DecisionCache:
    return DecisionCache(GovernanceCache(CLOCK))


def approval(session: Session, tenant: Tenant) -> Use:
    asked = approvals.request_approval(session, CLOCK, **tenant.agent, action_type="delete", params={})
    answer = {"workspace_id": tenant.workspace_id, "action_id": asked.id, "user_id": tenant.user_id}
    return lambda session: approvals.decide_approval(session, CLOCK, **answer, is_approved=True)


def proposal(session: Session, tenant: Tenant) -> Use:
    proposed = proposals.propose(session, CLOCK, **tenant.agent, type=ProposalType.ACTION)
    where = {"workspace_id": tenant.workspace_id, "proposal_id": proposed.id}
    return lambda session: proposals.cancel_proposal(session, CLOCK, has_training, **where)


def training(session: Session, tenant: Tenant) -> Use:
    proposed = proposals.propose(session, CLOCK, **tenant.agent, type=ProposalType.TRAINING)
    where = OfWorkspace(workspace_id=tenant.workspace_id)
    scheduled = training_sessions.approve_training(
        session, CLOCK, **where, proposal_id=proposed.id, supervisor_id=tenant.user_id
    )
    training_sessions.start_training(session, **where, training_id=scheduled.id)
    end = partial(
        training_sessions.complete_training, **where, training_id=scheduled.id, performance_score=0.1
    )
    return lambda session: end(session, CLOCK, decisions())


def supervision(session: Session, tenant: Tenant) -> Use:
    watched = supervision_sessions.start_supervision(
        session, CLOCK, **tenant.agent, supervisor_id=tenant.user_id
    )
    end = partial(
        supervision_sessions.complete_supervision,
        workspace_id=tenant.workspace_id,
        supervision_id=watched.id,
        rating=3,
    )
    return lambda session: end(session, CLOCK, decisions())


@pytest.mark.parametrize("prepare", [approval, proposal, training, supervision])
def test_of_two_who_end_a_session_at_once_one_is_refused(
    database: Database, prepare: Callable[[Session, Tenant], Use]
) -> None:
    """The second finds what the first did, and is refused; the agent gains what one of them is worth."""
    with database.clone() as clone:
        with clone.sessions.begin() as session:
            tenant = factories.tenant(session, status="intern", confidence=0.6)
            use = prepare(session, tenant)
        first, second = meet(clone, use)
        assert not isinstance(first, ConflictError)
        assert isinstance(second, ConflictError)
        with clone.sessions.begin() as session:
            gained = 0.05 if prepare in (training, supervision) else 0.0
            assert session.get_one(Agent, tenant.agent_id).confidence == pytest.approx(0.6 + gained)


def test_two_outcomes_at_once_both_count(database: Database) -> None:
    """Two successes at once are two successes."""
    with database.clone() as clone:
        with clone.sessions.begin() as session:
            tenant = factories.tenant(session, status="intern", confidence=0.6)
        meet(clone, lambda s: registry.record_outcome(s, decisions(), **tenant.agent, is_success=True))
        with clone.sessions.begin() as session:
            assert session.get_one(Agent, tenant.agent_id).confidence == 0.62


def test_two_workers_start_different_entries(database: Database) -> None:
    """Each of two entries is started once, the most urgent by the first worker."""
    with database.clone() as clone:
        with clone.sessions.begin() as session:
            tenant = factories.tenant(session)
            urgent, calm = (
                factories.queue_entry(
                    session, agent_id=tenant.agent_id, user_id=tenant.user_id, priority=priority
                ).id
                for priority in (5, 1)
            )

        def claim(session: Session) -> list[str]:
            batch = supervised_queue.claim_batch(session, CLOCK, workspace_id=tenant.workspace_id, limit=1)
            return [entry.id for entry in batch]

        assert meet(clone, claim) == [[urgent], [calm]]
        with clone.sessions.begin() as session:
            assert {entry.attempt_count for entry in session.query(SupervisedQueueEntry)} == {1}


def test_registering_a_class_at_once_gives_one_agent(database: Database) -> None:
    """Two registrations of one class at the same time both return the same row."""
    registration = registry.Registration(name="n", category="c", module_path="m", class_name="C")
    with database.clone() as clone:
        with clone.sessions.begin() as session:
            workspace_id = factories.workspace(session).id
        first, second = meet(
            clone,
            lambda s: registry.register(s, workspace_id=workspace_id, registration=registration).id,
        )
        assert first == second
