"""Leaving the ladder, coming back, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from atom.agents import service
from atom.agents.maturity import AgentStatus
from atom.agents.models import Agent
from atom.agents.service import Registration
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from tests import factories
from tests.database import Database


class Listener:
    """Remembers who changed, and how the row then was in the transaction."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, AgentStatus]] = []

    def agent_changed(self, session: Session, agent_id: str) -> None:
        session.expire_all()
        self.heard.append((agent_id, session.get_one(Agent, agent_id).status))


MOVES: dict[str, Callable[..., Agent]] = {
    "pause": service.pause,
    "resume": service.resume,
    "deprecate": service.deprecate,
}


@pytest.mark.parametrize(
    ("start", "move", "end"),
    [
        ("student", "pause", "paused"),
        ("autonomous", "deprecate", "deprecated"),
        ("paused", "deprecate", "deprecated"),
        ("paused", "resume", "supervised"),
        ("paused", "pause", None),
        ("deprecated", "pause", None),
        ("deprecated", "resume", None),
        ("deprecated", "deprecate", None),
        ("intern", "resume", None),
    ],
)
def test_an_agent_leaves_the_ladder_and_may_come_back(
    database: Database, start: str, move: str, end: str | None
) -> None:
    """A pause ends on the rung of the confidence, a deprecation never; the watcher hears of each move."""
    listener = Listener()
    with database.session() as session:
        office = factories.tenant(session, status=start, confidence=0.8)
        if end is None:
            with pytest.raises(ConflictError, match=start):
                MOVES[move](session, listener, **office.agent)
        else:
            MOVES[move](session, listener, **office.agent)
        session.expire_all()
        agent = session.get_one(Agent, office.agent_id)
        assert (agent.status, agent.confidence) == (end or start, 0.8)
        assert listener.heard == ([(office.agent_id, end)] if end else [])


def test_a_paused_agent_without_confidence_resumes_as_an_intern(database: Database) -> None:
    """A confidence that was never set counts as 0.5."""
    with database.session() as session:
        office = factories.tenant(session, status="paused", confidence=None)
        agent = service.resume(session, Listener(), **office.agent)
        assert (agent.status, agent.confidence) == (AgentStatus.INTERN, 0.5)


@pytest.mark.parametrize(
    "use",
    [
        lambda session, **agent: service.get_agent(session, **agent),
        lambda session, **agent: service.hold_agent(session, **agent),
        lambda session, **agent: service.record_outcome(session, Listener(), **agent, is_success=False),
        lambda session, **agent: service.pause(session, Listener(), **agent),
        lambda session, **agent: service.resume(session, Listener(), **agent),
        lambda session, **agent: service.deprecate(session, Listener(), **agent),
    ],
)
def test_another_workspaces_agent_is_not_there(database: Database, use: Callable[..., object]) -> None:
    """Every use of a foreign agent ends as that of an unknown one, and moves nothing."""
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session, status="paused")
        with pytest.raises(NotFoundError, match=stranger.agent_id):
            use(session, workspace_id=office.workspace_id, agent_id=stranger.agent_id)
        session.expire_all()
        assert session.get_one(Agent, stranger.agent_id).status is AgentStatus.PAUSED


def test_agents_are_listed_page_by_page(database: Database) -> None:
    """Each agent of the workspace is on one page, in the order of ids; a full last page has no next."""
    with database.session() as session:
        office, _ = factories.tenant(session), factories.tenant(session)
        others = [factories.agent(session, workspace_id=office.workspace_id).id for _ in range(3)]
        ids = sorted([office.agent_id, *others])
        first = service.list_agents(session, workspace_id=office.workspace_id, limit=2)
        rest = service.list_agents(session, workspace_id=office.workspace_id, limit=2, after=first.next)
        assert ([agent.id for agent in first.items], first.next) == (ids[:2], ids[1])
        assert ([agent.id for agent in rest.items], rest.next) == (ids[2:], None)


def test_an_outcome_sees_what_was_committed_meanwhile(database: Database) -> None:
    """The held agent is read anew: an update of another session is not lost."""
    with database.session() as session:
        office = factories.tenant(session, status="supervised", confidence=0.8)
        connection = session.connection()
        connection.execute(update(Agent).values(confidence=0.75))
        agent = service.record_outcome(session, Listener(), **office.agent, is_success=True)
        assert agent.confidence == 0.76


@pytest.mark.parametrize("field", ["name", "category", "module_path", "class_name", "version"])
@pytest.mark.parametrize("value", [" ", "x" * 201, "nul\0"])
def test_a_registration_is_made_of_names(field: str, value: str) -> None:
    """Blank, endless or unstorable text is refused by the name of its field."""
    good: dict[str, Any] = {
        "name": "n",
        "category": "c",
        "module_path": "m",
        "class_name": "x" * 200,
        "version": "1",
    }
    with pytest.raises(InvalidError) as caught:
        Registration(**{**good, field: value})
    assert caught.value.field == field


def test_a_configuration_is_json() -> None:
    """What JSON cannot say is refused by the name of its field."""
    description = {"name": "n", "category": "c", "module_path": "m", "class_name": "C"}
    with pytest.raises(InvalidError) as caught:
        Registration(**description, configuration={"x": float("nan")})
    assert caught.value.field == "configuration"
