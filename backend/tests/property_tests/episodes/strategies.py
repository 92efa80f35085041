"""Conversations, runs and stored episodes, and an embedder whose similarities are known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate

from hypothesis import strategies as st
from sqlalchemy.orm import Session

from atom.chat.models import MessageRole
from atom.episodes.embedding import Vector
from atom.episodes.models import EpisodeStatus
from atom.episodes.segmentation import Message, Run
from atom.kit.ids import new_id
from tests.factories import NOW, Tenant, add_episodes

# Integer vectors of norm 4, so that every similarity is an exact fraction.
VECTORS: dict[str, Vector | None] = {
    "alpha": (4.0, 0.0, 0.0, 0.0, 0.0),
    "beta": (3.0, 2.0, 1.0, 1.0, 1.0),
    "gamma": (2.0, 2.0, 2.0, 2.0, 0.0),
    "delta": (0.0, 0.0, 0.0, 0.0, 4.0),
    "zero": (0.0, 0.0, 0.0, 0.0, 0.0),
    "hm": None,
}
WORDS = tuple(VECTORS)
SIMILARITY = {
    frozenset({"alpha", "beta"}): 0.75,
    frozenset({"alpha", "gamma"}): 0.5,
    frozenset({"alpha", "delta"}): 0.0,
    frozenset({"beta", "gamma"}): 0.875,
    frozenset({"beta", "delta"}): 0.25,
    frozenset({"gamma", "delta"}): 0.0,
}
DIRECTED = ("alpha", "beta", "gamma", "delta")
GAPS_S = (0, 1, 60, 1799, 1800, 1801, 7200)


def similarity(one: str, other: str) -> float | None:
    """How alike two words are to `WordEmbedder`; None when it has no vector for one of them."""
    if "hm" in (one, other):
        return None
    if "zero" in (one, other):
        return 0.0
    return 1.0 if one == other else SIMILARITY[frozenset({one, other})]


class WordEmbedder:
    """Knows a text by its first word, and only the words of `VECTORS`."""

    name = "words"

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        return [VECTORS.get(text.split(maxsplit=1)[0]) for text in texts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """Something said: who, what, and how long after what was said before."""

    role: MessageRole
    content: str
    gap_s: int

    @property
    def word(self) -> str:
        return self.content.split()[0]


def gaps() -> st.SearchStrategy[int]:
    """Seconds of silence, most of them around the half hour."""
    return st.sampled_from(GAPS_S) | st.integers(0, 4000)


def utterances() -> st.SearchStrategy[Utterance]:
    """Something said by anybody about a known word."""
    contents = st.sampled_from(WORDS) | st.builds(
        "{} {}".format, st.sampled_from(WORDS), st.text("xyz ", max_size=60)
    )
    return st.builds(Utterance, role=st.sampled_from(MessageRole), content=contents, gap_s=gaps())


def conversations(min_size: int = 0, max_size: int = 8) -> st.SearchStrategy[list[Utterance]]:
    """What was said, in order."""
    return st.lists(utterances(), min_size=min_size, max_size=max_size)


def messages_of(conversation: Sequence[Utterance]) -> list[Message]:
    """The conversation as the segmentation sees it, beginning a silence after `NOW`."""
    seconds = accumulate(said.gap_s for said in conversation)
    return [
        Message(id=f"m{place}", role=said.role, content=said.content, at=NOW + timedelta(seconds=second))
        for place, (said, second) in enumerate(zip(conversation, seconds, strict=True))
    ]


def runs(max_size: int = 3) -> st.SearchStrategy[list[Run]]:
    """Runs of an agent that start and end around the conversation."""
    offsets = st.sampled_from((-60, 0, 1, 1800, 3600)) | st.integers(-3600, 20_000)

    def build(number: int, start: int, length: int | None, *, is_completed: bool, result: str | None) -> Run:
        started_at = NOW + timedelta(seconds=start)
        return Run(
            id=f"r{number}",
            started_at=started_at,
            completed_at=None if length is None else started_at + timedelta(seconds=length),
            is_completed=is_completed,
            result_summary=result,
        )

    one = st.builds(
        build,
        number=st.integers(0, 99),
        start=offsets,
        length=st.none() | st.integers(0, 4000),
        is_completed=st.booleans(),
        result=st.sampled_from((None, "", "done")),
    )
    return st.lists(one, max_size=max_size, unique_by=lambda run: run.id)


def cuts(conversation: Sequence[Utterance]) -> list[int]:
    """Where a reader would cut: after half an hour of silence, and where the topic changes."""
    places = []
    for place in range(1, len(conversation)):
        before, here = conversation[place - 1], conversation[place]
        alike = similarity(before.word, here.word)
        if here.gap_s >= 30 * 60 or (alike is not None and alike < 0.75):
            places.append(place)
    return places


AGES_S = tuple(
    day * 86_400 + extra for day in (0, 1, 7, 30, 89, 90, 91, 179, 180, 181, 200) for extra in (-1, 0, 1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """An episode to store: what the retrievals and the lifecycle look at."""

    age_s: int
    word: str
    status: EpisodeStatus
    is_own: bool
    importance: float = 0.5
    n_canvas: int = 0
    feedback: float | None = None
    rating: int | None = None
    n_interventions: int = 0
    has_user: bool = False


def ages() -> st.SearchStrategy[int]:
    """Seconds of age, most of them around the days at which something happens."""
    return st.sampled_from(AGES_S) | st.integers(0, 220 * 86_400)


def memories(max_size: int = 8) -> st.SearchStrategy[list[Memory]]:
    """Episodes of an agent and of others, of all ages and kinds."""
    one = st.builds(
        Memory,
        age_s=ages(),
        word=st.sampled_from(WORDS),
        status=st.sampled_from(
            (EpisodeStatus.COMPLETED, EpisodeStatus.COMPLETED, EpisodeStatus.ACTIVE, EpisodeStatus.ARCHIVED)
        ),
        is_own=st.sampled_from((True, True, True, False)),
        importance=st.sampled_from((0.0, 0.3, 0.5, 1.0)),
        n_canvas=st.integers(0, 2),
        feedback=st.sampled_from((None, -1.0, -0.5, 0.0, 0.5, 1.0)),
        rating=st.sampled_from((None, 1, 3, 4, 5)),
        n_interventions=st.integers(0, 3),
        has_user=st.booleans(),
    )
    return st.lists(one, max_size=max_size)


def store(session: Session, tenant: Tenant, kept: Sequence[Memory], *, other_agent_id: str) -> list[str]:
    """Write memories as episodes, those not the agent's own for another one, and return their ids."""
    ids = [new_id() for _ in kept]
    rows = [
        {
            "id": id_,
            "workspace_id": tenant.workspace_id,
            "agent_id": tenant.agent_id if memory.is_own else other_agent_id,
            "user_id": tenant.user_id if memory.has_user else None,
            "title": memory.word,
            "started_at": NOW - timedelta(seconds=memory.age_s),
            "status": memory.status,
            "archived_at": NOW if memory.status == EpisodeStatus.ARCHIVED else None,
            "importance": memory.importance,
            "canvas_action_count": memory.n_canvas,
            "aggregate_feedback_score": memory.feedback,
            "supervisor_rating": memory.rating,
            "human_intervention_count": memory.n_interventions,
            "embedding": VECTORS[memory.word],
            "embedding_model": None if VECTORS[memory.word] is None else WordEmbedder.name,
        }
        for id_, memory in zip(ids, kept, strict=True)
    ]
    add_episodes(session, rows)
    return ids
