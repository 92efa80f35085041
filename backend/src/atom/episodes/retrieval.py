"""
Use cases of remembering: an agent's episodes by time, by meaning, one from end to end, and by fit to a task.

Each look is decided by a gatekeeper and leaves its traces: a log row and an access counted for every episode
shown, one log row for a look that was denied. A denial is a result, no exception, so its row is committed.
What takes long comes before the first trace: a `record` may give another session for the traces, which begins
to write only then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import nlargest
from typing import TYPE_CHECKING, Any, TypeAlias

from atom.episodes import repository, scoring
from atom.episodes.access import AccessDecision, EpisodeAction, Gatekeeper
from atom.episodes.embedding import Embedder, cosine
from atom.episodes.models import AccessType, CanvasAction, Episode, EpisodeSegment, TimeRange
from atom.episodes.repository import EpisodeFilter
from atom.episodes.service import get_agent_status
from atom.identity.users import require_user
from atom.kit.clock import moved
from atom.kit.errors import InvalidError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import MAX_LIMIT
from atom.kit.text import check_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from sqlalchemy.orm import Session

    from atom.agents.models import AgentFeedback
    from atom.kit.clock import Clock

Recorder: TypeAlias = "Callable[[], Session]"
"""Gives the session in which a look leaves its traces, when it has found what it shows."""

TEMPORAL_LIMIT = 50
SEMANTIC_LIMIT = 10
CONTEXTUAL_LIMIT = 5
CONTEXT_FACTOR = 2
"""How many times the limit a contextual look takes from time and from meaning, before it ranks."""

MAX_QUERY_LENGTH = 10_000

EVERYTHING = EpisodeFilter()
HIGH_RATED = EpisodeFilter(min_supervisor_rating=4)
LOW_INTERVENTION = EpisodeFilter(max_interventions=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The agent whose episodes are asked for, and the user who asks if it is not the agent itself."""

    workspace_id: str
    agent_id: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An episode found, and how well it fits where that was asked."""

    episode: Episode
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """What a look was answered: the decision, and the episodes, best first."""

    decision: AccessDecision
    hits: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One episode from end to end, with what happened around it."""

    episode: Episode
    segments: Sequence[EpisodeSegment]
    canvas_actions: Sequence[CanvasAction]
    feedback: Sequence[AgentFeedback]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequential:
    """What a sequential look was answered: the decision, and the story unless it was denied."""

    decision: AccessDecision
    story: Story | None = None


def retrieve_temporal(
    session: Session,
    clock: Clock,
    gate: Gatekeeper,
    *,
    viewer: Viewer,
    time_range: TimeRange | str = TimeRange.WEEK,
    where: EpisodeFilter = EVERYTHING,
    limit: int = TEMPORAL_LIMIT,
    record: Recorder | None = None,
) -> Retrieval:
    """Return the agent's episodes that started within the range, newest first."""
    span = _parse_range(time_range).span
    _check_limit(limit)
    look = _Look.begin(session, clock, gate, viewer, AccessType.TEMPORAL, EpisodeAction.TEMPORAL, record)
    if look.is_denied:
        return Retrieval(decision=look.denied())
    newest = look.newest(span, where=where, limit=limit)
    return look.shown([Hit(episode=episode) for episode in newest])


def retrieve_semantic(
    session: Session,
    clock: Clock,
    gate: Gatekeeper,
    embedder: Embedder,
    *,
    viewer: Viewer,
    query: str,
    where: EpisodeFilter = EVERYTHING,
    limit: int = SEMANTIC_LIMIT,
    record: Recorder | None = None,
) -> Retrieval:
    """Return the agent's episodes that are most like the query, best first, with their similarity."""
    check_text(query, field="query", max_length=MAX_QUERY_LENGTH)
    _check_limit(limit)
    look = _Look.begin(session, clock, gate, viewer, AccessType.SEMANTIC, EpisodeAction.SEMANTIC, record)
    if look.is_denied:
        return Retrieval(decision=look.denied())
    scores = look.similar(embedder, query, where=where, limit=limit)
    return look.shown(_best_first(repository.episodes_by_id(session, scores), scores))


def retrieve_contextual(
    session: Session,
    clock: Clock,
    gate: Gatekeeper,
    embedder: Embedder,
    *,
    viewer: Viewer,
    task: str,
    where: EpisodeFilter = EVERYTHING,
    limit: int = CONTEXTUAL_LIMIT,
    record: Recorder | None = None,
) -> Retrieval:
    """
    Return the agent's episodes that fit a task best, best first, with their score.

    Recent and similar episodes are candidates. The filter comes before each cut.
    """
    check_text(task, field="task", max_length=MAX_QUERY_LENGTH)
    _check_limit(limit)
    look = _Look.begin(session, clock, gate, viewer, AccessType.CONTEXTUAL, EpisodeAction.CONTEXTUAL, record)
    if look.is_denied:
        return Retrieval(decision=look.denied())
    newest = look.newest(TimeRange.MONTH.span, where=where, limit=CONTEXT_FACTOR * limit)
    recent = {episode.id for episode in newest}
    similar = look.similar(embedder, task, where=where, limit=CONTEXT_FACTOR * limit)
    episodes = [*newest, *repository.episodes_by_id(session, similar.keys() - recent)]
    scores = {
        episode.id: scoring.relevance(
            is_recent=episode.id in recent,
            is_similar=episode.id in similar,
            has_canvas=episode.canvas_action_count > 0,
            feedback=episode.aggregate_feedback_score,
        )
        for episode in episodes
    }
    return look.shown(_best_first(episodes, scores)[:limit])


