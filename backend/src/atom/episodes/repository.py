"""Every query of episodes."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    Update,
    bindparam,
    case,
    exists,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session, aliased

from atom.agents.models import Agent, AgentExecution, AgentFeedback, ExecutionStatus
from atom.chat.models import ChatMessage, ChatSession
from atom.episodes import scoring
from atom.episodes.consolidation import Candidate
from atom.episodes.models import (
    CanvasAction,
    Episode,
    EpisodeAccessLog,
    EpisodeCanvasType,
    EpisodeSegment,
    EpisodeStatus,
)
from atom.episodes.segmentation import Message, Run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy import Row, Table

    from atom.agents.maturity import AgentStatus
    from atom.episodes.embedding import Vector
    from atom.kit.pagination import Cursor

VECTORS_AT_ONCE = 1_000
"""How many vectors a search holds in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeFilter:
    """Which episodes to consider; the default considers all."""

    user_id: str | None = None
    canvas_type: str | None = None
    requires_canvas: bool = False
    requires_feedback: bool = False
    min_supervisor_rating: int | None = None
    max_interventions: int | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Return what a query has to ask for."""
        if self.user_id is not None:
            yield Episode.user_id == self.user_id
        if self.canvas_type is not None:
            yield exists().where(
                EpisodeCanvasType.episode_id == Episode.id, EpisodeCanvasType.canvas_type == self.canvas_type
            )
        if self.requires_canvas:
            yield Episode.canvas_action_count > 0
        if self.requires_feedback:
            yield Episode.aggregate_feedback_score.is_not(None)
        if self.min_supervisor_rating is not None:
            yield Episode.supervisor_rating >= self.min_supervisor_rating
        if self.max_interventions is not None:
            yield Episode.human_intervention_count <= self.max_interventions


AGENTS = cast("Table", Agent.__table__)
RUNS = cast("Table", AgentExecution.__table__)
CHATS = cast("Table", ChatSession.__table__)
MESSAGES = cast("Table", ChatMessage.__table__)
SEGMENTS = cast("Table", EpisodeSegment.__table__)

# Statements of fixed text, built once: making an episode runs many of them.
STATUS_OF_AGENT = select(AGENTS.c.status).where(
    AGENTS.c.id == bindparam("agent"), AGENTS.c.workspace_id == bindparam("workspace")
)
USER_OF_CHAT = select(CHATS.c.user_id).where(
    CHATS.c.id == bindparam("chat"), CHATS.c.workspace_id == bindparam("workspace")
)
MESSAGES_OF_CHAT = (
    select(MESSAGES.c.id, MESSAGES.c.role, MESSAGES.c.content, MESSAGES.c.created_at)
    .where(MESSAGES.c.session_id == bindparam("chat"))
    .order_by(MESSAGES.c.position)
)
RUNS_OF_CHAT = (
    select(RUNS)
    .where(RUNS.c.session_id == bindparam("chat"), RUNS.c.agent_id == bindparam("agent"))
    .order_by(RUNS.c.started_at, RUNS.c.id)
)
CANVAS_ACTIONS_OF_CHAT = (
    select(CanvasAction)
    .where(CanvasAction.session_id == bindparam("chat"), CanvasAction.agent_id == bindparam("agent"))
    .order_by(CanvasAction.created_at, CanvasAction.id)
)
SEGMENTS_OF_EPISODE = (
    select(EpisodeSegment)
    .where(EpisodeSegment.episode_id == bindparam("episode"))
    .order_by(EpisodeSegment.sequence_order)
)
ADD_SEGMENTS = insert(SEGMENTS)
ADD_ACCESS_LOGS = insert(EpisodeAccessLog)
EPISODES_BY_ID = (
    select(Episode)
    .where(Episode.id.in_(bindparam("episodes", expanding=True)))
    .execution_options(populate_existing=True)
)
COUNT_ACCESS = (
    update(Episode)
    .where(
        Episode.id.in_(bindparam("episodes", expanding=True)),
        Episode.workspace_id == bindparam("of_workspace"),
    )
    .values(access_count=Episode.access_count + 1)
    .returning(Episode.id)
    .execution_options(synchronize_session="fetch")
)


def agent_status(session: Session, agent_id: str, *, workspace_id: str) -> AgentStatus | None:
    """Return the status of an agent of the workspace."""
    return session.scalar(STATUS_OF_AGENT, {"agent": agent_id, "workspace": workspace_id})


def lock_agent(session: Session, agent_id: str, *, workspace_id: str) -> bool:
    """Make others who lock this agent wait until the transaction ends; False if there is none."""
    locked = STATUS_OF_AGENT.with_for_update()
    return session.scalar(locked, {"agent": agent_id, "workspace": workspace_id}) is not None


def chat_user_id(session: Session, chat_id: str, *, workspace_id: str) -> str | None:
    """Return whose conversation it is; None if the workspace has no such conversation."""
    return session.scalar(USER_OF_CHAT, {"chat": chat_id, "workspace": workspace_id})


def messages_of(session: Session, chat_id: str) -> list[Message]:
    """Return a conversation's messages in order."""
    rows = session.execute(MESSAGES_OF_CHAT, {"chat": chat_id})
    return [Message(id=id_, role=role, content=content, at=at) for id_, role, content, at in rows]


