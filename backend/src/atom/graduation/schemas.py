"""Requests and responses of graduation."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from atom.agents.maturity import AgentStatus
from atom.graduation.exam import Severity
from atom.graduation.models import SupervisionStatus, TrainingStatus
from atom.graduation.readiness import Advice, Criterion
from atom.graduation.supervision import SupervisionGate, Trend
from atom.graduation.supervision_sessions import MAX_NOTE, Intervention
from atom.web.schemas import MAX_INTEGER, NOT_BLANK, WHOLE, Answer, Flag, Id, Number, PageQuery, Request

MAX_CASES = 500
MAX_VIOLATIONS = 10_000
MAX_GAPS = 1_000

Count = Annotated[int, Field(ge=0, le=MAX_INTEGER), WHOLE]
Share = Annotated[Number, Field(ge=0, le=1)]


def _finite(value: float) -> float | None:
    """Return a number that JSON can hold, None for infinity."""
    return value if isfinite(value) else None


class ReadinessQuery(Request):
    """The rung to be reached."""

    target: AgentStatus | None = Field(None, description="the rung; by default the next one")


class GapResponse(Answer):
    """A criterion that the agent misses."""

    criterion: Criterion
    found: float
    needed: float


class RecordResponse(Answer):
    """What the agent did at its present rung."""

    n_episodes: int
    n_interventions: int
    intervention_rate: float
    constitutional_score: float


class ReadinessResponse(Answer):
    """How an agent stands against the criteria of one rung."""

    target: AgentStatus
    is_ready: bool
    score: float = Field(description="0 to 100; an agent that is ready may have less than 100")
    advice: Advice
    record: RecordResponse
    gaps: list[GapResponse]


class SupervisionRecordResponse(Answer):
    """What the supervised sessions of an agent say."""

    n_sessions: int
    average_rating: float
    interventions_per_hour: Annotated[float | None, BeforeValidator(_finite)] = Field(
        description="null if no time passed"
    )
    high_rated_share: float
    trend: Trend
    score: float
    missed_gates: list[SupervisionGate]


class SupervisedReadinessResponse(Answer):
    """How an agent stands by its episodes and by its supervised sessions."""

    is_ready: bool
    score: float
    readiness: ReadinessResponse
    supervision: SupervisionRecordResponse


class CaseRequest(Request):
    """How the sandbox replayed one episode."""

    episode_id: Id
    passed_sandbox: Flag
    n_interventions: Count


class ExamRequest(Request):
    """An exam that was held: one result for each episode that was replayed."""

    cases: list[CaseRequest] = Field(max_length=MAX_CASES)


class ExamResponse(Answer):
    """The grade of an exam; without a case it is not passed."""

    is_passed: bool
    n_passed: int
    score_percent: float


class ComplianceRequest(Request):
    """What an agent did against its rules over a number of actions."""

    violations: list[Severity] = Field(max_length=MAX_VIOLATIONS)
    n_actions: Count


class ComplianceResponse(Answer):
    """How well the agent kept the rules."""

    score: float
    is_compliant: bool = Field(description="whether no violation was critical")


class PromotionRequest(Request):
    """The next rung, and who promotes the agent."""

    target: AgentStatus
    promoted_by: Id

    def acts_for(self) -> tuple[str, ...]:
        """The person who lets it."""
        return (self.promoted_by,)


class PromotionResponse(Answer):
    """A promotion, and the figures that it rests on."""

    id: str
    agent_id: str
    promoted_by: str | None
    from_status: AgentStatus
    to_status: AgentStatus
    score: float
    n_episodes: int
    intervention_rate: float
    constitutional_score: float
    confidence_before: float
    confidence_after: float
    promoted_at: datetime


class EstimateQuery(Request):
    """What a training has to teach, and how fast the agent learns."""

    n_capability_gaps: int = Field(0, ge=0, le=MAX_GAPS)
    learning_rate: float = Field(1.0, ge=0, le=100, allow_inf_nan=False)


class EstimateResponse(Answer):
    """How long a student will train to become an intern."""

    hours: float
    shortest_hours: float
    longest_hours: float


class TrainingRequest(Request):
    """A proposed training to schedule, and who supervises it."""

    proposal_id: Id
    supervisor_id: Id

    def acts_for(self) -> tuple[str, ...]:
        """The supervisor, who approves the proposal with it."""
        return (self.supervisor_id,)


class PerformanceRequest(Request):
    """How well the agent did in its training."""

    performance_score: Share


class TrainingQuery(PageQuery):
    """Which trainings to list, and which part of them."""

    agent_id: Id | None = Field(None, description="only trainings of this agent")
    status: TrainingStatus | None = None


class TrainingResponse(Answer):
    """A training, made from an approved proposal."""

    id: str
    proposal_id: str
    agent_id: str
    supervisor_id: str | None
    status: TrainingStatus
    performance_score: float | None
    confidence_boost: float | None
    promoted_to_intern: bool
    created_at: datetime
    ended_at: datetime | None


class SupervisionRequest(Request):
    """Who watches a run of the agent."""

    supervisor_id: Id

    def acts_for(self) -> tuple[str, ...]:
        """The supervisor."""
        return (self.supervisor_id,)


class StepInRequest(Request):
    """How the supervisor steps in, and why."""

    intervention: Intervention
    note: str = Field(min_length=1, max_length=MAX_NOTE, pattern=NOT_BLANK, examples=["wrong account"])


class RatingRequest(Request):
    """How the supervisor rates the session."""

    rating: Annotated[int, Field(ge=1, le=5), WHOLE]


class SupervisionQuery(PageQuery):
    """Which supervised sessions to list, and which part of them."""

    agent_id: Id | None = Field(None, description="only sessions of this agent")
    status: SupervisionStatus | None = None


class SupervisionResponse(Answer):
    """A run that a person supervises."""

    id: str
    agent_id: str
    supervisor_id: str | None
    status: SupervisionStatus
    started_at: datetime
    completed_at: datetime | None
    duration_seconds: float | None
    intervention_count: int
    interventions: list[dict[str, Any]]
    supervisor_rating: int | None
    confidence_boost: float | None
