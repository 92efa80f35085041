"""Training: what a finished one is worth, and how long one will take."""

from __future__ import annotations

from dataclasses import dataclass

from atom.agents.maturity import BAND_FLOORS, AgentStatus, known_confidence, raise_confidence
from atom.kit.errors import InvalidError

BOOSTS_BELOW = ((0.3, 0.05), (0.5, 0.10), (0.7, 0.15))
"""A performance below the first number of a pair is worth the second."""

BEST_BOOST = 0.20

BASE_HOURS = 40.0
HOURS_PER_CONFIDENCE = 50.0
HOURS_PER_CAPABILITY = 4.0
SHORTEST_SHARE = 0.7
LONGEST_SHARE = 1.5
SLOWEST_LEARNING = 0.5
FASTEST_LEARNING = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTime:
    """How long a training will take, and the range it lies in."""

    hours: float

    @property
    def shortest_hours(self) -> float:
        """The hours it takes if all goes well."""
        return SHORTEST_SHARE * self.hours

    @property
    def longest_hours(self) -> float:
        """The hours it takes if little goes well."""
        return LONGEST_SHARE * self.hours


def training_boost(performance: float) -> float:
    """Return how much confidence a training with this performance, 0 to 1, is worth."""
    if not 0.0 <= performance <= 1.0:
        raise InvalidError(f"performance is {performance}, expected 0 to 1", field="performance_score")
    return next((boost for below, boost in BOOSTS_BELOW if performance < below), BEST_BOOST)


def standing_after_training(
    status: AgentStatus, confidence: float | None, boost: float
) -> tuple[AgentStatus, float]:
    """Return status and confidence after training: a student at the next floor becomes an intern."""
    raised = raise_confidence(confidence, boost)
    if status is AgentStatus.STUDENT and raised >= BAND_FLOORS[AgentStatus.INTERN]:
        return AgentStatus.INTERN, raised
    return status, raised


def estimate_training_time(
    *, confidence: float | None, n_capability_gaps: int, learning_rate: float
) -> TrainingTime:
    """Return how long a student trains to become an intern; one that learns twice as fast needs half."""
    missing = max(0.0, BAND_FLOORS[AgentStatus.INTERN] - known_confidence(confidence))
    work = BASE_HOURS + HOURS_PER_CONFIDENCE * missing + HOURS_PER_CAPABILITY * n_capability_gaps
    return TrainingTime(hours=work / min(FASTEST_LEARNING, max(SLOWEST_LEARNING, learning_rate)))
