"""
Invariants 1 to 11: what analytics reports from a real database, compared with reading the events one by one.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from fractions import Fraction
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from atom.analytics import service
from atom.analytics.alerts import Severity
from atom.analytics.cache import ReportCache
from atom.analytics.health import HealthStatus, IntegrationHealth
from atom.analytics.metrics import Counters, Distribution, EventCount, Window
from atom.analytics.queries import GroupBy
from atom.analytics.reports import CachedReports
from atom.analytics.vocabulary import EventStatus, EventType, MetricType, NewEvent, NewMetric
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError, NotFoundError
from atom.tables import analytics
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.property_tests.analytics import strategies
from tests.property_tests.analytics.strategies import SPANS, WORKFLOWS

CLOCK = ManualClock(NOW)
NOBODY = Counters()
STEP = NewEvent(
    event_id="event-0",
    workflow_id="billing",
    execution_id="run",
    type=EventType.STEP_COMPLETED,
    status=EventStatus.COMPLETED,
    step_id="fetch",
    duration_ms=5,
    occurred_at=NOW,
)


def record(session: Session, workspace_id: str, events: Iterable[NewEvent]) -> int:
    return service.record_events(session, CLOCK, workspace_id=workspace_id, events=events)


def performance(
    session: Session, workspace_id: str, workflow_id: str, window: Window = Window.HOUR
) -> service.Performance:
    return service.performance(
        session, CLOCK, workspace_id=workspace_id, workflow_id=workflow_id, window=window
    )


def overview(session: Session, workspace_id: str, window: Window = Window.HOUR) -> service.Overview:
    return service.overview(session, CLOCK, workspace_id=workspace_id, window=window)


def reports(session: Session, workspace_id: str, workflow_id: str, window: Window) -> list[object]:
    """The reports on a workspace and on one of its workflows."""
    return [performance(session, workspace_id, workflow_id, window), overview(session, workspace_id, window)]


def inside(events: Iterable[NewEvent], window: Window) -> list[NewEvent]:
    """The events inside the window: not older than its start, and not in the future."""
    return [
        event
        for event in events
        if event.occurred_at and timedelta(0) <= NOW - event.occurred_at <= SPANS[window]
    ]


def outcomes(events: Iterable[NewEvent], status: EventStatus) -> list[NewEvent]:
    """The executions that ended with this status."""
    return [event for event in events if event.type is EventType.COMPLETED and event.status is status]


COUNTED = tuple(field.name for field in fields(Counters))


def totals(*counters: Counters) -> dict[str, int]:
    """Each figure, summed by the test and not by the product's own addition of `Counters`."""
    return {name: sum(getattr(one, name) for one in counters) for name in COUNTED}


def error_of(event: NewEvent) -> str:
    """What a failure is listed under."""
    return event.error or "(no message)"


@given(metric=strategies.metrics)
def test_metric_collection_creates_valid_metric(database: Database, metric: NewMetric) -> None:
    """
    Collecting a metric writes one row with exactly the given values, and only its workspace can read it.
    """
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        collected = service.collect_metric(session, CLOCK, workspace_id=own, metric=metric)
        row = session.execute(select(*analytics.MetricPoint.__table__.c)).one()
        assert row._asdict() == {
            "id": collected.id,
            "workspace_id": own,
            "name": metric.name,
            "type": metric.type,
            "value": metric.value,
            "workflow_id": metric.workflow_id,
            "tags": metric.tags,
            "recorded_at": metric.recorded_at or NOW,
        }
        is_inside = timedelta(0) <= NOW - row.recorded_at <= SPANS[Window.WEEK]
        read = partial(service.metric_points, session, CLOCK, name=metric.name, window=Window.WEEK)
        found = read(workspace_id=own)
        assert found == ((collected,) if is_inside else ())
        summary = service.metric_summary(
            session, CLOCK, workspace_id=own, name=metric.name, window=Window.WEEK
        )
        assert (summary.n, summary.total) == ((1, metric.value) if is_inside else (0, 0))
        assert read(workspace_id=other) == ()


