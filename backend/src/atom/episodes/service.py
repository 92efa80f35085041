"""Use cases that make episodes from a conversation or a proposal's outcome, and read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from atom.episodes import digest, repository, scoring
from atom.episodes.access import EpisodeAction, Gatekeeper
from atom.episodes.models import CanvasAction, Episode, EpisodeStatus
from atom.episodes.segmentation import Message, Run, SegmentDraft, SegmentType, SourceType, draft_segments
from atom.kit.errors import ConflictError, ForbiddenError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import DEFAULT_LIMIT, Cursor, KeyPage, Page
from atom.kit.text import check_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from atom.agents.maturity import AgentStatus
    from atom.episodes.embedding import Embedder, Vector
    from atom.episodes.models import EpisodeSegment
    from atom.episodes.rows import EpisodeRecord
    from atom.episodes.scoring import ProposalOutcome
    from atom.kit.clock import Clock
    from atom.kit.pagination import PageRequest

MIN_ITEMS = 2
"""With fewer messages and runs than this, an episode is made only with `force`."""

MAX_TITLE_LENGTH = 200
MAX_NAME_LENGTH = 100
MAX_REFLECTION_LENGTH = 100_000
MAX_TEXT_LENGTH = 2_000_000
"""The most characters of what becomes an episode: all are compared, and one answer tells all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeDraft:
    """An episode that is not written yet, with its segments and what it will be linked to."""

    episode: Episode
    segments: Sequence[SegmentDraft]
    feedback: Mapping[str, scoring.Reaction]
    canvas: Mapping[str, str]


def create_episode_from_session(
    session: Session,
    gate: Gatekeeper,
    embedder: Embedder,
    *,
    workspace_id: str,
    chat_id: str,
    agent_id: str,
    title: str | None = None,
    force: bool = False,
) -> Episode | None:
    """
    Make an episode from a conversation and the agent's runs in it, with its segments and links.

    None if there is no such conversation or too little in it. A second episode leaves the first as it is.
    """
    draft = draft_episode(
        session,
        gate,
        embedder,
        workspace_id=workspace_id,
        chat_id=chat_id,
        agent_id=agent_id,
        title=title,
        force=force,
    )
    return None if draft is None else write_episode(session, gate, draft)


def draft_episode(
    session: Session,
    gate: Gatekeeper,
    embedder: Embedder,
    *,
    workspace_id: str,
    chat_id: str,
    agent_id: str,
    title: str | None = None,
    force: bool = False,
) -> EpisodeDraft | None:
    """
    Return what `create_episode_from_session` would write, and write nothing.

    A long conversation takes seconds. If the database has only one writer, draft before you begin to write.
    """
    _check_title(title)
    require_action(session, gate, workspace_id=workspace_id, agent_id=agent_id, action=EpisodeAction.CREATE)
    user_id = repository.chat_user_id(session, chat_id, workspace_id=workspace_id)
    if user_id is None:
        return None
    _check_length(repository.text_length(session, chat_id, agent_id=agent_id))
    messages = repository.messages_of(session, chat_id)
    runs = repository.runs_of(session, chat_id, agent_id=agent_id)
    n_items = len(messages) + len(runs)
    if n_items == 0 or (n_items < MIN_ITEMS and not force):
        return None

    feedback = repository.reactions_in(session, chat_id, agent_id=agent_id)
    canvas = repository.canvas_types_in(session, chat_id, agent_id=agent_id)
    episode = _describe(messages, runs, title=title)
    episode.workspace_id = workspace_id
    episode.agent_id = agent_id
    episode.user_id = user_id
    episode.session_id = chat_id
    episode.feedback_ids = list(feedback)
    episode.aggregate_feedback_score = scoring.feedback_score(feedback.values())
    episode.canvas_ids = list(canvas)
    episode.canvas_action_count = len(canvas)
    *vectors, vector = embedder.embed([*(message.content for message in messages), text_of(episode)])
    _embed(episode, vector, model=embedder.name)
    segments = draft_segments(messages, vectors, runs)
    return EpisodeDraft(episode=episode, segments=segments, feedback=feedback, canvas=canvas)


