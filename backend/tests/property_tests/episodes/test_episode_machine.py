"""The life of an agent's episodes under any sequence of operations, compared with a small model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from atom.episodes import lifecycle, retrieval
from atom.episodes.access import MaturityGate
from atom.episodes.models import Episode, EpisodeStatus, TimeRange
from atom.episodes.retrieval import Viewer
from atom.kit.clock import ManualClock
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfWorkspace
from tests.property_tests.conftest import scaled
from tests.property_tests.episodes.strategies import DIRECTED, Memory, WordEmbedder, similarity, store

GATE = MaturityGate()
WORDS = WordEmbedder()


@dataclass
class Expected:
    """What the model says about an episode."""

    started_at: datetime
    word: str
    left: float = 1.0
    importance: float = 0.5
    archived_at: datetime | None = None
    n_accesses: int = 0


class EpisodeLife(RuleBasedStateMachine):
    """
    Invariants 29, 31: after any sequence of decay, retrieval, rating, archiving
    and merging, each episode has the decay, importance, accesses and archive
    date of a small model; merges link similar episodes, one level deep.
    """

    database: ClassVar[Database]
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.session = self.open.enter_context(self.database.session())
        self.clock = ManualClock(NOW)
        self.model: dict[str, Expected] = {}

    @initialize()
    def begin(self) -> None:
        self.tenant = factories.tenant(self.session)
        self.scope = OfWorkspace(workspace_id=self.tenant.workspace_id)
        self.viewer = Viewer(workspace_id=self.tenant.workspace_id, agent_id=self.tenant.agent_id)

    @rule(target=ids, age=st.sampled_from((0, 7, 30, 89, 90, 180)), word=st.sampled_from(DIRECTED))
    def make(self, age: int, word: str) -> object:
        memory = Memory(age_s=age * 86_400, word=word, status=EpisodeStatus.COMPLETED, is_own=True)
        (id_,) = store(self.session, self.tenant, [memory], other_agent_id=self.tenant.agent_id)
        self.model[id_] = Expected(started_at=NOW - timedelta(days=age), word=word)
        return id_

    @rule(target=ids, id_=st.just("no such episode"))
    def miss(self, id_: str) -> object:
        assert not lifecycle.archive(self.session, self.clock, episode_id=id_, **self.scope)
        return multiple()

    @rule(days=st.sampled_from((0, 1, 20, 61)))
    def wait(self, days: int) -> None:
        self.clock.advance(timedelta(days=days))

    @rule()
    def decay(self) -> None:
        now = self.clock.now()
        lifecycle.apply_decay(self.session, self.clock, **self.scope)
        for episode in self.model.values():
            days = (now - episode.started_at).days
            if episode.archived_at is None and days >= 90:
                episode.left = max(0, 180 - days) / 180
                episode.archived_at = now if days > 180 else None

    @rule(id_=ids)
    def archive(self, id_: str) -> None:
        assert lifecycle.archive(self.session, self.clock, episode_id=id_, **self.scope)
        self.model[id_].archived_at = self.model[id_].archived_at or self.clock.now()

    @rule(id_=ids, feedback=st.sampled_from((-1.0, 0.0, 0.5, 1.0)))
    def rate(self, id_: str, feedback: float) -> None:
        lifecycle.update_importance(
            self.session, GATE, agent_id=self.tenant.agent_id, episode_id=id_, feedback=feedback, **self.scope
        )
        self.model[id_].importance = 0.8 * self.model[id_].importance + 0.1 * (feedback + 1)

    @rule(time_range=st.sampled_from(TimeRange), limit=st.integers(1, 3))
    def look_back(self, time_range: TimeRange, limit: int) -> None:
        found = retrieval.retrieve_temporal(
            self.session, self.clock, GATE, viewer=self.viewer, time_range=time_range, limit=limit
        )
        since = self.clock.now() - timedelta(days=int(time_range[:-1]))
        expected = [id_ for id_, e in self.model.items() if e.archived_at is None and e.started_at >= since]
        expected.sort(key=lambda id_: (self.model[id_].started_at, id_), reverse=True)
        assert [hit.episode.id for hit in found.hits] == expected[:limit]
        for id_ in expected[:limit]:
            self.model[id_].n_accesses += 1

    @rule()
    def consolidate(self) -> None:
        links = self.links()
        n_merged = lifecycle.consolidate(self.session, WORDS, agent_id=self.tenant.agent_id, **self.scope)
        after = self.links()
        assert len(after) == len(links) + n_merged
        assert after.items() >= links.items()

    def links(self) -> dict[str, str]:
        self.session.expire_all()
        rows = [self.session.get_one(Episode, id_) for id_ in self.model]
        return {row.id: row.consolidated_into for row in rows if row.consolidated_into is not None}

    @invariant()
    def links_are_one_deep_and_alike(self) -> None:
        links = self.links()
        assert not set(links) & set(links.values())
        for child, parent in links.items():
            assert (similarity(self.model[child].word, self.model[parent].word) or 0) >= 0.85

    @invariant()
    def episodes_are_as_the_model_says(self) -> None:
        for id_, expected in self.model.items():
            row = self.session.get_one(Episode, id_)
            assert row.decay_score == pytest.approx(expected.left)
            assert row.importance == pytest.approx(expected.importance)
            assert row.archived_at == expected.archived_at
            assert (row.status == EpisodeStatus.ARCHIVED) == (expected.archived_at is not None)
            assert row.access_count == expected.n_accesses

    def teardown(self) -> None:
        self.open.close()


@pytest.fixture(scope="module", autouse=True)
def _on_the_database(database: Database) -> Iterator[None]:
    EpisodeLife.database = database
    yield
    del EpisodeLife.database


TestEpisodeLife = pytest.mark.invariant(29)(pytest.mark.invariant(31)(EpisodeLife.TestCase))
TestEpisodeLife.settings = scaled(0.1)
