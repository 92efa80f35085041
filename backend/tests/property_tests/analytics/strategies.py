"""Metrics and events as they arrive: some at the very edges of the windows, some of the future."""

from __future__ import annotations

import math
import string
from dataclasses import replace
from datetime import timedelta
from typing import Final

from hypothesis import strategies as st

from atom.analytics.metrics import Window
from atom.analytics.vocabulary import EventStatus, EventType, MetricType, NewEvent, NewMetric
from tests.factories import NOW

MICROSECOND: Final = timedelta(microseconds=1)
SPANS: Final = {
    Window.HOUR: timedelta(hours=1),
    Window.DAY: timedelta(hours=24),
    Window.WEEK: timedelta(days=7),
    Window.MONTH: timedelta(days=30),
}
EDGES: Final = tuple(
    span + offset for span in SPANS.values() for offset in (-MICROSECOND, 0 * MICROSECOND, MICROSECOND)
)
WORKFLOWS: Final = ("billing", "hiring", "payroll")
USERS: Final = (None, "ada", "bob")
STEPS: Final = ("fetch", "send")
ERRORS: Final = (None, "disk full", "no route", "refused", "timed out", "unknown host", "wrong key")

names = st.text(string.ascii_letters + string.digits + "_.äß€", min_size=1, max_size=12)
windows = st.sampled_from(Window)
subjects = st.tuples(st.sampled_from(WORKFLOWS), windows)
ages = st.sampled_from((-MICROSECOND, timedelta(0), *EDGES))
"""How long ago something happened; an age below zero lies in the future."""
recent = st.just(timedelta(0))
durations_ms = st.none() | st.integers(0, 50) | st.sampled_from((10**12,))

_shapes = st.sampled_from(
    [
        (EventType.STARTED, EventStatus.RUNNING),
        (EventType.COMPLETED, EventStatus.COMPLETED),
        (EventType.COMPLETED, EventStatus.FAILED),
        (EventType.COMPLETED, EventStatus.FAILED),
        (EventType.COMPLETED, EventStatus.CANCELLED),
        (EventType.COMPLETED, EventStatus.TIMEOUT),
        (EventType.STEP_STARTED, EventStatus.RUNNING),
        (EventType.STEP_COMPLETED, EventStatus.COMPLETED),
        (EventType.STEP_FAILED, EventStatus.FAILED),
    ]
)


@st.composite
def _event(draw: st.DrawFn, happened: st.SearchStrategy[timedelta]) -> NewEvent:
    type_, status = draw(_shapes)
    is_outcome = type_ is EventType.COMPLETED
    return NewEvent(
        event_id="unnumbered",
        workflow_id=draw(st.sampled_from(WORKFLOWS)),
        execution_id="run",
        type=type_,
        status=status,
        step_id=draw(st.sampled_from(STEPS)) if type_.startswith("step") else None,
        user_id=draw(st.sampled_from(USERS)),
        duration_ms=draw(durations_ms),
        error=draw(st.sampled_from(ERRORS)) if status is EventStatus.FAILED else None,
        time_saved_s=draw(st.integers(0, 9_000)) if is_outcome else 0,
        business_value_minor=draw(st.integers(0, 500)) if is_outcome else 0,
        occurred_at=NOW - draw(happened),
    )


def events(
    happened: st.SearchStrategy[timedelta] = recent, *, max_size: int = 8
) -> st.SearchStrategy[list[NewEvent]]:
    """Lists of events, each with an identifier of its own."""
    return st.lists(_event(happened), max_size=max_size).map(
        lambda drawn: [replace(event, event_id=f"event-{number}") for number, event in enumerate(drawn)]
    )


failures = st.lists(st.sampled_from(ERRORS), max_size=12).map(
    lambda errors: [
        NewEvent(
            event_id=f"event-{number}",
            workflow_id="billing",
            execution_id="run",
            type=EventType.COMPLETED,
            status=EventStatus.FAILED,
            error=error,
            occurred_at=NOW,
        )
        for number, error in enumerate(errors)
    ]
)

whole_values = st.lists(st.integers(0, 40) | st.integers(0, 10**12), max_size=8)
"""Durations, often with repetitions."""
values = st.floats(-1e15, 1e15, allow_nan=False).map(lambda value: value + 0.0)

metrics = st.builds(
    lambda name, type_, value, workflow_id, tags, age: NewMetric(
        name=name,
        type=type_,
        value=value if type_ in (MetricType.GAUGE, MetricType.HISTOGRAM) else math.fabs(value),
        workflow_id=workflow_id,
        tags=tags,
        recorded_at=None if age is None else NOW - age,
    ),
    names,
    st.sampled_from(MetricType),
    values,
    st.sampled_from((None, *WORKFLOWS)),
    st.dictionaries(st.sampled_from(("host", "région")), st.sampled_from(("a b", "ü"))),
    st.none() | ages,
)
