"""
Routes of episodes: making them, recalling them as an agent, and what happens to them later.

The four looks of an agent go through the gatekeeper and are logged. The plain lists are the workspace's own
view of its agents' memory.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request, status

from atom.chat.service import get_session
from atom.episodes import lifecycle, retrieval, service
from atom.episodes.access import Gatekeeper
from atom.episodes.embedding import Embedder
from atom.episodes.repository import EpisodeFilter
from atom.episodes.retrieval import Viewer
from atom.episodes.schemas import (
    AccessesRequest,
    AssessmentRequest,
    CanvasActionRequest,
    CanvasActionResponse,
    ConsolidationRequest,
    ContextualRequest,
    DecayResponse,
    EpisodeQuery,
    EpisodeRequest,
    EpisodeResponse,
    ImportanceRequest,
    LookRequest,
    ReflectionRequest,
    RetrievalResponse,
    SegmentResponse,
    SemanticRequest,
    SequentialRequest,
    SequentialResponse,
    TemporalRequest,
)
from atom.identity.access import (
    Administering,
    DomainRouter,
    ReadingThenRecording,
    ReadingThenWriting,
    ShortReading,
    Unit,
    Writing,
)
from atom.kit.errors import ConflictError
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import CountResponse, Id, PageAnswer, PlaceQuery

router = DomainRouter(prefix="/v1", tag="episodes")

CREATED = status.HTTP_201_CREATED


async def _gate(request: Request) -> Gatekeeper:
    gate: Gatekeeper = request.app.state.gatekeeper
    return gate


async def _embedder(request: Request) -> Embedder:
    embedder: Embedder = request.app.state.embedder
    return embedder


Gate = Annotated[Gatekeeper, Depends(_gate)]
EmbedderOf = Annotated[Embedder, Depends(_embedder)]


@router.post("/episodes", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404, 409))
def create_episode(
    request: EpisodeRequest, unit: ReadingThenWriting, gate: Gate, embedder: EmbedderOf
) -> EpisodeResponse:
    """Make an episode from a conversation and the agent's runs in it; 409 if there is too little in it."""
    with unit.reading() as reading:
        get_session(reading.session, workspace_id=unit.workspace_id, chat_id=request.chat_id)
        draft = service.draft_episode(
            reading.session, gate, embedder, workspace_id=unit.workspace_id, **request.model_dump()
        )
    if draft is None:
        raise ConflictError(f"there is too little in chat session {request.chat_id!r} for an episode")
    episode = service.write_episode(unit.open().session, gate, draft)
    return EpisodeResponse.model_validate(episode)


@router.post("/reflections", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404))
def create_reflection(request: ReflectionRequest, unit: Writing, embedder: EmbedderOf) -> EpisodeResponse:
    """Make an episode from what people decided on an agent's proposal."""
    episode = service.create_episode_from_proposal(
        unit.session, unit.clock, embedder, workspace_id=unit.workspace_id, **request.model_dump()
    )
    return EpisodeResponse.model_validate(episode)


@router.get("/episodes", responses=problem_responses(404))
def list_episodes(
    query: Annotated[EpisodeQuery, Query()], unit: ShortReading, gate: Gate
) -> PageAnswer[EpisodeResponse]:
    """List an agent's episodes, the latest first, archived ones too."""
    _require_sight(unit, gate, query.agent_id)
    page = service.list_episodes(
        unit.session, workspace_id=unit.workspace_id, agent_id=query.agent_id, page=query.page
    )
    return PageAnswer.of(page, EpisodeResponse.model_validate)


@router.get("/episodes/{episode_id}", responses=problem_responses(404))
def read_episode(episode_id: Id, unit: ShortReading, gate: Gate) -> EpisodeResponse:
    """Return an episode."""
    episode = service.get_episode(unit.session, workspace_id=unit.workspace_id, episode_id=episode_id)
    _require_sight(unit, gate, episode.agent_id)
    return EpisodeResponse.model_validate(episode)


@router.get("/episodes/{episode_id}/segments", responses=problem_responses(404))
def list_segments(
    episode_id: Id, query: Annotated[PlaceQuery, Query()], unit: ShortReading, gate: Gate
) -> PageAnswer[SegmentResponse]:
    """Return an episode's segments in order; a page has fewer of them when they are long."""
    episode = service.get_episode(unit.session, workspace_id=unit.workspace_id, episode_id=episode_id)
    _require_sight(unit, gate, episode.agent_id)
    page = service.list_segments(
        unit.session,
        workspace_id=unit.workspace_id,
        episode_id=episode_id,
        limit=query.limit,
        after=query.cursor,
    )
    return PageAnswer.of(page, SegmentResponse.model_validate)


@router.post("/canvas-actions", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404))
def record_canvas_action(request: CanvasActionRequest, unit: Writing) -> CanvasActionResponse:
    """Note what an agent did on a canvas, for the next episode made from the conversation."""
    row = service.record_canvas_action(
        unit.session, unit.clock, workspace_id=unit.workspace_id, **request.model_dump()
    )
    return CanvasActionResponse.model_validate(row)


@router.post("/agents/{agent_id}/memory/temporal", responses=problem_responses(*WITH_BODY, 404))
def recall_by_time(
    agent_id: Id, request: TemporalRequest, unit: ReadingThenRecording, gate: Gate
) -> RetrievalResponse:
    """Recall the agent's episodes that started within the range, newest first."""
    with unit.reading() as reading:
        found = retrieval.retrieve_temporal(
            reading.session,
            reading.clock,
            gate,
            viewer=_viewer(reading, agent_id, request),
            time_range=request.time_range,
            where=EpisodeFilter(**request.where.model_dump()),
            limit=request.limit,
            record=lambda: unit.open().session,
        )
        return RetrievalResponse.model_validate(found)


