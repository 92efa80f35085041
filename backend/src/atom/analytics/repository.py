"""What analytics writes; each statement names the workspace, none commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, insert, update

from atom.analytics.models import Alert, AlertRule, IntegrationCalls, MetricPoint, WorkflowEvent
from atom.db.statements import rows_changed, table_of, upsert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

Points = table_of(MetricPoint)
Events = table_of(WorkflowEvent)
Rules = table_of(AlertRule)
Alerts = table_of(Alert)
Calls = table_of(IntegrationCalls)


def add_points(session: Session, points: Sequence[Mapping[str, Any]]) -> None:
    """Write measured values."""
    if points:
        session.execute(insert(Points), [dict(point) for point in points])


def add_events(session: Session, events: Sequence[Mapping[str, Any]]) -> int:
    """Write the events whose identifier is new to their workspace; return how many."""
    if not events:
        return 0
    statement = upsert(session, Events).on_conflict_do_nothing().returning(Events.c.event_id)
    return len(session.execute(statement, [dict(event) for event in events]).all())


def add_rule(session: Session, rule: Mapping[str, Any]) -> bool:
    """Write an alert rule; return whether its name was free."""
    statement = upsert(session, Rules).on_conflict_do_nothing().returning(Rules.c.id)
    return session.execute(statement, [dict(rule)]).first() is not None


def delete_rule(session: Session, workspace_id: str, rule_id: str) -> bool:
    """Delete a rule of the workspace with its alerts; return whether there was one."""
    found = delete(Rules).where(Rules.c.id == rule_id, Rules.c.workspace_id == workspace_id)
    return rows_changed(session, found) == 1


def fire_alert(session: Session, rule_id: str, *, value: float, at: datetime) -> bool:
    """Write an alert unless its rule has an unresolved one; return whether it was written."""
    values = {"rule_id": rule_id, "fired_at": at, "fired_value": value}
    statement = upsert(session, Alerts).on_conflict_do_nothing().returning(Alerts.c.id)
    return session.execute(statement, [values]).first() is not None


def resolve_alert(session: Session, rule_id: str, *, value: float, at: datetime) -> bool:
    """Resolve the unresolved alert of a rule; return whether there was one."""
    resolved = (
        update(Alerts)
        .where(Alerts.c.rule_id == rule_id, Alerts.c.resolved_at.is_(None))
        .values(resolved_at=at, resolved_value=value)
    )
    return rows_changed(session, resolved) == 1


def count_call(
    session: Session, workspace_id: str, integration: str, *, is_error: bool, at: datetime
) -> None:
    """Count a call of an integration, its first one too."""
    statement = upsert(session, Calls).values(
        workspace_id=workspace_id,
        integration=integration,
        n_calls=1,
        n_errors=int(is_error),
        last_called_at=at,
    )
    new = statement.excluded
    session.execute(
        statement.on_conflict_do_update(
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
    )
