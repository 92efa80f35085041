"""The documented numbers of analytics."""

from __future__ import annotations

from datetime import timedelta

import pytest

from atom.analytics.health import HealthStatus, IntegrationHealth
from atom.analytics.metrics import Counters, Distribution, ErrorShare, Summary, Window, error_shares, percent
from tests.factories import NOW


@pytest.mark.parametrize(
    ("window", "hours"), [(Window.HOUR, 1), (Window.DAY, 24), (Window.WEEK, 168), (Window.MONTH, 720)]
)
def test_windows_have_their_spans(window: Window, hours: int) -> None:
    """The windows are an hour, a day, seven days and thirty days long."""
    assert NOW - window.start(NOW) == timedelta(hours=hours)


def test_windows_have_their_names() -> None:
    """A window is asked for by these names, the shortest first."""
    assert [window.value for window in Window] == ["1h", "24h", "7d", "30d"]


def test_summary_of_one_to_hundred() -> None:
    """The 95th of a hundred values is the p95, the 99th the p99, the two in the middle make the median."""
    assert Distribution.of(range(1, 101)).summary() == Summary(
        n=100, total=5050, min=1, mean=50.5, median=50.5, p95=95, p99=99, max=100
    )


def test_summary_of_one_value_is_that_value() -> None:
    """A percentile exists from one value on."""
    assert Distribution.of([7]).summary() == Summary(
        n=1, total=7, min=7, mean=7, median=7, p95=7, p99=7, max=7
    )


def test_summary_of_nothing_is_zero() -> None:
    """Without values every figure is 0."""
    assert Distribution().summary() == Summary()
    assert Distribution().percentile(50) == 0
    assert Distribution().total == 0


def test_percentile_zero_is_the_smallest_value() -> None:
    """The nearest rank is never below the first."""
    assert Distribution.of([3, 1, 2]).percentile(0) == 1


def test_total_of_whole_numbers_is_exact() -> None:
    """Whole numbers beyond the precision of a float are summed exactly."""
    assert Distribution({2**60 + 1: 3}).total == 3 * 2**60 + 3


def test_mean_of_equal_values_is_that_value() -> None:
    """Rounding does not put the mean of equal values beside them."""
    assert Distribution({0.1: 3}).summary().mean == 0.1


@pytest.mark.parametrize(("part", "whole", "expected"), [(0, 0, 0), (1, 4, 25), (3, 3, 100)])
def test_percent_of_a_part_and_zero_of_nothing(part: int, whole: int, expected: float) -> None:
    """A part is in percent of the whole; of a whole of zero it is 0 percent."""
    assert percent(part, whole) == expected


@pytest.mark.parametrize(("seconds", "hours"), [(0, 0), (18, 0.01), (17, 0), (5_400, 1.5), (3_600, 1)])
def test_time_saved_is_in_hours_with_two_decimals(seconds: int, hours: float) -> None:
    """Seconds become hours, rounded to hundredths."""
    assert Counters(time_saved_s=seconds).time_saved_hours == hours


def test_error_rate_is_of_executions_begun() -> None:
    """Three failures of twelve begun are 25 percent; ends without a beginning count as begun."""
    assert Counters(n_started=12, n_failed=3).error_percent == 25
    assert Counters(n_failed=1, n_succeeded=1, n_cancelled=1, n_timed_out=1).error_percent == 25


def test_error_shares_are_sorted_by_number_then_name() -> None:
    """The most frequent error comes first, equally frequent ones by name."""
    assert error_shares({"b": 1, "a": 1, "c": 2}) == (
        ErrorShare(error="c", n=2, percent=50),
        ErrorShare(error="a", n=1, percent=25),
        ErrorShare(error="b", n=1, percent=25),
    )


@pytest.mark.parametrize(
    ("n_calls", "n_errors", "status"),
    [
        (0, 0, HealthStatus.READY),
        (100, 0, HealthStatus.READY),
        (100, 1, HealthStatus.PARTIAL),
        (100, 10, HealthStatus.PARTIAL),
        (100, 11, HealthStatus.ERROR),
        (1, 1, HealthStatus.ERROR),
    ],
)
def test_health_by_error_rate(n_calls: int, n_errors: int, status: HealthStatus) -> None:
    """Ready without errors, in error above ten percent, partial between."""
    health = IntegrationHealth(n_calls=n_calls, n_errors=n_errors)
    assert health.status is status
    assert health.uptime_percent == 100 - health.error_percent


def test_error_rate_and_uptime_add_up_to_a_hundred() -> None:
    """Three errors in twelve calls are 25 percent, the uptime is the rest."""
    health = IntegrationHealth(n_calls=12, n_errors=3)
    assert (health.error_percent, health.uptime_percent) == (25, 75)
