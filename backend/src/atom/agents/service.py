"""Use cases of the registry: registering agents, and moving them as their runs turn out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.orm.attributes import set_committed_value

from atom.agents import repository
from atom.agents.maturity import (
    UNKNOWN_CONFIDENCE,
    AgentStatus,
    Impact,
    band,
    confidence_after,
    known_confidence,
    status_after,
)
from atom.kit.errors import ConflictError, ForbiddenError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import KeyPage
from atom.kit.text import check_json, check_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.agents.models import Agent
    from atom.agents.rows import AgentProfile


NAME_LENGTH = 200


class AgentWatcher(Protocol):
    """Wants to know when an agent's status or confidence changes; whoever remembers decisions does."""

    def agent_changed(self, session: Session, agent_id: str) -> None:
        """Note that the running transaction changed the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What an agent says about itself."""

    name: str
    category: str
    module_path: str
    class_name: str
    version: str = "1.0.0"
    configuration: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("name", "category", "module_path", "class_name", "version"):
            check_text(getattr(self, name), field=name, max_length=NAME_LENGTH)
        check_json(self.configuration, field="configuration")


def register(
    session: Session, *, workspace_id: str, registration: Registration, may_move: bool = True
) -> Agent:
    """
    Return the agent of a class, registered now as a student unless it was before.

    Registering again brings what the agent says about itself up to date; what it has earned stays. Its
    category says who may judge it and see its data: another one takes a caller who `may_move` it.
    """
    identity = {
        "workspace_id": workspace_id,
        "module_path": registration.module_path,
        "class_name": registration.class_name,
    }
    description = {
        "name": registration.name,
        "category": registration.category,
        "version": registration.version,
        "configuration": registration.configuration,
    }
    if not may_move:
        category = repository.find_category(session, **identity)
        if category not in (None, registration.category):
            raise ForbiddenError(
                f"the agent's category is {category!r}; another one takes a key of scope 'admin'"
            )
    start = {"id": new_id(), "status": AgentStatus.STUDENT, "confidence": UNKNOWN_CONFIDENCE}
    repository.put_agent(session, {**identity, **description, **start})
    return repository.get_agent_by_class(session, **identity)


def get_agent(session: Session, *, workspace_id: str, agent_id: str) -> AgentProfile:
    """Return an agent of the workspace."""
    agent = repository.find_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    if agent is None:
        raise NotFoundError("agent", agent_id)
    return agent


def require_agent(session: Session, *, workspace_id: str, agent_id: str) -> None:
    """Raise unless the workspace has the agent."""
    if repository.find_standing(session, workspace_id=workspace_id, agent_id=agent_id) is None:
        raise NotFoundError("agent", agent_id)


def list_agents(
    session: Session, *, workspace_id: str, limit: int, after: str | None = None
) -> KeyPage[Agent]:
    """Return agents of the workspace in the order of their ids."""
    agents = repository.list_agents(session, workspace_id=workspace_id, limit=limit + 1, after=after)
    return KeyPage.cut(agents, limit=limit, key=lambda agent: agent.id)


def hold_agent(session: Session, *, workspace_id: str, agent_id: str) -> Agent:
    """Return an agent as it is committed now, locked for other writers until the transaction ends."""
    agent = repository.find_agent_for_update(session, workspace_id=workspace_id, agent_id=agent_id)
    if agent is None:
        raise NotFoundError("agent", agent_id)
    return agent


def record_outcome(
    session: Session,
    watcher: AgentWatcher,
    *,
    workspace_id: str,
    agent_id: str,
    is_success: bool,
    impact: Impact = Impact.LOW,
) -> Agent:
    """Move an agent's confidence by one outcome, and its status to the band it is then in."""
    agent = hold_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    confidence = confidence_after(agent.confidence, is_success=is_success, impact=impact)
    return set_standing(
        session, watcher, agent, status=status_after(agent.status, confidence), confidence=confidence
    )


def pause(session: Session, watcher: AgentWatcher, *, workspace_id: str, agent_id: str) -> Agent:
    """Take an agent off the ladder for a while."""
    return _leave_ladder(session, watcher, workspace_id, agent_id, AgentStatus.PAUSED)


def deprecate(session: Session, watcher: AgentWatcher, *, workspace_id: str, agent_id: str) -> Agent:
    """Deprecate an agent: it may never do anything again."""
    return _leave_ladder(session, watcher, workspace_id, agent_id, AgentStatus.DEPRECATED)


def resume(session: Session, watcher: AgentWatcher, *, workspace_id: str, agent_id: str) -> Agent:
    """Resume a paused agent, at the maturity of its confidence."""
    agent = hold_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    if agent.status is not AgentStatus.PAUSED:
        raise ConflictError(
            f"agent {agent_id!r} is {agent.status.value!r}, and only a paused agent can be resumed"
        )
    confidence = known_confidence(agent.confidence)
    return set_standing(session, watcher, agent, status=band(confidence), confidence=confidence)


def set_standing(
    session: Session, watcher: AgentWatcher, agent: Agent, *, status: AgentStatus, confidence: float | None
) -> Agent:
    """Write status and confidence of a held agent; every change of either goes through here."""
    repository.update_standing(session, agent.id, status=status, confidence=confidence)
    set_committed_value(agent, "status", status)
    set_committed_value(agent, "confidence", confidence)
    watcher.agent_changed(session, agent.id)
    return agent


def _leave_ladder(
    session: Session, watcher: AgentWatcher, workspace_id: str, agent_id: str, status: AgentStatus
) -> Agent:
    agent = hold_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    if agent.status in (status, AgentStatus.DEPRECATED):
        raise ConflictError(f"agent {agent_id!r} is {agent.status.value!r} already")
    return set_standing(session, watcher, agent, status=status, confidence=agent.confidence)
