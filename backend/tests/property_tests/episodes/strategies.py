"""Conversations, runs and stored episodes, and an embedder whose similarities are known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import accumulate, product

from hypothesis import strategies as st
from sqlalchemy import bindparam, case, func, insert, literal, select, update
from sqlalchemy.orm import Session

from atom.agents.maturity import AgentStatus
from atom.chat.models import MessageRole
from atom.episodes.embedding import Vector
from atom.episodes.models import EpisodeStatus
from atom.episodes.segmentation import Message, Run
from atom.kit.ids import new_id
from atom.tables import METADATA
from tests.factories import EPISODES, NOW, Tenant, add_episodes

AGENTS = METADATA.tables["agent_registry"]

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
GAPS_S = (0, 1, 60, 600, 899, 1740, 1799, 1800, 1801, 3600, 7200)


def similarity(one: str, other: str) -> float | None:
    """How alike two words are to `WordEmbedder`; None when it has no vector for one of them."""
    if "hm" in (one, other):
        return None
    if "zero" in (one, other):
        return 0.0
    return 1.0 if one == other else SIMILARITY[frozenset({one, other})]


class WordEmbedder:
    """Embeds a text by its first word; it has vectors for the words of `VECTORS` only."""

    name = "words"

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        return [VECTORS.get(text.split(maxsplit=1)[0]) for text in texts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """Something said: by whom, what, and how many seconds after the previous message."""

    role: MessageRole
    content: str
    gap_s: int

    @property
    def word(self) -> str:
        return self.content.split()[0]


ENDINGS = ("", " x", "  zy x ", " " + "xyz " * 11, " " + "z" * 44, " " + "y" * 45, " " + "xy " * 40)
"""What follows a word: nothing, a little, about the 50 characters of a title, more than an excerpt holds."""

UTTERANCES = tuple(
    Utterance(role=role, content=word + ending, gap_s=gap_s)
    for gap_s, word, ending, role in product(GAPS_S, WORDS, ENDINGS, MessageRole)
)
"""Messages of any role that begin with a known word; one draw picks one."""


def conversations(min_size: int = 0, max_size: int = 8) -> st.SearchStrategy[list[Utterance]]:
    """What was said, in order."""
    return st.lists(st.sampled_from(UTTERANCES), min_size=min_size, max_size=max_size)


def messages_of(conversation: Sequence[Utterance]) -> list[Message]:
    """The conversation as the segmentation takes it; its first gap is counted from `NOW`."""
    seconds = accumulate(said.gap_s for said in conversation)
    return [
        Message(id=f"m{place}", role=said.role, content=said.content, at=NOW + timedelta(seconds=second))
        for place, (said, second) in enumerate(zip(conversation, seconds, strict=True))
    ]


RUN_IDS = ("r5", "r1", "r9")
RUNS = tuple(
    Run(
        id="",
        started_at=NOW + timedelta(seconds=start_s),
        completed_at=None if length_s is None else NOW + timedelta(seconds=start_s + length_s),
        is_completed=is_completed,
        result_summary=result,
    )
    for start_s, length_s, is_completed, result in product(
        (0, 1, -60, 300, 900, 1800, 3600, -3600, 20_000),
        (None, 0, 1, 60, 300, 899, 1800, 4000),
        (False, True, True),
        (None, "", "done"),
    )
)
"""Runs that start and end around a conversation, many of them at the time of a message."""


def runs(max_size: int = 3) -> st.SearchStrategy[list[Run]]:
    """Runs of an agent around the conversation, whose ids are not in the order of the list."""
    return st.lists(st.sampled_from(RUNS), max_size=max_size).map(
        lambda found: [replace(run, id=id_) for id_, run in zip(RUN_IDS, found, strict=False)]
    )


def cuts(conversation: Sequence[Utterance]) -> list[int]:
    """
    Where a conversation has to be cut: before a message after half an hour of silence or on another topic.
    """
    places = []
    for place in range(1, len(conversation)):
        before, here = conversation[place - 1], conversation[place]
        alike = similarity(before.word, here.word)
        if here.gap_s >= 30 * 60 or (alike is not None and alike < 0.75):
            places.append(place)
    return places


AGES_S = (
    *(day * 86_400 + extra for day in (0, 1, 7, 30, 89, 90, 91, 179, 180, 181, 200) for extra in (-1, 0, 1)),
    *(13 * place * 86_400 + 1234 * place for place in range(1, 17)),
)
"""Seconds of age, most of them around the days at which something happens."""


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


STATUSES = (EpisodeStatus.COMPLETED, EpisodeStatus.COMPLETED, EpisodeStatus.ACTIVE, EpisodeStatus.ARCHIVED)
STANDINGS = tuple(product(WORDS, STATUSES, (True, True, True, False)))
MARKS = tuple(
    product(
        (0.0, 0.3, 0.5, 1.0),
        range(3),
        (None, -1.0, -0.5, 0.0, 0.5, 1.0),
        (None, 1, 3, 4, 5),
        range(4),
        (False, True),
    )
)


def _memory(
    age_s: int,
    standing: tuple[str, EpisodeStatus, bool],
    marks: tuple[float, int, float | None, int | None, int, bool],
) -> Memory:
    word, status, is_own = standing
    importance, n_canvas, feedback, rating, n_interventions, has_user = marks
    return Memory(
        age_s=age_s,
        word=word,
        status=status,
        is_own=is_own,
        importance=importance,
        n_canvas=n_canvas,
        feedback=feedback,
        rating=rating,
        n_interventions=n_interventions,
        has_user=has_user,
    )


MEMORIES = st.builds(_memory, st.sampled_from(AGES_S), st.sampled_from(STANDINGS), st.sampled_from(MARKS))
"""An episode of an agent or of another one, of any age and kind."""


def memories(max_size: int = 6) -> st.SearchStrategy[list[Memory]]:
    """Episodes of an agent and of others, of all ages and kinds."""
    return st.lists(MEMORIES, max_size=max_size)


SET_STATUS = update(AGENTS).where(AGENTS.c.id == bindparam("agent")).values(status=bindparam("status"))


def set_status(session: Session, agent_id: str, status: AgentStatus) -> None:
    """Set an agent's status."""
    session.connection().execute(SET_STATUS, {"agent": agent_id, "status": status})


