"""The invariants of an episode's later life: decay, importance, consolidation, archive."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from atom.agents.maturity import AgentStatus
from atom.episodes import consolidation, lifecycle, scoring
from atom.episodes.access import MaturityGate
from atom.episodes.consolidation import Candidate
from atom.episodes.models import Episode, EpisodeStatus
from atom.kit.clock import ManualClock
from atom.kit.errors import ForbiddenError, InvalidError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import EPISODES, NOW
from tests.keywords import OfAgent
from tests.property_tests.episodes import strategies
from tests.property_tests.episodes.strategies import (
    DIRECTED,
    VECTORS,
    Memory,
    WordEmbedder,
    copy_to,
    memories,
    similarity,
    store,
)

DAY_S = 86_400
GATE = MaturityGate()
WORDS = WordEmbedder()
UNIT = st.sampled_from((0.0, 0.25, 0.5, 1.0)) | st.floats(0, 1)
FEEDBACK = st.sampled_from((-1.0, -0.5, 0.0, 0.5, 1.0)) | st.floats(-1, 1)
OUT_OF_RANGE = st.sampled_from((-1.0000001, 1.0000001, 5.0, float("nan"), float("inf")))


FIND_STATE = select(
    *(
        EPISODES.c[name]
        for name in (
            "id",
            "status",
            "archived_at",
            "decay_score",
            "importance",
            "consolidated_into",
            "access_count",
        )
    )
)


def state(session: Session) -> dict[str, tuple[Any, ...]]:
    """The columns that the lifecycle may change, for every episode."""
    return {row[0]: tuple(row[1:]) for row in session.connection().execute(FIND_STATE)}


@pytest.mark.invariant(29)
@given(younger=st.integers(-5, 400), step=st.integers(0, 100))
@example(younger=89, step=1)
@example(younger=179, step=1)
@example(younger=180, step=1)
def test_decay_never_grows_with_age(younger: int, step: int) -> None:
    """Invariant 29: the decay score is from 0 to 1, and never higher for an older episode."""
    assert 0 <= scoring.decay_at(younger + step) <= scoring.decay_at(younger) <= 1


@pytest.mark.invariant(29)
@given(kept=memories(), days_later=st.integers(0, 3))
@example(
    kept=[
        Memory(age_s=day * DAY_S + extra, word="alpha", status=EpisodeStatus.COMPLETED, is_own=True)
        for day in (90, 180, 181)
        for extra in (-1, 0)
    ],
    days_later=0,
)
def test_decay_follows_age_and_twice_is_once(database: Database, kept: list[Memory], days_later: int) -> None:
    """
    Invariant 29: decay leaves an episode under 90 days as it is, then sets its
    score to 1 - days/180, and archives it above 180 days; archived episodes
    and other workspaces are untouched, and a second run changes nothing.
    """
    clock = ManualClock(NOW)
    now = clock.advance(timedelta(days=days_later))
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        ids = store(session, tenant, kept, other_agent_id=people.colleague)
        foreign = copy_to(session, people.stranger, ids)
        before = state(session)
        outcome = lifecycle.apply_decay(session, clock, workspace_id=tenant.workspace_id)
        after = state(session)
        assert {id_: after[id_] for id_ in foreign} == {id_: before[id_] for id_ in foreign}
        n_affected = n_archived = 0
        for id_, memory in zip(ids, kept, strict=True):
            days = (memory.age_s + days_later * DAY_S) // DAY_S
            if memory.status == EpisodeStatus.ARCHIVED or days < 90:
                assert after[id_] == before[id_]
                continue
            n_affected += 1
            n_archived += days > 180
            status, archived_at = (EpisodeStatus.ARCHIVED, now) if days > 180 else before[id_][:2]
            left = pytest.approx(max(0, 180 - days) / 180)
            assert after[id_] == (status, archived_at, left, *before[id_][3:])
        assert (outcome.n_affected, outcome.n_archived) == (n_affected, n_archived)
        again = lifecycle.apply_decay(session, clock, workspace_id=tenant.workspace_id)
        assert (again.n_affected, again.n_archived) == (n_affected - n_archived, 0)
        assert state(session) == after


@pytest.mark.invariant(30)
@given(importance=UNIT, low=FEEDBACK, high=FEEDBACK)
def test_importance_is_monotone_in_feedback(importance: float, low: float, high: float) -> None:
    """Invariant 30: with better feedback an episode is never less important; importance is from 0 to 1."""
    low, high = sorted((low, high))
    assert 0 <= scoring.importance_after(importance, low) <= scoring.importance_after(importance, high) <= 1


@pytest.mark.invariant(30)
@given(importance=UNIT)
def test_feedback_that_agrees_changes_nothing(importance: float) -> None:
    """
    Invariant 30: feedback of 2 * importance - 1 leaves the importance as it is;
    feedback of 1 or -1 moves it a fifth of the way to 1 or to 0.
    """
    assert scoring.importance_after(importance, 2 * importance - 1) == pytest.approx(importance)
    assert 1 - scoring.importance_after(importance, 1.0) == pytest.approx(0.8 * (1 - importance))
    assert scoring.importance_after(importance, -1.0) == pytest.approx(0.8 * importance)


@pytest.mark.invariant(30)
@given(
    importance=UNIT,
    feedback=st.lists(FEEDBACK | OUT_OF_RANGE, min_size=1, max_size=3),
    status=st.sampled_from(AgentStatus),
    is_own=st.booleans(),
)
@example(importance=0.5, feedback=[1.0], status=AgentStatus.SUPERVISED, is_own=True)
def test_importance_update_is_written_for_the_owner(
    database: Database, importance: float, feedback: list[float], status: AgentStatus, is_own: bool
) -> None:
    """
    Invariant 30: only a supervised or autonomous agent can update the importance of an episode, and only of
    its own; a refused update changes nothing.
    """
    memory = Memory(
        age_s=0, word="alpha", status=EpisodeStatus.COMPLETED, is_own=is_own, importance=importance
    )
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        strategies.set_status(session, tenant.agent_id, status)
        (id_,) = store(session, tenant, [memory], other_agent_id=people.colleague)
        scope = {"workspace_id": tenant.workspace_id, "agent_id": tenant.agent_id, "episode_id": id_}
        expected = importance
        for value in feedback:
            refusal: type[Exception] | None = None
            if status not in {AgentStatus.SUPERVISED, AgentStatus.AUTONOMOUS}:
                refusal = ForbiddenError
            elif not is_own:
                refusal = NotFoundError
            elif not -1 <= value <= 1:
                refusal = InvalidError
            if refusal is not None:
                with pytest.raises(refusal):
                    lifecycle.update_importance(session, GATE, feedback=value, **scope)
            else:
                expected = 0.8 * expected + 0.2 * (value + 1) / 2
                lifecycle.update_importance(session, GATE, feedback=value, **scope)
            written = state(session)[id_][3]
            assert written == pytest.approx(expected)
            assert 0 <= written <= 1


@pytest.mark.invariant(31)
@given(
    words=st.lists(st.tuples(st.sampled_from(DIRECTED), st.booleans()), max_size=8),
    threshold=st.sampled_from((0.5, 0.75, 0.85, 0.875, 1.0)),
)
@example(words=[("alpha", False), ("beta", False), ("gamma", False)], threshold=0.75)
def test_merge_plan_is_one_link_deep(words: list[tuple[str, bool]], threshold: float) -> None:
    """
    Invariant 31: a child reaches the similarity threshold with its parent, no parent becomes a child, and two
    episodes that are not children are below the threshold, unless both were parents before.
    """
    candidates = [
        Candidate(id=str(place), vector=VECTORS[word] or (), is_parent=is_parent)
        for place, (word, is_parent) in enumerate(words)
    ]
    parent_of = consolidation.plan_merges(candidates, threshold=threshold)
    word = {str(place): word for place, (word, _) in enumerate(words)}
    was_parent = {candidate.id for candidate in candidates if candidate.is_parent}
    assert not set(parent_of) & set(parent_of.values())
    assert not set(parent_of) & was_parent
    for child, parent in parent_of.items():
        assert (similarity(word[child], word[parent]) or 0) >= threshold
    apart = [id_ for id_ in word if id_ not in parent_of]
    for one in apart:
        for other in apart:
            if one != other and not {one, other} <= was_parent:
                assert (similarity(word[one], word[other]) or 0) < threshold


@pytest.mark.invariant(31)
@given(
    kept=memories(max_size=6),
    threshold=st.sampled_from((0.5, 0.75, 0.85, 0.875, 1.0)),
    late=memories(max_size=2),
)
@example(
    kept=[
        Memory(age_s=age_s, word="alpha", status=EpisodeStatus.COMPLETED, is_own=True) for age_s in (10, 11)
    ],
    threshold=0.85,
    late=[
        Memory(age_s=age_s, word="alpha", status=EpisodeStatus.COMPLETED, is_own=True) for age_s in (0, 20)
    ],
)
def test_consolidation_keeps_its_shape(
    database: Database, kept: list[Memory], threshold: float, late: list[Memory]
) -> None:
    """
    Invariant 31: consolidation links an agent's own completed episodes that reach the similarity threshold,
    one level deep and never to themselves; a second run changes nothing.
    """
    with factories.with_people(database) as (session, people):
        tenant, stranger, colleague = people.tenant, people.stranger, people.colleague
        store(session, stranger, kept, other_agent_id=stranger.agent_id)
        stored: dict[str, Memory] = {}
        scope = OfAgent(workspace_id=tenant.workspace_id, agent_id=tenant.agent_id)
        for batch in (kept, late):
            before = state(session)
            stored |= zip(store(session, tenant, batch, other_agent_id=colleague), batch, strict=True)
            n_merged = lifecycle.consolidate(session, WORDS, threshold=threshold, **scope)
            session.expire_all()
            after = state(session)
            links = {id_: row[4] for id_, row in after.items() if row[4] is not None}
            assert n_merged == len(links) - sum(row[4] is not None for row in before.values())
            assert links.items() >= {id_: row[4] for id_, row in before.items() if row[4] is not None}.items()
            assert not set(links) & set(links.values())
            for child, parent in links.items():
                assert all(stored[id_].is_own for id_ in (child, parent))
                assert all(stored[id_].status == EpisodeStatus.COMPLETED for id_ in (child, parent))
                assert (similarity(stored[child].word, stored[parent].word) or 0) >= threshold
            assert lifecycle.consolidate(session, WORDS, threshold=threshold, **scope) == 0
            session.expire_all()
            assert state(session) == after
            free = [
                id_
                for id_, memory in stored.items()
                if memory.is_own and memory.status == EpisodeStatus.COMPLETED and id_ not in links
            ]
            parents = set(links.values())
            for one in free:
                for other in free:
                    if one < other and not {one, other} <= parents:
                        assert (similarity(stored[one].word, stored[other].word) or 0) < threshold


@pytest.mark.invariant(29)
@given(kept=memories(max_size=4), which=st.integers(0, 4), seconds=st.integers(0, 100))
def test_archiving_is_final_and_scoped(
    database: Database, kept: list[Memory], which: int, seconds: int
) -> None:
    """
    Invariant 29: archiving returns whether the workspace has the episode, keeps the first archive date when
    it is repeated, and changes no other episode.
    """
    clock = ManualClock(NOW)
    with factories.with_people(database) as (session, people):
        tenant, stranger = people.tenant, people.stranger
        ids = [*store(session, tenant, kept, other_agent_id=tenant.agent_id), "none"]
        id_ = ids[which % len(ids)]
        before = state(session)
        assert not lifecycle.archive(session, clock, workspace_id=stranger.workspace_id, episode_id=id_)
        assert state(session) == before
        now = clock.advance(timedelta(seconds=seconds))
        for _ in range(2):
            archived = lifecycle.archive(session, clock, workspace_id=tenant.workspace_id, episode_id=id_)
            assert archived == (id_ != "none")
            clock.advance(timedelta(days=1))
        if id_ != "none" and before[id_][0] != EpisodeStatus.ARCHIVED:
            before[id_] = (EpisodeStatus.ARCHIVED, now, *before[id_][2:])
        assert state(session) == before


@pytest.mark.invariant(29)
@given(n=st.integers(0, 4), listed=st.lists(st.integers(0, 5), max_size=6))
def test_access_is_counted_once_for_each_listed(database: Database, n: int, listed: list[int]) -> None:
    """
    Invariant 29: each listed episode of the workspace gains one access, even
    if it is listed twice, and all others gain none.
    """
    memory = Memory(age_s=0, word="alpha", status=EpisodeStatus.COMPLETED, is_own=True)
    with factories.with_people(database) as (session, people):
        tenant, stranger = people.tenant, people.stranger
        own = store(session, tenant, [memory] * n, other_agent_id=tenant.agent_id)
        foreign = store(session, stranger, [memory], other_agent_id=stranger.agent_id)
        ids = [*own, *foreign, *(f"missing{place}" for place in range(6))]
        wanted = [ids[place] for place in listed]
        counted = lifecycle.count_access(session, workspace_id=tenant.workspace_id, episode_ids=wanted)
        assert counted == len(set(wanted) & set(own))
        assert {id_: row[5] for id_, row in state(session).items()} == {
            id_: int(id_ in wanted and id_ in own) for id_ in [*own, *foreign]
        }


@pytest.mark.invariant(28)
@given(
    rating=st.sampled_from((None, -1, 0, 1, 3, 5, 6)),
    score=st.sampled_from((None, -0.1, 0.0, 0.5, 1.0, 1.1, float("nan"))),
    is_foreign=st.sampled_from((False, False, True)),
)
def test_assessment_is_in_range_or_refused(
    database: Database, rating: int | None, score: float | None, is_foreign: bool
) -> None:
    """
    Invariant 28: a supervisor's rating from 1 to 5 and a constitutional score from 0 to 1 are stored;
    anything else is refused and changes nothing.
    """
    memory = Memory(age_s=0, word="alpha", status=EpisodeStatus.COMPLETED, is_own=True, rating=2)
    with factories.with_people(database) as (session, people):
        tenant, stranger = people.tenant, people.stranger
        (id_,) = store(session, tenant, [memory], other_agent_id=tenant.agent_id)
        scope = {"workspace_id": (stranger if is_foreign else tenant).workspace_id, "episode_id": id_}
        is_fit = rating in {None, 1, 3, 5} and (score is None or 0 <= score <= 1)
        if is_fit and not is_foreign:
            lifecycle.assess(session, supervisor_rating=rating, constitutional_score=score, **scope)
        else:
            with pytest.raises(NotFoundError if is_fit else InvalidError):
                lifecycle.assess(session, supervisor_rating=rating, constitutional_score=score, **scope)
            rating = score = None
        session.expire_all()
        episode = session.get_one(Episode, id_)
        assert (episode.supervisor_rating, episode.constitutional_score) == (rating or 2, score)