@given(
    type_=st.sampled_from(MetricType),
    value=st.sampled_from([float("nan"), float("inf"), -float("inf"), 1.0000001e15, -1.0000001e15, -1e-9]),
)
def test_metric_that_is_no_value_of_its_type_is_refused(type_: MetricType, value: float) -> None:
    """A metric whose value is not finite or too large is refused, and so is a negative counter or timer."""
    if type_ in (MetricType.GAUGE, MetricType.HISTOGRAM) and value == -1e-9:
        assert NewMetric(name="drift", type=type_, value=value).value == value
    else:
        with pytest.raises(InvalidError) as caught:
            NewMetric(name="drift", type=type_, value=value)
        assert caught.value.field == "value"


@pytest.mark.invariant(1)
@given(
    events=strategies.events(),
    of_others=strategies.events(max_size=3),
    name=st.sampled_from(WORKFLOWS),
)
def test_executions_are_successes_and_failures(
    database: Database, events: list[NewEvent], of_others: list[NewEvent], name: str
) -> None:
    """
    Invariant 1: a workflow's executions are its successes plus its failures;
    each event counts once, in its own workspace only.
    """
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        assert record(session, other, of_others) == len(of_others)
        assert record(session, own, events) == len(events)
        mine = [event for event in events if event.workflow_id == name]
        counters = performance(session, own, name).counters
        assert counters.n_executions == counters.n_succeeded + counters.n_failed
        assert counters == Counters(
            n_events=len(mine),
            n_started=sum(event.type is EventType.STARTED for event in mine),
            n_succeeded=len(outcomes(mine, EventStatus.COMPLETED)),
            n_failed=len(outcomes(mine, EventStatus.FAILED)),
            n_cancelled=len(outcomes(mine, EventStatus.CANCELLED)),
            n_timed_out=len(outcomes(mine, EventStatus.TIMEOUT)),
            time_saved_s=sum(event.time_saved_s for event in mine),
            business_value_minor=sum(event.business_value_minor for event in mine),
        )


@pytest.mark.invariant(2)
@given(durations=strategies.whole_values)
@example(durations=[1, 2])
@example(durations=list(range(1, 101)))
@example(durations=list(range(1, 102)))
def test_figures_of_durations_are_in_order(database: Database, durations: list[int]) -> None:
    """
    Invariant 2: for whole-number durations, min <= mean <= max and min <= median <= p95 <= p99 <= max, and
    each figure is exactly what its definition says.
    """
    events = [
        NewEvent(
            event_id=str(number),
            workflow_id="billing",
            execution_id="run",
            type=EventType.COMPLETED,
            status=EventStatus.COMPLETED,
            duration_ms=duration_ms,
        )
        for number, duration_ms in enumerate(durations)
    ]
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        record(session, own, events)
        found = performance(session, own, "billing").duration_ms
        assert overview(session, own).mean_duration_ms == found.mean
    assert found.n == len(durations)
    assert found.total == sum(durations)
    assert found.min <= found.mean <= found.max
    assert found.min <= found.median <= found.p95 <= found.p99 <= found.max
    if durations:
        assert (found.min, found.max) == (min(durations), max(durations))
        assert found.mean == sum(durations) / len(durations)
        assert found.median == statistics.median(durations)
        assert found.p95 == nearest_rank(durations, 95)
        assert found.p99 == nearest_rank(durations, 99)


@pytest.mark.invariant(2)
@given(values=st.lists(strategies.values, min_size=1, max_size=30))
@example(values=[0.1] * 3)
@example(values=[1e15, 1.0, -1e15])
def test_figures_of_measurements_are_in_order(values: list[float]) -> None:
    """
    Invariant 2: for floating-point values too, rounding never breaks min <= mean <= max
    or min <= median <= p95 <= p99 <= max.
    """
    found = Distribution.of(values).summary()
    assert found.min <= found.mean <= found.max
    assert found.min <= found.median <= found.p95 <= found.p99 <= found.max
    assert found.mean == pytest.approx(float(Fraction(sum(map(Fraction, values))) / len(values)), rel=1e-14)
    assert (found.p95, found.p99) == (nearest_rank(values, 95), nearest_rank(values, 99))


