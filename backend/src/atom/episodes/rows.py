"""An episode as it is read to be shown, without its ORM object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from atom.agents.maturity import AgentStatus
    from atom.episodes.models import EpisodeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRecord:
    """An episode without its segments, its vector, and the ids of what it was made of."""

    id: str
    title: str
    description: str | None
    summary: str | None
    agent_id: str
    user_id: str | None
    session_id: str | None
    started_at: datetime
    ended_at: datetime | None
    duration_seconds: int | None
    status: EpisodeStatus
    topics: list[str]
    entities: list[str]
    importance: float
    decay_score: float
    maturity_at_time: AgentStatus
    human_intervention_count: int
    constitutional_score: float | None
    supervisor_rating: int | None
    aggregate_feedback_score: float | None
    canvas_action_count: int
    access_count: int
    consolidated_into: str | None
    archived_at: datetime | None
