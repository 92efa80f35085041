"""What an agent may do with its episodes: the question, the answer, and the answer of the maturity ladder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from atom.agents.maturity import AgentStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

LADDER = (AgentStatus.STUDENT, AgentStatus.INTERN, AgentStatus.SUPERVISED, AgentStatus.AUTONOMOUS)


class EpisodeAction(StrEnum):
    """What can be done with episodes."""

    VIEW = "view_episode"
    TEMPORAL = "temporal_episodes"
    SEMANTIC = "semantic_episodes"
    CONTEXTUAL = "contextual_episodes"
    CREATE = "create_episode"
    UPDATE_IMPORTANCE = "update_episode_importance"


REQUIRED_MATURITY: Mapping[EpisodeAction, AgentStatus] = {
    EpisodeAction.VIEW: AgentStatus.STUDENT,
    EpisodeAction.TEMPORAL: AgentStatus.STUDENT,
    EpisodeAction.SEMANTIC: AgentStatus.INTERN,
    EpisodeAction.CONTEXTUAL: AgentStatus.INTERN,
    EpisodeAction.CREATE: AgentStatus.INTERN,
    EpisodeAction.UPDATE_IMPORTANCE: AgentStatus.SUPERVISED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDecision:
    """Whether an agent may, and why."""

    is_allowed: bool
    maturity: AgentStatus
    reason: str


class Gatekeeper(Protocol):
    """Decides what an agent may do; the app passes governance in."""

    def decide(self, *, agent_id: str, status: AgentStatus, action: EpisodeAction) -> AccessDecision:
        """Return the decision; asking changes nothing."""


class MaturityGate:
    """Decides by `REQUIRED_MATURITY` alone; an agent outside the ladder may do nothing."""

    def decide(self, *, agent_id: str, status: AgentStatus, action: EpisodeAction) -> AccessDecision:
        """Return whether the status is at least as high as the action requires."""
        required = REQUIRED_MATURITY[action]
        is_allowed = status in LADDER and LADDER.index(status) >= LADDER.index(required)
        verb = "may" if is_allowed else "may not"
        reason = f"agent {agent_id!r} is {status} and {verb} {action}; it takes {required}"
        return AccessDecision(is_allowed=is_allowed, maturity=status, reason=reason)
