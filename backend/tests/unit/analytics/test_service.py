"""What the use cases of analytics refuse, and how far their lists go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from atom.analytics import queries, repository, service
from atom.analytics.alerts import Severity
from atom.analytics.metrics import Window
from atom.analytics.rows import Failure
from atom.analytics.vocabulary import EventStatus, EventType, MetricType, NewEvent, NewMetric
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.tables import analytics
from tests import factories
from tests.database import Database
from tests.factories import NOW


def failure(number: int) -> NewEvent:
    """A failed execution of a workflow of its own, the later the greater its number."""
    return NewEvent(
        event_id=f"event-{number}",
        workflow_id=f"workflow-{number:02}",
        execution_id=f"execution-{number}",
        type=EventType.COMPLETED,
        status=EventStatus.FAILED,
        error="broken",
        occurred_at=NOW - timedelta(minutes=30 - number),
    )


def test_overview_lists_ten_workflows_and_ten_failures(database: Database, clock: ManualClock) -> None:
    """Of twelve workflows ten are listed, by name where equally busy, and the ten latest failures."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        service.record_events(session, clock, workspace_id=own, events=[failure(n) for n in range(12)])
        found = service.overview(session, clock, workspace_id=own, window=Window.HOUR)
    assert found.n_workflows == 12
    assert [rank.workflow_id for rank in found.top_workflows] == [f"workflow-{n:02}" for n in range(10)]
    assert [failed.execution_id for failed in found.last_errors] == [
        f"execution-{n}" for n in range(11, 1, -1)
    ]
    assert found.last_errors[0] == Failure(
        workflow_id="workflow-11",
        execution_id="execution-11",
        error="broken",
        occurred_at=NOW - timedelta(minutes=19),
    )


def test_performance_lists_five_errors(database: Database, clock: ManualClock) -> None:
    """Of six errors the sixth is not listed."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        events = [
            NewEvent(
                event_id=str(number),
                workflow_id="w",
                execution_id="x",
                type=EventType.COMPLETED,
                status=EventStatus.FAILED,
                error=f"error {number}",
            )
            for number in range(6)
        ]
        service.record_events(session, clock, workspace_id=own, events=events)
        found = service.performance(session, clock, workspace_id=own, workflow_id="w", window=Window.HOUR)
    assert [share.error for share in found.top_errors] == [f"error {n}" for n in range(5)]


def test_points_come_latest_first_up_to_the_limit(database: Database, clock: ManualClock) -> None:
    """The limit is one to a thousand, and cuts off the oldest."""
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        for workspace_id, name in ((own, "load"), (own, "heat"), (other, "load")):
            for age in (2, 0, 1):
                metric = NewMetric(
                    name=name, type=MetricType.GAUGE, value=age, recorded_at=NOW - timedelta(minutes=age)
                )
                service.collect_metric(session, clock, workspace_id=workspace_id, metric=metric)
        asked = {"workspace_id": own, "name": "load", "window": Window.HOUR}
        for limit in (1, 2, 1_000):
            found = service.metric_points(session, clock, **asked, limit=limit)  # type: ignore[arg-type]
            assert [point.value for point in found] == [0, 1, 2][:limit]
        for limit in (0, 1_001):
            with pytest.raises(InvalidError) as caught:
                service.metric_points(session, clock, **asked, limit=limit)  # type: ignore[arg-type]
            assert caught.value.field == "limit"


def test_names_that_cannot_be_are_refused(database: Database, clock: ManualClock) -> None:
    """Asking for a name that no database can hold is the caller's mistake, and the error says which."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        asked: dict[str, Any] = {"workspace_id": own, "window": Window.HOUR}
        rule: dict[str, Any] = {"name": "n", "metric": "m", "threshold": 1, "severity": Severity.LOW}
        bad_rules: list[tuple[str, dict[str, Any]]] = [
            ("name", {"name": ""}),
            ("metric", {"metric": "\0"}),
            ("threshold", {"threshold": float("nan")}),
            ("threshold", {"threshold": 1e15 + 1}),
            ("threshold", {"threshold": -1e15 - 1}),
        ]
        attempts: list[tuple[str, Callable[[], object]]] = [
            ("name", partial(service.metric_points, session, clock, **asked, name="\0")),
            ("name", partial(service.metric_summary, session, clock, **asked, name="")),
            ("workflow_id", partial(service.performance, session, clock, **asked, workflow_id="\0")),
            (
                "integration",
                lambda: service.record_integration_call(
                    session, clock, workspace_id=own, integration=" ", is_error=False
                ),
            ),
            *(
                (field, partial(service.add_alert_rule, session, workspace_id=own, **(rule | values)))
                for field, values in bad_rules
            ),
        ]
        for field, attempt in attempts:
            with pytest.raises(InvalidError) as caught:
                attempt()
            assert caught.value.field == field
        assert service.integrations(session, workspace_id=own) == ()
        assert service.list_alert_rules(session, workspace_id=own) == ()