def write_episode(session: Session, gate: Gatekeeper, draft: EpisodeDraft) -> Episode:
    """Write a draft, if the agent may still make episodes and the conversation is still there."""
    episode = draft.episode
    episode.maturity_at_time = require_action(
        session,
        gate,
        workspace_id=episode.workspace_id,
        agent_id=episode.agent_id,
        action=EpisodeAction.CREATE,
    )
    chat_id = episode.session_id or ""
    if repository.chat_user_id(session, chat_id, workspace_id=episode.workspace_id) is None:
        raise NotFoundError("chat session", chat_id)
    repository.add_episode(session, episode, _rows(draft.segments, episode_id=episode.id))
    repository.link_feedback(session, draft.feedback, episode_id=episode.id)
    repository.link_canvas_actions(session, draft.canvas, episode_id=episode.id)
    return episode


def create_episode_from_proposal(
    session: Session,
    clock: Clock,
    embedder: Embedder,
    *,
    workspace_id: str,
    agent_id: str,
    title: str,
    reflection: str,
    outcome: ProposalOutcome,
    is_modified: bool = False,
) -> Episode:
    """Make an episode from what people decided on an agent's proposal, whatever the agent's maturity."""
    _check_title(title)
    check_text(reflection, field="reflection", max_length=MAX_REFLECTION_LENGTH)
    status = get_agent_status(session, workspace_id=workspace_id, agent_id=agent_id)
    now = clock.now()
    episode = Episode(
        id=new_id(),
        workspace_id=workspace_id,
        agent_id=agent_id,
        title=title,
        description=f"Proposal {outcome}{' with changes' if is_modified else ''}.",
        summary=reflection[: digest.EXCERPT_LENGTH],
        started_at=now,
        ended_at=now,
        duration_seconds=0,
        status=EpisodeStatus.COMPLETED,
        importance=scoring.proposal_importance(outcome, is_modified=is_modified),
        maturity_at_time=status,
    )
    (vector,) = embedder.embed([text_of(episode)])
    _embed(episode, vector, model=embedder.name)
    segment = SegmentDraft(
        segment_type=SegmentType.REFLECTION,
        content=reflection,
        content_summary=reflection[: digest.EXCERPT_LENGTH],
        source_type=SourceType.MANUAL,
        source_id=None,
    )
    repository.add_episode(session, episode, _rows([segment], episode_id=episode.id))
    return episode


