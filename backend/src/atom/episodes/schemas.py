"""Requests and responses of episodes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from atom.agents.maturity import AgentStatus
from atom.agents.models import FeedbackType
from atom.episodes.consolidation import CONSOLIDATION_THRESHOLD
from atom.episodes.models import EpisodeStatus, TimeRange
from atom.episodes.scoring import ProposalOutcome
from atom.episodes.segmentation import SegmentType, SourceType
from atom.kit.pagination import MAX_LIMIT
from atom.web.schemas import (
    MAX_INTEGER,
    NOT_BLANK,
    WHOLE,
    Answer,
    Flag,
    Id,
    Name,
    Number,
    PageQuery,
    Request,
)

MAX_CANVAS_NAME = 100
MAX_TEXT = 100_000
MAX_QUERY = 10_000
MAX_COUNTED = 1_000
CANVAS_NAME = Field(min_length=1, max_length=MAX_CANVAS_NAME, pattern=NOT_BLANK)
QUERY = Field(min_length=1, max_length=MAX_QUERY, pattern=NOT_BLANK, examples=["the invoice of March"])


class EpisodeRequest(Request):
    """A conversation from which to make an episode of the agent."""

    agent_id: Id
    chat_id: Id
    title: Name | None = Field(None, description="by default the first message of the user")
    force: Flag = Field(False, description="make it even from a single message or run")


class ReflectionRequest(Request):
    """What people decided on an agent's proposal, to be remembered."""

    agent_id: Id
    title: Name
    reflection: str = Field(min_length=1, max_length=MAX_TEXT, pattern=NOT_BLANK)
    outcome: ProposalOutcome
    is_modified: Flag = False


class CanvasActionRequest(Request):
    """What an agent did on a canvas during a conversation."""

    agent_id: Id
    chat_id: Id
    canvas_id: str = CANVAS_NAME
    canvas_type: str = CANVAS_NAME
    action: str = CANVAS_NAME


class CanvasActionResponse(Answer):
    """What an agent did on a canvas."""

    id: str
    agent_id: str
    session_id: str | None
    canvas_id: str
    canvas_type: str
    action: str
    created_at: datetime


class EpisodeQuery(PageQuery):
    """Whose episodes to list, and which part of them."""

    agent_id: Id


class EpisodeResponse(Answer):
    """An episode, without its segments."""

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


class SegmentResponse(Answer):
    """A part of an episode."""

    sequence_order: int
    segment_type: SegmentType
    source_type: SourceType
    source_id: str | None
    content: str
    content_summary: str | None
    message_ids: list[str]


class FilterBody(Request):
    """Which episodes to consider; the default considers all."""

    user_id: Id | None = Field(None, description="only those with this user")
    canvas_type: str | None = Field(None, min_length=1, max_length=MAX_CANVAS_NAME, pattern=NOT_BLANK)
    requires_canvas: Flag = False
    requires_feedback: Flag = False
    min_supervisor_rating: Annotated[int, Field(ge=1, le=5), WHOLE] | None = None
    max_interventions: Annotated[int, Field(ge=0, le=MAX_INTEGER), WHOLE] | None = None


class LookRequest(Request):
    """A look at an agent's episodes."""

    user_id: Id | None = Field(None, description="the user who asks, if it is not the agent itself")


class FilteredLook(LookRequest):
    """A look at those of an agent's episodes that pass a filter."""

    where: FilterBody = FilterBody()


class TemporalRequest(FilteredLook):
    """What started within a range of time that ends now."""

    time_range: TimeRange = TimeRange.WEEK
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), WHOLE] = 50


class SemanticRequest(FilteredLook):
    """What is most like a text."""

    query: str = QUERY
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), WHOLE] = 10


class ContextualRequest(FilteredLook):
    """What fits a task best."""

    task: str = QUERY
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), WHOLE] = 5


class SequentialRequest(LookRequest):
    """One episode from end to end."""

    episode_id: Id


class AccessDecisionResponse(Answer):
    """Whether the agent may recall, and why."""

    is_allowed: bool
    maturity: AgentStatus
    reason: str


class HitResponse(Answer):
    """An episode found, and how well it fits where that was asked."""

    episode: EpisodeResponse
    score: float | None


class RetrievalResponse(Answer):
    """The answer to a recall; one that was denied has found nothing."""

    decision: AccessDecisionResponse
    hits: list[HitResponse]


class FeedbackOnEpisodeResponse(Answer):
    """What a person said about the agent during an episode."""

    id: str
    user_id: str
    feedback_type: FeedbackType
    user_correction: str | None
    rating: int | None
    created_at: datetime


class StoryResponse(Answer):
    """An episode from end to end, with what happened around it."""

    episode: EpisodeResponse
    segments: list[SegmentResponse]
    canvas_actions: list[CanvasActionResponse]
    feedback: list[FeedbackOnEpisodeResponse]


class SequentialResponse(Answer):
    """The answer to the recall of one episode; null if it was denied."""

    decision: AccessDecisionResponse
    story: StoryResponse | None


class ImportanceRequest(Request):
    """How useful an episode was, from -1 (useless) to 1 (essential)."""

    agent_id: Id
    feedback: Number = Field(ge=-1, le=1, examples=[0.5])


class AssessmentRequest(Request):
    """How a supervisor rated an episode, and how well the agent kept the rules; null changes nothing."""

    supervisor_rating: Annotated[int, Field(ge=1, le=5), WHOLE] | None = None
    constitutional_score: Number | None = Field(None, ge=0, le=1)


class AccessesRequest(Request):
    """Episodes that were used."""

    episode_ids: list[Id] = Field(max_length=MAX_COUNTED)


class DecayResponse(Answer):
    """How many episodes were old enough to fade, and how many of them were archived."""

    n_affected: int
    n_archived: int


class ConsolidationRequest(Request):
    """How alike two episodes have to be for one to stand for the other."""

    threshold: Number = Field(CONSOLIDATION_THRESHOLD, gt=0, le=1)
