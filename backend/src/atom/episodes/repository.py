"""Every query of episodes."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import add
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    Update,
    bindparam,
    case,
    cast,
    exists,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key

from atom.agents.models import Agent, AgentExecution, AgentFeedback, ExecutionStatus, FeedbackType
from atom.chat.models import ChatMessage, ChatSession
from atom.db.direct import fetch
from atom.db.rows import RowsOf
from atom.db.statements import rows_changed, table_of
from atom.db.types import UtcDateTime
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
from atom.episodes.rows import EpisodeRecord
from atom.episodes.scoring import Reaction
from atom.episodes.segmentation import Message, Run
from atom.kit.clock import moved

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from atom.agents.maturity import AgentStatus
    from atom.episodes.embedding import Vector
    from atom.kit.pagination import Cursor

VECTORS_AT_ONCE = 1_000
"""How many vectors a search holds in memory."""


AGENTS = table_of(Agent)
RUNS = table_of(AgentExecution)
FEEDBACK = table_of(AgentFeedback)
CHATS = table_of(ChatSession)
MESSAGES = table_of(ChatMessage)
EPISODES = table_of(Episode)
SEGMENTS = table_of(EpisodeSegment)
CANVAS_ACTIONS = table_of(CanvasAction)
CANVAS_TYPES = table_of(EpisodeCanvasType)
ACCESS_LOGS = table_of(EpisodeAccessLog)

CONDITIONS: Final[Mapping[str, ColumnElement[bool]]] = {
    "user_id": EPISODES.c.user_id == bindparam("user_id"),
    "canvas_type": exists().where(
        CANVAS_TYPES.c.episode_id == EPISODES.c.id, CANVAS_TYPES.c.canvas_type == bindparam("canvas_type")
    ),
    "requires_canvas": EPISODES.c.canvas_action_count > 0,
    "requires_feedback": EPISODES.c.aggregate_feedback_score.is_not(None),
    "min_supervisor_rating": EPISODES.c.supervisor_rating >= bindparam("min_supervisor_rating"),
    "max_interventions": EPISODES.c.human_intervention_count <= bindparam("max_interventions"),
}
"""What a query asks for by each field of a filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeFilter:
    """Which episodes to consider; the default considers all."""

    user_id: str | None = None
    canvas_type: str | None = None
    requires_canvas: bool = False
    requires_feedback: bool = False
    min_supervisor_rating: int | None = None
    max_interventions: int | None = None

    def asked(self) -> dict[str, Any]:
        """Return the fields that leave episodes out, in the order of `CONDITIONS`."""
        fields = {name: getattr(self, name) for name in CONDITIONS}
        return {name: value for name, value in fields.items() if value is not None and value is not False}


# Statements of fixed text, built once: making an episode runs many of them.
STATUS_OF_AGENT: Final = select(AGENTS.c.status).where(
    AGENTS.c.id == bindparam("agent"), AGENTS.c.workspace_id == bindparam("workspace")
)
LOCK_AGENT: Final = STATUS_OF_AGENT.with_for_update()
USER_OF_CHAT: Final = select(CHATS.c.user_id).where(
    CHATS.c.id == bindparam("chat"), CHATS.c.workspace_id == bindparam("workspace")
)
MESSAGES_OF_CHAT: Final = (
    select(MESSAGES.c.id, MESSAGES.c.role, MESSAGES.c.content, MESSAGES.c.created_at)
    .where(MESSAGES.c.session_id == bindparam("chat"))
    .order_by(MESSAGES.c.position)
)
IN_CHAT = (RUNS.c.session_id == bindparam("chat"), RUNS.c.agent_id == bindparam("agent"))
RUNS_OF_CHAT: Final = select(RUNS).where(*IN_CHAT).order_by(RUNS.c.started_at, RUNS.c.id)
FEEDBACK_ON_RUNS_OF_CHAT: Final = (
    select(FEEDBACK.c.id, FEEDBACK.c.feedback_type, FEEDBACK.c.thumbs_up_down, FEEDBACK.c.rating)
    .join(RUNS, RUNS.c.id == FEEDBACK.c.execution_id)
    .where(*IN_CHAT)
    .order_by(FEEDBACK.c.created_at, FEEDBACK.c.id)
)
CANVAS_ACTIONS_OF_CHAT: Final = (
    select(CANVAS_ACTIONS.c.id, CANVAS_ACTIONS.c.canvas_type)
    .where(CANVAS_ACTIONS.c.session_id == bindparam("chat"), CANVAS_ACTIONS.c.agent_id == bindparam("agent"))
    .order_by(CANVAS_ACTIONS.c.created_at, CANVAS_ACTIONS.c.id)
)


