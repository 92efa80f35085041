"""A trigger that is refused writes nothing, one that is blocked can be read again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from atom.governance import triggers
from atom.governance.models import AgentProposal, BlockedTrigger, SupervisedQueueEntry
from atom.governance.routing import TriggerSource
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant


def trigger(office: Tenant, **values: Any) -> triggers.Trigger:
    return triggers.Trigger(
        **{"source": TriggerSource.DATA_SYNC, "user_id": office.user_id, "context": {}, **values}
    )


@pytest.mark.parametrize("status", ["student", "supervised", "autonomous"])
def test_a_trigger_of_strangers_or_nonsense_is_refused(database: Database, status: str) -> None:
    """Whatever the agent would have done with it, nothing is written."""
    with database.session() as session:
        office, stranger = factories.tenant(session, status=status), factories.tenant(session)
        for agent_id, wrong, error in [
            (stranger.agent_id, trigger(office), NotFoundError),
            (office.agent_id, trigger(stranger), NotFoundError),
            (office.agent_id, trigger(office, context={"x": {1}}), InvalidError),
        ]:
            with pytest.raises(error):
                triggers.route_trigger(
                    session,
                    ManualClock(NOW),
                    workspace_id=office.workspace_id,
                    agent_id=agent_id,
                    trigger=wrong,
                    is_supervisor_available=False,
                )
        for model in (BlockedTrigger, AgentProposal, SupervisedQueueEntry):
            assert session.query(model).count() == 0


def test_blocked_triggers_are_listed_newest_first(database: Database) -> None:
    """Those of the workspace, or of one agent of it."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office, stranger = (factories.tenant(session, status="student") for _ in range(2))
        written = []
        for place in (office, office, stranger):
            routed = triggers.route_trigger(
                session, clock, **place.agent, trigger=trigger(place), is_supervisor_available=True
            )
            written.append(routed.blocked_trigger_id)
            clock.advance(timedelta(seconds=1))
        page = triggers.list_blocked_triggers(session, workspace_id=office.workspace_id)
        assert [row.id for row in page.items] == written[1::-1]
        foreign = triggers.list_blocked_triggers(
            session, workspace_id=office.workspace_id, agent_id=stranger.agent_id
        )
        assert foreign.items == ()
