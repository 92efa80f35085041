"""A proposal goes one way, and each step is taken once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from atom.governance import proposals, triggers
from atom.governance.models import AgentProposal, BlockedTrigger, ProposalStatus, ProposalType
from atom.governance.routing import TriggerSource
from atom.graduation.training_sessions import has_training
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, NotFoundError
from atom.kit.pagination import PageRequest
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant


def take(step: str, session: Session, clock: ManualClock, office: Tenant, proposal_id: str) -> AgentProposal:
    where = {"workspace_id": office.workspace_id, "proposal_id": proposal_id}
    match step:
        case "approve" | "reject":
            return proposals.decide_proposal(
                session, clock, **where, user_id=office.user_id, is_approved=step == "approve"
            )
        case "cancel":
            return proposals.cancel_proposal(session, clock, has_training, **where)
        case _:
            return proposals.execute_proposal(session, clock, has_training, **where)


@pytest.mark.parametrize(
    ("steps", "illegal", "status"),
    [
        ([], "execute", "proposed"),
        (["approve"], "approve", "approved"),
        (["approve"], "reject", "approved"),
        (["reject"], "approve", "rejected"),
        (["reject"], "cancel", "rejected"),
        (["cancel"], "approve", "cancelled"),
        (["approve", "execute"], "cancel", "executed"),
        (["approve", "execute"], "execute", "executed"),
        (["approve", "cancel"], "execute", "cancelled"),
    ],
)
def test_a_proposal_goes_one_way(database: Database, steps: list[str], illegal: str, status: str) -> None:
    """A step that does not follow is refused, and the row stays as the last legal step left it."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office = factories.tenant(session)
        proposal = proposals.propose(session, clock, **office.agent, type=ProposalType.ACTION)
        assert (proposal.status, proposal.created_at, proposal.changed_at) == ("proposed", NOW, None)
        for step in steps:
            clock.advance(timedelta(minutes=1))
            assert take(step, session, clock, office, proposal.id) is proposal
        changed_at = clock.now() if steps else None
        clock.advance(timedelta(minutes=1))
        with pytest.raises(ConflictError, match=status):
            take(illegal, session, clock, office, proposal.id)
        session.expire_all()
        assert (proposal.status, proposal.changed_at) == (status, changed_at)
        assert proposal.approved_by == (office.user_id if "approve" in steps else None)


@pytest.mark.parametrize("step", ["approve", "reject", "cancel"])
def test_another_workspaces_proposal_is_not_there(database: Database, step: str) -> None:
    """Whoever asks from elsewhere finds nothing and changes nothing."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        proposal = proposals.propose(session, clock, **office.agent, type=ProposalType.ANALYSIS)
        with pytest.raises(NotFoundError, match=proposal.id):
            take(step, session, clock, stranger, proposal.id)
        session.expire_all()
        assert proposal.status is ProposalStatus.PROPOSED


def test_who_decides_and_proposes_belongs_to_the_workspace(database: Database) -> None:
    """A user of another workspace neither proposes nor approves."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        with pytest.raises(NotFoundError, match=stranger.user_id):
            proposals.propose(
                session, clock, **office.agent, type=ProposalType.ACTION, proposed_by=stranger.user_id
            )
        proposal = proposals.propose(
            session, clock, **office.agent, type=ProposalType.ACTION, proposed_by=office.user_id
        )
        assert proposal.proposed_by == office.user_id
        with pytest.raises(NotFoundError, match=stranger.user_id):
            proposals.decide_proposal(
                session,
                clock,
                workspace_id=office.workspace_id,
                proposal_id=proposal.id,
                user_id=stranger.user_id,
                is_approved=True,
            )
        with pytest.raises(NotFoundError, match=stranger.agent_id):
            proposals.propose(
                session,
                clock,
                workspace_id=office.workspace_id,
                agent_id=stranger.agent_id,
                type=ProposalType.ACTION,
            )


def test_what_was_blocked_for_it_is_resolved(database: Database) -> None:
    """Carrying a proposal out resolves its own blocked triggers, and no other."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office = factories.tenant(session, status="intern")
        routed = [
            triggers.route_trigger(
                session,
                clock,
                **office.agent,
                trigger=triggers.Trigger(source=TriggerSource.DATA_SYNC, user_id=office.user_id, context={}),
                is_supervisor_available=True,
            )
            for _ in range(2)
        ]
        assert routed[0].proposal_id is not None
        for step in ("approve", "execute"):
            take(step, session, clock, office, routed[0].proposal_id)
        session.expire_all()
        resolved = [session.get_one(BlockedTrigger, one.blocked_trigger_id).is_resolved for one in routed]
        assert resolved == [True, False]


def test_proposals_are_listed_newest_first_page_by_page(database: Database) -> None:
    """Each proposal of the workspace is on one page; an agent's list has its own only."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        second = factories.agent(session, workspace_id=office.workspace_id).id
        written: list[str] = []
        for agent_id in (office.agent_id, second, second):
            proposal = proposals.propose(
                session,
                clock,
                workspace_id=office.workspace_id,
                agent_id=agent_id,
                type=ProposalType.ACTION,
            )
            written.insert(0, proposal.id)
            clock.advance(timedelta(seconds=1))
        proposals.propose(session, clock, **stranger.agent, type=ProposalType.ACTION)

        first = proposals.list_proposals(session, workspace_id=office.workspace_id, page=PageRequest(limit=2))
        rest = proposals.list_proposals(
            session, workspace_id=office.workspace_id, page=PageRequest(limit=2, after=first.next)
        )
        assert [row.id for row in first.items] == written[:2]
        assert [row.id for row in rest.items] == written[2:]
        assert rest.next is None
        whole = proposals.list_proposals(session, workspace_id=office.workspace_id, agent_id=second)
        assert [row.id for row in whole.items] == written[:2]
        assert whole.next is None
        assert session.query(AgentProposal).count() == 4


def test_proposals_of_one_moment_are_on_one_page_each(database: Database) -> None:
    """Where times are equal, the id orders them, and no page repeats or drops one."""
    with database.session() as session:
        office = factories.tenant(session)
        written = {
            proposals.propose(session, ManualClock(NOW), **office.agent, type=ProposalType.ACTION).id
            for _ in range(5)
        }
        seen: list[str] = []
        page = PageRequest(limit=2)
        while True:
            found = proposals.list_proposals(session, workspace_id=office.workspace_id, page=page)
            seen += [row.id for row in found.items]
            if found.next is None:
                break
            page = PageRequest(limit=2, after=found.next)
        assert seen == sorted(written, reverse=True)


def test_a_decision_sees_what_was_committed_meanwhile(database: Database) -> None:
    """The held row is read anew, although the session knows an older state of it."""
    with database.session() as session:
        office = factories.tenant(session)
        proposal = proposals.propose(session, ManualClock(NOW), **office.agent, type=ProposalType.ACTION)
        session.connection().execute(update(AgentProposal).values(status="cancelled"))
        with pytest.raises(ConflictError, match="cancelled"):
            take("approve", session, ManualClock(NOW), office, proposal.id)
