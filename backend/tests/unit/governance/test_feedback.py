"""Feedback that says nothing is refused before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

from atom.agents.models import Agent, AgentFeedback, FeedbackType
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.feedback import Reaction, submit_feedback
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"type": FeedbackType.CORRECTION}, "user_correction"),
        ({"type": FeedbackType.CORRECTION, "user_correction": " "}, "user_correction"),
        ({"type": FeedbackType.RATING}, "rating"),
        ({"type": FeedbackType.COMMENT, "rating": 3}, "rating"),
        ({"type": FeedbackType.RATING, "rating": 0}, "rating"),
        ({"type": FeedbackType.RATING, "rating": 6}, "rating"),
        ({"type": FeedbackType.COMMENT, "reasoning": "\0"}, "reasoning"),
        ({"type": FeedbackType.COMMENT, "original_output": "x" * 100_001}, "original_output"),
    ],
)
def test_a_reaction_says_what_its_type_says(values: dict[str, Any], field: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidError) as caught:
        Reaction(**values)
    assert caught.value.field == field


@pytest.mark.parametrize("rating", [1, 5])
def test_ratings_go_from_one_to_five(rating: int) -> None:
    """Both ends are ratings."""
    assert Reaction(type=FeedbackType.RATING, rating=rating).rating == rating


def test_feedback_stays_inside_its_workspace_and_agent(database: Database) -> None:
    """A foreign user, agent or execution is not there, and nothing is written."""
    decisions = DecisionCache(GovernanceCache(ManualClock(NOW)))
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        foreign = factories.execution(session, agent_id=stranger.agent_id).id
        own = factories.execution(session, agent_id=office.agent_id).id

        def submit(agent_id: str, user_id: str, execution_id: str | None) -> AgentFeedback:
            return submit_feedback(
                session,
                ManualClock(NOW),
                decisions,
                workspace_id=office.workspace_id,
                agent_id=agent_id,
                user_id=user_id,
                reaction=Reaction(
                    type=FeedbackType.CORRECTION,
                    original_output="41",
                    user_correction="42",
                    execution_id=execution_id,
                ),
            )

        for wrong in [
            (stranger.agent_id, office.user_id, None),
            (office.agent_id, stranger.user_id, None),
            (office.agent_id, office.user_id, foreign),
        ]:
            with pytest.raises(NotFoundError):
                submit(*wrong)
        assert session.query(AgentFeedback).count() == 0
        session.expire_all()
        assert session.get_one(Agent, office.agent_id).confidence == 0.5
        written = submit(office.agent_id, office.user_id, own)
        session.expire_all()
        assert (written.execution_id, written.original_output) == (own, "41")
        assert session.get_one(Agent, office.agent_id).confidence == 0.48


def test_an_output_may_be_long() -> None:
    """A hundred thousand characters are allowed, one more is not."""
    assert Reaction(type=FeedbackType.COMMENT, original_output="x" * 100_000).original_output
