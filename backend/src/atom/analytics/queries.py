"""
What analytics reads; grouped by the database, so that a report costs as much as its result is long.

Each statement is built once: building one takes longer than running it on an embedded database.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select, tuple_

from atom.analytics.metrics import UNNAMED_ERROR, Distribution, EventCount
from atom.analytics.models import Alert, AlertRule, IntegrationCalls, MetricPoint, WorkflowEvent
from atom.analytics.rows import CallCounts, Failure, Point, Rule
from atom.analytics.vocabulary import EventStatus, EventType
from atom.db.rows import RowsOf
from atom.db.statements import table_of
from atom.db.sums import whole_sum
from atom.identity.models import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from atom.kit.pagination import Cursor

Points = table_of(MetricPoint).c
Events = table_of(WorkflowEvent).c
Rules = table_of(AlertRule).c
Alerts = table_of(Alert).c
Calls = table_of(IntegrationCalls).c
Workspaces = table_of(Workspace).c


class GroupBy(StrEnum):
    """By what events can be grouped."""

    WORKFLOW = "workflow"
    USER = "user"
    STEP = "step"


GROUP_COLUMNS: Final = {
    GroupBy.WORKFLOW: Events.workflow_id,
    GroupBy.USER: Events.user_id,
    GroupBy.STEP: Events.step_id,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which rows a report is about: both ends of the time belong to it."""

    workspace_id: str
    since: datetime
    until: datetime
    workflow_id: str | None = None

    @property
    def has_workflow(self) -> bool:
        """Whether the report is about one workflow."""
        return self.workflow_id is not None

    @property
    def parameters(self) -> dict[str, Any]:
        """What the statements call the fields."""
        return {
            "workspace": self.workspace_id,
            "since": self.since,
            "until": self.until,
            "workflow": self.workflow_id,
        }


def existing_workspaces(session: Session, workspace_ids: Iterable[str]) -> set[str]:
    """Return those of the workspaces that exist."""
    return set(session.scalars(EXISTING_WORKSPACES, {"ids": list(workspace_ids)}))


def is_workspace(session: Session, workspace_id: str) -> bool:
    """Return whether the workspace exists."""
    return session.execute(FIND_WORKSPACE, {"workspace": workspace_id}).first() is not None


def event_counts(session: Session, scope: Scope, group: GroupBy) -> list[tuple[str | None, EventCount]]:
    """Count the events of each kind, per member of the group; None is the group of those that name none."""
    rows = session.execute(_event_counts(group, scope.has_workflow), scope.parameters)
    return [
        (
            member,
            EventCount(
                type=type_,
                status=status,
                n=n,
                time_saved_s=time_saved_s,
                business_value_minor=business_value_minor,
            ),
        )
        for member, type_, status, n, time_saved_s, business_value_minor in rows
    ]


def execution_durations(session: Session, scope: Scope) -> Distribution:
    """Return how long executions took that ended."""
    rows = session.execute(_execution_durations(scope.has_workflow), scope.parameters)
    return Distribution(dict(map(tuple, rows)))


def step_durations(session: Session, scope: Scope) -> dict[str, Distribution]:
    """Return how long each step took when it was completed."""
    return _distributions(session.execute(_step_durations(scope.has_workflow), scope.parameters))


def error_counts(session: Session, scope: Scope) -> dict[str, int]:
    """Count the failed executions of each error."""
    rows = session.execute(_error_counts(scope.has_workflow), scope.parameters)
    return dict(map(tuple, rows))


def last_failures(session: Session, scope: Scope, limit: int) -> tuple[Failure, ...]:
    """Return the failed executions that ended last, the latest first."""
    parameters = {**scope.parameters, "limit": limit}
    return tuple(FAILURES.all(session.execute(_last_failures(scope.has_workflow), parameters)))


def metric_values(session: Session, scope: Scope, names: Iterable[str]) -> dict[str, Distribution]:
    """Return the values of some metrics, by name."""
    parameters = {**scope.parameters, "names": list(names)}
    return _distributions(session.execute(_metric_values(scope.has_workflow), parameters))


def list_points(
    session: Session, scope: Scope, name: str, limit: int, after: Cursor | None
) -> tuple[Point, ...]:
    """Return the latest points of a metric, the latest first, after a place if one is given."""
    parameters = {**scope.parameters, "name": name, "limit": limit}
    query = _list_points(scope.has_workflow)
    if after is not None:
        query = query.where(tuple_(Points.recorded_at, Points.id) < tuple_(after.at, after.id))
    return tuple(POINTS.all(session.execute(query, parameters)))


def latest_values(session: Session, workspace_id: str, until: datetime) -> dict[str, float]:
    """
    Return the latest value, measured until then, of each metric that an alert rule of the workspace watches.

    Of values measured at the same moment the greatest counts, in whatever order they arrived.
    """
    rows = session.execute(LATEST_VALUES, {"workspace": workspace_id, "until": until})
    return dict(map(tuple, rows))


def list_rules(session: Session, workspace_id: str) -> tuple[Rule, ...]:
    """Return the workspace's alert rules by name, each with the time that its unresolved alert fired."""
    return tuple(RULES.all(session.execute(LIST_RULES, {"workspace": workspace_id})))


