"""How far an agent is trusted: the ladder of maturity, and the two statuses beside it."""

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
