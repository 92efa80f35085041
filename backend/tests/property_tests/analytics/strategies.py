"""Metrics and events to ingest: some exactly at the edge of a window, some dated in the future."""

from __future__ import annotations

import math
import string
from dataclasses import replace
from datetime import timedelta
from itertools import product
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
"""How long ago something happened; a negative age lies in the future."""
recent = st.just(timedelta(0))
_durations_ms = st.sampled_from((None, *range(0, 51, 5), 10**12))

_OUTCOMES: Final = (
    *[(EventStatus.COMPLETED, None)] * 6,
    *[(EventStatus.FAILED, error) for error in (*ERRORS, None)],
    *[(EventStatus.CANCELLED, None)] * 3,
    *[(EventStatus.TIMEOUT, None)] * 3,
)
_kinds = st.sampled_from(
    (
        *[(EventType.STARTED, EventStatus.RUNNING, None, None)] * 4,
        *[(EventType.COMPLETED, status, None, error) for status, error in _OUTCOMES],
        *[(EventType.STEP_STARTED, EventStatus.RUNNING, step, None) for step in STEPS],
        *[(EventType.STEP_COMPLETED, EventStatus.COMPLETED, step, None) for step in STEPS * 2],
        *[(EventType.STEP_FAILED, EventStatus.FAILED, step, error) for step in STEPS for error in ERRORS[:3]],
    )
)
"""Kinds of events in one draw instead of four; a kind that stands here more often is drawn more often."""

_callers = st.sampled_from(tuple(product(WORKFLOWS, USERS)))
_worths = st.sampled_from(tuple(product((0, 1, 59, 60, 9_000), (0, 1, 33, 500))))
"""The seconds that an execution saved, and what it was worth."""


@st.composite
def _event(draw: st.DrawFn, happened: st.SearchStrategy[timedelta]) -> NewEvent:
    type_, status, step_id, error = draw(_kinds)
    workflow_id, user_id = draw(_callers)
    time_saved_s, business_value_minor = draw(_worths) if type_ is EventType.COMPLETED else (0, 0)
    return NewEvent(
        event_id="unnumbered",
        workflow_id=workflow_id,
        execution_id="run",
        type=type_,
        status=status,
        step_id=step_id,
        user_id=user_id,
        duration_ms=draw(_durations_ms),
        error=error,
        time_saved_s=time_saved_s,
        business_value_minor=business_value_minor,
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
