"""What analytics takes in: the words for metrics and workflow events, and the values that carry them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from atom.kit.errors import InvalidError
from atom.kit.text import MAX_NAME, check_text

if TYPE_CHECKING:
    from datetime import datetime

MAX_MESSAGE: Final = 2_000
MAX_VALUE: Final = 1e15
"""The largest magnitude of a metric: a sum of nine million of them still counts single units exactly."""
MAX_DURATION_MS: Final = 10**12
"""Some thirty years; a longer run is a clock that was set, not a run."""
MAX_TIME_SAVED_S: Final = 10**9
MAX_BUSINESS_VALUE_MINOR: Final = 10**15


class MetricType(StrEnum):
    """What a metric's values mean."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    TIMER = "timer"


NEVER_NEGATIVE: Final = frozenset({MetricType.COUNTER, MetricType.TIMER})


class EventType(StrEnum):
    """What happened to a workflow's execution, or to one of its steps."""

    STARTED = "started"
    COMPLETED = "completed"
    STEP_STARTED = "step_started"
    STEP_COMPLETED = "step_completed"
    STEP_FAILED = "step_failed"


class EventStatus(StrEnum):
    """The status of the execution or the step after the event."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


UNFINISHED: Final = frozenset({EventStatus.RUNNING, EventStatus.PAUSED})
STEP_EVENTS: Final = frozenset({EventType.STEP_STARTED, EventType.STEP_COMPLETED, EventType.STEP_FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMetric:
    """One measured value; without a time it is taken to be measured when it arrives."""

    name: str
    type: MetricType
    value: float
    workflow_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    recorded_at: datetime | None = None

    def __post_init__(self) -> None:
        require_name(self.name, field="name")
        if self.workflow_id is not None:
            require_name(self.workflow_id, field="workflow_id")
        if not math.isfinite(self.value) or abs(self.value) > MAX_VALUE:
            raise InvalidError(
                f"value is {self.value!r}, expected -{MAX_VALUE:g} to {MAX_VALUE:g}", field="value"
            )
        if self.type in NEVER_NEGATIVE and self.value < 0:
            raise InvalidError(f"a {self.type} cannot be {self.value!r}", field="value")
        for key, text in self.tags.items():
            require_name(key, field="tags")
            require_name(text, field="tags")
        _require_aware(self.recorded_at, field="recorded_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """
    One event in a workflow's execution; a second one with the same `event_id` is ignored.

    The outcome of an execution is its `completed` event; time saved and business value belong to it.
    """

    event_id: str
    workflow_id: str
    execution_id: str
    type: EventType
    status: EventStatus
    step_id: str | None = None
    user_id: str | None = None
    duration_ms: int | None = None
    error: str | None = None
    time_saved_s: int = 0
    business_value_minor: int = 0
    occurred_at: datetime | None = None

    def __post_init__(self) -> None:
        for name, text in (
            ("event_id", self.event_id),
            ("workflow_id", self.workflow_id),
            ("execution_id", self.execution_id),
        ):
            require_name(text, field=name)
        for name, optional in (("step_id", self.step_id), ("user_id", self.user_id)):
            if optional is not None:
                require_name(optional, field=name)
        if self.error is not None:
            check_text(self.error, field="error", max_length=MAX_MESSAGE)
        if self.duration_ms is not None:
            _require_within(self.duration_ms, MAX_DURATION_MS, field="duration_ms")
        _require_within(self.time_saved_s, MAX_TIME_SAVED_S, field="time_saved_s")
        _require_within(self.business_value_minor, MAX_BUSINESS_VALUE_MINOR, field="business_value_minor")
        self._require_consistent()
        _require_aware(self.occurred_at, field="occurred_at")

    def _require_consistent(self) -> None:
        if self.type is EventType.COMPLETED and self.status in UNFINISHED:
            raise InvalidError(
                f"an event of type 'completed' cannot have the status {self.status.value!r}", field="status"
            )
        if self.type in STEP_EVENTS and self.step_id is None:
            raise InvalidError(f"an event of type {self.type.value!r} needs step_id", field="step_id")
        if self.type is not EventType.COMPLETED and (self.time_saved_s or self.business_value_minor):
            raise InvalidError(
                "only an event of type 'completed' has saved time or business value", field="time_saved_s"
            )


def require_name(name: str, *, field: str) -> None:
    """Refuse a name that is blank, too long, or that a database cannot store."""
    check_text(name, field=field, max_length=MAX_NAME)


def _require_within(value: int, largest: int, *, field: str) -> None:
    if not 0 <= value <= largest:
        raise InvalidError(f"{field} is {value}, expected 0 to {largest}", field=field)


def _require_aware(moment: datetime | None, *, field: str) -> None:
    if moment is not None and moment.tzinfo is None:
        raise InvalidError(f"{field} has no time zone", field=field)
