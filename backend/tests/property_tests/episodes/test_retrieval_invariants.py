"""Invariants of retrieval: which episodes are shown, to whom, in which order, and what is logged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from atom.agents.maturity import AgentStatus
from atom.episodes import retrieval
from atom.episodes.access import MaturityGate
from atom.episodes.models import Episode, EpisodeAccessLog, EpisodeSegment, EpisodeStatus, TimeRange
from atom.episodes.repository import EpisodeFilter
from atom.episodes.retrieval import EVERYTHING, HIGH_RATED, LOW_INTERVENTION, Viewer
from atom.governance.service import may_access_data
from atom.identity.models import UserRole
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError, NotFoundError
from atom.tables import METADATA
from tests import factories
from tests.database import Database
from tests.factories import EPISODES, NOW, People, Tenant
from tests.property_tests.episodes import strategies
from tests.property_tests.episodes.strategies import (
    DIRECTED,
    Memory,
    WordEmbedder,
    copy_to,
    memories,
    similarity,
    store,
)

DAY_S = 86_400
GATE = MaturityGate(lambda *_, **__: True)
WORDS = WordEmbedder()
CLOCK = ManualClock(NOW)
DAYS = {TimeRange.DAY: 1, TimeRange.WEEK: 7, TimeRange.MONTH: 30, TimeRange.QUARTER: 90}
LIMITS = st.sampled_from((1, 2, 3, 200))
CANVAS = EpisodeFilter(requires_canvas=True)
FEEDBACK = EpisodeFilter(requires_feedback=True)
FILTERS: dict[EpisodeFilter, Callable[[Memory], bool]] = {
    EVERYTHING: lambda memory: True,
    CANVAS: lambda memory: memory.n_canvas > 0,
    FEEDBACK: lambda memory: memory.feedback is not None,
    HIGH_RATED: lambda memory: memory.rating is not None and memory.rating >= 4,
    LOW_INTERVENTION: lambda memory: memory.n_interventions <= 1,
    EpisodeFilter(canvas_type="docs"): lambda memory: memory.n_canvas == 2,
}


CROWD = [
    Memory(
        age_s=age_s,
        word=word,
        status=EpisodeStatus.COMPLETED,
        is_own=True,
        n_canvas=place // 4,
        feedback=(None, 0.5, -0.5, 0.0)[place % 4],
    )
    for place, (age_s, word) in enumerate(
        (age_s, word) for word in ("beta", "alpha", "gamma") for age_s in (3_000, 1_000, 2_000, 4_000)
    )
]
"""More own episodes than a limit admits, all from today, not in order, those with canvas actions last."""


ADD_CANVAS_TYPES = insert(METADATA.tables["episode_canvas_types"])
FIND_COUNTS = select(EPISODES.c.id, EPISODES.c.access_count)
LOGS = METADATA.tables["episode_access_logs"]
FIND_LOGS = select(*(column for column in LOGS.c if column.name != "id")).order_by(LOGS.c.episode_id)


class World:
    """An agent's episodes beside those of a colleague and of another workspace, and the model of them."""

    def __init__(
        self,
        session: Session,
        people: People,
        kept: list[Memory],
        *,
        status: AgentStatus = AgentStatus.AUTONOMOUS,
    ) -> None:
        self.session = session
        self.tenant, self.colleague, self.stranger = people.tenant, people.colleague, people.stranger
        if status != AgentStatus.AUTONOMOUS:
            strategies.set_status(session, self.tenant.agent_id, status)
        self.ids = store(session, self.tenant, kept, other_agent_id=self.colleague)
        copy_to(session, self.stranger, self.ids)
        self.memories = dict(zip(self.ids, kept, strict=True))
        types = [
            {"episode_id": id_, "canvas_type": type_}
            for id_, memory in self.memories.items()
            for type_ in ("sheets", "docs")[: memory.n_canvas]
        ]
        if types:
            session.connection().execute(ADD_CANVAS_TYPES, types)
        self.viewer = self.viewer_of(self.tenant)

    @staticmethod
    def viewer_of(tenant: Tenant) -> Viewer:
        return Viewer(workspace_id=tenant.workspace_id, agent_id=tenant.agent_id, user_id=tenant.user_id)

    def visible(self, where: EpisodeFilter = EVERYTHING) -> list[str]:
        """The agent's own episodes that are not archived and pass the filter, newest first."""
        admits = FILTERS[where]
        own = [
            id_
            for id_, memory in self.memories.items()
            if memory.is_own and memory.status != EpisodeStatus.ARCHIVED and admits(memory)
        ]
        return sorted(own, key=lambda id_: (-self.memories[id_].age_s, id_), reverse=True)

    def recent(self, days: int, where: EpisodeFilter = EVERYTHING) -> list[str]:
        return [id_ for id_ in self.visible(where) if self.memories[id_].age_s <= days * DAY_S]

    def similar(self, word: str, where: EpisodeFilter = EVERYTHING) -> dict[str, float]:
        """The similarities above zero, the best first, and the newest first among equals."""
        scores = {id_: similarity(word, self.memories[id_].word) or 0 for id_ in self.visible(where)}
        ranked = sorted(scores, key=lambda id_: -scores[id_])
        return {id_: scores[id_] for id_ in ranked if scores[id_] > 0}

    def logs(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.session.connection().execute(FIND_LOGS).mappings()]

    def log(
        self, episode_id: str | None, access_type: str, n_results: int, status: AgentStatus
    ) -> dict[str, Any]:
        return {
            "workspace_id": self.tenant.workspace_id,
            "agent_id": self.tenant.agent_id,
            "user_id": self.tenant.user_id,
            "episode_id": episode_id,
            "access_type": access_type,
            "governance_check_passed": episode_id is not None,
            "agent_maturity_at_access": status,
            "results_count": n_results,
            "created_at": NOW,
        }