def store(session: Session, owner: Tenant, kept: Sequence[Memory], *, other_agent_id: str) -> list[str]:
    """Write memories as episodes, those not the agent's own for another one, and return their ids."""
    ids = [new_id() for _ in kept]
    rows = [
        {
            "id": id_,
            "workspace_id": owner.workspace_id,
            "agent_id": owner.agent_id if memory.is_own else other_agent_id,
            "user_id": owner.user_id if memory.has_user else None,
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


COPY_OF = {
    "id": literal("x").concat(func.substr(EPISODES.c.id, 2)),
    "workspace_id": bindparam("workspace", type_=EPISODES.c.workspace_id.type),
    "agent_id": bindparam("agent", type_=EPISODES.c.agent_id.type),
    "user_id": case((EPISODES.c.user_id.is_not(None), bindparam("user", type_=EPISODES.c.user_id.type))),
}
COPY_EPISODES = insert(EPISODES).from_select(
    [column.name for column in EPISODES.c],
    select(*(COPY_OF.get(column.name, column) for column in EPISODES.c)),
)


def copy_to(session: Session, other: Tenant, ids: Sequence[str]) -> list[str]:
    """Give another workspace a copy of every episode there is, and return the ids of the copies."""
    who = {"workspace": other.workspace_id, "agent": other.agent_id, "user": other.user_id}
    session.connection().execute(COPY_EPISODES, who)
    return [f"x{id_[1:]}" for id_ in ids]
