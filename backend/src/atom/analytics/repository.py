"""What analytics writes; each statement names the workspace, none commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, case, delete, insert, update

from atom.analytics.models import Alert, AlertRule, IntegrationCalls, MetricPoint, WorkflowEvent
from atom.analytics.rows import Point, Rule
from atom.analytics.vocabulary import NewEvent
from atom.db.rows import RowsOf
from atom.db.statements import rows_changed, table_of, upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Table
    from sqlalchemy.orm import Session

Points = table_of(MetricPoint)
Events = table_of(WorkflowEvent)
Rules = table_of(AlertRule)
Alerts = table_of(Alert)
Calls = table_of(IntegrationCalls)

POINT: Final = RowsOf(Point, Points)
EVENT: Final = RowsOf(NewEvent, Events)
RULE: Final = RowsOf(Rule, Rules, firing_since=Alerts.c.fired_at)
ADD_POINT: Final = insert(Points)
RESOLVE_ALERT: Final = update(Alerts).where(
    Alerts.c.rule_id == bindparam("rule"), Alerts.c.resolved_at.is_(None)
)


def add_point(session: Session, workspace_id: str, point: Point) -> None:
    """Write a measured value."""
    session.execute(ADD_POINT, {"workspace_id": workspace_id, **POINT.values(point)})


def add_events(
    session: Session, workspace_id: str, events: Sequence[NewEvent], *, arrived_at: datetime
) -> int:
    """Write the events whose identifier is new to the workspace; return how many."""
    if not events:
        return 0
    values = [
        {
            **EVENT.values(event),
            "workspace_id": workspace_id,
            "occurred_at": event.occurred_at or arrived_at,
        }
        for event in events
    ]
    return len(session.execute(_add_events(session), values).all())


def add_rule(session: Session, workspace_id: str, rule: Rule) -> bool:
    """Write an alert rule; return whether its name was free."""
    values = {"workspace_id": workspace_id, **RULE.values(rule)}
    return session.execute(_add_rule(session), [values]).first() is not None


def delete_rule(session: Session, workspace_id: str, rule_id: str) -> bool:
    """Delete a rule of the workspace with its alerts; return whether there was one."""
    found = delete(Rules).where(Rules.c.id == rule_id, Rules.c.workspace_id == workspace_id)
    return rows_changed(session, found) == 1


def fire_alert(session: Session, rule_id: str, *, value: float, at: datetime) -> bool:
    """Write an alert unless its rule has an unresolved one; return whether it was written."""
    values = {"rule_id": rule_id, "fired_at": at, "fired_value": value}
    return session.execute(_fire_alert(session), [values]).first() is not None


def resolve_alert(session: Session, rule_id: str, *, value: float, at: datetime) -> bool:
    """Resolve the unresolved alert of a rule; return whether there was one."""
    parameters = {"rule": rule_id, "resolved_at": at, "resolved_value": value}
    return rows_changed(session, RESOLVE_ALERT, parameters) == 1


def count_call(
    session: Session, workspace_id: str, integration: str, *, is_error: bool, at: datetime
) -> None:
    """Count a call of an integration, its first one too."""
    call = {
        "workspace_id": workspace_id,
        "integration": integration,
        "n_calls": 1,
        "n_errors": int(is_error),
        "last_called_at": at,
    }
    session.execute(_count_call(session), call)


@upsert
def _add_events(insert: Callable[[Table], Any]) -> Any:
    return insert(Events).on_conflict_do_nothing().returning(Events.c.event_id)


@upsert
def _add_rule(insert: Callable[[Table], Any]) -> Any:
    return insert(Rules).on_conflict_do_nothing().returning(Rules.c.id)


@upsert
def _fire_alert(insert: Callable[[Table], Any]) -> Any:
    return insert(Alerts).on_conflict_do_nothing().returning(Alerts.c.id)


@upsert
def _count_call(insert: Callable[[Table], Any]) -> Any:
    statement = insert(Calls)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[Calls.c.workspace_id, Calls.c.integration],
        set_={
            "n_calls": Calls.c.n_calls + new.n_calls,
            "n_errors": Calls.c.n_errors + new.n_errors,
            "last_called_at": case(
                (Calls.c.last_called_at > new.last_called_at, Calls.c.last_called_at),
                else_=new.last_called_at,
            ),
        },
    )