def ids_of(found: retrieval.Retrieval) -> list[str]:
    return [hit.episode.id for hit in found.hits]


@pytest.mark.invariant(32)
@given(
    kept=memories(), time_range=st.sampled_from(TimeRange), limit=LIMITS, where=st.sampled_from(list(FILTERS))
)
@example(
    kept=[
        Memory(age_s=day * DAY_S + extra, word="alpha", status=EpisodeStatus.COMPLETED, is_own=True)
        for day in (1, 7, 30, 90)
        for extra in (0, 1)
    ],
    time_range=TimeRange.WEEK,
    limit=200,
    where=EVERYTHING,
)
@example(kept=CROWD, time_range=TimeRange.WEEK, limit=2, where=EVERYTHING)
def test_temporal_shows_the_newest_in_the_window(
    database: Database, kept: list[Memory], time_range: TimeRange, limit: int, where: EpisodeFilter
) -> None:
    """
    Invariant 32: temporal retrieval shows the agent's own episodes in the window that pass the filter and are
    not archived, the newest first, up to the limit.
    """
    with factories.with_people(database) as (session, people):
        world = World(session, people, kept)
        found = retrieval.retrieve_temporal(
            session, CLOCK, GATE, viewer=world.viewer, time_range=time_range, limit=limit, where=where
        )
        assert ids_of(found) == world.recent(DAYS[time_range], where)[:limit]


@pytest.mark.invariant(32)
@given(kept=memories())
def test_wider_windows_show_no_less(database: Database, kept: list[Memory]) -> None:
    """
    Invariant 32: of the windows of 1, 7, 30 and 90 days,
    each longer one begins with the episodes of the shorter one.
    """
    with factories.with_people(database) as (session, people):
        world = World(session, people, kept)
        before: list[str] = []
        for time_range in ("1d", "7d", "30d", "90d"):
            found = retrieval.retrieve_temporal(
                session, CLOCK, GATE, viewer=world.viewer, time_range=time_range, limit=200
            )
            assert ids_of(found)[: len(before)] == before
            before = ids_of(found)
        assert before == world.recent(90)


@pytest.mark.invariant(32)
@given(kept=memories(), is_user_asked=st.booleans())
def test_temporal_can_be_narrowed_to_a_user(
    database: Database, kept: list[Memory], is_user_asked: bool
) -> None:
    """Invariant 32: filtered by a user, temporal retrieval shows only the episodes of that user."""
    with factories.with_people(database) as (session, people):
        world = World(session, people, kept)
        user = world.tenant.user_id if is_user_asked else world.stranger.user_id
        where = EpisodeFilter(user_id=user)
        found = retrieval.retrieve_temporal(
            session, CLOCK, GATE, viewer=world.viewer, time_range="90d", where=where, limit=200
        )
        expected = [id_ for id_ in world.recent(90) if is_user_asked and world.memories[id_].has_user]
        assert ids_of(found) == expected


