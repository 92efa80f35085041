"""Requests and responses of analytics."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from atom.analytics.alerts import AlertChange, Severity
from atom.analytics.health import HealthStatus
from atom.analytics.metrics import Window
from atom.analytics.queries import GroupBy
from atom.analytics.vocabulary import (
    MAX_BUSINESS_VALUE_MINOR,
    MAX_DURATION_MS,
    MAX_MESSAGE,
    MAX_TIME_SAVED_S,
    MAX_VALUE,
    EventStatus,
    EventType,
    MetricType,
)
from atom.web.schemas import (
    NOT_BLANK,
    WHOLE,
    Answer,
    Flag,
    KeyQuery,
    Moment,
    Name,
    Number,
    PageQuery,
    Request,
)

MAX_EVENTS = 1_000
MAX_TAGS = 100
MAX_POINTS = 1_000


class EventBody(Request):
    """One event in a workflow's execution; a second one with the same `event_id` is ignored."""

    event_id: Name = Field(examples=["run-7/end"])
    workflow_id: Name = Field(examples=["month-end"])
    execution_id: Name = Field(examples=["run-7"])
    type: EventType
    status: EventStatus
    step_id: Name | None = Field(None, description="of a step's event")
    user_id: Name | None = None
    duration_ms: Annotated[int, Field(ge=0, le=MAX_DURATION_MS), WHOLE] | None = None
    error: str | None = Field(None, min_length=1, max_length=MAX_MESSAGE, pattern=NOT_BLANK)
    time_saved_s: Annotated[int, Field(ge=0, le=MAX_TIME_SAVED_S), WHOLE] = Field(
        0, description="of a completed execution"
    )
    business_value_minor: Annotated[int, Field(ge=0, le=MAX_BUSINESS_VALUE_MINOR), WHOLE] = 0
    occurred_at: Moment | None = Field(None, description="by default the moment of arrival")


class EventsRequest(Request):
    """Events to take in, all or none."""

    events: list[EventBody] = Field(min_length=1, max_length=MAX_EVENTS)


class IngestedResponse(Answer):
    """How many of the events were new."""

    n_new: int


class MetricRequest(Request):
    """One measured value."""

    name: Name = Field(examples=["cpu_percent"])
    type: MetricType
    value: Number = Field(ge=-MAX_VALUE, le=MAX_VALUE, description="a counter or a timer is never negative")
    workflow_id: Name | None = None
    tags: dict[Name, Name] = Field(
        default_factory=dict,
        max_length=MAX_TAGS,
        # The schema of the values stands under the pattern of the names: no other name is allowed.
        json_schema_extra={"additionalProperties": False},
    )
    recorded_at: Moment | None = Field(None, description="by default the moment of arrival")


class PointResponse(Answer):
    """A measured value as it is stored."""

    id: str
    name: str
    type: MetricType
    value: float
    workflow_id: str | None
    tags: dict[str, str]
    recorded_at: datetime


class WindowQuery(Request):
    """How far back to look."""

    window: Window = Window.DAY


class MetricQuery(WindowQuery):
    """Which metric to sum up."""

    name: Name


class PointQuery(PageQuery, MetricQuery):
    """Which values of a metric to list."""


class PerformanceQuery(WindowQuery):
    """Which workflow to report on."""

    workflow_id: Name


class CountersQuery(KeyQuery, WindowQuery):
    """By what to group the events, and which part of the groups to list."""

    group: GroupBy
    workflow_id: Name | None = None


class SummaryResponse(Answer):
    """The figures of a distribution; all are 0 without values."""

    n: int
    total: float
    min: float
    mean: float
    median: float
    p95: float
    p99: float
    max: float


class CountersResponse(Answer):
    """What happened to executions."""

    n_events: int
    n_started: int
    n_executions: int
    n_succeeded: int
    n_failed: int
    n_cancelled: int
    n_timed_out: int
    success_percent: float
    failure_percent: float
    error_percent: float
    time_saved_hours: float
    business_value_minor: int


class GroupCountersResponse(Answer):
    """The counters of one member of a group; null is the member of events that name none."""

    member: str | None
    counters: CountersResponse


class ErrorShareResponse(Answer):
    """How often an error was met, and its share of all errors."""

    error: str
    n: int
    percent: float


class ResourceUseResponse(Answer):
    """How much of a resource was used, on average and at most."""

    mean: float
    peak: float


class StepTimeResponse(Answer):
    """How often a step was completed, and how long that took on average."""

    step_id: str
    n: int
    mean_ms: float


COMPUTED_AT = Field(description="the end of the window; a report is kept for up to five minutes")


class PerformanceResponse(Answer):
    """How one workflow did in a window."""

    workflow_id: str
    window: Window
    counters: CountersResponse
    duration_ms: SummaryResponse
    top_errors: list[ErrorShareResponse]
    cpu_percent: ResourceUseResponse
    memory_mb: ResourceUseResponse
    steps: list[StepTimeResponse]
    computed_at: datetime = COMPUTED_AT


class WorkflowRankResponse(Answer):
    """A workflow and its counters."""

    workflow_id: str
    counters: CountersResponse


class FailureResponse(Answer):
    """An execution that failed."""

    workflow_id: str
    execution_id: str
    error: str
    occurred_at: datetime


class OverviewResponse(Answer):
    """How all workflows did in a window; the busiest and the latest errors first."""

    window: Window
    n_workflows: int
    counters: CountersResponse
    mean_duration_ms: float
    top_workflows: list[WorkflowRankResponse]
    last_errors: list[FailureResponse]
    computed_at: datetime = COMPUTED_AT


class AlertRuleRequest(Request):
    """When to tell somebody: while the latest value of a metric is above a threshold."""

    name: Name = Field(examples=["CPU is busy"])
    metric: Name = Field(examples=["cpu_percent"])
    threshold: Number = Field(ge=-MAX_VALUE, le=MAX_VALUE, examples=[90])
    severity: Severity


class AlertRuleResponse(Answer):
    """An alert rule, and since when it is firing, if it is."""

    id: str
    name: str
    metric: str
    threshold: float
    severity: Severity
    firing_since: datetime | None


class NotificationResponse(Answer):
    """A notification about a rule."""

    rule: AlertRuleResponse
    change: AlertChange
    value: float


class IntegrationCallRequest(Request):
    """One call of another system."""

    integration: Name = Field(examples=["bank"])
    is_error: Flag


class IntegrationHealthResponse(Answer):
    """How many calls of an integration failed, and what that says about it."""

    n_calls: int
    n_errors: int
    status: HealthStatus
    error_percent: float
    uptime_percent: float


class IntegrationResponse(Answer):
    """An integration, how well it works, and when it was last called."""

    name: str
    health: IntegrationHealthResponse
    last_called_at: datetime