def integration_calls(session: Session, workspace_id: str) -> tuple[CallCounts, ...]:
    """Return the counts of each integration of the workspace, by name."""
    return tuple(CALLS.all(session.execute(INTEGRATION_CALLS, {"workspace": workspace_id})))


def _distributions(rows: Iterable[Any]) -> dict[str, Distribution]:
    found: dict[str, dict[float, int]] = {}
    for name, value, n in rows:
        found.setdefault(name, {})[value] = n
    return {name: Distribution(counts) for name, counts in found.items()}


def _events(has_workflow: bool) -> ColumnElement[bool]:
    condition = and_(
        Events.workspace_id == bindparam("workspace"),
        Events.occurred_at.between(bindparam("since"), bindparam("until")),
    )
    return and_(condition, Events.workflow_id == bindparam("workflow")) if has_workflow else condition


def _points(has_workflow: bool) -> ColumnElement[bool]:
    condition = and_(
        Points.workspace_id == bindparam("workspace"),
        Points.recorded_at.between(bindparam("since"), bindparam("until")),
    )
    return and_(condition, Points.workflow_id == bindparam("workflow")) if has_workflow else condition


@cache
def _event_counts(group: GroupBy, has_workflow: bool) -> Select[Any]:
    column = GROUP_COLUMNS[group]
    return (
        select(
            column,
            Events.type,
            Events.status,
            func.count(),
            whole_sum(Events.time_saved_s),
            whole_sum(Events.business_value_minor),
        )
        .where(_events(has_workflow))
        .group_by(column, Events.type, Events.status)
    )


@cache
def _execution_durations(has_workflow: bool) -> Select[Any]:
    return (
        select(Events.duration_ms, func.count())
        .where(_events(has_workflow), Events.type == EventType.COMPLETED, Events.duration_ms.is_not(None))
        .group_by(Events.duration_ms)
    )


@cache
def _step_durations(has_workflow: bool) -> Select[Any]:
    return (
        select(Events.step_id, Events.duration_ms, func.count())
        .where(
            _events(has_workflow), Events.type == EventType.STEP_COMPLETED, Events.duration_ms.is_not(None)
        )
        .group_by(Events.step_id, Events.duration_ms)
    )


FAILURE: Final = and_(Events.type == EventType.COMPLETED, Events.status == EventStatus.FAILED)
ERROR_NAME: Final = func.coalesce(Events.error, UNNAMED_ERROR)
POINTS: Final = RowsOf(Point, table_of(MetricPoint))
FAILURES: Final = RowsOf(Failure, table_of(WorkflowEvent), error=ERROR_NAME)
RULES: Final = RowsOf(Rule, table_of(AlertRule), firing_since=Alerts.fired_at)
CALLS: Final = RowsOf(CallCounts, table_of(IntegrationCalls))


@cache
def _error_counts(has_workflow: bool) -> Select[Any]:
    # Grouped by the column: PostgreSQL does not see that two expressions with parameters are the same.
    errors = select(ERROR_NAME.label("error")).where(_events(has_workflow), FAILURE).subquery()
    return select(errors.c.error, func.count()).group_by(errors.c.error)


@cache
def _last_failures(has_workflow: bool) -> Select[Any]:
    return (
        select(*FAILURES.columns)
        .where(_events(has_workflow), FAILURE)
        .order_by(Events.occurred_at.desc(), Events.event_id.desc())
        .limit(bindparam("limit"))
    )


@cache
def _metric_values(has_workflow: bool) -> Select[Any]:
    return (
        select(Points.name, Points.value, func.count())
        .where(_points(has_workflow), Points.name.in_(bindparam("names", expanding=True)))
        .group_by(Points.name, Points.value)
    )


@cache
def _list_points(has_workflow: bool) -> Select[Any]:
    return (
        select(*POINTS.columns)
        .where(_points(has_workflow), Points.name == bindparam("name"))
        .order_by(Points.recorded_at.desc(), Points.id.desc())
        .limit(bindparam("limit"))
    )


def _latest_values() -> Select[Any]:
    watched = select(Rules.metric).where(Rules.workspace_id == bindparam("workspace"))
    newest = (
        select(Points.name, func.max(Points.recorded_at).label("at"))
        .where(
            Points.workspace_id == bindparam("workspace"),
            Points.name.in_(watched),
            Points.recorded_at <= bindparam("until"),
        )
        .group_by(Points.name)
        .subquery()
    )
    return (
        select(Points.name, func.max(Points.value))
        .join(newest, and_(Points.name == newest.c.name, Points.recorded_at == newest.c.at))
        .where(Points.workspace_id == bindparam("workspace"))
        .group_by(Points.name)
    )


EXISTING_WORKSPACES: Final = select(Workspaces.id).where(Workspaces.id.in_(bindparam("ids", expanding=True)))
FIND_WORKSPACE: Final = select(Workspaces.id).where(Workspaces.id == bindparam("workspace"))
LATEST_VALUES: Final = _latest_values()
LIST_RULES: Final = (
    select(*RULES.columns)
    .outerjoin_from(
        table_of(AlertRule), table_of(Alert), and_(Alerts.rule_id == Rules.id, Alerts.resolved_at.is_(None))
    )
    .where(Rules.workspace_id == bindparam("workspace"))
    .order_by(Rules.name)
)
INTEGRATION_CALLS: Final = (
    select(*CALLS.columns).where(Calls.workspace_id == bindparam("workspace")).order_by(Calls.integration)
)
