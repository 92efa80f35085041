"""Routes of the agent registry."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request, status

from atom.agents import executions, service
from atom.agents.executions import ChatLookup
from atom.agents.runs import NewExecution, Result
from atom.agents.schemas import (
    AgentRequest,
    AgentResponse,
    ExecutionQuery,
    ExecutionRequest,
    ExecutionResponse,
    FinishRequest,
    InterventionRequest,
    OutcomeRequest,
    StepRequest,
)
from atom.agents.service import AgentWatcher, Registration
from atom.identity.access import Administering, DomainRouter, ShortReading, Writing
from atom.identity.models import ApiKeyScope
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import Id, IdPageQuery, PageAnswer

router = DomainRouter(prefix="/v1", tag="agents")

CREATED = status.HTTP_201_CREATED


async def _watcher(request: Request) -> AgentWatcher:
    watcher: AgentWatcher = request.app.state.decisions
    return watcher


async def _has_chat(request: Request) -> ChatLookup:
    has_chat: ChatLookup = request.app.state.has_chat
    return has_chat


HasChat = Annotated[ChatLookup, Depends(_has_chat)]
Watcher = Annotated[AgentWatcher, Depends(_watcher)]


@router.post("/agents", responses=problem_responses(*WITH_BODY))
def register_agent(request: AgentRequest, unit: Writing) -> AgentResponse:
    """Register an agent as a student; a known class keeps its maturity and gets the new description."""
    registration = Registration(**request.model_dump())
    agent = service.register(
        unit.session,
        workspace_id=unit.workspace_id,
        registration=registration,
        may_move=unit.caller.scope is ApiKeyScope.ADMIN,
    )
    return AgentResponse.model_validate(agent)


@router.get("/agents")
def list_agents(query: Annotated[IdPageQuery, Query()], unit: ShortReading) -> PageAnswer[AgentResponse]:
    """List the agents of the workspace."""
    page = service.list_agents(
        unit.session, workspace_id=unit.workspace_id, limit=query.limit, after=query.cursor
    )
    return PageAnswer.of(page, AgentResponse.model_validate)


@router.get("/agents/{agent_id}", responses=problem_responses(404))
def read_agent(agent_id: Id, unit: ShortReading) -> AgentResponse:
    """Return an agent."""
    agent = service.get_agent(unit.session, workspace_id=unit.workspace_id, agent_id=agent_id)
    return AgentResponse.model_validate(agent)


@router.post("/agents/{agent_id}/outcomes", responses=problem_responses(*WITH_BODY, 404))
def record_outcome(agent_id: Id, request: OutcomeRequest, unit: Writing, watcher: Watcher) -> AgentResponse:
    """Change the agent's confidence by one outcome, and its maturity accordingly."""
    agent = service.record_outcome(
        unit.session, watcher, workspace_id=unit.workspace_id, agent_id=agent_id, **request.model_dump()
    )
    return AgentResponse.model_validate(agent)


@router.post("/agents/{agent_id}/pause", responses=problem_responses(404, 409))
def pause_agent(agent_id: Id, unit: Administering, watcher: Watcher) -> AgentResponse:
    """Pause an agent: it may do nothing until it is resumed."""
    agent = service.pause(unit.session, watcher, workspace_id=unit.workspace_id, agent_id=agent_id)
    return AgentResponse.model_validate(agent)


@router.post("/agents/{agent_id}/resume", responses=problem_responses(404, 409))
def resume_agent(agent_id: Id, unit: Administering, watcher: Watcher) -> AgentResponse:
    """Resume a paused agent, at the maturity of its confidence."""
    agent = service.resume(unit.session, watcher, workspace_id=unit.workspace_id, agent_id=agent_id)
    return AgentResponse.model_validate(agent)


@router.post("/agents/{agent_id}/deprecate", responses=problem_responses(404, 409))
def deprecate_agent(agent_id: Id, unit: Administering, watcher: Watcher) -> AgentResponse:
    """Deprecate an agent: it may never do anything again."""
    agent = service.deprecate(unit.session, watcher, workspace_id=unit.workspace_id, agent_id=agent_id)
    return AgentResponse.model_validate(agent)


@router.post(
    "/agents/{agent_id}/executions", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404)
)
def start_execution(
    agent_id: Id, request: ExecutionRequest, unit: Writing, has_chat: HasChat
) -> ExecutionResponse:
    """Start a run of the agent; the episode of its conversation will include it."""
    execution = executions.start(
        unit.session,
        unit.clock,
        has_chat,
        workspace_id=unit.workspace_id,
        agent_id=agent_id,
        new=NewExecution(**request.model_dump()),
    )
    return ExecutionResponse.model_validate(execution)


@router.get("/executions")
def list_executions(
    query: Annotated[ExecutionQuery, Query()], unit: ShortReading
) -> PageAnswer[ExecutionResponse]:
    """List the runs of the workspace's agents, the one that started last first."""
    page = executions.list_executions(
        unit.session, workspace_id=unit.workspace_id, where=query.where, page=query.page
    )
    return PageAnswer.of(page, ExecutionResponse.model_validate)


@router.get("/executions/{execution_id}", responses=problem_responses(404))
def read_execution(execution_id: Id, unit: ShortReading) -> ExecutionResponse:
    """Return a run."""
    execution = executions.get_execution(
        unit.session, workspace_id=unit.workspace_id, execution_id=execution_id
    )
    return ExecutionResponse.model_validate(execution)


@router.post("/executions/{execution_id}/steps", responses=problem_responses(*WITH_BODY, 404, 409))
def add_execution_step(execution_id: Id, request: StepRequest, unit: Writing) -> ExecutionResponse:
    """Note a step of a run that has not ended."""
    execution = executions.add_step(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        execution_id=execution_id,
        summary=request.summary,
    )
    return ExecutionResponse.model_validate(execution)


@router.post("/executions/{execution_id}/interventions", responses=problem_responses(*WITH_BODY, 404, 409))
def intervene_in_execution(
    execution_id: Id, request: InterventionRequest, unit: Writing
) -> ExecutionResponse:
    """Note that a person intervened in a run that has not ended; graduation counts it."""
    execution = executions.intervene(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        execution_id=execution_id,
        **request.model_dump(),
    )
    return ExecutionResponse.model_validate(execution)


@router.post("/executions/{execution_id}/completion", responses=problem_responses(*WITH_BODY, 404, 409))
def finish_execution(execution_id: Id, request: FinishRequest, unit: Writing) -> ExecutionResponse:
    """End a run; 409 if it has ended already."""
    execution = executions.finish(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        execution_id=execution_id,
        result=Result(**request.model_dump()),
    )
    return ExecutionResponse.model_validate(execution)
