"""Supervision: what a finished session is worth, and what a series of them says about an agent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from atom.agents.maturity import BAND_FLOORS, AgentStatus, raise_confidence
from atom.graduation.readiness import CRITERIA
from atom.kit.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

RATINGS = range(1, 6)
RATING_DIVISOR = 40.0
LOSS_PER_INTERVENTION = 0.01
GREATEST_LOSS = 0.05
BOOST_PLACES = 3

HIGH_RATING = 4
FEW_INTERVENTIONS = 1
FULL_MARK_RATING = 4.0
FULL_MARK_HIGH_SHARE = 0.6
INTERVENTIONS_PER_HOUR_AT_RATE_1 = 10.0
LEAST_HOURLY_LIMIT = 1.0
TREND_WINDOW = 5
RATING_WEIGHT = 0.6
INTERVENTION_WEIGHT = 0.4
TREND_STEP = 0.3
EPISODE_SHARE = 0.7
SUPERVISION_SHARE = 0.3
HIGH_RATED_SHARE = 0.4
LOW_INTERVENTION_SHARE = 0.3
LEAST_AVERAGE_RATING = 3.5
SECONDS_PER_HOUR = 3600.0


class Trend(StrEnum):
    """Whether the latest sessions went better than the ones before."""

    IMPROVING = "improving"
    STABLE = "stable"
    DECLINING = "declining"
    UNKNOWN = "unknown"


TREND_POINTS = {Trend.IMPROVING: 10.0, Trend.STABLE: 5.0, Trend.DECLINING: 0.0, Trend.UNKNOWN: 0.0}


class SupervisionGate(StrEnum):
    """What supervision asks for in addition to the criteria of the rung."""

    HIGH_RATED_SESSIONS = "high_rated_sessions"
    LOW_INTERVENTION_SESSIONS = "low_intervention_sessions"
    AVERAGE_RATING = "average_rating"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisedSession:
    """What counts of one completed session."""

    rating: int
    n_interventions: int
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionRecord:
    """What a series of sessions says, scored for one rung."""

    n_sessions: int
    average_rating: float
    interventions_per_hour: float
    high_rated_share: float
    trend: Trend
    score: float
    missed_gates: tuple[SupervisionGate, ...]


def supervision_boost(*, rating: int, n_interventions: int) -> float:
    """Return how much confidence a completed session is worth, 0 to 0.1."""
    if rating not in RATINGS:
        raise InvalidError(f"rating is {rating}, expected 1 to 5", field="rating")
    loss = min(GREATEST_LOSS, LOSS_PER_INTERVENTION * n_interventions)
    return round(max(0.0, (rating - 1) / RATING_DIVISOR - loss), BOOST_PLACES)


def standing_after_supervision(
    status: AgentStatus, confidence: float | None, boost: float
) -> tuple[AgentStatus, float]:
    """Return status and confidence after a session: a supervised agent at the last floor is autonomous."""
    raised = raise_confidence(confidence, boost)
    if status is AgentStatus.SUPERVISED and raised >= BAND_FLOORS[AgentStatus.AUTONOMOUS]:
        return AgentStatus.AUTONOMOUS, raised
    return status, raised


def assess_supervision(sessions: Sequence[SupervisedSession], target: AgentStatus) -> SupervisionRecord:
    """Return what completed sessions, newest first, say about an agent that wants the rung."""
    if not sessions:
        return SupervisionRecord(
            n_sessions=0,
            average_rating=0.0,
            interventions_per_hour=0.0,
            high_rated_share=0.0,
            trend=Trend.UNKNOWN,
            score=0.0,
            missed_gates=tuple(SupervisionGate),
        )
    average_rating = _mean([session.rating for session in sessions])
    per_hour = _interventions_per_hour(sessions)
    n_high_rated = sum(session.rating >= HIGH_RATING for session in sessions)
    found_trend = trend(sessions)
    return SupervisionRecord(
        n_sessions=len(sessions),
        average_rating=average_rating,
        interventions_per_hour=per_hour,
        high_rated_share=n_high_rated / len(sessions),
        trend=found_trend,
        score=_score(average_rating, per_hour, n_high_rated / len(sessions), found_trend, target),
        missed_gates=tuple(_missed_gates(sessions, average_rating, n_high_rated, target)),
    )


def trend(sessions: Sequence[SupervisedSession]) -> Trend:
    """Return how the newest sessions compare with as many before them; sessions come newest first."""
    newest, previous = sessions[:TREND_WINDOW], sessions[TREND_WINDOW : 2 * TREND_WINDOW]
    if len(previous) < TREND_WINDOW:
        return Trend.STABLE
    rating_gain = _mean([s.rating for s in newest]) - _mean([s.rating for s in previous])
    intervention_drop = _mean([s.n_interventions for s in previous]) - _mean(
        [s.n_interventions for s in newest]
    )
    change = RATING_WEIGHT * rating_gain + INTERVENTION_WEIGHT * intervention_drop
    if change > TREND_STEP:
        return Trend.IMPROVING
    return Trend.DECLINING if change < -TREND_STEP else Trend.STABLE


def combined_score(*, episode_score: float, supervision_score: float) -> float:
    """Return the score of an agent judged by its episodes and by its supervision."""
    return EPISODE_SHARE * episode_score + SUPERVISION_SHARE * supervision_score


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _interventions_per_hour(sessions: Sequence[SupervisedSession]) -> float:
    n_interventions = sum(session.n_interventions for session in sessions)
    hours = sum(session.duration_seconds for session in sessions) / SECONDS_PER_HOUR
    if hours:
        return n_interventions / hours
    return float("inf") if n_interventions else 0.0


def _score(
    average_rating: float, per_hour: float, high_share: float, found_trend: Trend, target: AgentStatus
) -> float:
    hourly_limit = max(
        INTERVENTIONS_PER_HOUR_AT_RATE_1 * CRITERIA[target].max_intervention_rate, LEAST_HOURLY_LIMIT
    )
    return (
        40.0 * min(average_rating / FULL_MARK_RATING, 1.0)
        + 30.0 * (1.0 - min(per_hour / hourly_limit, 1.0))
        + 20.0 * min(high_share / FULL_MARK_HIGH_SHARE, 1.0)
        + TREND_POINTS[found_trend]
    )


def _missed_gates(
    sessions: Sequence[SupervisedSession], average_rating: float, n_high_rated: int, target: AgentStatus
) -> list[SupervisionGate]:
    min_episodes = CRITERIA[target].min_episodes
    n_low_intervention = sum(session.n_interventions <= FEW_INTERVENTIONS for session in sessions)
    passed = {
        SupervisionGate.HIGH_RATED_SESSIONS: n_high_rated >= max(1, int(HIGH_RATED_SHARE * min_episodes)),
        SupervisionGate.LOW_INTERVENTION_SESSIONS: n_low_intervention
        >= max(1, int(LOW_INTERVENTION_SHARE * min_episodes)),
        SupervisionGate.AVERAGE_RATING: average_rating >= LEAST_AVERAGE_RATING,
    }
    return [gate for gate, is_passed in passed.items() if not is_passed]
