"""The numbers of the ladder."""

from __future__ import annotations

import pytest

from atom.agents.maturity import (
    AgentStatus,
    Impact,
    band,
    confidence_after,
    known_confidence,
    next_rung,
    raise_confidence,
    rank,
    status_after,
)

STUDENT, INTERN, SUPERVISED, AUTONOMOUS, PAUSED, DEPRECATED = AgentStatus


@pytest.mark.parametrize(
    ("confidence", "status"),
    [
        (0.0, STUDENT),
        (0.499999, STUDENT),
        (0.5, INTERN),
        (0.699999, INTERN),
        (0.7, SUPERVISED),
        (0.899999, SUPERVISED),
        (0.9, AUTONOMOUS),
        (1.0, AUTONOMOUS),
    ],
)
def test_a_floor_belongs_to_the_rung_that_starts_there(confidence: float, status: AgentStatus) -> None:
    """The lower bound of each band is inclusive."""
    assert band(confidence) is status


def test_the_ladder_has_four_rungs() -> None:
    """Paused and deprecated agents stand beside it."""
    assert [rank(status) for status in AgentStatus] == [0, 1, 2, 3, None, None]
    assert [next_rung(status) for status in AgentStatus] == [INTERN, SUPERVISED, AUTONOMOUS, None, None, None]


@pytest.mark.parametrize(
    ("is_success", "impact", "after"),
    [
        (True, Impact.HIGH, 0.55),
        (True, Impact.LOW, 0.51),
        (False, Impact.HIGH, 0.4),
        (False, Impact.LOW, 0.48),
    ],
)
def test_an_outcome_moves_the_confidence(is_success: bool, impact: Impact, after: float) -> None:
    """High impact is +0.05 and -0.10, low impact +0.01 and -0.02; a missing confidence counts as 0.5."""
    assert confidence_after(0.5, is_success=is_success, impact=impact) == after
    assert confidence_after(None, is_success=is_success, impact=impact) == after


def test_a_confidence_of_zero_is_known() -> None:
    """Zero was earned; only a missing confidence counts as a half."""
    assert known_confidence(0.0) == 0.0
    assert known_confidence(None) == 0.5
    assert confidence_after(0.0, is_success=True, impact=Impact.LOW) == 0.01


def test_many_small_gains_reach_the_floor() -> None:
    """Binary fractions do not keep an agent below the floor that its outcomes add up to."""
    confidence = 0.5
    for _ in range(20):
        confidence = confidence_after(confidence, is_success=True, impact=Impact.LOW)
    assert status_after(INTERN, confidence) is SUPERVISED


@pytest.mark.parametrize(("start", "by", "after"), [(0.95, 0.2, 1.0), (0.05, -0.1, 0.0), (0.3, 0.0, 0.3)])
def test_confidence_is_held_between_zero_and_one(start: float, by: float, after: float) -> None:
    """An outcome never moves the confidence below 0 or above 1."""
    assert raise_confidence(start, by) == after
