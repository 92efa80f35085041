"""Collecting metrics and events, and the reports made of them; everything is one workspace's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
from atom.analytics.rows import Failure, Point, Rule
from atom.analytics.vocabulary import MAX_VALUE, NewEvent, NewMetric, require_name
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable
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
    computed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRank:
    """A workflow and its counters."""

    workflow_id: str
    counters: Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How all workflows of a workspace did in a window."""

    window: Window
    n_workflows: int
    counters: Counters
    mean_duration_ms: float
    top_workflows: tuple[WorkflowRank, ...]
    last_errors: tuple[Failure, ...]
    computed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notification about a rule."""

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
    """Add a measured value."""
    _require_workspace(session, workspace_id)
    point = Point(
        id=new_id(),
        name=metric.name,
        type=metric.type,
        value=metric.value,
        workflow_id=metric.workflow_id,
        tags=dict(metric.tags),
        recorded_at=metric.recorded_at or clock.now(),
    )
    repository.add_point(session, workspace_id, point)
    return point


def record_events(session: Session, clock: Clock, *, workspace_id: str, events: Iterable[NewEvent]) -> int:
    """Write the events that are new to the workspace; return how many."""
    _require_workspace(session, workspace_id)
    return repository.add_events(session, workspace_id, list(events), arrived_at=clock.now())


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
    return queries.list_points(session, _scope(clock, workspace_id, window), name, limit, after)


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
        computed_at=scope.until,
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
        last_errors=queries.last_failures(session, scope, LAST_ERRORS),
        computed_at=scope.until,
    )


def add_alert_rule(
    session: Session, *, workspace_id: str, name: str, metric: str, threshold: float, severity: Severity
) -> Rule:
    """Add an alert rule, with a name that the workspace does not have yet."""
    require_name(name, field="name")
    require_name(metric, field="metric")
    if not -MAX_VALUE <= threshold <= MAX_VALUE:
        raise InvalidError(
            f"threshold is {threshold!r}, expected -{MAX_VALUE:g} to {MAX_VALUE:g}", field="threshold"
        )
    _require_workspace(session, workspace_id)
    rule = Rule(id=new_id(), name=name, metric=metric, threshold=threshold, severity=severity)
    if not repository.add_rule(session, workspace_id, rule):
        raise ConflictError(f"there is an alert rule {name!r} already")
    return rule


def delete_alert_rule(session: Session, *, workspace_id: str, rule_id: str) -> None:
    """Delete an alert rule of the workspace, its alerts too."""
    if not repository.delete_rule(session, workspace_id, rule_id):
        raise NotFoundError("alert rule", rule_id)


def list_alert_rules(session: Session, *, workspace_id: str) -> tuple[Rule, ...]:
    """Return the workspace's alert rules, by name."""
    return queries.list_rules(session, workspace_id)


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
            name=calls.integration,
            health=IntegrationHealth(n_calls=calls.n_calls, n_errors=calls.n_errors),
            last_called_at=calls.last_called_at,
        )
        for calls in queries.integration_calls(session, workspace_id)
    )


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


def _require_workspace(session: Session, workspace_id: str) -> None:
    if not queries.is_workspace(session, workspace_id):
        raise NotFoundError("workspace", workspace_id)