def test_nothing_is_written_for_a_workspace_that_does_not_exist(
    database: Database, clock: ManualClock
) -> None:
    """Every writing use case asks for the workspace."""
    metric = NewMetric(name="load", type=MetricType.GAUGE, value=1)
    with database.session() as session:
        for attempt in (
            lambda: service.collect_metric(session, clock, workspace_id="nobody", metric=metric),
            lambda: service.record_events(session, clock, workspace_id="nobody", events=[failure(1)]),
            lambda: service.record_integration_call(
                session, clock, workspace_id="nobody", integration="mail", is_error=True
            ),
            lambda: service.add_alert_rule(
                session, workspace_id="nobody", name="n", metric="m", threshold=1, severity=Severity.LOW
            ),
        ):
            with pytest.raises(NotFoundError) as caught:
                attempt()
            assert (caught.value.kind, caught.value.id) == ("workspace", "nobody")


def test_alert_rules_are_listed_by_name_and_deleted_by_their_workspace(
    database: Database, clock: ManualClock
) -> None:
    """A name is used once a workspace; a rule goes with its alerts, and only from its own workspace."""
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        rules = [
            service.add_alert_rule(
                session,
                workspace_id=workspace_id,
                name=name,
                metric="heat",
                threshold=threshold,
                severity=Severity.CRITICAL,
            )
            for workspace_id, name, threshold in (
                (own, "b", 1e15),
                (own, "a", -1e15),
                (own, "c", 0.5),
                (other, "a", 0.5),
            )
        ]
        assert service.list_alert_rules(session, workspace_id=own) == (rules[1], rules[0], rules[2])
        with pytest.raises(ConflictError):
            service.add_alert_rule(
                session, workspace_id=own, name="a", metric="m", threshold=1, severity=Severity.LOW
            )
        metric = NewMetric(name="heat", type=MetricType.GAUGE, value=1)
        service.collect_metric(session, clock, workspace_id=own, metric=metric)
        told = service.evaluate_alerts(session, clock, workspace_id=own)
        assert [note.rule for note in told] == [rules[1], rules[2]]
        for workspace_id, rule_id in ((other, rules[2].id), (own, "nothing")):
            with pytest.raises(NotFoundError):
                service.delete_alert_rule(session, workspace_id=workspace_id, rule_id=rule_id)
        service.delete_alert_rule(session, workspace_id=own, rule_id=rules[2].id)
        assert [rule.name for rule in service.list_alert_rules(session, workspace_id=own)] == ["a", "b"]
        assert session.scalars(select(analytics.Alert.rule_id)).all() == [rules[1].id]


def test_alert_keeps_both_moments_and_values(database: Database, clock: ManualClock) -> None:
    """An alert says when and at which value it fired and was resolved; a second writer finds it done."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        rule = service.add_alert_rule(
            session, workspace_id=own, name="hot", metric="heat", threshold=5, severity=Severity.LOW
        )
        assert not repository.resolve_alert(session, rule.id, value=1, at=NOW)
        assert repository.fire_alert(session, rule.id, value=9, at=NOW)
        assert not repository.fire_alert(session, rule.id, value=10, at=NOW)
        later = NOW + timedelta(seconds=1)
        assert repository.resolve_alert(session, rule.id, value=2, at=later)
        assert repository.fire_alert(session, rule.id, value=11, at=later)
        stored = session.execute(
            select(
                analytics.Alert.fired_at,
                analytics.Alert.fired_value,
                analytics.Alert.resolved_at,
                analytics.Alert.resolved_value,
            ).order_by(analytics.Alert.fired_at)
        ).all()
        assert [tuple(row) for row in stored] == [(NOW, 9, later, 2), (later, 11, None, None)]


def test_last_call_never_goes_back(database: Database, clock: ManualClock) -> None:
    """A call recorded late does not make the last one earlier."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        for at in (NOW, NOW - timedelta(hours=1)):
            repository.count_call(session, own, "mail", is_error=True, at=at)
        (found,) = service.integrations(session, workspace_id=own)
        assert (found.last_called_at, found.health.n_calls, found.health.n_errors) == (NOW, 2, 2)