def nearest_rank(values: Sequence[float], percent: int) -> float:
    """The smallest value that at least `percent` of the values do not exceed."""
    return min(
        candidate
        for candidate in values
        if 100 * sum(value <= candidate for value in values) >= percent * len(values)
    )


@pytest.mark.invariant(3)
@given(events=strategies.events(strategies.ages), about=strategies.subjects, data=st.data())
def test_order_and_batches_of_ingestion_change_nothing(
    database: Database, events: list[NewEvent], about: tuple[str, Window], data: st.DataObject
) -> None:
    """Invariant 3: ingesting the same events in another order and in two batches gives the same reports."""
    shuffled = data.draw(st.permutations(events))
    cut = data.draw(st.integers(0, len(events)))
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        record(session, own, events)
        accepted = record(session, other, shuffled[:cut]) + record(session, other, shuffled[cut:])
        assert accepted == len(events)
        assert reports(session, own, *about) == reports(session, other, *about)


@pytest.mark.invariant(3)
@given(values=st.lists(strategies.values, max_size=8), data=st.data())
def test_order_of_measurements_changes_nothing(
    database: Database, values: list[float], data: st.DataObject
) -> None:
    """Invariant 3: the order in which a metric's values are collected changes no digit of its summary."""
    with database.session() as session:
        figures = []
        for ordered in (values, data.draw(st.permutations(values))):
            (own,) = factories.workspace_ids(session, 1)
            for value in ordered:
                metric = NewMetric(name="load", type=MetricType.GAUGE, value=value)
                service.collect_metric(session, CLOCK, workspace_id=own, metric=metric)
            figures.append(
                service.metric_summary(session, CLOCK, workspace_id=own, name="load", window=Window.HOUR)
            )
        assert figures[0] == figures[1]
        assert figures[0].n == len(values)


@pytest.mark.invariant(4)
@given(first=strategies.events(max_size=5), second=strategies.events(max_size=5))
@example(first=[], second=[])
def test_aggregates_add_up(database: Database, first: list[NewEvent], second: list[NewEvent]) -> None:
    """
    Invariant 4: the counters of two lists of events, and the number and sum of their durations, add up to
    those of the combined list; an empty list gives zeros.
    """
    with database.session() as session:
        a, b, both = factories.workspace_ids(session, 3)
        renamed = [event_with(event, event_id=f"second-{event.event_id}") for event in second]
        for workspace_id, events in ((a, first), (b, second), (both, [*first, *renamed])):
            record(session, workspace_id, events)
        assert totals(overview(session, both).counters) == totals(
            overview(session, a).counters, overview(session, b).counters
        )
        parts = [performance(session, workspace_id, "hiring").duration_ms for workspace_id in (a, b)]
        whole = performance(session, both, "hiring").duration_ms
        assert (whole.n, whole.total) == (sum(part.n for part in parts), sum(part.total for part in parts))
        if not first:
            assert overview(session, a).counters == NOBODY
            assert not any((parts[0].n, parts[0].mean, parts[0].median, parts[0].p99, parts[0].max))


@pytest.mark.invariant(4)
@given(first=st.lists(strategies.values, max_size=6), second=st.lists(strategies.values, max_size=6))
def test_distributions_add_up(first: list[float], second: list[float]) -> None:
    """Invariant 4: adding the distributions of two lists gives the distribution of the combined list."""
    added = Distribution.of(first) + Distribution.of(second)
    assert added.summary() == Distribution.of([*second, *first]).summary()
    assert added.n == len(first) + len(second)
    assert (added + Distribution()).summary() == added.summary()


def event_with(event: NewEvent, *, event_id: str) -> NewEvent:
    """The same event under another identifier."""
    return NewEvent(**{**{name: getattr(event, name) for name in NewEvent.__slots__}, "event_id": event_id})


