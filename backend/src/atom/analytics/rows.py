"""What analytics reads and writes: a point, a failure, an alert rule, the calls of an integration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from atom.analytics.alerts import Severity
    from atom.analytics.vocabulary import MetricType


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A measured value as it is stored."""

    id: str
    name: str
    type: MetricType
    value: float
    workflow_id: str | None
    tags: Mapping[str, str]
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An execution that failed."""

    workflow_id: str
    execution_id: str
    error: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An alert rule, and since when it is firing, if it is."""

    id: str
    name: str
    metric: str
    threshold: float
    severity: Severity
    firing_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounts:
    """How often an integration was called, how often in vain, and when last."""

    integration: str
    n_calls: int
    n_errors: int
    last_called_at: datetime
