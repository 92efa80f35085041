"""The numbers of supervision."""

from __future__ import annotations

import pytest

from atom.agents.maturity import AgentStatus
from atom.graduation.supervision import (
    SupervisedSession,
    SupervisionGate,
    Trend,
    assess_supervision,
    combined_score,
    supervision_boost,
    trend,
)
from atom.kit.errors import InvalidError


def session(rating: int, n_interventions: int = 0, hours: float = 1.0) -> SupervisedSession:
    return SupervisedSession(rating=rating, n_interventions=n_interventions, duration_seconds=3600.0 * hours)


@pytest.mark.parametrize(
    ("rating", "n_interventions", "boost"),
    [
        (5, 0, 0.1),
        (5, 1, 0.09),
        (5, 5, 0.05),
        (5, 50, 0.05),
        (4, 0, 0.075),
        (3, 3, 0.02),
        (2, 4, 0.0),
        (1, 0, 0.0),
    ],
)
def test_a_session_adds_confidence_by_rating_and_interventions(
    rating: int, n_interventions: int, boost: float
) -> None:
    """A fortieth for each point above one, less a hundredth an intervention, five at most."""
    assert supervision_boost(rating=rating, n_interventions=n_interventions) == boost


@pytest.mark.parametrize("rating", [0, 6])
def test_a_rating_goes_from_one_to_five(rating: int) -> None:
    """Anything else is refused by its field."""
    with pytest.raises(InvalidError) as caught:
        supervision_boost(rating=rating, n_interventions=0)
    assert caught.value.field == "rating"


@pytest.mark.parametrize(
    ("sessions", "target", "score"),
    [
        ([], "intern", 0.0),
        ([session(4)], "intern", 95.0),
        ([session(5)], "intern", 95.0),
        ([session(2)], "intern", 55.0),
        ([session(4, 5)], "intern", 65.0),
        ([session(4, 1)], "intern", 89.0),
        ([session(4, 1)], "supervised", 80.0),
        ([session(4, 1, hours=2.0)], "autonomous", 80.0),
        ([session(4, 1, hours=0.0)], "intern", 65.0),
        ([session(4, 0, hours=0.0)], "intern", 95.0),
        ([session(4), session(2)], "intern", 81.6667),
        ([session(4)] * 3 + [session(2)] * 2, "intern", 87.0),
        ([session(4)] * 5 + [session(3)] * 5, "intern", 91.6667),
        ([session(3)] * 5 + [session(4)] * 5, "intern", 81.6667),
    ],
)
def test_a_series_of_sessions_has_a_score_of_four_parts(
    sessions: list[SupervisedSession], target: str, score: float
) -> None:
    """40 for ratings, 30 for few interventions an hour, 20 for high ratings, 10 for the trend."""
    assert assess_supervision(sessions, AgentStatus(target)).score == pytest.approx(score, abs=1e-3)


def test_a_series_says_how_it_was() -> None:
    """The parts of the score can be read."""
    record = assess_supervision([session(5, 3), session(3, 1, hours=3.0)], AgentStatus.INTERN)
    assert (record.n_sessions, record.average_rating, record.high_rated_share) == (2, 4.0, 0.5)
    assert record.interventions_per_hour == 1.0
    assert record.trend is Trend.STABLE
    assert record.missed_gates == (
        SupervisionGate.HIGH_RATED_SESSIONS,
        SupervisionGate.LOW_INTERVENTION_SESSIONS,
    )


def test_without_sessions_nothing_is_known() -> None:
    """Every gate is missed, and the trend unknown."""
    record = assess_supervision([], AgentStatus.INTERN)
    assert record.trend is Trend.UNKNOWN
    assert record.missed_gates == tuple(SupervisionGate)
    assert (record.n_sessions, record.average_rating, record.high_rated_share) == (0, 0.0, 0.0)
    assert record.interventions_per_hour == 0.0


@pytest.mark.parametrize(
    ("newest", "previous", "found"),
    [
        ([session(4)] * 5, [session(3)] * 5, Trend.IMPROVING),
        ([session(3)] * 5, [session(4)] * 5, Trend.DECLINING),
        ([session(3)] * 5, [session(3)] * 5, Trend.STABLE),
        ([session(3)] * 5, [session(3, 1)] * 4 + [session(3)], Trend.IMPROVING),
        ([session(3)] * 5, [session(3, 1)] * 3 + [session(3)] * 2, Trend.STABLE),
        ([session(5)] * 5, [session(1)] * 4, Trend.STABLE),
    ],
)
def test_a_trend_needs_ten_sessions_and_a_step(
    newest: list[SupervisedSession], previous: list[SupervisedSession], found: Trend
) -> None:
    """0.6 of the gain in rating and 0.4 of the drop in interventions have to pass 0.3."""
    assert trend([*newest, *previous]) is found


def test_the_combined_score_is_seven_parts_episodes() -> None:
    """The other three parts are the score of the supervision sessions."""
    assert combined_score(episode_score=100.0, supervision_score=0.0) == pytest.approx(70.0)
    assert combined_score(episode_score=0.0, supervision_score=100.0) == pytest.approx(30.0)