def record_canvas_action(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    agent_id: str,
    chat_id: str,
    canvas_id: str,
    canvas_type: str,
    action: str,
) -> CanvasAction:
    """Note what an agent did on a canvas during a conversation, for the next episode made from it."""
    for field, text in (("canvas_id", canvas_id), ("canvas_type", canvas_type), ("action", action)):
        check_text(text, field=field, max_length=MAX_NAME_LENGTH)
    get_agent_status(session, workspace_id=workspace_id, agent_id=agent_id)
    if repository.chat_user_id(session, chat_id, workspace_id=workspace_id) is None:
        raise NotFoundError("chat session", chat_id)
    row = CanvasAction(
        id=new_id(),
        workspace_id=workspace_id,
        agent_id=agent_id,
        session_id=chat_id,
        canvas_id=canvas_id,
        canvas_type=canvas_type,
        action=action,
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row


def get_episode(session: Session, *, workspace_id: str, episode_id: str) -> Episode:
    """Return an episode of the workspace."""
    episode = repository.get_episode(session, episode_id, workspace_id=workspace_id)
    if episode is None:
        raise NotFoundError("episode", episode_id)
    return episode


def list_segments(
    session: Session,
    *,
    workspace_id: str,
    episode_id: str,
    limit: int = DEFAULT_LIMIT,
    after: int | None = None,
) -> KeyPage[EpisodeSegment]:
    """Return the segments of an episode in order; a page has fewer of them when they are long."""
    get_episode(session, workspace_id=workspace_id, episode_id=episode_id)
    place = -1 if after is None else after
    found = repository.next_segments(session, episode_id, limit=limit + 1, after=place)
    return KeyPage.cut(
        found, limit=limit, key=lambda row: str(row.sequence_order), length=lambda row: len(row.content)
    )


def list_episodes(
    session: Session, *, workspace_id: str, agent_id: str, page: PageRequest
) -> Page[EpisodeRecord]:
    """Return the episodes of an agent of the workspace, the latest first, whatever their status is."""
    get_agent_status(session, workspace_id=workspace_id, agent_id=agent_id)
    episodes = repository.newest_episodes(
        session, workspace_id=workspace_id, agent_id=agent_id, limit=page.limit + 1, after=page.after
    )
    return Page.cut(episodes, limit=page.limit, place=lambda row: Cursor(at=row.started_at, id=row.id))


def get_agent_status(session: Session, *, workspace_id: str, agent_id: str) -> AgentStatus:
    """Return the status of an agent of the workspace."""
    status = repository.agent_status(session, agent_id, workspace_id=workspace_id)
    if status is None:
        raise NotFoundError("agent", agent_id)
    return status


def require_action(
    session: Session, gate: Gatekeeper, *, workspace_id: str, agent_id: str, action: EpisodeAction
) -> AgentStatus:
    """Return the agent's status if the gatekeeper allows the action."""
    status = get_agent_status(session, workspace_id=workspace_id, agent_id=agent_id)
    decision = gate.decide(agent_id=agent_id, status=status, action=action)
    if not decision.is_allowed:
        raise ForbiddenError(decision.reason)
    return status


def require_sight(
    session: Session, gate: Gatekeeper, *, workspace_id: str, agent_id: str, user_id: str
) -> None:
    """Raise ForbiddenError unless the person may see what the agent remembers."""
    get_agent_status(session, workspace_id=workspace_id, agent_id=agent_id)
    if not gate.lets_see(session, workspace_id=workspace_id, agent_id=agent_id, user_id=user_id):
        raise ForbiddenError(f"user {user_id!r} may not see the data of agent {agent_id!r}")


def text_of(episode: Episode) -> str:
    """Return the text by which an episode is compared with other texts."""
    parts = (episode.title, episode.summary or "", *(episode.topics or ()), *(episode.entities or ()))
    return "\n".join(parts)


def _describe(messages: Sequence[Message], runs: Sequence[Run], *, title: str | None) -> Episode:
    """Return an episode with the fields that follow from its messages and runs."""
    moments = [*(message.at for message in messages), *_moments(runs)]
    started_at, ended_at = min(moments), max(moments)
    return Episode(
        id=new_id(),
        title=title or digest.title_of(messages, started_at=started_at),
        description=f"A conversation of {len(messages)} messages with {len(runs)} runs of the agent.",
        summary=digest.summary_of(messages, n_runs=len(runs)),
        execution_ids=[run.id for run in runs],
        started_at=started_at,
        ended_at=ended_at,
        duration_seconds=(ended_at - started_at) // timedelta(seconds=1),
        status=EpisodeStatus.COMPLETED,
        topics=digest.topics_of(messages),
        entities=digest.entities_of(messages),
        importance=scoring.initial_importance(n_messages=len(messages), n_runs=len(runs)),
        human_intervention_count=sum(run.is_human_intervention for run in runs),
        human_edits=[edit for run in runs for edit in run.human_corrections],
    )


def _embed(episode: Episode, vector: Vector | None, *, model: str) -> None:
    episode.embedding = vector
    episode.embedding_model = None if vector is None else model


def _moments(runs: Iterable[Run]) -> Iterable[datetime]:
    for run in runs:
        yield run.started_at
        yield run.ended_at


def _rows(drafts: Sequence[SegmentDraft], *, episode_id: str) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id(),
            "episode_id": episode_id,
            "segment_type": draft.segment_type,
            "sequence_order": place,
            "content": draft.content,
            "content_summary": draft.content_summary,
            "source_type": draft.source_type,
            "source_id": draft.source_id,
            "message_ids": list(draft.message_ids),
        }
        for place, draft in enumerate(drafts)
    ]


def _check_length(n_characters: int) -> None:
    if n_characters > MAX_TEXT_LENGTH:
        raise ConflictError(
            f"the conversation has {n_characters} characters with the runs in it, an episode at most"
            f" {MAX_TEXT_LENGTH}; continue in another one"
        )


def _check_title(title: str | None) -> None:
    if title is not None:
        check_text(title, field="title", max_length=MAX_TITLE_LENGTH)