def _length(*columns: ColumnElement[Any]) -> ColumnElement[int]:
    """Return how many characters all rows have in these columns together."""
    lengths = (func.coalesce(func.length(cast(column, Text)), 0) for column in columns)
    return func.coalesce(func.sum(functools.reduce(add, lengths)), 0)


LENGTH_OF_CHAT: Final = select(
    select(_length(MESSAGES.c.content)).where(MESSAGES.c.session_id == bindparam("chat")).scalar_subquery()
    + select(
        _length(
            RUNS.c.input_summary,
            RUNS.c.output_summary,
            RUNS.c.result_summary,
            RUNS.c.error_message,
            RUNS.c.metadata,
        )
    )
    .where(*IN_CHAT)
    .scalar_subquery()
    + select(_length(FEEDBACK.c.user_correction))
    .join_from(FEEDBACK, RUNS, RUNS.c.id == FEEDBACK.c.execution_id)
    .where(*IN_CHAT)
    .scalar_subquery()
)
"""What was said, what the agent's runs tell, and what people corrected: an episode tells all of it."""
SEGMENTS_OF_EPISODE: Final = (
    select(EpisodeSegment)
    .where(EpisodeSegment.episode_id == bindparam("episode"))
    .order_by(EpisodeSegment.sequence_order)
)
NEXT_SEGMENTS: Final = SEGMENTS_OF_EPISODE.where(EpisodeSegment.sequence_order > bindparam("after")).limit(
    bindparam("most")
)
ADD_SEGMENTS: Final = insert(SEGMENTS)
ADD_CANVAS_TYPES: Final = insert(CANVAS_TYPES)
ADD_ACCESS_LOGS: Final = insert(ACCESS_LOGS)
LINK_FEEDBACK: Final = (
    update(FEEDBACK).where(FEEDBACK.c.id == bindparam("linked")).values(episode_id=bindparam("episode"))
)
LINK_CANVAS_ACTION: Final = (
    update(CANVAS_ACTIONS)
    .where(CANVAS_ACTIONS.c.id == bindparam("linked"))
    .values(episode_id=bindparam("episode"))
)
EPISODES_BY_ID: Final = (
    select(Episode)
    .where(Episode.id.in_(bindparam("episodes", expanding=True)))
    .execution_options(populate_existing=True)
)
COUNT_ACCESS: Final = (
    update(EPISODES)
    .where(
        EPISODES.c.id.in_(bindparam("episodes", expanding=True)),
        EPISODES.c.workspace_id == bindparam("of_workspace"),
    )
    .values(access_count=EPISODES.c.access_count + 1)
    .returning(EPISODES.c.id, EPISODES.c.access_count)
)


def agent_status(session: Session, agent_id: str, *, workspace_id: str) -> AgentStatus | None:
    """Return the status of an agent of the workspace."""
    session.flush()
    found = fetch(session.connection(), STATUS_OF_AGENT, {"agent": agent_id, "workspace": workspace_id})
    return found[0][0] if found else None


def lock_agent(session: Session, agent_id: str, *, workspace_id: str) -> bool:
    """Make others who lock this agent wait until the transaction ends; False if there is none."""
    return session.scalar(LOCK_AGENT, {"agent": agent_id, "workspace": workspace_id}) is not None


def chat_user_id(session: Session, chat_id: str, *, workspace_id: str) -> str | None:
    """Return whose conversation it is; None if the workspace has no such conversation."""
    return session.scalar(USER_OF_CHAT, {"chat": chat_id, "workspace": workspace_id})


def text_length(session: Session, chat_id: str, *, agent_id: str) -> int:
    """Return how many characters a conversation has, with an agent's runs in it and the feedback on them."""
    length: int = session.scalars(LENGTH_OF_CHAT, {"chat": chat_id, "agent": agent_id}).one()
    return length


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


def reactions_in(session: Session, chat_id: str, *, agent_id: str) -> dict[str, Reaction]:
    """Return the feedback on an agent's runs in a conversation by its id, oldest first."""
    rows = session.execute(FEEDBACK_ON_RUNS_OF_CHAT, {"chat": chat_id, "agent": agent_id})
    return {id_: _reaction(kind, thumb, rating) for id_, kind, thumb, rating in rows}


def _reaction(kind: FeedbackType, is_thumb_up: bool | None, rating: int | None) -> Reaction:
    by_type = {FeedbackType.THUMBS_UP: True, FeedbackType.THUMBS_DOWN: False}.get(kind)
    return Reaction(is_thumb_up=by_type if is_thumb_up is None else is_thumb_up, rating=rating)


