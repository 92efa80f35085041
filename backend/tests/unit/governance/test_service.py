"""What is asked has to be a name."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from atom.governance import service
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfAgent


@pytest.mark.parametrize("action", ["", " ", "x" * 201, "nul\0"])
def test_an_action_whose_name_is_unfit_is_refused(database: Database, action: str) -> None:
    """Blank, endless or unstorable text is refused by its field, before anything is remembered."""
    decisions = DecisionCache(GovernanceCache(ManualClock(NOW)))
    with database.session() as session:
        tenant = factories.tenant(session)
        with pytest.raises(InvalidError) as asked:
            service.can_perform(session, decisions, **tenant.agent, action=action)
        with pytest.raises(InvalidError) as enforced:
            service.enforce(session, **tenant.agent, action=action)
        assert asked.value.field == enforced.value.field == "action"
        assert service.enforce(session, **tenant.agent, action="x" * 200).proceeds


def test_data_and_capabilities_are_those_of_the_workspace(database: Database) -> None:
    """A foreign agent or user is not there."""
    with database.session() as session:
        tenant, stranger = factories.tenant(session), factories.tenant(session)
        asked: dict[str, Any] = {**tenant.agent, "user_id": tenant.user_id}
        for wrong in ({"agent_id": stranger.agent_id}, {"user_id": stranger.user_id}):
            with pytest.raises(NotFoundError):
                service.may_access_data(session, **(asked | wrong))
        with pytest.raises(NotFoundError):
            service.list_capabilities(session, workspace_id=tenant.workspace_id, agent_id=stranger.agent_id)


def test_enforcement_sees_what_was_committed_meanwhile(database: Database) -> None:
    """The row decides, although the session knows an older state of it."""
    with database.session() as session:
        workspace = factories.workspace(session)
        agent = factories.agent(session, workspace_id=workspace.id, status="autonomous")
        session.connection().execute(update(type(agent)).values(status="paused"))
        where = OfAgent(workspace_id=workspace.id, agent_id=agent.id)
        assert not service.enforce(session, **where, action="list").proceeds