@pytest.mark.invariant(33)
@given(
    kept=memories(),
    word=st.sampled_from(DIRECTED),
    limit=st.sampled_from((1, 2, 3, 200)),
    where=st.sampled_from(list(FILTERS)),
)
@example(kept=CROWD, word="alpha", limit=2, where=EVERYTHING)
def test_semantic_shows_the_most_alike(
    database: Database, kept: list[Memory], word: str, limit: int, where: EpisodeFilter
) -> None:
    """
    Invariant 33: semantic retrieval shows the agent's own episodes that pass the filter, are not archived and
    have a similarity above zero, the most similar first, up to the limit.
    """
    with factories.with_people(database) as (session, people):
        world = World(session, people, kept)
        found = retrieval.retrieve_semantic(
            session,
            CLOCK,
            GATE,
            WORDS,
            viewer=world.viewer,
            query=f"{word} and more",
            limit=limit,
            where=where,
        )
        expected = world.similar(word, where)
        assert ids_of(found) == list(expected)[:limit]
        assert [hit.score for hit in found.hits] == list(expected.values())[:limit]


@pytest.mark.invariant(33)
@given(
    kept=memories(),
    word=st.sampled_from(("hm", *DIRECTED)),
    limit=st.sampled_from((1, 1, 2, 3, 200)),
    where=st.sampled_from(list(FILTERS)),
)
@example(kept=CROWD, word="alpha", limit=2, where=EVERYTHING)
@example(kept=CROWD, word="alpha", limit=1, where=CANVAS)
@example(kept=CROWD, word="hm", limit=1, where=FEEDBACK)
def test_contextual_ranks_by_the_weights(
    database: Database, kept: list[Memory], word: str, limit: int, where: EpisodeFilter
) -> None:
    """
    Invariant 33: contextual scores follow the weight formula, the best first; every episode shown passes the
    filter, and there are as many as the limit allows.
    """
    with factories.with_people(database) as (session, people):
        world = World(session, people, kept)
        found = retrieval.retrieve_contextual(
            session, CLOCK, GATE, WORDS, viewer=world.viewer, task=word, limit=limit, where=where
        )
        recent = world.recent(30, where)[: 2 * limit]
        similar = list(world.similar(word, where))[: 2 * limit]
        scores = {}
        for id_ in {*recent, *similar}:
            memory = world.memories[id_]
            scores[id_] = 0.3 * (id_ in recent) + 0.7 * (id_ in similar) + 0.1 * (memory.n_canvas > 0)
            if memory.feedback:
                scores[id_] += 0.2 if memory.feedback > 0 else -0.3
        assert len(found.hits) == min(limit, len(scores))
        shown = [hit.score for hit in found.hits]
        assert shown == sorted(shown, key=lambda score: -(score or 0))
        assert shown == pytest.approx(sorted(scores.values(), reverse=True)[:limit])
        for hit in found.hits:
            assert hit.score == pytest.approx(scores[hit.episode.id])
            assert FILTERS[where](world.memories[hit.episode.id])
        keys = [(round(scores[id_], 6), -world.memories[id_].age_s, id_) for id_ in ids_of(found)]
        assert keys == sorted(keys, reverse=True)


LOOKS = {"temporal": {}, "semantic": {"query": "alpha"}, "contextual": {"task": "alpha"}}
RANK = {AgentStatus.STUDENT: 0, AgentStatus.INTERN: 1, AgentStatus.SUPERVISED: 2, AgentStatus.AUTONOMOUS: 3}


def look(world: World, kind: str, gate: MaturityGate = GATE, **options: Any) -> retrieval.Retrieval:
    function = getattr(retrieval, f"retrieve_{kind}")
    tools = (gate,) if kind == "temporal" else (gate, WORDS)
    found: retrieval.Retrieval = function(
        world.session, CLOCK, *tools, viewer=world.viewer, **{**LOOKS[kind], **options}
    )
    return found


