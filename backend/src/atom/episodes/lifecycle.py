"""Use cases of an episode's later life: it fades, is merged, matters more or less, is archived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from atom.episodes import repository, scoring
from atom.episodes.access import EpisodeAction, Gatekeeper
from atom.episodes.consolidation import CONSOLIDATION_THRESHOLD, plan_merges
from atom.episodes.models import Episode, EpisodeStatus
from atom.episodes.service import require_action
from atom.kit.clock import moved
from atom.kit.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from atom.episodes.embedding import Embedder
    from atom.kit.clock import Clock

MERGE_WINDOW = 100
"""How many episodes are compared with each other."""

MAX_COUNTED = 1_000
"""How many episodes one call counts an access of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayOutcome:
    """How many episodes were old enough to fade, and how many of them were archived."""

    n_affected: int
    n_archived: int


def apply_decay(session: Session, clock: Clock, *, workspace_id: str) -> DecayOutcome:
    """Let old episodes of the workspace fade, and archive what has faded; twice a day is once."""
    now = clock.now()
    n_affected = repository.fade(session, workspace_id=workspace_id, now=now)
    gone_by = moved(now, -timedelta(days=scoring.FADED_AT_DAYS + 1))
    n_archived = repository.archive_faded(session, workspace_id=workspace_id, started_by=gone_by, now=now)
    return DecayOutcome(n_affected=n_affected, n_archived=n_archived)


def consolidate(
    session: Session,
    embedder: Embedder,
    *,
    workspace_id: str,
    agent_id: str,
    threshold: float = CONSOLIDATION_THRESHOLD,
) -> int:
    """
    Let one of several alike episodes of an agent stand for the others, and return how many it stands for.

    Repeats over the newest `MERGE_WINDOW` until nothing there is alike, so a second call changes nothing.
    """
    if not 0 < threshold <= 1:
        raise InvalidError(f"threshold is {threshold}, expected more than 0 and at most 1", field="threshold")
    if not repository.lock_agent(session, agent_id, workspace_id=workspace_id):
        raise NotFoundError("agent", agent_id)
    n_merged = 0
    while True:
        candidates = repository.merge_candidates(
            session, workspace_id=workspace_id, agent_id=agent_id, model=embedder.name, limit=MERGE_WINDOW
        )
        parent_of = plan_merges(candidates, threshold=threshold)
        if not parent_of:
            return n_merged
        repository.merge(session, parent_of)
        n_merged += len(parent_of)


def update_importance(
    session: Session, gate: Gatekeeper, *, workspace_id: str, agent_id: str, episode_id: str, feedback: float
) -> Episode:
    """Move an episode's importance towards feedback from -1 (useless) to 1 (essential)."""
    action = EpisodeAction.UPDATE_IMPORTANCE
    require_action(session, gate, workspace_id=workspace_id, agent_id=agent_id, action=action)
    episode = _required(
        repository.get_episode(
            session, episode_id, workspace_id=workspace_id, agent_id=agent_id, for_update=True
        ),
        episode_id,
    )
    episode.importance = scoring.importance_after(episode.importance, feedback)
    session.flush()
    return episode


def assess(
    session: Session,
    *,
    workspace_id: str,
    episode_id: str,
    supervisor_rating: int | None = None,
    constitutional_score: float | None = None,
) -> Episode:
    """Note how a supervisor rated an episode, and how well the agent kept the rules; None changes nothing."""
    if supervisor_rating is not None and supervisor_rating not in range(1, 6):
        raise InvalidError(f"rating is {supervisor_rating}, expected 1 to 5", field="supervisor_rating")
    if constitutional_score is not None and not 0 <= constitutional_score <= 1:
        raise InvalidError(f"score is {constitutional_score}, expected 0 to 1", field="constitutional_score")
    episode = _required(
        repository.get_episode(session, episode_id, workspace_id=workspace_id, for_update=True), episode_id
    )
    if supervisor_rating is not None:
        episode.supervisor_rating = supervisor_rating
    if constitutional_score is not None:
        episode.constitutional_score = constitutional_score
    session.flush()
    return episode


def archive(session: Session, clock: Clock, *, workspace_id: str, episode_id: str) -> bool:
    """Take an episode out of every search; False without such an episode; a second time changes nothing."""
    episode = repository.get_episode(session, episode_id, workspace_id=workspace_id, for_update=True)
    if episode is None:
        return False
    if episode.status != EpisodeStatus.ARCHIVED:
        episode.status = EpisodeStatus.ARCHIVED
        episode.archived_at = clock.now()
        session.flush()
    return True


def count_access(session: Session, *, workspace_id: str, episode_ids: Collection[str]) -> int:
    """Count one access of each listed episode of the workspace, and return how many there are."""
    ids = set(episode_ids)
    if len(ids) > MAX_COUNTED:
        raise InvalidError(
            f"{len(ids)} episodes are listed, at most {MAX_COUNTED} are allowed", field="episode_ids"
        )
    return repository.count_access(session, ids, workspace_id=workspace_id)


def _required(episode: Episode | None, episode_id: str) -> Episode:
    if episode is None:
        raise NotFoundError("episode", episode_id)
    return episode
