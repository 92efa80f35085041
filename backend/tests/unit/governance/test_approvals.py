"""Who may ask for an approval, who may answer, and what is listed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from atom.governance import approvals
from atom.governance.models import ApprovalStatus, HitlAction
from atom.kit.clock import ManualClock
from atom.kit.errors import AtomError, InvalidError, NotFoundError
from atom.kit.pagination import PageRequest
from tests import factories
from tests.database import Database
from tests.factories import NOW


def test_a_question_is_about_a_real_agent_and_a_storable_action(database: Database) -> None:
    """Anything else is refused, and nothing is written."""
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        good: dict[str, Any] = {**office.agent, "action_type": "delete", "params": {}}
        mistakes: list[tuple[dict[str, Any], type[AtomError]]] = [
            ({"agent_id": stranger.agent_id}, NotFoundError),
            ({"action_type": ""}, InvalidError),
            ({"params": {"x": "\0"}}, InvalidError),
        ]
        for wrong, error in mistakes:
            with pytest.raises(error):
                approvals.request_approval(session, ManualClock(NOW), **{**good, **wrong})
        assert session.query(HitlAction).count() == 0


def test_an_answer_comes_from_the_workspace(database: Database) -> None:
    """A user of another workspace is not there, and an unknown question neither."""
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        asked = approvals.request_approval(
            session, ManualClock(NOW), **office.agent, action_type="delete", params={}
        )
        for wrong in ({"user_id": stranger.user_id}, {"action_id": "none"}):
            answer = {"action_id": asked.id, "user_id": office.user_id} | wrong
            with pytest.raises(NotFoundError):
                approvals.decide_approval(
                    session, ManualClock(NOW), workspace_id=office.workspace_id, is_approved=True, **answer
                )
        session.expire_all()
        assert asked.status is ApprovalStatus.PENDING


def test_only_open_questions_of_the_workspace_lapse(database: Database) -> None:
    """Another workspace's questions stay open, answered ones stay answered."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        asked, foreign, answered = (
            approvals.request_approval(session, clock, **place.agent, action_type="delete", params={})
            for place in (office, stranger, office)
        )
        approvals.decide_approval(
            session,
            clock,
            workspace_id=office.workspace_id,
            action_id=answered.id,
            user_id=office.user_id,
            is_approved=True,
        )
        clock.advance(timedelta(hours=2))
        n_expired = approvals.expire_approvals(
            session, clock, workspace_id=office.workspace_id, older_than=timedelta(hours=2)
        )
        session.expire_all()
        assert n_expired == 1
        assert [asked.status, foreign.status, answered.status] == ["EXPIRED", "PENDING", "APPROVED"]
        assert (asked.reviewed_at, asked.reviewed_by) == (clock.now(), None)


def test_questions_are_listed_newest_first(database: Database) -> None:
    """Those of the workspace, page by page, or of one agent of it."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        written = []
        for place in (office, office, office, office, stranger):
            asked = approvals.request_approval(session, clock, **place.agent, action_type="delete", params={})
            written.append(asked.id)
            clock.advance(timedelta(seconds=1))
        first = approvals.list_approvals(session, workspace_id=office.workspace_id, page=PageRequest(limit=3))
        rest = approvals.list_approvals(
            session, workspace_id=office.workspace_id, page=PageRequest(after=first.next)
        )
        assert [row.id for row in first.items] == written[3:0:-1]
        assert ([row.id for row in rest.items], rest.next) == (written[:1], None)
        foreign = approvals.list_approvals(
            session, workspace_id=office.workspace_id, agent_id=stranger.agent_id
        )
        assert foreign.items == ()
