"""Requests and responses of governance."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from atom.agents.maturity import AgentStatus
from atom.agents.models import FeedbackStatus, FeedbackType
from atom.governance.models import ApprovalStatus, ProposalStatus, ProposalType, QueueStatus
from atom.governance.policy import ACTION_LENGTH, Verdict
from atom.governance.routing import Route, TriggerSource
from atom.web.schemas import (
    NOT_BLANK,
    WHOLE,
    Answer,
    Flag,
    Id,
    JsonObject,
    PageQuery,
    Request,
)

MAX_AGE_S = 10 * 365 * 86_400
MAX_OUTPUT = 100_000
MAX_BATCH = 10
ACTION = Field(min_length=1, max_length=ACTION_LENGTH, pattern=NOT_BLANK, examples=["send_email"])
OUTPUT = Field(None, min_length=1, max_length=MAX_OUTPUT, pattern=NOT_BLANK)


class DecisionQuery(Request):
    """What an agent wants to do."""

    action: str = ACTION
    require_approval: bool = Field(False, description="ask for a person's approval on top")


class AttemptRequest(Request):
    """What an agent is about to do."""

    action: str = ACTION
    require_approval: Flag = Field(False, description="ask for a person's approval on top")


class DecisionResponse(Answer):
    """Whether an agent may take an action, and why."""

    is_allowed: bool
    agent_status: AgentStatus | None = Field(description="null when there is no such agent")
    action_complexity: int
    required_status: AgentStatus
    requires_human_approval: bool
    confidence: float
    reason: str


class EnforcementResponse(Answer):
    """The outcome of an attempt to act; only one that is not blocked proceeds."""

    verdict: Verdict
    proceeds: bool
    decision: DecisionResponse


class AccessResponse(Answer):
    """Whether a user may see an agent's data."""

    may_access: bool


class ApprovalRequest(Request):
    """A question to a person: may the agent do this."""

    action_type: str = ACTION
    params: JsonObject = Field(default_factory=dict, examples=[{"to": "ada@example.org"}])


class AnswerRequest(Request):
    """What a person decided."""

    user_id: Id
    is_approved: Flag

    def acts_for(self) -> tuple[str, ...]:
        """The person who decided."""
        return (self.user_id,)


class ApprovalResponse(Answer):
    """A question to a person, and the answer if there is one."""

    id: str
    agent_id: str
    action_type: str
    params: dict[str, Any]
    status: ApprovalStatus
    created_at: datetime
    reviewed_at: datetime | None
    reviewed_by: str | None


class ExpiryRequest(Request):
    """Which open questions lapse."""

    older_than_s: Annotated[int, Field(ge=0, le=MAX_AGE_S), WHOLE] = Field(examples=[86_400])


class AgentPageQuery(PageQuery):
    """Which part of a list to return, and for which agent."""

    agent_id: Id | None = Field(None, description="only rows of this agent")


class FeedbackRequest(Request):
    """What a user says about an agent's output."""

    user_id: Id
    type: FeedbackType
    original_output: str | None = OUTPUT
    user_correction: str | None = OUTPUT
    rating: Annotated[int, Field(ge=1, le=5), WHOLE] | None = Field(
        None, description="of feedback of the type `rating`, no other"
    )
    reasoning: str | None = OUTPUT
    execution_id: Id | None = None

    def acts_for(self) -> tuple[str, ...]:
        """The person who reacted."""
        return (self.user_id,)


class FeedbackResponse(Answer):
    """Feedback as it was written."""

    id: str
    agent_id: str
    execution_id: str | None
    user_id: str
    feedback_type: FeedbackType
    original_output: str | None
    user_correction: str | None
    rating: int | None
    status: FeedbackStatus
    created_at: datetime
    adjudicated_at: datetime | None


class TriggerRequest(Request):
    """Something that wants an agent to run."""

    source: TriggerSource
    user_id: Id = Field(description="who supervises the run, if it needs supervision")
    context: JsonObject = Field(default_factory=dict)
    priority: Annotated[int, Field(ge=-1_000, le=1_000), WHOLE] = 0
    is_supervisor_available: Flag = Field(False, description="whether that person says so")

    def acts_for(self) -> tuple[str, ...]:
        """The person, where the trigger is theirs or relies on their watching."""
        is_theirs = self.source is TriggerSource.MANUAL or self.is_supervisor_available
        return (self.user_id,) if is_theirs else ()


class RoutingResponse(Answer):
    """Where a trigger goes, and why."""

    route: Route
    executes: bool
    reason: str
    warning: str | None


class RoutedResponse(Answer):
    """Where a trigger went, and the rows that stand for one that did not run."""

    routing: RoutingResponse
    blocked_trigger_id: str | None
    proposal_id: str | None
    queue_entry_id: str | None


class BlockedTriggerResponse(Answer):
    """A trigger whose agent did not run, and the agent as it was at that moment."""

    id: str
    agent_id: str
    maturity_at_block: AgentStatus
    confidence_at_block: float
    trigger_source: TriggerSource
    trigger_context: dict[str, Any]
    routing_decision: Route
    reason: str
    proposal_id: str | None
    is_resolved: bool
    created_at: datetime


class ProposalRequest(Request):
    """Something put to a person."""

    type: ProposalType
    proposed_by: Id | None = None

    def acts_for(self) -> tuple[str, ...]:
        """The person who proposes, if it is one."""
        return () if self.proposed_by is None else (self.proposed_by,)


class ProposalResponse(Answer):
    """What an agent may not do yet, put to a person."""

    id: str
    agent_id: str
    type: ProposalType
    status: ProposalStatus
    proposed_by: str | None
    approved_by: str | None
    created_at: datetime
    changed_at: datetime | None


class BatchQuery(Request):
    """How many runs to start."""

    limit: int = Field(MAX_BATCH, ge=1, le=MAX_BATCH)


class QueueEntryResponse(Answer):
    """A run that waits for its supervisor."""

    id: str
    agent_id: str
    user_id: str
    trigger_source: TriggerSource
    trigger_context: dict[str, Any]
    status: QueueStatus
    priority: int
    attempt_count: int
    max_attempts: int
    created_at: datetime
    expires_at: datetime