@pytest.mark.invariant(34)
@given(
    kept=memories(max_size=5),
    kind=st.sampled_from((*LOOKS, "sequential")),
    status=st.sampled_from(AgentStatus),
    which=st.integers(0, 4),
)
def test_every_look_leaves_its_logs(
    database: Database, kept: list[Memory], kind: str, status: AgentStatus, which: int
) -> None:
    """
    Invariant 34: a retrieval writes one log row and counts one access for each episode
    that it shows; a denied one writes a single failed row.
    """
    with factories.with_people(database) as (session, people):
        world = World(session, people, kept, status=status)
        may = RANK.get(status, -1) >= (1 if kind in {"semantic", "contextual"} else 0)
        shown: list[str] = []
        if kind == "sequential":
            own = [id_ for id_, memory in world.memories.items() if memory.is_own] or ["none"]
            episode_id = own[which % len(own)]
            if may and episode_id == "none":
                with pytest.raises(NotFoundError):
                    retrieval.retrieve_sequential(
                        session, CLOCK, GATE, viewer=world.viewer, episode_id=episode_id
                    )
            else:
                answer = retrieval.retrieve_sequential(
                    session, CLOCK, GATE, viewer=world.viewer, episode_id=episode_id
                )
                assert (answer.decision.is_allowed, answer.decision.maturity) == (may, status)
                assert (answer.story is not None) == may
                shown = [episode_id] if may else []
        else:
            found = look(world, kind)
            assert (found.decision.is_allowed, found.decision.maturity) == (may, status)
            shown = ids_of(found)
            if may and kind == "temporal":
                assert shown == world.recent(7)
            if may and kind == "semantic":
                assert shown == list(world.similar("alpha"))
        expected = [world.log(id_, kind, len(shown), status) for id_ in sorted(shown)]
        if not may:
            expected = [world.log(None, kind, 0, status)]
        assert world.logs() == expected
        counts = dict(session.connection().execute(FIND_COUNTS).all())
        assert {id_ for id_, n in counts.items() if n} == set(shown)
        assert all(counts[id_] == 1 for id_ in shown)


SPECIALTIES = (None, "finance", "FINANCE", "legal")


@pytest.mark.invariant(34)
@given(
    kind=st.sampled_from((*LOOKS, "sequential")),
    role=st.sampled_from(UserRole),
    specialty=st.sampled_from(SPECIALTIES),
)
@example(kind="temporal", role=UserRole.GUEST, specialty=None)
@example(kind="sequential", role=UserRole.GUEST, specialty="legal")
@example(kind="semantic", role=UserRole.MEMBER, specialty="FINANCE")
@example(kind="contextual", role=UserRole.SUPER_ADMIN, specialty=None)
def test_a_person_sees_what_governance_lets_them_see(
    database: Database, kind: str, role: UserRole, specialty: str | None
) -> None:
    """
    Invariant 34: a retrieval for a person who may not see the agent's data is denied, and logged as denied.
    """
    gate = MaturityGate(may_access_data)
    memory = Memory(age_s=0, word="alpha", status=EpisodeStatus.COMPLETED, is_own=True)
    with factories.with_people(database) as (session, people):
        world = World(session, people, [memory])
        person = factories.user(
            session, workspace_id=world.tenant.workspace_id, role=role, specialty=specialty
        )
        viewer = replace(world.viewer, user_id=person.id)
        may = role in (UserRole.WORKSPACE_ADMIN, UserRole.SUPER_ADMIN) or specialty in ("finance", "FINANCE")
        if kind == "sequential":
            told = retrieval.retrieve_sequential(session, CLOCK, gate, viewer=viewer, episode_id=world.ids[0])
            decision, shown = told.decision, [] if told.story is None else [told.story.episode.id]
        else:
            world.viewer = viewer
            found = look(world, kind, gate)
            decision, shown = found.decision, ids_of(found)
        assert decision.is_allowed is may
        assert shown == (world.ids if may else [])
        logged = session.execute(
            select(EpisodeAccessLog.user_id, EpisodeAccessLog.governance_check_passed)
        ).all()
        assert logged == [(person.id, may)]


