"""What graduation judges: records of episodes, findings of exams, performances and supervised sessions."""

from __future__ import annotations

from hypothesis import strategies as st
from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from atom.agents.maturity import AgentStatus
from atom.graduation.exam import Severity
from atom.graduation.readiness import Record
from atom.graduation.supervision import SupervisedSession
from atom.tables import METADATA

RUNGS = [AgentStatus.STUDENT, AgentStatus.INTERN, AgentStatus.SUPERVISED, AgentStatus.AUTONOMOUS]
TARGETS = RUNGS[1:]
CRITERIA = {
    AgentStatus.INTERN: (10, 0.5, 0.70),
    AgentStatus.SUPERVISED: (25, 0.2, 0.85),
    AgentStatus.AUTONOMOUS: (50, 0.0, 0.95),
}
"""The specification's table: least episodes, most interventions per episode, least constitutional mean."""

targets = st.sampled_from(TARGETS)
counts = st.sampled_from([0, 1, 9, 10, 11, 24, 25, 26, 49, 50, 51]) | st.integers(0, 60)
interventions = st.sampled_from([0, 1, 5, 6, 10, 11]) | st.integers(0, 70)
means = st.none() | st.sampled_from([0.0, 0.69, 0.7, 0.84, 0.85, 0.94, 0.95, 1.0]) | st.floats(0, 1)
records = st.builds(Record, n_episodes=counts, n_interventions=interventions, constitutional_mean=means)
performances = st.sampled_from([0.0, 0.29, 0.3, 0.49, 0.5, 0.69, 0.7, 1.0]) | st.floats(0, 1)
ratings = st.integers(1, 5)
few = st.integers(0, 8)
severities = st.sampled_from(list(Severity))
sessions = st.sampled_from(
    [
        SupervisedSession(rating=rating, n_interventions=n_interventions, duration_seconds=duration_seconds)
        for duration_seconds in (0.0, 60.0, 1800.0, 3600.0, 7200.0)
        for n_interventions in range(5)
        for rating in range(1, 6)
    ]
)


AGENTS = METADATA.tables["agent_registry"]
SET_STANDING = (
    update(AGENTS)
    .where(AGENTS.c.id == bindparam("agent"))
    .values(status=bindparam("to_status"), confidence=bindparam("to_confidence"))
)


def set_standing(
    session: Session, agent_id: str, status: AgentStatus, *, confidence: float | None = None
) -> None:
    """Set an agent's status and confidence."""
    standing = {"agent": agent_id, "to_status": status, "to_confidence": confidence}
    session.connection().execute(SET_STANDING, standing)