@pytest.mark.invariant(5)
@given(events=strategies.events(strategies.ages), about=strategies.subjects)
def test_wider_windows_count_no_less(
    database: Database, events: list[NewEvent], about: tuple[str, Window]
) -> None:
    """
    Invariant 5: a wider window never counts fewer events, and an event exactly at either end is counted.
    """
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        record(session, own, events)
        n_before = 0
        for window in (Window.HOUR, Window.DAY, Window.WEEK, Window.MONTH):
            n_events = overview(session, own, window).counters.n_events
            assert n_events == len(inside(events, window))
            assert n_events >= n_before
            n_before = n_events
        name, window = about
        mine = [event for event in inside(events, window) if event.workflow_id == name]
        assert performance(session, own, name, window).counters.n_events == len(mine)


@pytest.mark.invariant(6)
@given(
    n_started=st.integers(0, 12),
    n_succeeded=st.integers(0, 9),
    n_failed=st.integers(0, 9),
    n_other=st.integers(0, 3),
)
def test_rates_are_percentages(n_started: int, n_succeeded: int, n_failed: int, n_other: int) -> None:
    """
    Invariant 6: the success, failure and error rates are from 0 to 100 percent; the success and failure rates
    add up to 100, or to 0 if no execution succeeded or failed.
    """
    counts = [
        EventCount(type=EventType.STARTED, status=EventStatus.RUNNING, n=n_started),
        EventCount(type=EventType.COMPLETED, status=EventStatus.COMPLETED, n=n_succeeded),
        EventCount(type=EventType.COMPLETED, status=EventStatus.FAILED, n=n_failed),
        EventCount(type=EventType.COMPLETED, status=EventStatus.CANCELLED, n=n_other),
        EventCount(type=EventType.COMPLETED, status=EventStatus.TIMEOUT, n=n_other),
    ]
    found = Counters.of(counts)
    for rate in (found.success_percent, found.failure_percent, found.error_percent):
        assert 0 <= rate <= 100
    n_ended = n_succeeded + n_failed
    assert found.success_percent + found.failure_percent == pytest.approx(100 if n_ended else 0)
    assert found.success_percent * n_ended == pytest.approx(100 * n_succeeded)
    if n_started >= n_ended + 2 * n_other:
        assert found.error_percent * n_started == pytest.approx(100 * n_failed)
    else:
        assert found.error_percent * (n_ended + 2 * n_other) == pytest.approx(100 * n_failed)


@pytest.mark.invariant(7)
@given(events=strategies.events(), again=st.lists(st.integers(0, 7), max_size=4), about=strategies.subjects)
def test_duplicates_are_ignored(
    database: Database, events: list[NewEvent], again: list[int], about: tuple[str, Window]
) -> None:
    """
    Invariant 7: an event whose id its workspace already has is ignored,
    whether it repeats in the same batch or later, unchanged or altered.
    """
    repeated = [events[place] for place in again if place < len(events)]
    altered = [
        NewEvent(
            event_id=event.event_id,
            workflow_id="billing",
            execution_id="another",
            type=EventType.COMPLETED,
            status=EventStatus.FAILED,
            duration_ms=7,
        )
        for event in repeated
    ]
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        assert record(session, own, [*events, *repeated]) == len(events)
        before = reports(session, own, *about)
        assert record(session, own, events) == 0
        assert record(session, own, altered) == 0
        assert reports(session, own, *about) == before
        assert record(session, other, events) == len(events)
        assert reports(session, other, *about) == before


@pytest.mark.invariant(8)
@given(events=strategies.events(strategies.ages), window=strategies.windows)
def test_groups_sum_to_the_total(database: Database, events: list[NewEvent], window: Window) -> None:
    """Invariant 8: grouped by workflow, by user or by step, the counters sum to the ungrouped total."""
    counted = inside(events, window)
    members: dict[GroupBy, list[str | None]] = {
        GroupBy.WORKFLOW: [event.workflow_id for event in counted],
        GroupBy.USER: [event.user_id for event in counted],
        GroupBy.STEP: [event.step_id for event in counted],
    }
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        record(session, own, events)
        total = overview(session, own, window).counters
        for group, expected in members.items():
            found = service.counters_by(session, CLOCK, workspace_id=own, window=window, group=group)
            assert totals(*found.values()) == totals(total)
            assert {member: counters.n_events for member, counters in found.items()} == Counter(expected)
        of_one = service.counters_by(
            session, CLOCK, workspace_id=own, window=window, group=GroupBy.USER, workflow_id="hiring"
        )
        assert totals(*of_one.values()) == totals(performance(session, own, "hiring", window).counters)