@pytest.mark.invariant(34)
@given(viewer=st.sampled_from(("own", "colleague", "stranger", "intruder")), order=st.permutations(range(4)))
def test_sequential_tells_the_owner_the_whole_story(
    database: Database, viewer: str, order: list[int]
) -> None:
    """
    Invariant 34: sequential retrieval gives an agent its own episode with all segments in order; for another
    agent, or a user of another workspace, the episode is not found.
    """
    memory = Memory(age_s=0, word="alpha", status=EpisodeStatus.ARCHIVED, is_own=True)
    with factories.with_people(database) as (session, people):
        world = World(session, people, [memory])
        rows = [
            {
                "episode_id": world.ids[0],
                "sequence_order": place,
                "segment_type": "conversation",
                "source_type": "chat_message",
                "content": f"part {place}",
            }
            for place in order
        ]
        session.execute(insert(EpisodeSegment), rows)
        world.viewer = {
            "own": world.viewer,
            "colleague": Viewer(workspace_id=world.tenant.workspace_id, agent_id=world.colleague),
            "stranger": World.viewer_of(world.stranger),
            "intruder": replace(world.viewer, user_id=world.stranger.user_id),
        }[viewer]
        ask = partial(retrieval.retrieve_sequential, viewer=world.viewer, episode_id=world.ids[0])
        if viewer != "own":
            with pytest.raises(NotFoundError):
                ask(session, CLOCK, GATE)
            assert world.logs() == []
            return
        answer = ask(session, CLOCK, GATE)
        assert answer.story is not None
        assert answer.story.episode.id == world.ids[0]
        assert [segment.content for segment in answer.story.segments] == [
            f"part {place}" for place in range(4)
        ]
        assert (answer.story.feedback, answer.story.canvas_actions) == ([], [])


@pytest.mark.invariant(34)
@given(
    kind=st.sampled_from(tuple(LOOKS)),
    limit=st.sampled_from((-1, 0, 1, 200, 201)),
    foreign=st.sampled_from((None, "agent", "user")),
)
def test_unfit_looks_are_refused(database: Database, kind: str, limit: int, foreign: str | None) -> None:
    """
    Invariant 34: a retrieval with a limit outside 1 to 200, or for an agent
    or user of another workspace, is refused and not logged.
    """
    with factories.with_people(database) as (session, people):
        world = World(session, people, [])
        if foreign is not None:
            name = f"{foreign}_id"
            world.viewer = replace(world.viewer, **{name: getattr(world.stranger, name)})
        if limit not in {1, 200}:
            with pytest.raises(InvalidError):
                look(world, kind, limit=limit)
        elif foreign is not None:
            with pytest.raises(NotFoundError, match=foreign):
                look(world, kind, limit=limit)
        else:
            assert look(world, kind, limit=limit).hits == ()
        assert world.logs() == []


def test_an_unknown_range_is_refused(database: Database) -> None:
    """An unknown time range is refused; it does not fall back to seven days."""
    with factories.with_people(database) as (session, people):
        world = World(session, people, [])
        with pytest.raises(InvalidError) as refused:
            look(world, "temporal", time_range="8d")
        assert refused.value.field == "time_range"
        later = ManualClock(NOW + timedelta(days=1))
        assert retrieval.retrieve_temporal(session, later, GATE, viewer=world.viewer).hits == ()


def test_vectors_of_another_model_are_not_compared(database: Database) -> None:
    """Semantic retrieval leaves out episodes whose vector comes from another embedding model."""
    with factories.with_people(database) as (session, people):
        world = World(session, people, CROWD[:4])
        assert len(look(world, "semantic", query="beta").hits) == 4
        session.execute(update(Episode).where(Episode.id != world.ids[0]).values(embedding_model="another"))
        assert ids_of(look(world, "semantic", query="beta")) == [world.ids[0]]


@pytest.mark.parametrize(("kind", "field"), [("semantic", "query"), ("contextual", "task")])
def test_a_query_has_fit_text(database: Database, kind: str, field: str) -> None:
    """A query or task that is blank or has more than 10,000 characters is refused."""
    with factories.with_people(database) as (session, people):
        world = World(session, people, [])
        longest: dict[str, Any] = {field: "alpha " + "x" * 9_994}
        assert look(world, kind, **longest).hits == ()
        for text in (" ", "x" * 10_001):
            unfit: dict[str, Any] = {field: text}
            with pytest.raises(InvalidError) as refused:
                look(world, kind, **unfit)
            assert refused.value.field == field
