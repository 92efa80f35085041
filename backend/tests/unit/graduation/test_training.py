"""What a training is worth, and how long it takes."""

from __future__ import annotations

import pytest

from atom.graduation.training import estimate_training_time, training_boost
from atom.kit.errors import InvalidError


@pytest.mark.parametrize(
    ("performance", "boost"),
    [(0.0, 0.05), (0.29, 0.05), (0.3, 0.1), (0.49, 0.1), (0.5, 0.15), (0.69, 0.15), (0.7, 0.2), (1.0, 0.2)],
)
def test_a_performance_adds_confidence_in_four_steps(performance: float, boost: float) -> None:
    """Four steps, each from its bound on."""
    assert training_boost(performance) == boost


@pytest.mark.parametrize("performance", [-0.01, 1.01, float("nan")])
def test_a_performance_lies_between_zero_and_one(performance: float) -> None:
    """Anything else is refused by its field."""
    with pytest.raises(InvalidError) as caught:
        training_boost(performance)
    assert caught.value.field == "performance_score"


@pytest.mark.parametrize(
    ("confidence", "n_gaps", "rate", "hours"),
    [
        (0.5, 0, 1.0, 40.0),
        (0.9, 0, 1.0, 40.0),
        (None, 2, 1.0, 48.0),
        (0.3, 0, 1.0, 50.0),
        (0.0, 1, 1.0, 69.0),
        (0.5, 0, 2.0, 20.0),
        (0.5, 0, 9.0, 20.0),
        (0.5, 0, 0.5, 80.0),
        (0.5, 0, 0.1, 80.0),
    ],
)
def test_the_hours_of_a_training_follow_from_what_is_missing(
    confidence: float | None, n_gaps: int, rate: float, hours: float
) -> None:
    """40 hours, 50 a unit of missing confidence, 4 a missing capability; quick learners need less."""
    estimate = estimate_training_time(confidence=confidence, n_capability_gaps=n_gaps, learning_rate=rate)
    assert estimate.hours == pytest.approx(hours)
    assert estimate.shortest_hours == pytest.approx(0.7 * hours)
    assert estimate.longest_hours == pytest.approx(1.5 * hours)