def runs_of(session: Session, chat_id: str, *, agent_id: str) -> list[Run]:
    """Return an agent's runs in a conversation in the order of their start."""
    return [_run(row) for row in session.execute(RUNS_OF_CHAT, {"chat": chat_id, "agent": agent_id})]


def _run(row: Row[Any]) -> Run:
    details = row._mapping[RUNS.c.metadata]
    corrections = details.get("human_corrections")
    return Run(
        id=row.id,
        started_at=row.started_at,
        completed_at=row.completed_at,
        is_completed=row.status == ExecutionStatus.COMPLETED,
        input_summary=row.input_summary,
        output_summary=row.output_summary,
        result_summary=row.result_summary,
        error_message=row.error_message,
        is_human_intervention=details.get("human_intervention") is True,
        human_corrections=tuple(corrections) if isinstance(corrections, list) else (),
    )


def feedback_on(session: Session, execution_ids: Collection[str]) -> Sequence[AgentFeedback]:
    """Return the feedback on runs, oldest first."""
    if not execution_ids:
        return []
    found = select(AgentFeedback).where(AgentFeedback.execution_id.in_(execution_ids))
    return session.scalars(found.order_by(AgentFeedback.created_at, AgentFeedback.id)).all()


def canvas_actions_in(session: Session, chat_id: str, *, agent_id: str) -> Sequence[CanvasAction]:
    """Return what an agent did on canvases during a conversation, oldest first."""
    return session.scalars(CANVAS_ACTIONS_OF_CHAT, {"chat": chat_id, "agent": agent_id}).all()


def add_episode(session: Session, episode: Episode, segments: Sequence[Mapping[str, Any]]) -> None:
    """Write an episode and its segments."""
    session.add(episode)
    session.flush()
    session.execute(ADD_SEGMENTS, segments)


def link_feedback(session: Session, feedback_ids: Collection[str], *, episode_id: str) -> None:
    """Let feedback name its episode."""
    if feedback_ids:
        session.execute(
            update(AgentFeedback), [{"id": id_, "episode_id": episode_id} for id_ in feedback_ids]
        )


def link_canvas_actions(session: Session, actions: Collection[CanvasAction], *, episode_id: str) -> None:
    """Let canvas actions name their episode, and the episode their types."""
    if actions:
        session.execute(
            update(CanvasAction), [{"id": action.id, "episode_id": episode_id} for action in actions]
        )
        types = sorted({action.canvas_type for action in actions})
        session.execute(
            insert(EpisodeCanvasType), [{"episode_id": episode_id, "canvas_type": type_} for type_ in types]
        )


