"""Use cases of permission: may an agent act, what becomes of its attempt, and who may see its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom.agents import repository as agents
from atom.agents.service import get_agent
from atom.governance import policy
from atom.identity.users import get_user
from atom.kit.text import check_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.governance.decision_cache import DecisionCache
    from atom.governance.policy import Decision, Enforcement


def can_perform(
    session: Session,
    decisions: DecisionCache,
    *,
    workspace_id: str,
    agent_id: str,
    action: str,
    require_approval: bool = False,
) -> Decision:
    """Return whether the agent may take the action; asking changes no later answer."""
    check_text(action, field="action", max_length=policy.ACTION_LENGTH)
    decision = decisions.find(session, workspace_id=workspace_id, agent_id=agent_id, action=action)
    if decision is None:
        decision = _decide(session, workspace_id=workspace_id, agent_id=agent_id, action=action)
        if decision.agent_status is not None:
            decisions.keep(
                session, workspace_id=workspace_id, agent_id=agent_id, action=action, decision=decision
            )
    return policy.with_approval(decision) if require_approval else decision


def enforce(
    session: Session, *, workspace_id: str, agent_id: str, action: str, require_approval: bool = False
) -> Enforcement:
    """Return the outcome of the agent's attempt, by its current row and not by the cache."""
    check_text(action, field="action", max_length=policy.ACTION_LENGTH)
    decision = _decide(session, workspace_id=workspace_id, agent_id=agent_id, action=action)
    return policy.enforce(policy.with_approval(decision) if require_approval else decision)


def list_capabilities(session: Session, *, workspace_id: str, agent_id: str) -> tuple[str, ...]:
    """Return the known actions that the agent may take."""
    return policy.capabilities(get_agent(session, workspace_id=workspace_id, agent_id=agent_id).status)


def may_access_data(session: Session, *, workspace_id: str, agent_id: str, user_id: str) -> bool:
    """Whether a user may see the agent's data, by their role or their specialty."""
    agent = get_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    user = get_user(session, workspace_id=workspace_id, user_id=user_id)
    return policy.may_judge(role=user.role, specialty=user.specialty, category=agent.category)


def _decide(session: Session, *, workspace_id: str, agent_id: str, action: str) -> Decision:
    standing = agents.find_standing(session, workspace_id=workspace_id, agent_id=agent_id)
    if standing is None:
        return policy.decide_for_unknown(agent_id, action)
    return policy.decide(standing.status, standing.confidence, action)
