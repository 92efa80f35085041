"""Requests and responses of the agent registry."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from atom.agents.maturity import AgentStatus, Impact
from atom.agents.models import ExecutionStatus, ExecutionTrigger
from atom.agents.runs import MAX_SUMMARY, ExecutionFilter, Outcome
from atom.web.schemas import (
    NOT_BLANK,
    Answer,
    Flag,
    Id,
    JsonObject,
    Name,
    PageQuery,
    Request,
)

SUMMARY = Field(None, min_length=1, max_length=MAX_SUMMARY, pattern=NOT_BLANK)


class AgentRequest(Request):
    """What an agent says about itself; its class is its identity."""

    name: Name = Field(examples=["Clerk"])
    category: Name = Field(examples=["finance"])
    module_path: Name = Field(examples=["agents.clerk"])
    class_name: Name = Field(examples=["Clerk"])
    version: Name = "1.0.0"
    configuration: JsonObject = Field(default_factory=dict)


class AgentResponse(Answer):
    """An agent, and how far it is trusted."""

    id: str
    name: str
    category: str
    module_path: str
    class_name: str
    version: str
    configuration: dict[str, Any]
    status: AgentStatus
    confidence: float | None


class OutcomeRequest(Request):
    """How something that the agent did turned out."""

    is_success: Flag
    impact: Impact = Impact.LOW

    def lifts(self) -> bool:
        """A success raises the agent's confidence; a failure anybody may report who runs it."""
        return self.is_success


class ExecutionRequest(Request):
    """A run that begins."""

    chat_id: Id | None = Field(None, description="the conversation in which the agent runs")
    triggered_by: ExecutionTrigger = ExecutionTrigger.MANUAL
    input_summary: str | None = SUMMARY
    metadata: JsonObject = Field(default_factory=dict, examples=[{"model": "small"}])


class StepRequest(Request):
    """A step of a run."""

    summary: str = Field(
        min_length=1, max_length=MAX_SUMMARY, pattern=NOT_BLANK, examples=["read the invoice"]
    )


class InterventionRequest(Request):
    """A person stepped into a run."""

    user_id: Id | None = Field(None, description="the person who intervened, if known")
    correction: str | None = SUMMARY

    def acts_for(self) -> tuple[str, ...]:
        """The person who stepped in, if it is named."""
        return () if self.user_id is None else (self.user_id,)


class FinishRequest(Request):
    """How a run ended."""

    outcome: Outcome
    output_summary: str | None = SUMMARY
    result_summary: str | None = SUMMARY
    error_message: str | None = SUMMARY


class ExecutionQuery(PageQuery):
    """Which runs to list, and which part of them."""

    agent_id: Id | None = Field(None, description="only runs of this agent")
    chat_id: Id | None = Field(None, description="only runs in this conversation")
    status: ExecutionStatus | None = None

    @property
    def where(self) -> ExecutionFilter:
        """The filter that a service is asked with."""
        return ExecutionFilter(agent_id=self.agent_id, chat_id=self.chat_id, status=self.status)


class ExecutionResponse(Answer):
    """A run of an agent."""

    id: str
    agent_id: str
    chat_id: str | None = Field(validation_alias="session_id")
    status: ExecutionStatus
    triggered_by: ExecutionTrigger
    input_summary: str | None
    output_summary: str | None
    result_summary: str | None
    error_message: str | None
    metadata: dict[str, Any] = Field(
        validation_alias="details", description="what the start gave, `steps`, and what people corrected"
    )
    started_at: datetime
    completed_at: datetime | None
    duration_seconds: float | None