def get_episode(
    session: Session,
    episode_id: str,
    *,
    workspace_id: str,
    agent_id: str | None = None,
    for_update: bool = False,
) -> Episode | None:
    """Return an episode of the workspace, and of the agent if one is named, as it stands in the database."""
    parameters = {"episode": episode_id, "workspace": workspace_id, "agent": agent_id}
    return session.scalar(_get_episode(agent_id is not None, for_update), parameters)


@functools.cache
def _get_episode(of_agent: bool, for_update: bool) -> Select[Episode]:
    found = select(Episode).where(
        Episode.id == bindparam("episode"), Episode.workspace_id == bindparam("workspace")
    )
    if of_agent:
        found = found.where(Episode.agent_id == bindparam("agent"))
    if for_update:
        found = found.with_for_update()
    return found.execution_options(populate_existing=True)


def segments_of(session: Session, episode_id: str) -> Sequence[EpisodeSegment]:
    """Return an episode's segments in order."""
    return session.scalars(SEGMENTS_OF_EPISODE, {"episode": episode_id}).all()


def feedback_by_id(session: Session, ids: Collection[str]) -> Sequence[AgentFeedback]:
    """Return feedback, oldest first."""
    if not ids:
        return []
    found = select(AgentFeedback).where(AgentFeedback.id.in_(ids))
    return session.scalars(found.order_by(AgentFeedback.created_at, AgentFeedback.id)).all()


def canvas_actions_by_id(session: Session, ids: Collection[str]) -> Sequence[CanvasAction]:
    """Return canvas actions, oldest first."""
    if not ids:
        return []
    found = select(CanvasAction).where(CanvasAction.id.in_(ids))
    return session.scalars(found.order_by(CanvasAction.created_at, CanvasAction.id)).all()


def episodes_by_id(session: Session, ids: Collection[str]) -> Sequence[Episode]:
    """Return episodes in no order, as they stand in the database."""
    if not ids:
        return []
    return session.scalars(EPISODES_BY_ID, {"episodes": list(ids)}).all()


def _visible(*, workspace_id: str, agent_id: str, where: EpisodeFilter) -> list[ColumnElement[bool]]:
    return [
        Episode.agent_id == agent_id,
        Episode.workspace_id == workspace_id,
        Episode.status != EpisodeStatus.ARCHIVED,
        *where.conditions(),
    ]


def newest_ids(
    session: Session, *, workspace_id: str, agent_id: str, since: datetime, where: EpisodeFilter, limit: int
) -> list[str]:
    """Return an agent's episodes since a moment, newest first; read from their index in its order."""
    newest = (
        select(Episode.id)
        .where(
            Episode.started_at >= since, *_visible(workspace_id=workspace_id, agent_id=agent_id, where=where)
        )
        .order_by(Episode.started_at.desc(), Episode.id.desc())
        .limit(limit)
    )
    return list(session.scalars(newest))


def newest_episodes(
    session: Session, *, workspace_id: str, agent_id: str, limit: int, after: Cursor | None
) -> Sequence[Episode]:
    """Return an agent's episodes, archived ones too, newest first."""
    newest = (
        select(Episode)
        .where(Episode.workspace_id == workspace_id, Episode.agent_id == agent_id)
        .order_by(Episode.started_at.desc(), Episode.id.desc())
        .limit(limit)
    )
    if after is not None:
        newest = newest.where(tuple_(Episode.started_at, Episode.id) < tuple_(after.at, after.id))
    return session.scalars(newest.execution_options(populate_existing=True)).all()


def vectors(
    session: Session, *, workspace_id: str, agent_id: str, model: str, where: EpisodeFilter
) -> Iterator[tuple[str, datetime, Vector]]:
    """Return id, start and vector of an agent's episodes that this model embedded."""
    found = select(Episode.id, Episode.started_at, Episode.embedding).where(
        Episode.embedding_model == model, *_visible(workspace_id=workspace_id, agent_id=agent_id, where=where)
    )
    for id_, started_at, vector in session.execute(found, execution_options={"yield_per": VECTORS_AT_ONCE}):
        assert vector is not None  # the schema: a model comes with a vector
        yield id_, started_at, vector


