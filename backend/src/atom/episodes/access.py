"""What an agent may do with its episodes: the question, the answer, and the answer of the maturity ladder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from atom.agents.maturity import LADDER, AgentStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session


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

    def lets_see(self, session: Session, *, workspace_id: str, agent_id: str, user_id: str) -> bool:
        """Whether a person may see what the agent remembers."""


class AccessLookup(Protocol):
    """Knows the rule of governance on who may see an agent's data."""

    def __call__(self, session: Session, *, workspace_id: str, agent_id: str, user_id: str) -> bool:
        """Whether the user may see the agent's data."""


def nobody(session: Session, *, workspace_id: str, agent_id: str, user_id: str) -> bool:  # noqa: ARG001
    """Let no person see an agent's data: the answer of a gate that knows no rule."""
    return False


class MaturityGate:
    """Decides by `REQUIRED_MATURITY`, and on people by the rule that it is given."""

    def __init__(self, may_see: AccessLookup = nobody) -> None:
        self._may_see = may_see

    def lets_see(self, session: Session, *, workspace_id: str, agent_id: str, user_id: str) -> bool:
        """Return what the rule says."""
        return self._may_see(session, workspace_id=workspace_id, agent_id=agent_id, user_id=user_id)

    def decide(self, *, agent_id: str, status: AgentStatus, action: EpisodeAction) -> AccessDecision:
        """Return whether the status is as high as the action requires; outside the ladder none is."""
        required = REQUIRED_MATURITY[action]
        is_allowed = status in LADDER and LADDER.index(status) >= LADDER.index(required)
        verdict = "Allowed" if is_allowed else "Denied"
        reason = f"{verdict}: {action.value!r} needs at least {required}, and agent {agent_id!r} is {status}."
        return AccessDecision(is_allowed=is_allowed, maturity=status, reason=reason)