@pytest.mark.invariant(9)
@given(events=strategies.failures)
def test_error_shares_sum_to_hundred(database: Database, events: list[NewEvent]) -> None:
    """
    Invariant 9: a report lists the five most frequent errors, the most frequent first, each with its
    percentage of all failures; up to five errors, the percentages sum to 100.
    """
    expected = Counter(map(error_of, events))
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        record(session, own, events)
        found = performance(session, own, "billing").top_errors
    ranks = [(-share.n, share.error) for share in found]
    assert ranks == sorted((-n, error) for error, n in expected.items())[:5]
    for share in found:
        assert share.percent * len(events) == pytest.approx(100 * share.n)
    if events and len(expected) <= 5:
        assert sum(share.percent for share in found) == pytest.approx(100)


def collect_heat(
    session: Session, clock: ManualClock, workspace_id: str, level: float, age: timedelta = timedelta(0)
) -> None:
    """Collect a value of the metric `heat` that was measured `age` ago."""
    metric = NewMetric(name="heat", type=MetricType.GAUGE, value=level, recorded_at=clock.now() - age)
    service.collect_metric(session, clock, workspace_id=workspace_id, metric=metric)


@pytest.mark.invariant(10)
@given(
    points=st.permutations(
        [(timedelta(seconds=2), 9.0), (timedelta(seconds=1), 2.0), (timedelta(seconds=1), 3.0)]
    ),
    of_future=st.booleans(),
)
def test_alert_judges_the_latest_value(
    database: Database, points: list[tuple[timedelta, float]], of_future: bool
) -> None:
    """
    Invariant 10: an alert judges the value with the latest time, not the one that arrived last; of several
    values at that time it takes the greatest, and it ignores values in the future.
    """
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        for threshold in (2.0, 3.0):
            service.add_alert_rule(
                session,
                workspace_id=own,
                name=f"above {threshold}",
                metric="heat",
                threshold=threshold,
                severity=Severity.LOW,
            )
        for age, level in points:
            collect_heat(session, CLOCK, own, level, age)
        if of_future:
            collect_heat(session, CLOCK, own, 99.0, timedelta(microseconds=-1))
        told = service.evaluate_alerts(session, CLOCK, workspace_id=own)
        assert [(note.rule.name, note.value) for note in told] == [("above 2.0", 3.0)]


@pytest.mark.invariant(11)
@given(calls=st.lists(st.booleans(), min_size=1, max_size=12), of_others=st.lists(st.booleans(), max_size=3))
def test_integration_counts_its_calls(database: Database, calls: list[bool], of_others: list[bool]) -> None:
    """
    Invariant 11: an integration's health counts all of its own calls in its own workspace, and no others.
    """
    clock = ManualClock(NOW)
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        for workspace_id, name, errors in (
            (own, "mail", calls),
            (own, "pay", of_others),
            (other, "mail", of_others),
        ):
            for is_error in errors:
                clock.advance(timedelta(seconds=1))
                service.record_integration_call(
                    session, clock, workspace_id=workspace_id, integration=name, is_error=is_error
                )
        found = service.integrations(session, workspace_id=own)
    assert [item.name for item in found] == ["mail", *(["pay"] if of_others else [])]
    assert found[0].health == IntegrationHealth(n_calls=len(calls), n_errors=sum(calls))
    assert found[0].last_called_at == NOW + timedelta(seconds=len(calls))