def add_access_logs(session: Session, logs: Sequence[Mapping[str, Any]]) -> None:
    """Write who saw what."""
    if logs:
        session.execute(ADD_ACCESS_LOGS, logs)


def count_access(session: Session, ids: Collection[str], *, workspace_id: str) -> int:
    """Count one more access of each episode, and return how many there are."""
    if not ids:
        return 0
    return len(session.scalars(COUNT_ACCESS, {"episodes": list(ids), "of_workspace": workspace_id}).all())


def fade(session: Session, *, workspace_id: str, now: datetime) -> int:
    """Set what is left of each episode that is old enough to fade, and return how many those are."""
    days = {f"day_{day}": now - timedelta(days=day) for day in FADING_DAYS}
    return _run_job(session, FADE, {"of_workspace": workspace_id, **days})


def archive_faded(session: Session, *, workspace_id: str, started_by: datetime, now: datetime) -> int:
    """Archive each episode that started by a moment, and return how many those are."""
    archived = (
        update(Episode)
        .where(
            Episode.workspace_id == workspace_id,
            Episode.started_at <= started_by,
            Episode.status != EpisodeStatus.ARCHIVED,
        )
        .values(status=EpisodeStatus.ARCHIVED, archived_at=now)
    )
    return _run_job(session, archived, {})


def _run_job(session: Session, job: Update, parameters: Mapping[str, Any]) -> int:
    """Run an update of any number of rows; what the session has loaded is read anew."""
    result = session.execute(job, parameters, execution_options={"synchronize_session": False})
    session.expire_all()
    return cast("CursorResult[Any]", result).rowcount


FADING_DAYS = range(scoring.FADED_AT_DAYS, scoring.DECAY_FROM_DAYS - 1, -1)
# One branch for each day instead of arithmetic on dates, which every database spells and rounds its own way.
FADE = (
    update(Episode)
    .where(
        Episode.workspace_id == bindparam("of_workspace"),
        Episode.started_at <= bindparam(f"day_{scoring.DECAY_FROM_DAYS}"),
        Episode.status != EpisodeStatus.ARCHIVED,
    )
    .values(
        decay_score=case(
            *((Episode.started_at <= bindparam(f"day_{day}"), scoring.decay_at(day)) for day in FADING_DAYS)
        )
    )
)


CHILD = aliased(Episode)  # once: making one takes longer than the query
FIND_MERGE_CANDIDATES = (
    select(Episode.id, Episode.embedding, exists().where(CHILD.consolidated_into == Episode.id))
    .where(
        Episode.agent_id == bindparam("agent"),
        Episode.workspace_id == bindparam("workspace"),
        Episode.status == EpisodeStatus.COMPLETED,
        Episode.consolidated_into.is_(None),
        Episode.embedding_model == bindparam("model"),
    )
    .order_by(Episode.started_at.desc(), Episode.id.desc())
    .limit(bindparam("most"))
)


def merge_candidates(
    session: Session, *, workspace_id: str, agent_id: str, model: str, limit: int
) -> list[Candidate]:
    """Return an agent's newest completed episodes that nothing stands for, newest first."""
    sought = {"workspace": workspace_id, "agent": agent_id, "model": model, "most": limit}
    return [
        Candidate(id=id_, vector=vector, is_parent=is_parent)
        for id_, vector, is_parent in session.execute(FIND_MERGE_CANDIDATES, sought)
        if vector is not None  # always, by the schema: a model comes with a vector
    ]


def merge(session: Session, parent_of: Mapping[str, str]) -> None:
    """Let one episode stand for others."""
    session.execute(
        update(Episode), [{"id": child, "consolidated_into": parent} for child, parent in parent_of.items()]
    )