@router.post("/agents/{agent_id}/memory/semantic", responses=problem_responses(*WITH_BODY, 404))
def recall_by_meaning(
    agent_id: Id, request: SemanticRequest, unit: ReadingThenRecording, gate: Gate, embedder: EmbedderOf
) -> RetrievalResponse:
    """
    Recall the agent's episodes that are most like the query, best first.

    Unless another embedder is set, texts are alike as far as they have words in common: "payment" does not
    find "invoice".
    """
    with unit.reading() as reading:
        found = retrieval.retrieve_semantic(
            reading.session,
            reading.clock,
            gate,
            embedder,
            viewer=_viewer(reading, agent_id, request),
            query=request.query,
            where=EpisodeFilter(**request.where.model_dump()),
            limit=request.limit,
            record=lambda: unit.open().session,
        )
        return RetrievalResponse.model_validate(found)


@router.post("/agents/{agent_id}/memory/contextual", responses=problem_responses(*WITH_BODY, 404))
def recall_for_task(
    agent_id: Id, request: ContextualRequest, unit: ReadingThenRecording, gate: Gate, embedder: EmbedderOf
) -> RetrievalResponse:
    """Recall the agent's episodes that fit a task best: recent ones, and those the embedder finds alike."""
    with unit.reading() as reading:
        found = retrieval.retrieve_contextual(
            reading.session,
            reading.clock,
            gate,
            embedder,
            viewer=_viewer(reading, agent_id, request),
            task=request.task,
            where=EpisodeFilter(**request.where.model_dump()),
            limit=request.limit,
            record=lambda: unit.open().session,
        )
        return RetrievalResponse.model_validate(found)


@router.post("/agents/{agent_id}/memory/sequential", responses=problem_responses(*WITH_BODY, 404))
def recall_one(
    agent_id: Id, request: SequentialRequest, unit: ReadingThenRecording, gate: Gate
) -> SequentialResponse:
    """Recall one of the agent's episodes from end to end; another agent's episode is not found."""
    with unit.reading() as reading:
        found = retrieval.retrieve_sequential(
            reading.session,
            reading.clock,
            gate,
            viewer=_viewer(reading, agent_id, request),
            episode_id=request.episode_id,
            record=lambda: unit.open().session,
        )
        return SequentialResponse.model_validate(found)


@router.post("/episodes/{episode_id}/importance", responses=problem_responses(*WITH_BODY, 404))
def update_importance(
    episode_id: Id, request: ImportanceRequest, unit: Writing, gate: Gate
) -> EpisodeResponse:
    """Move an episode's importance towards the feedback of its agent."""
    episode = lifecycle.update_importance(
        unit.session, gate, workspace_id=unit.workspace_id, episode_id=episode_id, **request.model_dump()
    )
    return EpisodeResponse.model_validate(episode)


@router.post("/episodes/{episode_id}/assessment", responses=problem_responses(*WITH_BODY, 404))
def assess_episode(episode_id: Id, request: AssessmentRequest, unit: Administering) -> EpisodeResponse:
    """Note how a supervisor rated an episode, and how well the agent kept the rules."""
    episode = lifecycle.assess(
        unit.session, workspace_id=unit.workspace_id, episode_id=episode_id, **request.model_dump()
    )
    return EpisodeResponse.model_validate(episode)


@router.post("/episodes/{episode_id}/archive", responses=problem_responses(404))
def archive_episode(episode_id: Id, unit: Writing) -> EpisodeResponse:
    """Archive an episode, so that no search finds it; archiving it again changes nothing."""
    lifecycle.archive(unit.session, unit.clock, workspace_id=unit.workspace_id, episode_id=episode_id)
    episode = service.get_episode(unit.session, workspace_id=unit.workspace_id, episode_id=episode_id)
    return EpisodeResponse.model_validate(episode)


@router.post("/episode-accesses", responses=problem_responses(*WITH_BODY))
def count_accesses(request: AccessesRequest, unit: Writing) -> CountResponse:
    """Count one access of each listed episode; those that the workspace does not have are left out."""
    n = lifecycle.count_access(unit.session, workspace_id=unit.workspace_id, episode_ids=request.episode_ids)
    return CountResponse(n=n)


@router.post("/episode-decay")
def apply_decay(unit: Administering) -> DecayResponse:
    """Lower the weight of old episodes and archive the oldest; repeating it on a day changes nothing."""
    outcome = lifecycle.apply_decay(unit.session, unit.clock, workspace_id=unit.workspace_id)
    return DecayResponse.model_validate(outcome)


@router.post("/agents/{agent_id}/consolidation", responses=problem_responses(*WITH_BODY, 404))
def consolidate_episodes(
    agent_id: Id, request: ConsolidationRequest, unit: Administering, embedder: EmbedderOf
) -> CountResponse:
    """Consolidate similar episodes of the agent under one of them."""
    n = lifecycle.consolidate(
        unit.session,
        embedder,
        workspace_id=unit.workspace_id,
        agent_id=agent_id,
        threshold=request.threshold,
    )
    return CountResponse(n=n)


def _viewer(unit: Unit, agent_id: str, request: LookRequest) -> Viewer:
    user_id = unit.viewer_id(request.user_id)
    return Viewer(workspace_id=unit.workspace_id, agent_id=agent_id, user_id=user_id)


def _require_sight(unit: Unit, gate: Gatekeeper, agent_id: str) -> None:
    """Raise ForbiddenError if the key belongs to a person who may not see the agent's data."""
    user_id = unit.viewer_id()
    if user_id is not None:
        service.require_sight(
            unit.session, gate, workspace_id=unit.workspace_id, agent_id=agent_id, user_id=user_id
        )
