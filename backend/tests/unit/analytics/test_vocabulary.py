"""What is not a metric or an event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from atom.analytics.vocabulary import EventStatus, EventType, MetricType, NewEvent, NewMetric
from atom.kit.errors import InvalidError

EVENT: dict[str, Any] = {
    "event_id": "e",
    "workflow_id": "w",
    "execution_id": "x",
    "type": EventType.COMPLETED,
    "status": EventStatus.COMPLETED,
}
NAIVE = datetime(2026, 3, 1)  # noqa: DTZ001 - that is what is refused


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", ""),
        ("workflow_id", "\0"),
        ("execution_id", "x" * 201),
        ("step_id", " "),
        ("user_id", "\ud800"),
        ("error", "x" * 2_001),
        ("error", ""),
        ("duration_ms", -1),
        ("duration_ms", 10**12 + 1),
        ("time_saved_s", -1),
        ("time_saved_s", 10**9 + 1),
        ("business_value_minor", -1),
        ("business_value_minor", 10**15 + 1),
        ("occurred_at", NAIVE),
        ("status", EventStatus.RUNNING),
        ("status", EventStatus.PAUSED),
    ],
)
def test_an_unfit_event_is_refused_by_its_field(field: str, value: object) -> None:
    """The error names the field."""
    with pytest.raises(InvalidError) as caught:
        NewEvent(**{**EVENT, field: value})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", "x" * 200),
        ("error", "x" * 2_000),
        ("duration_ms", 0),
        ("duration_ms", 10**12),
        ("time_saved_s", 10**9),
        ("business_value_minor", 10**15),
        ("status", EventStatus.TIMEOUT),
    ],
)
def test_event_at_the_edge_is_accepted(field: str, value: object) -> None:
    """The bounds themselves are allowed."""
    assert getattr(NewEvent(**{**EVENT, field: value}), field) == value


@pytest.mark.parametrize("type_", [EventType.STEP_STARTED, EventType.STEP_COMPLETED, EventType.STEP_FAILED])
def test_step_event_names_its_step(type_: EventType) -> None:
    """An event of a step without a step is refused."""
    with pytest.raises(InvalidError) as caught:
        NewEvent(**{**EVENT, "type": type_})
    assert caught.value.field == "step_id"
    assert NewEvent(**{**EVENT, "type": type_, "step_id": "s"}).step_id == "s"


@pytest.mark.parametrize("gain", ["time_saved_s", "business_value_minor"])
def test_only_the_end_of_an_execution_has_saved_something(gain: str) -> None:
    """A beginning cannot say what was saved."""
    begun = {**EVENT, "type": EventType.STARTED, "status": EventStatus.RUNNING}
    with pytest.raises(InvalidError) as caught:
        NewEvent(**{**begun, gain: 1})
    assert caught.value.field == "time_saved_s"
    assert NewEvent(**begun).type is EventType.STARTED
    assert getattr(NewEvent(**{**EVENT, gain: 1}), gain) == 1


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", {"name": ""}),
        ("workflow_id", {"workflow_id": "x" * 201}),
        ("tags", {"tags": {"": "a"}}),
        ("tags", {"tags": {"a": "\0"}}),
        ("value", {"value": 1e15 + 1}),
        ("value", {"value": -1e15 - 1}),
        ("value", {"value": float("nan")}),
        ("value", {"type": MetricType.COUNTER, "value": -1}),
        ("value", {"type": MetricType.TIMER, "value": -0.5}),
        ("recorded_at", {"recorded_at": NAIVE}),
    ],
)
def test_an_unfit_metric_is_refused_by_its_field(field: str, values: dict[str, Any]) -> None:
    """The error names the field."""
    with pytest.raises(InvalidError) as caught:
        NewMetric(**{"name": "load", "type": MetricType.GAUGE, "value": 1.0, **values})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (MetricType.COUNTER, 0),
        (MetricType.TIMER, 0),
        (MetricType.GAUGE, 1e15),
        (MetricType.GAUGE, -1e15),
        (MetricType.HISTOGRAM, -1),
    ],
)
def test_metric_at_the_edge_is_accepted(type_: MetricType, value: float) -> None:
    """The bounds themselves are allowed; gauges and histograms may be negative."""
    assert NewMetric(name="load", type=type_, value=value).value == value
