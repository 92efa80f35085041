"""Collecting metrics and events, and the reports made of them; everything is one workspace's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atom.analytics import queries, repository
from atom.analytics.alerts import AlertChange, Severity, judge
from atom.analytics.health import IntegrationHealth
from atom.analytics.metrics import (
    TOP_ERRORS,
    Counters,
    Distribution,
    ErrorShare,
    EventCount,
    Summary,
    Window,
    error_shares,
)
from atom.analytics.queries import GroupBy, Scope
from atom.analytics.vocabulary import MAX_VALUE, MetricType, NewEvent, NewMetric, require_name
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock
    from atom.kit.pagination import Cursor

CPU_METRIC: Final = "cpu_percent"
MEMORY_METRIC: Final = "memory_mb"
TOP_WORKFLOWS: Final = 10
LAST_ERRORS: Final = 10
MAX_POINTS: Final = 1_000


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
class ResourceUse:
    """How much of a resource was used, on average and at most; 0 when nobody measured."""

    mean: float = 0
    peak: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """How often a step was completed, and how long that took on average."""

    step_id: str
    n: int
    mean_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How one workflow did in a window."""

    workflow_id: str
    window: Window
    counters: Counters
    duration_ms: Summary
    top_errors: tuple[ErrorShare, ...]
    cpu_percent: ResourceUse
    memory_mb: ResourceUse
    steps: tuple[StepTime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRank:
    """A workflow and its counters."""

    workflow_id: str
    counters: Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An execution that failed."""

    workflow_id: str
    execution_id: str
    error: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How all workflows of a workspace did in a window."""

    window: Window
    n_workflows: int
    counters: Counters
    mean_duration_ms: float
    top_workflows: tuple[WorkflowRank, ...]
    last_errors: tuple[Failure, ...]


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
class Notification:
    """What somebody has to be told about a rule."""

    rule: Rule
    change: AlertChange
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """An integration, how well it works, and when it was last called."""

    name: str
    health: IntegrationHealth
    last_called_at: datetime


def collect_metric(session: Session, clock: Clock, *, workspace_id: str, metric: NewMetric) -> Point:
    """Write one measured value."""
    _require_workspace(session, workspace_id)
    values = point_values(workspace_id, metric, arrived_at=clock.now())
    repository.add_points(session, [values])
    return _point(values)


def record_events(session: Session, clock: Clock, *, workspace_id: str, events: Iterable[NewEvent]) -> int:
    """Write the events that are new to the workspace; return how many."""
    _require_workspace(session, workspace_id)
    now = clock.now()
    return repository.add_events(
        session, [event_values(workspace_id, event, arrived_at=now) for event in events]
    )


def metric_points(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    name: str,
    window: Window,
    limit: int = MAX_POINTS,
    after: Cursor | None = None,
) -> tuple[Point, ...]:
    """Return the latest values of a metric in a window, the latest first, after a place if one is given."""
    if not 1 <= limit <= MAX_POINTS:
        raise InvalidError(f"limit is {limit}, expected 1 to {MAX_POINTS}", field="limit")
    require_name(name, field="name")
    rows = queries.list_points(session, _scope(clock, workspace_id, window), name, limit, after)
    return tuple(_point(row._asdict()) for row in rows)


def metric_summary(
    session: Session, clock: Clock, *, workspace_id: str, name: str, window: Window
) -> Summary:
    """Return the figures of a metric's values in a window."""
    require_name(name, field="name")
    found = queries.metric_values(session, _scope(clock, workspace_id, window), [name])
    return found.get(name, Distribution()).summary()


def counters_by(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    window: Window,
    group: GroupBy,
    workflow_id: str | None = None,
) -> dict[str | None, Counters]:
    """Return the counters of each member of a group; under None those of events that name no member."""
    scope = _scope(clock, workspace_id, window, workflow_id)
    return _counters(queries.event_counts(session, scope, group))


def performance(
    session: Session, clock: Clock, *, workspace_id: str, workflow_id: str, window: Window
) -> Performance:
    """Return how a workflow did in a window; one that nobody has heard of did nothing."""
    scope = _scope(clock, workspace_id, window, workflow_id)
    counts = queries.event_counts(session, scope, GroupBy.WORKFLOW)
    resources = queries.metric_values(session, scope, (CPU_METRIC, MEMORY_METRIC))
    steps = queries.step_durations(session, scope)
    return Performance(
        workflow_id=workflow_id,
        window=window,
        counters=Counters.of(count for _, count in counts),
        duration_ms=queries.execution_durations(session, scope).summary(),
        top_errors=error_shares(queries.error_counts(session, scope))[:TOP_ERRORS],
        cpu_percent=_resource_use(resources.get(CPU_METRIC)),
        memory_mb=_resource_use(resources.get(MEMORY_METRIC)),
        steps=tuple(
            StepTime(step_id=step_id, n=found.n, mean_ms=found.summary().mean)
            for step_id, found in sorted(steps.items())
        ),
    )


def overview(session: Session, clock: Clock, *, workspace_id: str, window: Window) -> Overview:
    """Return how all workflows of a workspace did in a window; the busiest and the latest errors first."""
    scope = _scope(clock, workspace_id, window)
    by_workflow = _counters(queries.event_counts(session, scope, GroupBy.WORKFLOW))
    ranks = [
        WorkflowRank(workflow_id=name, counters=counters) for name, counters in by_workflow.items() if name
    ]
    ranks.sort(key=lambda rank: (-rank.counters.n_executions, rank.workflow_id))
    return Overview(
        window=window,
        n_workflows=len(by_workflow),
        counters=sum(by_workflow.values(), Counters()),
        mean_duration_ms=queries.execution_durations(session, scope).summary().mean,
        top_workflows=tuple(ranks[:TOP_WORKFLOWS]),
        last_errors=tuple(
            Failure(
                workflow_id=row.workflow_id,
                execution_id=row.execution_id,
                error=row.error,
                occurred_at=row.occurred_at,
            )
            for row in queries.last_failures(session, scope, LAST_ERRORS)
        ),
    )


def add_alert_rule(
    session: Session, *, workspace_id: str, name: str, metric: str, threshold: float, severity: Severity
) -> Rule:
    """Write an alert rule under a name that the workspace has not used."""
    require_name(name, field="name")
    require_name(metric, field="metric")
    if not -MAX_VALUE <= threshold <= MAX_VALUE:
        raise InvalidError(f"{threshold!r} is not within ±{MAX_VALUE:g}", field="threshold")
    _require_workspace(session, workspace_id)
    rule = Rule(id=new_id(), name=name, metric=metric, threshold=threshold, severity=severity)
    values = {
        "id": rule.id,
        "workspace_id": workspace_id,
        "name": name,
        "metric": metric,
        "threshold": threshold,
        "severity": severity,
    }
    if not repository.add_rule(session, values):
        raise ConflictError(f"there is an alert rule {name!r} already")
    return rule


def delete_alert_rule(session: Session, *, workspace_id: str, rule_id: str) -> None:
    """Delete an alert rule of the workspace, its alerts too."""
    if not repository.delete_rule(session, workspace_id, rule_id):
        raise NotFoundError("alert rule", rule_id)


def list_alert_rules(session: Session, *, workspace_id: str) -> tuple[Rule, ...]:
    """Return the workspace's alert rules, by name."""
    return tuple(
        Rule(
            id=row.id,
            name=row.name,
            metric=row.metric,
            threshold=row.threshold,
            severity=row.severity,
            firing_since=row.fired_at,
        )
        for row in queries.list_rules(session, workspace_id)
    )


def evaluate_alerts(session: Session, clock: Clock, *, workspace_id: str) -> tuple[Notification, ...]:
    """
    Check the latest values against the workspace's rules, and return what has changed since the last time.

    Of two evaluations at the same time one gets the change.
    """
    now = clock.now()
    latest = queries.latest_values(session, workspace_id, until=now)
    changes = []
    for rule in list_alert_rules(session, workspace_id=workspace_id):
        value = latest.get(rule.metric)
        if value is None:
            continue
        change = judge(latest=value, threshold=rule.threshold, is_firing=rule.firing_since is not None)
        if change is None:
            continue
        write = repository.fire_alert if change is AlertChange.FIRED else repository.resolve_alert
        if write(session, rule.id, value=value, at=now):
            changes.append(Notification(rule=rule, change=change, value=value))
    return tuple(changes)


def record_integration_call(
    session: Session, clock: Clock, *, workspace_id: str, integration: str, is_error: bool
) -> None:
    """Count one call of another system."""
    require_name(integration, field="integration")
    _require_workspace(session, workspace_id)
    repository.count_call(session, workspace_id, integration, is_error=is_error, at=clock.now())


def integrations(session: Session, *, workspace_id: str) -> tuple[Integration, ...]:
    """Return how well each integration of the workspace works, by name."""
    return tuple(
        Integration(
            name=row.integration,
            health=IntegrationHealth(n_calls=row.n_calls, n_errors=row.n_errors),
            last_called_at=row.last_called_at,
        )
        for row in queries.integration_calls(session, workspace_id)
    )


def point_values(workspace_id: str, metric: NewMetric, *, arrived_at: datetime) -> dict[str, Any]:
    """Return the row of a measured value."""
    return {
        "id": new_id(),
        "workspace_id": workspace_id,
        "name": metric.name,
        "type": metric.type,
        "value": metric.value,
        "workflow_id": metric.workflow_id,
        "tags": dict(metric.tags),
        "recorded_at": metric.recorded_at or arrived_at,
    }


def event_values(workspace_id: str, event: NewEvent, *, arrived_at: datetime) -> dict[str, Any]:
    """Return the row of an event."""
    return {
        "workspace_id": workspace_id,
        "event_id": event.event_id,
        "workflow_id": event.workflow_id,
        "execution_id": event.execution_id,
        "type": event.type,
        "status": event.status,
        "step_id": event.step_id,
        "user_id": event.user_id,
        "duration_ms": event.duration_ms,
        "error": event.error,
        "time_saved_s": event.time_saved_s,
        "business_value_minor": event.business_value_minor,
        "occurred_at": event.occurred_at or arrived_at,
    }


def _scope(clock: Clock, workspace_id: str, window: Window, workflow_id: str | None = None) -> Scope:
    if workflow_id is not None:
        require_name(workflow_id, field="workflow_id")
    now = clock.now()
    return Scope(workspace_id=workspace_id, since=window.start(now), until=now, workflow_id=workflow_id)


def _counters(counts: Iterable[tuple[str | None, EventCount]]) -> dict[str | None, Counters]:
    found: dict[str | None, list[EventCount]] = {}
    for member, count in counts:
        found.setdefault(member, []).append(count)
    return {member: Counters.of(events) for member, events in found.items()}


def _resource_use(values: Distribution | None) -> ResourceUse:
    if values is None:
        return ResourceUse()
    summary = values.summary()
    return ResourceUse(mean=summary.mean, peak=summary.max)


def _point(values: Mapping[str, Any]) -> Point:
    return Point(
        id=values["id"],
        name=values["name"],
        type=values["type"],
        value=values["value"],
        workflow_id=values["workflow_id"],
        tags=values["tags"],
        recorded_at=values["recorded_at"],
    )


def _require_workspace(session: Session, workspace_id: str) -> None:
    if not queries.is_workspace(session, workspace_id):
        raise NotFoundError("workspace", workspace_id)
