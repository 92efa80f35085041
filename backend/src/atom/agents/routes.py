"""Routes of the agent registry."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from atom.agents import service
from atom.agents.schemas import AgentRequest, AgentResponse, OutcomeRequest
from atom.agents.service import AgentWatcher, Registration
from atom.identity.access import Administering, DomainRouter, Reading, Writing
from atom.identity.models import ApiKeyScope
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import Id, IdPageQuery, PageAnswer

router = DomainRouter(prefix="/v1/agents", tag="agents")


async def _watcher(request: Request) -> AgentWatcher:
    watcher: AgentWatcher = request.app.state.decisions
    return watcher


Watcher = Annotated[AgentWatcher, Depends(_watcher)]


@router.post("", responses=problem_responses(*WITH_BODY))
def register_agent(request: AgentRequest, unit: Writing) -> AgentResponse:
    """Register an agent as a student; a known class keeps what it has earned, and is described anew."""
    registration = Registration(**request.model_dump())
    agent = service.register(
        unit.session,
        workspace_id=unit.workspace_id,
        registration=registration,
        may_move=unit.caller.scope is ApiKeyScope.ADMIN,
    )
    return AgentResponse.model_validate(agent)


@router.get("")
def list_agents(query: Annotated[IdPageQuery, Query()], unit: Reading) -> PageAnswer[AgentResponse]:
    """List the agents of the workspace."""
    page = service.list_agents(
        unit.session, workspace_id=unit.workspace_id, limit=query.limit, after=query.cursor
    )
    return PageAnswer.of(page, AgentResponse.model_validate)


@router.get("/{agent_id}", responses=problem_responses(404))
def read_agent(agent_id: Id, unit: Reading) -> AgentResponse:
    """Return an agent."""
    agent = service.get_agent(unit.session, workspace_id=unit.workspace_id, agent_id=agent_id)
    return AgentResponse.model_validate(agent)


@router.post("/{agent_id}/outcomes", responses=problem_responses(*WITH_BODY, 404))
def record_outcome(agent_id: Id, request: OutcomeRequest, unit: Writing, watcher: Watcher) -> AgentResponse:
    """Move the agent's confidence by one outcome, and its status to the band it is then in."""
    agent = service.record_outcome(
        unit.session, watcher, workspace_id=unit.workspace_id, agent_id=agent_id, **request.model_dump()
    )
    return AgentResponse.model_validate(agent)


@router.post("/{agent_id}/pause", responses=problem_responses(404, 409))
def pause_agent(agent_id: Id, unit: Administering, watcher: Watcher) -> AgentResponse:
    """Take an agent off the ladder for a while: it may do nothing."""
    agent = service.pause(unit.session, watcher, workspace_id=unit.workspace_id, agent_id=agent_id)
    return AgentResponse.model_validate(agent)


@router.post("/{agent_id}/resume", responses=problem_responses(404, 409))
def resume_agent(agent_id: Id, unit: Administering, watcher: Watcher) -> AgentResponse:
    """Put a paused agent back on the rung of its confidence."""
    agent = service.resume(unit.session, watcher, workspace_id=unit.workspace_id, agent_id=agent_id)
    return AgentResponse.model_validate(agent)


@router.post("/{agent_id}/deprecate", responses=problem_responses(404, 409))
def deprecate_agent(agent_id: Id, unit: Administering, watcher: Watcher) -> AgentResponse:
    """Take an agent off the ladder for good."""
    agent = service.deprecate(unit.session, watcher, workspace_id=unit.workspace_id, agent_id=agent_id)
    return AgentResponse.model_validate(agent)