def retrieve_sequential(
    session: Session,
    clock: Clock,
    gate: Gatekeeper,
    *,
    viewer: Viewer,
    episode_id: str,
    record: Recorder | None = None,
) -> Sequential:
    """Return one of the agent's episodes from end to end; another agent's does not exist for it."""
    look = _Look.begin(session, clock, gate, viewer, AccessType.SEQUENTIAL, EpisodeAction.VIEW, record)
    if look.is_denied:
        return Sequential(decision=look.denied())
    episode = repository.get_episode(
        session, episode_id, workspace_id=viewer.workspace_id, agent_id=viewer.agent_id
    )
    if episode is None:
        raise NotFoundError("episode", episode_id)
    story = Story(
        episode=episode,
        segments=repository.segments_of(session, episode_id),
        canvas_actions=repository.canvas_actions_by_id(session, episode.canvas_ids),
        feedback=repository.feedback_by_id(session, episode.feedback_ids),
    )
    return Sequential(decision=look.shown([Hit(episode=episode)]).decision, story=story)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """A look at an agent's episodes, from the decision to the log."""

    session: Session
    clock: Clock
    viewer: Viewer
    access_type: AccessType
    decision: AccessDecision
    record: Recorder
    scope: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        scope = {"workspace_id": self.viewer.workspace_id, "agent_id": self.viewer.agent_id}
        object.__setattr__(self, "scope", scope)

    @classmethod
    def begin(
        cls,
        session: Session,
        clock: Clock,
        gate: Gatekeeper,
        viewer: Viewer,
        access_type: AccessType,
        action: EpisodeAction,
        record: Recorder | None,
    ) -> _Look:
        status = get_agent_status(session, workspace_id=viewer.workspace_id, agent_id=viewer.agent_id)
        if viewer.user_id is not None:
            require_user(session, workspace_id=viewer.workspace_id, user_id=viewer.user_id)
        decision = gate.decide(agent_id=viewer.agent_id, status=status, action=action)
        if viewer.user_id is not None and not gate.lets_see(
            session,
            workspace_id=viewer.workspace_id,
            agent_id=viewer.agent_id,
            user_id=viewer.user_id,
        ):
            reason = f"Denied: user {viewer.user_id!r} may not see the data of agent {viewer.agent_id!r}."
            decision = AccessDecision(is_allowed=False, maturity=status, reason=reason)
        return cls(
            session=session,
            clock=clock,
            viewer=viewer,
            access_type=access_type,
            decision=decision,
            record=record or (lambda: session),
        )

    @property
    def is_denied(self) -> bool:
        return not self.decision.is_allowed

    def newest(self, span: timedelta, *, where: EpisodeFilter, limit: int) -> Sequence[Episode]:
        since = moved(self.clock.now(), -span)
        return repository.newest_visible(self.session, since=since, where=where, limit=limit, **self.scope)

    def similar(self, embedder: Embedder, text: str, *, where: EpisodeFilter, limit: int) -> dict[str, float]:
        (wanted,) = embedder.embed([text])
        if wanted is None:
            return {}
        rows = repository.vectors(self.session, model=embedder.name, where=where, **self.scope)
        scored = ((cosine(wanted, vector), started_at, id_) for id_, started_at, vector in rows)
        best = nlargest(limit, (row for row in scored if row[0] > 0))
        return {id_: score for score, _, id_ in best}

    def shown(self, hits: Sequence[Hit]) -> Retrieval:
        ids = [hit.episode.id for hit in hits]
        session = self.record()
        repository.add_access_logs(session, [self._log(id_, n_results=len(ids)) for id_ in ids])
        repository.count_look(session, [hit.episode for hit in hits], workspace_id=self.viewer.workspace_id)
        return Retrieval(decision=self.decision, hits=tuple(hits))

    def denied(self) -> AccessDecision:
        repository.add_access_logs(self.record(), [self._log(None, n_results=0)])
        return self.decision

    def _log(self, episode_id: str | None, *, n_results: int) -> dict[str, Any]:
        return {
            "id": new_id(),
            "episode_id": episode_id,
            "user_id": self.viewer.user_id,
            "access_type": self.access_type,
            "governance_check_passed": self.decision.is_allowed,
            "agent_maturity_at_access": self.decision.maturity,
            "results_count": n_results,
            "created_at": self.clock.now(),
            **self.scope,
        }


def _best_first(episodes: Sequence[Episode], scores: dict[str, float]) -> list[Hit]:
    def rank(hit: Hit) -> tuple[float, Any, str]:
        return scores[hit.episode.id], hit.episode.started_at, hit.episode.id

    return sorted(
        (Hit(episode=episode, score=scores[episode.id]) for episode in episodes), key=rank, reverse=True
    )


def _parse_range(text: TimeRange | str) -> TimeRange:
    try:
        return TimeRange(text)
    except ValueError as exc:
        known = ", ".join(TimeRange)
        raise InvalidError(f"time range is {text!r}, expected one of {known}", field="time_range") from exc


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidError(f"limit is {limit}, expected 1 to {MAX_LIMIT}", field="limit")
