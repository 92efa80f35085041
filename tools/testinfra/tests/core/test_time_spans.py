"""Times as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.errors import ConfigError
from atom_testinfra.core.time_spans import (
    LONGEST_S,
    BudgetClock,
    parse_time_span,
    parse_wall_seconds,
)


@pytest.mark.parametrize(
    ("text", "seconds", "clock"),
    [
        ("90s", 90.0, BudgetClock.WALL),
        ("90", 90.0, BudgetClock.WALL),
        (" 2m ", 120.0, BudgetClock.WALL),
        ("10min", 600.0, BudgetClock.WALL),
        ("1h30m", 5400.0, BudgetClock.WALL),
        ("1.5h", 5400.0, BudgetClock.WALL),
        ("1h1m1.5s", 3661.5, BudgetClock.WALL),
        ("90cpu-s", 90.0, BudgetClock.CPU),
        ("2cpu-m", 120.0, BudgetClock.CPU),
        ("0.5cpu-h", 1800.0, BudgetClock.CPU),
    ],
)
def test_a_time_is_read(text: str, seconds: float, clock: BudgetClock) -> None:
    """Hours, minutes and seconds add up; CPU seconds are told apart."""
    span = parse_time_span(text)
    assert (span.seconds, span.clock) == (seconds, clock)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0s",
        "0h0m",
        "-90s",
        "soon",
        "90 s",
        "1m1h",
        "1h30",
        "1e3s",
        "nan",
        "inf",
        "90cpu",
        "٣s",
        "1h30cpu-s",
    ],
)
def test_what_is_not_a_time_is_refused_in_one_line(text: str) -> None:
    """The message names the text and shows what a time looks like."""
    with pytest.raises(ConfigError) as caught:
        parse_time_span(text)
    message = str(caught.value)
    assert repr(text) in message
    assert "such as 90s" in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["50000m", "721h", "9" * 400 + "s", "1000cpu-h"])
def test_an_absurd_time_is_refused(text: str) -> None:
    """A time of more than thirty days is refused, and a long text is not repeated whole."""
    with pytest.raises(ConfigError, match="longer than 30 days") as caught:
        parse_time_span(text)
    assert len(str(caught.value)) < 120


def test_a_verb_that_goes_by_the_wall_clock_refuses_cpu_seconds() -> None:
    """What waits for a time to pass cannot count CPU seconds."""
    with pytest.raises(ConfigError, match="counts CPU seconds"):
        parse_wall_seconds("90cpu-s")
    assert parse_wall_seconds("90s") == 90.0


@given(st.integers(0, 700), st.integers(0, 59), st.integers(0, 59))
def test_units_add_up(hours: int, minutes: int, seconds: int) -> None:
    """A time is the sum of its parts, or refused when the sum is zero."""
    text = f"{hours}h{minutes}m{seconds}s"
    total = hours * 3600 + minutes * 60 + seconds
    if total == 0:
        with pytest.raises(ConfigError):
            parse_time_span(text)
    else:
        assert parse_time_span(text).seconds == total


@given(st.text(max_size=60))
def test_any_text_is_a_time_in_range_or_refused(text: str) -> None:
    """No text gives a time of zero, below zero, or above the longest."""
    try:
        span = parse_time_span(text)
    except ConfigError:
        return
    assert 0.0 < span.seconds <= LONGEST_S
