"""How far an agent is trusted: the ladder of maturity, and how its confidence moves it along."""

from __future__ import annotations

from enum import StrEnum


class AgentStatus(StrEnum):
    """The four rungs, lowest first, then what is outside the ladder."""

    STUDENT = "student"
    INTERN = "intern"
    SUPERVISED = "supervised"
    AUTONOMOUS = "autonomous"
    PAUSED = "paused"
    DEPRECATED = "deprecated"


class Impact(StrEnum):
    """How much one outcome says about an agent."""

    LOW = "low"
    HIGH = "high"


LADDER = (AgentStatus.STUDENT, AgentStatus.INTERN, AgentStatus.SUPERVISED, AgentStatus.AUTONOMOUS)
BAND_FLOORS = {
    AgentStatus.STUDENT: 0.0,
    AgentStatus.INTERN: 0.5,
    AgentStatus.SUPERVISED: 0.7,
    AgentStatus.AUTONOMOUS: 0.9,
}
"""The least confidence of each rung; a floor belongs to the rung that starts there."""

UNKNOWN_CONFIDENCE = 0.5
"""What a confidence that was never set counts as; one that fell to zero stays zero."""

SUCCESS_GAIN = {Impact.LOW: 0.01, Impact.HIGH: 0.05}
FAILURE_LOSS = {Impact.LOW: 0.02, Impact.HIGH: 0.10}

CONFIDENCE_PLACES = 9
"""Twenty gains of 0.01 are 0.2: without rounding, binary fractions drift off the floors they should reach."""


def rank(status: AgentStatus) -> int | None:
    """Return the rung as a number from 0; None outside the ladder, where nothing is allowed."""
    return LADDER.index(status) if status in LADDER else None


def next_rung(status: AgentStatus) -> AgentStatus | None:
    """Return the rung above; None at the top and outside the ladder."""
    position = rank(status)
    if position is None or position + 1 == len(LADDER):
        return None
    return LADDER[position + 1]


def band(confidence: float) -> AgentStatus:
    """Return the rung whose band the confidence lies in."""
    return max((rung for rung in LADDER if confidence >= BAND_FLOORS[rung]), key=LADDER.index)


def known_confidence(confidence: float | None) -> float:
    """Return the confidence as a number."""
    return UNKNOWN_CONFIDENCE if confidence is None else confidence


def raise_confidence(confidence: float | None, by: float) -> float:
    """Return the confidence moved by a signed amount, held between 0 and 1."""
    return min(1.0, max(0.0, round(known_confidence(confidence) + by, CONFIDENCE_PLACES)))


def confidence_after(confidence: float | None, *, is_success: bool, impact: Impact) -> float:
    """Return the confidence after one outcome."""
    return raise_confidence(confidence, SUCCESS_GAIN[impact] if is_success else -FAILURE_LOSS[impact])


def status_after(status: AgentStatus, confidence: float) -> AgentStatus:
    """Return the status for a new confidence: its band, up or down; outside the ladder nothing moves."""
    return status if rank(status) is None else band(confidence)
