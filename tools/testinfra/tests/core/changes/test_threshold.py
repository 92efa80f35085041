"""Threshold expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.changes.threshold import DEFAULT_FLOOR_US, Statistic, Threshold, parse_threshold
from atom_testinfra.core.errors import ComparisonError


@pytest.mark.parametrize(
    ("text", "statistic", "share", "floor_us"),
    [
        ("body_cpu:25%", Statistic.BODY_CPU, 0.25, DEFAULT_FLOOR_US),
        ("cpu:2.5%", Statistic.CPU, 0.025, DEFAULT_FLOOR_US),
        ("body_cpu:.5%", Statistic.BODY_CPU, 0.005, DEFAULT_FLOOR_US),
        ("wall:0.02s", Statistic.WALL, 0.0, 20_000),
        (" body_cpu : 10% + 1.5 ms ", Statistic.BODY_CPU, 0.1, 1500),
        ("body_cpu:20us+10%", Statistic.BODY_CPU, 0.1, 20),
    ],
)
def test_reads_percentages_and_times(text: str, statistic: Statistic, share: float, floor_us: float) -> None:
    """Decimals are allowed, the order is free, and the floor has a default."""
    threshold = parse_threshold(text)
    assert threshold.statistic is statistic
    assert threshold.share == pytest.approx(share)
    assert threshold.floor_us == pytest.approx(floor_us)


@pytest.mark.parametrize(
    ("text", "limit"), [("body_cpu:10%", 1.1), ("body_cpu:0.02s", 1.25), ("cpu:0%+1s", 1.25)]
)
def test_a_time_alone_is_no_limit_of_a_suite(text: str, limit: float) -> None:
    """A suite that drifts by half a per cent is not slower because its limit is 20 ms an example."""
    assert parse_threshold(text).suite_limit == pytest.approx(limit)


@pytest.mark.parametrize(
    "text",
    [
        "", "body_cpu", "body_cpu:", "25%", "mean:25%", "body_cpu:25", "body_cpu:-25%", "body_cpu:nan%",
        "body_cpu:inf%", "body_cpu:1e3%", "body_cpu:25%+", "body_cpu:25%+30%", "body_cpu:1s+2s",
        "body_cpu:0%+0s", "body_cpu:" + "9" * 400 + "%", "body_cpu:1000000%", "body_cpu:\u0662\u0665%",
        "body_cpu:2\u0665%", "body_cpu:1.\u0665%", "body_cpu:25%+\u0662us",
    ],
)  # fmt: skip
def test_refuses_what_it_does_not_understand(text: str) -> None:
    """The message shows the text; nothing is guessed."""
    with pytest.raises(ComparisonError, match="threshold"):
        parse_threshold(text)


@given(st.text(max_size=30))
def test_any_text_is_a_threshold_or_an_error_of_ours(text: str) -> None:
    """No other exception comes out."""
    try:
        threshold = parse_threshold(text)
    except ComparisonError:
        return
    assert threshold.share + threshold.floor_us > 0


@given(
    st.builds(
        Threshold,
        statistic=st.sampled_from(Statistic),
        share=st.integers(1, 5000).map(lambda n: n / 1000),
        floor_us=st.integers(1, 5000).map(float),
    )
)
def test_threshold_reads_back_what_it_prints(threshold: Threshold) -> None:
    """`str` is the expression."""
    again = parse_threshold(str(threshold))
    assert again.statistic is threshold.statistic
    assert again.share == pytest.approx(threshold.share)
    assert again.floor_us == pytest.approx(threshold.floor_us)


def test_the_floor_rules_for_cheap_tests() -> None:
    """A body of 2 us may double before 2 us more are too much; one of 100 us follows the share."""
    threshold = Threshold(share=0.25, floor_us=2)
    assert threshold.limit(2) == 2
    assert threshold.limit(100) == 1.25