def test_writing_nothing_is_allowed(database: Database, clock: ManualClock) -> None:
    """No events are zero events."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        assert service.record_events(session, clock, workspace_id=own, events=[]) == 0
        assert queries.existing_workspaces(session, []) == set()


@pytest.mark.parametrize(
    "values",
    [
        {"duration_ms": -1},
        {"time_saved_s": -1},
        {"business_value_minor": -1},
        {"type": EventType.COMPLETED, "status": EventStatus.PAUSED},
    ],
)
def test_schema_refuses_an_event_that_cannot_be(
    database: Database, clock: ManualClock, values: dict[str, object]
) -> None:
    """What the code refuses the tables refuse too."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        repository.add_events(session, own, [failure(1)], arrived_at=NOW)
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(update(analytics.WorkflowEvent).values(values))


def test_schema_refuses_a_negative_counter(database: Database, clock: ManualClock) -> None:
    """A counter below zero is refused by the table too, a gauge is not."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        below_zero = NewMetric(name="load", type=MetricType.GAUGE, value=-1)
        point = service.collect_metric(session, clock, workspace_id=own, metric=below_zero)
        with pytest.raises(IntegrityError), session.begin_nested():
            repository.add_point(session, own, replace(point, id="other", type=MetricType.COUNTER))


def test_a_step_that_failed_says_nothing_of_how_long_it_takes(database: Database, clock: ManualClock) -> None:
    """The mean of a step is that of its completions."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        events = [
            NewEvent(
                event_id=f"event-{number}",
                workflow_id="billing",
                execution_id="run",
                type=type_,
                status=status,
                step_id="fetch",
                duration_ms=duration_ms,
                occurred_at=NOW,
            )
            for number, (type_, status, duration_ms) in enumerate(
                [
                    (EventType.STEP_COMPLETED, EventStatus.COMPLETED, 10),
                    (EventType.STEP_FAILED, EventStatus.FAILED, 1_000),
                ]
            )
        ]
        service.record_events(session, clock, workspace_id=own, events=events)
        found = service.performance(
            session, clock, workspace_id=own, workflow_id="billing", window=Window.HOUR
        )
    assert found.steps == (service.StepTime(step_id="fetch", n=1, mean_ms=10),)


def test_an_alert_is_about_its_own_rule_and_workspace(database: Database, clock: ManualClock) -> None:
    """Another workspace's value of the same moment fires nothing, and resolving one alert leaves the next."""
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        first, second = (
            service.add_alert_rule(
                session, workspace_id=own, name=name, metric=name, threshold=5, severity=Severity.LOW
            )
            for name in ("cold", "hot")
        )

        def told(*values: tuple[str, str, float]) -> list[str]:
            for workspace_id, name, value in values:
                metric = NewMetric(name=name, type=MetricType.GAUGE, value=value)
                service.collect_metric(session, clock, workspace_id=workspace_id, metric=metric)
            return [note.rule.id for note in service.evaluate_alerts(session, clock, workspace_id=own)]

        assert told((own, "cold", 1), (other, "cold", 9)) == []
        clock.advance(timedelta(seconds=1))
        assert told((own, "cold", 9), (own, "hot", 9)) == [first.id, second.id]
        clock.advance(timedelta(seconds=1))
        assert told((own, "cold", 1)) == [first.id]
        rules = service.list_alert_rules(session, workspace_id=own)
        assert [rule.firing_since is None for rule in rules] == [True, False]