def canvas_types_in(session: Session, chat_id: str, *, agent_id: str) -> dict[str, str]:
    """Return the type of canvas of an agent's actions in a conversation by their ids, oldest first."""
    rows = session.execute(CANVAS_ACTIONS_OF_CHAT, {"chat": chat_id, "agent": agent_id})
    return {row.id: row.canvas_type for row in rows}


def add_episode(session: Session, episode: Episode, segments: Sequence[Mapping[str, Any]]) -> None:
    """Write an episode and its segments."""
    session.add(episode)
    session.flush()
    session.execute(ADD_SEGMENTS, segments)


def link_feedback(session: Session, feedback_ids: Collection[str], *, episode_id: str) -> None:
    """Let feedback name its episode."""
    if feedback_ids:
        session.execute(LINK_FEEDBACK, [{"linked": id_, "episode": episode_id} for id_ in feedback_ids])


def link_canvas_actions(session: Session, type_of: Mapping[str, str], *, episode_id: str) -> None:
    """Let canvas actions name their episode, and the episode their types."""
    if type_of:
        session.execute(LINK_CANVAS_ACTION, [{"linked": id_, "episode": episode_id} for id_ in type_of])
        session.execute(
            ADD_CANVAS_TYPES,
            [{"episode_id": episode_id, "canvas_type": type_} for type_ in sorted({*type_of.values()})],
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


def next_segments(session: Session, episode_id: str, *, limit: int, after: int) -> Sequence[EpisodeSegment]:
    """Return an episode's first segments behind a place, in order."""
    sought = {"episode": episode_id, "most": limit, "after": after}
    return session.scalars(NEXT_SEGMENTS, sought).all()


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


def _visible(asked: Iterable[str]) -> list[ColumnElement[bool]]:
    return [
        EPISODES.c.agent_id == bindparam("agent"),
        EPISODES.c.workspace_id == bindparam("workspace"),
        EPISODES.c.status != EpisodeStatus.ARCHIVED,
        *(CONDITIONS[name] for name in asked),
    ]


def newest_visible(
    session: Session, *, workspace_id: str, agent_id: str, since: datetime, where: EpisodeFilter, limit: int
) -> Sequence[Episode]:
    """Return an agent's episodes since a moment, newest first; read from their index in its order."""
    asked = where.asked()
    sought = {"workspace": workspace_id, "agent": agent_id, "since": since, "most": limit, **asked}
    return session.scalars(_newest_visible(tuple(asked)), sought).all()


@functools.cache
def _newest_visible(asked: tuple[str, ...]) -> Select[Episode]:
    return (
        select(Episode)
        .where(EPISODES.c.started_at >= bindparam("since"), *_visible(asked))
        .order_by(EPISODES.c.started_at.desc(), EPISODES.c.id.desc())
        .limit(bindparam("most"))
        .execution_options(populate_existing=True)
    )


RECORD: Final = RowsOf(EpisodeRecord, EPISODES)
NEWEST_EPISODES: Final = (
    select(*RECORD.columns)
    .where(EPISODES.c.workspace_id == bindparam("workspace"), EPISODES.c.agent_id == bindparam("agent"))
    .order_by(EPISODES.c.started_at.desc(), EPISODES.c.id.desc())
    .limit(bindparam("most"))
)
NEWEST_EPISODES_AFTER: Final = NEWEST_EPISODES.where(
    tuple_(EPISODES.c.started_at, EPISODES.c.id)
    < tuple_(bindparam("after_at", type_=UtcDateTime()), bindparam("after_id", type_=EPISODES.c.id.type))
)


def newest_episodes(
    session: Session, *, workspace_id: str, agent_id: str, limit: int, after: Cursor | None
) -> list[EpisodeRecord]:
    """Return an agent's episodes, archived ones too, newest first."""
    sought: dict[str, Any] = {"workspace": workspace_id, "agent": agent_id, "most": limit}
    newest = NEWEST_EPISODES
    if after is not None:
        newest, sought = NEWEST_EPISODES_AFTER, {**sought, "after_at": after.at, "after_id": after.id}
    session.flush()
    return RECORD.all(fetch(session.connection(), newest, sought))


def vectors(
    session: Session, *, workspace_id: str, agent_id: str, model: str, where: EpisodeFilter
) -> Iterator[tuple[str, datetime, Vector]]:
    """Return id, start and vector of an agent's episodes that this model embedded."""
    asked = where.asked()
    sought = {"workspace": workspace_id, "agent": agent_id, "model": model, **asked}
    for id_, started_at, vector in session.execute(_vectors(tuple(asked)), sought):
        assert vector is not None  # the schema: a model comes with a vector
        yield id_, started_at, vector


@functools.cache
def _vectors(asked: tuple[str, ...]) -> Select[str, datetime, Vector | None]:
    return (
        select(EPISODES.c.id, EPISODES.c.started_at, EPISODES.c.embedding)
        .where(EPISODES.c.embedding_model == bindparam("model"), *_visible(asked))
        .execution_options(yield_per=VECTORS_AT_ONCE)
    )


def add_access_logs(session: Session, logs: Sequence[Mapping[str, Any]]) -> None:
    """Write who saw what."""
    if logs:
        session.execute(ADD_ACCESS_LOGS, logs)


def count_access(session: Session, ids: Collection[str], *, workspace_id: str) -> int:
    """Count one more access of each episode, and return how many there are."""
    if not ids:
        return 0
    counted = session.execute(COUNT_ACCESS, {"episodes": list(ids), "of_workspace": workspace_id}).all()
    for id_, access_count in counted:
        loaded = session.identity_map.get(identity_key(Episode, id_))
        if loaded is not None:
            set_committed_value(loaded, "access_count", access_count)
    return len(counted)


def count_look(session: Session, shown: Sequence[Episode], *, workspace_id: str) -> None:
    """Count one more access of each episode shown, whichever session loaded it."""
    if not shown:
        return
    sought = {"episodes": [episode.id for episode in shown], "of_workspace": workspace_id}
    counted = session.execute(COUNT_ACCESS, sought)
    access_counts = {row.id: row.access_count for row in counted}
    for episode in shown:
        if episode.id in access_counts:  # it may have been deleted since it was read
            set_committed_value(episode, "access_count", access_counts[episode.id])


def fade(session: Session, *, workspace_id: str, now: datetime) -> int:
    """Set what is left of each episode that is old enough to fade, and return how many those are."""
    days = {f"day_{day}": moved(now, -timedelta(days=day)) for day in FADING_DAYS}
    return _run_job(session, FADE, {"of_workspace": workspace_id, **days})


def archive_faded(session: Session, *, workspace_id: str, started_by: datetime, now: datetime) -> int:
    """Archive each episode that started by a moment, and return how many those are."""
    return _run_job(
        session, ARCHIVE_FADED, {"of_workspace": workspace_id, "started_by": started_by, "now": now}
    )


def _run_job(session: Session, job: Update, parameters: Mapping[str, Any]) -> int:
    """Run an update of any number of rows; what the session has loaded is read anew."""
    n_changed = rows_changed(session, job, parameters)
    session.expire_all()
    return n_changed


FADING_DAYS: Final = range(scoring.FADED_AT_DAYS, scoring.DECAY_FROM_DAYS - 1, -1)
# One branch for each day instead of arithmetic on dates, which every database spells and rounds its own way.
FADE: Final = (
    update(EPISODES)
    .where(
        EPISODES.c.workspace_id == bindparam("of_workspace"),
        EPISODES.c.started_at <= bindparam(f"day_{scoring.DECAY_FROM_DAYS}"),
        EPISODES.c.status != EpisodeStatus.ARCHIVED,
    )
    .values(
        decay_score=case(
            *(
                (EPISODES.c.started_at <= bindparam(f"day_{day}"), scoring.decay_at(day))
                for day in FADING_DAYS
            )
        )
    )
)
ARCHIVE_FADED: Final = (
    update(EPISODES)
    .where(
        EPISODES.c.workspace_id == bindparam("of_workspace"),
        EPISODES.c.started_at <= bindparam("started_by"),
        EPISODES.c.status != EpisodeStatus.ARCHIVED,
    )
    .values(status=EpisodeStatus.ARCHIVED, archived_at=bindparam("now"))
)


CHILDREN = EPISODES.alias()
FIND_MERGE_CANDIDATES: Final = (
    select(EPISODES.c.id, EPISODES.c.embedding, exists().where(CHILDREN.c.consolidated_into == EPISODES.c.id))
    .where(
        EPISODES.c.agent_id == bindparam("agent"),
        EPISODES.c.workspace_id == bindparam("workspace"),
        EPISODES.c.status == EpisodeStatus.COMPLETED,
        EPISODES.c.consolidated_into.is_(None),
        EPISODES.c.embedding_model == bindparam("model"),
    )
    .order_by(EPISODES.c.started_at.desc(), EPISODES.c.id.desc())
    .limit(bindparam("most"))
)
MERGE: Final = (
    update(EPISODES).where(EPISODES.c.id == bindparam("child")).values(consolidated_into=bindparam("parent"))
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
    session.execute(MERGE, [{"child": child, "parent": parent} for child, parent in parent_of.items()])
