"""The numbers of an episode: importance, feedback, decay, relevance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from atom.kit.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BASE_IMPORTANCE = 0.5
LEARNING_RATE = 0.2

DECAY_FROM_DAYS = 90
"""The first whole day of age at which an episode has faded."""
FADED_AT_DAYS = 180
"""The whole day of age at which nothing is left; the day after, the episode is archived."""

RECENT_WEIGHT = 0.3
SEMANTIC_WEIGHT = 0.7
CANVAS_WEIGHT = 0.1
POSITIVE_FEEDBACK_WEIGHT = 0.2
NEGATIVE_FEEDBACK_WEIGHT = -0.3


class ProposalOutcome(StrEnum):
    """What people decided on an agent's proposal."""

    APPROVED = "approved"
    REJECTED = "rejected"


PROPOSAL_BONUS: Mapping[ProposalOutcome, float] = {
    ProposalOutcome.REJECTED: 0.3,
    ProposalOutcome.APPROVED: 0.1,
}
MODIFIED_BONUS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """One person's feedback: a thumb or a rating, or neither."""

    is_thumb_up: bool | None = None
    rating: int | None = None


def initial_importance(*, n_messages: int, n_runs: int) -> float:
    """Return how much a new episode matters: long ones and those in which the agent ran matter more."""
    length = 0.2 if n_messages > 10 else 0.1 if n_messages > 5 else 0.0
    return clamp01(BASE_IMPORTANCE + length + (0.1 if n_runs else 0.0))


def proposal_importance(outcome: ProposalOutcome, *, is_modified: bool) -> float:
    """Return how much the outcome of a proposal matters: a rejection teaches most."""
    return clamp01(BASE_IMPORTANCE + PROPOSAL_BONUS[outcome] + (MODIFIED_BONUS if is_modified else 0.0))


def importance_after(importance: float, feedback: float) -> float:
    """Return the importance after feedback from -1 (useless) to 1 (essential)."""
    if not -1.0 <= feedback <= 1.0:
        raise InvalidError(f"feedback is {feedback}, expected -1 to 1", field="feedback")
    return clamp01((1 - LEARNING_RATE) * importance + LEARNING_RATE * (feedback + 1) / 2)


def feedback_score(reactions: Iterable[Reaction]) -> float | None:
    """Return the mean of the reactions, from -1 to 1; None when nobody reacted."""
    scores = [score for reaction in reactions if (score := _score(reaction)) is not None]
    return math.fsum(scores) / len(scores) if scores else None


def _score(reaction: Reaction) -> float | None:
    if reaction.is_thumb_up is not None:
        return 1.0 if reaction.is_thumb_up else -1.0
    return None if reaction.rating is None else (reaction.rating - 3) / 2


def decay_at(days: int) -> float:
    """Return what is left of an episode at an age in whole days: all, then from half down to nothing."""
    return 1.0 if days < DECAY_FROM_DAYS else max(0.0, 1 - days / FADED_AT_DAYS)


def relevance(*, is_recent: bool, is_similar: bool, has_canvas: bool, feedback: float | None) -> float:
    """Return how well an episode fits the task at hand."""
    score = RECENT_WEIGHT * is_recent + SEMANTIC_WEIGHT * is_similar + CANVAS_WEIGHT * has_canvas
    if feedback:
        score += POSITIVE_FEEDBACK_WEIGHT if feedback > 0 else NEGATIVE_FEEDBACK_WEIGHT
    return score


def clamp01(value: float) -> float:
    """Return the nearest number from 0 to 1."""
    return min(1.0, max(0.0, value))
