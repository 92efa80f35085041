"""Use cases of feedback: what a person says about an agent, and what it costs the agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atom.agents import repository as agents
from atom.agents.maturity import Impact
from atom.agents.models import AgentFeedback, FeedbackStatus, FeedbackType
from atom.agents.service import AgentWatcher, get_agent, record_outcome
from atom.governance.policy import may_judge
from atom.identity.users import get_user
from atom.kit.errors import InvalidError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.text import check_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock

RATINGS = range(1, 6)
MAX_OUTPUT = 100_000
THUMBS = {FeedbackType.THUMBS_UP: True, FeedbackType.THUMBS_DOWN: False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What a person said about an output."""

    type: FeedbackType
    original_output: str | None = None
    user_correction: str | None = None
    rating: int | None = None
    reasoning: str | None = None
    execution_id: str | None = None

    def __post_init__(self) -> None:
        if self.type is FeedbackType.CORRECTION and self.user_correction is None:
            raise InvalidError("feedback of type 'correction' needs user_correction", field="user_correction")
        if (self.rating is not None) != (self.type is FeedbackType.RATING):
            raise InvalidError(
                "feedback of type 'rating' needs a rating, and no other type has one", field="rating"
            )
        if self.rating is not None and self.rating not in RATINGS:
            raise InvalidError(f"rating is {self.rating}, expected 1 to 5", field="rating")
        for field in ("original_output", "user_correction", "reasoning"):
            text = getattr(self, field)
            if text is not None:
                check_text(text, field=field, max_length=MAX_OUTPUT)


def submit_feedback(
    session: Session,
    clock: Clock,
    watcher: AgentWatcher,
    *,
    workspace_id: str,
    agent_id: str,
    user_id: str,
    reaction: Reaction,
) -> AgentFeedback:
    """
    Write what a user said about an agent.

    A correction is a failure of the agent. From somebody who may judge it, it is accepted at once and weighs
    heavily; from anybody else it stays pending and weighs little. Other reactions move nothing.
    """
    agent = get_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    user = get_user(session, workspace_id=workspace_id, user_id=user_id)
    if reaction.execution_id is not None:
        found = agents.find_execution(session, agent_id=agent_id, execution_id=reaction.execution_id)
        if found is None:
            raise NotFoundError("execution", reaction.execution_id)
    is_correction = reaction.type is FeedbackType.CORRECTION
    is_accepted = is_correction and may_judge(
        role=user.role, specialty=user.specialty, category=agent.category
    )
    now = clock.now()
    feedback = AgentFeedback(
        id=new_id(),
        agent_id=agent_id,
        execution_id=reaction.execution_id,
        user_id=user_id,
        original_output=reaction.original_output,
        user_correction=reaction.user_correction,
        feedback_type=reaction.type,
        thumbs_up_down=THUMBS.get(reaction.type),
        rating=reaction.rating,
        status=FeedbackStatus.ACCEPTED if is_accepted else FeedbackStatus.PENDING,
        reasoning=reaction.reasoning,
        created_at=now,
        adjudicated_at=now if is_accepted else None,
    )
    session.add(feedback)
    session.flush()
    if is_correction:
        record_outcome(
            session,
            watcher,
            workspace_id=workspace_id,
            agent_id=agent_id,
            is_success=False,
            impact=Impact.HIGH if is_accepted else Impact.LOW,
        )
    return feedback