@pytest.mark.invariant(11)
@given(n_calls=st.integers(0, 60), n_errors=st.integers(0, 60))
@example(n_calls=10, n_errors=1)
@example(n_calls=1000, n_errors=101)
def test_health_gets_no_better_with_errors(n_calls: int, n_errors: int) -> None:
    """
    Invariant 11: one more error never improves the status, which is ready without errors
    and error if more than 10 percent of the calls failed.
    """
    n_errors = min(n_errors, n_calls)
    health = IntegrationHealth(n_calls=n_calls, n_errors=n_errors)
    order = [HealthStatus.READY, HealthStatus.PARTIAL, HealthStatus.ERROR]
    worse = IntegrationHealth(n_calls=n_calls, n_errors=min(n_errors + 1, n_calls))
    assert order.index(worse.status) >= order.index(health.status)
    assert (health.status is HealthStatus.READY) == (n_errors == 0)
    assert (health.status is HealthStatus.ERROR) == (n_errors > Fraction(n_calls, 10))
    assert health.error_percent * n_calls == pytest.approx(100 * n_errors)
    assert health.uptime_percent + health.error_percent == pytest.approx(100)


@given(events=strategies.events(strategies.ages, max_size=12), window=strategies.windows)
def test_overview_tells_of_every_workflow(database: Database, events: list[NewEvent], window: Window) -> None:
    """
    An overview counts a window's workflows, ranks them by executions, and lists the ten latest failures.
    """
    counted = inside(events, window)
    failed = outcomes(counted, EventStatus.FAILED)
    n_executions = Counter(
        event.workflow_id for event in [*failed, *outcomes(counted, EventStatus.COMPLETED)]
    )
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        record(session, own, events)
        found = overview(session, own, window)
    names = {event.workflow_id for event in counted}
    assert found.n_workflows == len(names)
    assert [(-rank.counters.n_executions, rank.workflow_id) for rank in found.top_workflows] == sorted(
        (-n_executions[name], name) for name in names
    )
    times = [failure.occurred_at for failure in found.last_errors]
    told = [event.occurred_at for event in failed if event.occurred_at is not None]
    assert times == sorted(told, reverse=True)[:10]
    assert Counter(
        (failure.workflow_id, failure.error, failure.occurred_at) for failure in found.last_errors
    ) <= (Counter((event.workflow_id, error_of(event), event.occurred_at) for event in failed))


@given(
    events=strategies.events(strategies.ages),
    loads=st.lists(
        st.tuples(st.sampled_from(["cpu_percent", "memory_mb", "disk"]), st.integers(0, 100)), max_size=5
    ),
)
@example(events=[STEP], loads=[])
@example(events=[replace(STEP, type=EventType.STEP_FAILED, status=EventStatus.FAILED)], loads=[])
def test_performance_tells_of_steps_and_resources(
    database: Database, events: list[NewEvent], loads: list[tuple[str, int]]
) -> None:
    """
    A report has the durations of its workflow's executions and completed steps,
    and its mean and peak use of CPU and memory.
    """
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        record(session, own, events)
        for name, load in loads:
            for workflow_id, value in (("billing", load), ("hiring", 100 + load)):
                metric = NewMetric(name=name, type=MetricType.GAUGE, value=value, workflow_id=workflow_id)
                service.collect_metric(session, CLOCK, workspace_id=own, metric=metric)
        found = performance(session, own, "billing", Window.DAY)
    whole: list[int] = []
    durations: dict[str, list[int]] = {}
    for event in inside(events, Window.DAY):
        if event.workflow_id != "billing" or event.duration_ms is None:
            continue
        if event.type is EventType.COMPLETED:
            whole.append(event.duration_ms)
        elif event.type is EventType.STEP_COMPLETED and event.step_id is not None:
            durations.setdefault(event.step_id, []).append(event.duration_ms)
    assert (found.duration_ms.n, found.duration_ms.total) == (len(whole), sum(whole))
    shown = sorted(durations.items())
    assert [(step.step_id, step.n) for step in found.steps] == [(name, len(values)) for name, values in shown]
    assert [step.mean_ms for step in found.steps] == pytest.approx(
        [statistics.fmean(values) for _, values in shown]
    )
    for name, use in (("cpu_percent", found.cpu_percent), ("memory_mb", found.memory_mb)):
        values = [load for metric, load in loads if metric == name]
        assert use.peak == max(values, default=0)
        assert use.mean == pytest.approx(statistics.fmean(values) if values else 0)


