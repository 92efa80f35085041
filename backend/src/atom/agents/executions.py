"""Use cases of runs: an agent starts one, reports its steps, a person steps in, and it ends once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from atom.agents import repository
from atom.agents.models import AgentExecution, ExecutionStatus
from atom.agents.runs import MAX_SUMMARY, ExecutionFilter, NewExecution, Result
from atom.agents.service import require_agent
from atom.identity.users import require_user
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.text import check_json, check_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock
    from atom.kit.pagination import Page, PageRequest

MAX_STEPS = 200
"""The most steps, and the most corrections, of a run: all are in one JSON document of limited size."""

STEPS = "steps"
INTERVENTION = "human_intervention"
CORRECTIONS = "human_corrections"
RESERVED = frozenset({STEPS, INTERVENTION, CORRECTIONS})
"""Keys of the metadata that only the use cases of this module write."""


class ChatLookup(Protocol):
    """Looks up conversations, whose domain is above agents."""

    def __call__(self, session: Session, *, workspace_id: str, chat_id: str) -> bool:
        """Whether the workspace has the conversation."""


def start(
    session: Session,
    clock: Clock,
    has_chat: ChatLookup,
    *,
    workspace_id: str,
    agent_id: str,
    new: NewExecution,
) -> AgentExecution:
    """Write a run of an agent that begins now, in a conversation of the workspace or in none."""
    details = dict(new.metadata or {})
    _check_metadata(details)
    _check_summary(new.input_summary, "input_summary")
    require_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    if new.chat_id is not None and not has_chat(session, workspace_id=workspace_id, chat_id=new.chat_id):
        raise NotFoundError("chat session", new.chat_id)
    execution = AgentExecution(
        id=new_id(),
        agent_id=agent_id,
        session_id=new.chat_id,
        status=ExecutionStatus.RUNNING,
        triggered_by=new.triggered_by,
        input_summary=new.input_summary,
        started_at=clock.now(),
        details=details,
    )
    session.add(execution)
    session.flush()
    return execution


def add_step(
    session: Session, clock: Clock, *, workspace_id: str, execution_id: str, summary: str
) -> AgentExecution:
    """Note a step of a running run."""
    check_text(summary, field="summary", max_length=MAX_SUMMARY)
    execution = _hold_running(session, workspace_id=workspace_id, execution_id=execution_id)
    step = {"at": clock.now().isoformat(), "summary": summary}
    _append(session, execution, STEPS, step)
    return execution


def intervene(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    execution_id: str,
    user_id: str | None = None,
    correction: str | None = None,
) -> AgentExecution:
    """Note that a person intervened in a running run, and what they corrected; episodes count it."""
    _check_summary(correction, "correction")
    if user_id is not None:
        require_user(session, workspace_id=workspace_id, user_id=user_id)
    execution = _hold_running(session, workspace_id=workspace_id, execution_id=execution_id)
    execution.details[INTERVENTION] = True
    if correction is not None:
        entry = {"at": clock.now().isoformat(), "user_id": user_id, "correction": correction}
        _append(session, execution, CORRECTIONS, entry)
    session.flush()
    return execution


def finish(
    session: Session, clock: Clock, *, workspace_id: str, execution_id: str, result: Result
) -> AgentExecution:
    """End a running run; a run that has ended is a conflict."""
    for field in ("output_summary", "result_summary", "error_message"):
        _check_summary(getattr(result, field), field)
    execution = _hold_running(session, workspace_id=workspace_id, execution_id=execution_id)
    now = clock.now()
    execution.status = ExecutionStatus(result.outcome.value)
    execution.output_summary = result.output_summary
    execution.result_summary = result.result_summary
    execution.error_message = result.error_message
    execution.completed_at = max(now, execution.started_at)  # clocks are set back now and then
    execution.duration_seconds = (execution.completed_at - execution.started_at).total_seconds()
    session.flush()
    return execution


def get_execution(session: Session, *, workspace_id: str, execution_id: str) -> AgentExecution:
    """Return a run of an agent of the workspace."""
    execution = repository.find_execution_of_workspace(
        session, workspace_id=workspace_id, execution_id=execution_id
    )
    if execution is None:
        raise NotFoundError("execution", execution_id)
    return execution


def list_executions(
    session: Session, *, workspace_id: str, where: ExecutionFilter, page: PageRequest
) -> Page[AgentExecution]:
    """Return the runs of the workspace's agents, the one that started last first."""
    return repository.newest_executions(
        session,
        workspace_id=workspace_id,
        page=page,
        agent_id=where.agent_id,
        session_id=where.chat_id,
        status=where.status,
    )


def _hold_running(session: Session, *, workspace_id: str, execution_id: str) -> AgentExecution:
    execution = repository.find_execution_of_workspace(
        session, workspace_id=workspace_id, execution_id=execution_id, for_update=True
    )
    if execution is None:
        raise NotFoundError("execution", execution_id)
    if execution.status not in (ExecutionStatus.RUNNING, ExecutionStatus.PENDING):
        raise ConflictError(f"execution {execution_id!r} has {execution.status.value} already")
    return execution


def _append(session: Session, execution: AgentExecution, key: str, entry: dict[str, Any]) -> None:
    entries = [*execution.details.get(key, ()), entry]
    if len(entries) > MAX_STEPS:
        raise ConflictError(f"execution {execution.id!r} has {MAX_STEPS} {key} already, which is the limit")
    check_json({**execution.details, key: entries}, field="metadata")
    execution.details[key] = entries
    session.flush()


def _check_metadata(details: dict[str, Any]) -> None:
    check_json(details, field="metadata")
    taken = sorted(RESERVED & details.keys())
    if taken:
        raise InvalidError(
            f"metadata may not have the key {taken[0]!r}: reports of the run write it", field="metadata"
        )


def _check_summary(text: str | None, field: str) -> None:
    if text is not None:
        check_text(text, field=field, max_length=MAX_SUMMARY)