@pytest.mark.invariant(8)
@given(
    counts=st.lists(st.integers(0, 3), min_size=2, max_size=2),
    asked=st.lists(
        st.tuples(
            st.integers(0, 1), st.sampled_from(("billing", "hiring", None)), st.sampled_from(tuple(SPANS))
        ),
        min_size=1,
        max_size=6,
    ),
)
@example(counts=[1, 2], asked=[(0, None, Window.HOUR), (1, None, Window.HOUR)])
@example(counts=[1, 2], asked=[(0, "billing", Window.HOUR), (1, "billing", Window.HOUR)])
@example(counts=[1, 2], asked=[(0, "hiring", Window.HOUR), (0, "billing", Window.HOUR)])
@example(counts=[1, 2], asked=[(0, None, Window.HOUR), (0, None, Window.DAY)])
def test_a_report_from_the_cache_is_the_one_that_was_asked_for(
    database: Database, counts: list[int], asked: list[tuple[int, str | None, Window]]
) -> None:
    """
    Invariant 8: a cached report is about the workspace, the workflow and the window that were asked for.
    """
    with database.session() as session:
        workspaces = factories.workspace_ids(session, 2)
        for workspace_id, n_events in zip(workspaces, counts, strict=True):
            events = [
                replace(STEP, event_id=f"{age}-{number}", occurred_at=NOW - age)
                for number in range(n_events)
                for age in (timedelta(minutes=1), timedelta(hours=2))
            ]
            record(session, workspace_id, events)
        cached = CachedReports(CLOCK)
        for place, workflow_id, window in asked:
            n_ages = 1 if window is Window.HOUR else 2
            n_events = n_ages * counts[place]
            if workflow_id is None:
                report = cached.overview(session, workspace_id=workspaces[place], window=window)
                assert (report.window, report.counters.n_events) == (window, n_events)
            else:
                of_one = cached.performance(
                    session, workspace_id=workspaces[place], workflow_id=workflow_id, window=window
                )
                assert (of_one.workflow_id, of_one.window) == (workflow_id, window)
                assert of_one.counters.n_events == (n_events if workflow_id == "billing" else 0)


@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from((0, 1, 299, 300, 301, -1))), max_size=12)
)
@example(steps=[("a", 0), ("a", 300), ("a", 1)])
@example(steps=[("a", 0), ("a", -1)])
def test_report_is_kept_for_five_minutes(steps: list[tuple[str, int]]) -> None:
    """
    A cached report is returned while it is up to 300 seconds old; an older one,
    or one dated in the future, is computed again.
    """
    clock = ManualClock(NOW)
    cache: ReportCache[int] = ReportCache(clock)
    made: dict[str, tuple[int, int]] = {}
    second = 0
    for number, (key, seconds) in enumerate(steps):
        second += seconds
        clock.advance(timedelta(seconds=seconds))
        report = cache.get_or_compute(key, giving(number))
        if key not in made or not 0 <= second - made[key][1] <= 300:
            made[key] = (number, second)
        assert report == made[key][0]
    assert len(cache) == len(made)


def giving(number: int) -> Callable[[], int]:
    """A function that returns the number."""
    return lambda: number


@given(events=strategies.events(max_size=3))
def test_refused_batch_writes_nothing(database: Database, events: list[NewEvent]) -> None:
    """
    Events of an unknown workspace are refused, and a completion with the status running
    or paused is too; nothing is written.
    """
    with database.session() as session:
        with pytest.raises(NotFoundError):
            record(session, "nobody", events)
        for status in (EventStatus.RUNNING, EventStatus.PAUSED):
            with pytest.raises(InvalidError) as caught:
                NewEvent(
                    event_id="e", workflow_id="w", execution_id="x", type=EventType.COMPLETED, status=status
                )
            assert caught.value.field == "status"
        assert session.scalar(select(func.count()).select_from(analytics.WorkflowEvent)) == 0
