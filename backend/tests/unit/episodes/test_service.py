"""Making episodes: what is refused, with which field, and what a proposal leaves behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from atom.agents.maturity import AgentStatus
from atom.chat import repository as chat_repository
from atom.chat import service as chat
from atom.chat.models import MessageRole
from atom.episodes import lifecycle, repository, service
from atom.episodes.access import MaturityGate
from atom.episodes.embedding import WordOverlapEmbedder, cosine
from atom.episodes.models import CanvasAction, Episode
from atom.episodes.repository import EpisodeFilter
from atom.episodes.scoring import ProposalOutcome
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant
from tests.keywords import OfAgent, OfWorkspace

GATE = MaturityGate()
EMBEDDER = WordOverlapEmbedder()


def propose(session: Session, tenant: Tenant, **values: Any) -> Episode:
    given: dict[str, Any] = {
        "workspace_id": tenant.workspace_id,
        "agent_id": tenant.agent_id,
        "title": "Refund",
        "reflection": "Ask before refunding more than 100 USD.",
        "outcome": ProposalOutcome.REJECTED,
        **values,
    }
    return service.create_episode_from_proposal(session, ManualClock(NOW), EMBEDDER, **given)


def act(session: Session, tenant: Tenant, chat_id: str, **values: Any) -> CanvasAction:
    given = {
        "workspace_id": tenant.workspace_id,
        "agent_id": tenant.agent_id,
        "chat_id": chat_id,
        "canvas_id": "c1",
        "canvas_type": "docs",
        "action": "edit",
        **values,
    }
    return service.record_canvas_action(session, ManualClock(NOW), **given)


def talk(session: Session, tenant: Tenant, *texts: str) -> str:
    clock = ManualClock(NOW)
    scope = OfWorkspace(workspace_id=tenant.workspace_id)
    chat_id = chat.create_session(session, clock, user_id=tenant.user_id, **scope).id
    for text in texts:
        chat.append_message(session, clock, chat_id=chat_id, role=MessageRole.USER, content=text, **scope)
    return chat_id


def make(session: Session, tenant: Tenant, chat_id: str, **values: Any) -> Episode | None:
    given = {"workspace_id": tenant.workspace_id, "agent_id": tenant.agent_id, "chat_id": chat_id, **values}
    return service.create_episode_from_session(session, GATE, EMBEDDER, **given)


def test_a_proposal_is_remembered_with_its_lesson(database: Database) -> None:
    """One completed episode of no length with one reflection, found by its words; students learn too."""
    with database.session() as session:
        tenant = factories.tenant(session, status=AgentStatus.STUDENT)
        reflection = "lesson " * 20
        episode = propose(session, tenant, reflection=reflection, is_modified=True)
        session.expire_all()
        assert (episode.title, episode.status, episode.agent_id) == ("Refund", "completed", tenant.agent_id)
        assert (episode.started_at, episode.ended_at, episode.duration_seconds) == (NOW, NOW, 0)
        assert episode.importance == pytest.approx(0.9)
        assert episode.description == "Proposal rejected with changes."
        assert episode.summary == reflection[:100]
        assert episode.maturity_at_time == AgentStatus.STUDENT
        assert episode.workspace_id == tenant.workspace_id
        (part,) = repository.segments_of(session, episode.id)
        assert (part.segment_type, part.source_type, part.source_id) == ("reflection", "manual", None)
        assert (part.content, part.content_summary, part.sequence_order) == (reflection, reflection[:100], 0)
        (like,) = EMBEDDER.embed(["refund lesson"])
        assert like is not None
        assert episode.embedding is not None
        assert cosine(like, episode.embedding) > 0.5
        assert episode.embedding_model == EMBEDDER.name
        assert propose(session, tenant, outcome=ProposalOutcome.APPROVED).description == "Proposal approved."


@pytest.mark.parametrize(
    ("field", "limit"), [("title", 200), ("reflection", 100_000)], ids=["title", "reflection"]
)
def test_a_proposal_has_fit_texts(database: Database, field: str, limit: int) -> None:
    """Title and reflection are neither blank nor longer than their limit."""
    with database.session() as session:
        tenant = factories.tenant(session)
        assert propose(session, tenant, **{field: "x" * limit}).title
        for text in ("", "x" * (limit + 1)):
            with pytest.raises(InvalidError) as refused:
                propose(session, tenant, **{field: text})
            assert refused.value.field == field
        assert session.scalar(select(func.count()).select_from(Episode)) == 1


def test_a_proposal_is_of_an_agent_of_the_workspace(database: Database) -> None:
    """Another workspace's agent is not found."""
    with database.session() as session:
        tenant, stranger = factories.tenant(session), factories.tenant(session)
        with pytest.raises(NotFoundError) as missing:
            propose(session, tenant, agent_id=stranger.agent_id)
        assert (missing.value.kind, missing.value.id) == ("agent", stranger.agent_id)


@pytest.mark.parametrize("field", ["canvas_id", "canvas_type", "action"])
def test_a_canvas_action_has_fit_names(database: Database, field: str) -> None:
    """Each name has 1 to 100 characters."""
    with database.session() as session:
        tenant = factories.tenant(session)
        chat_id = talk(session, tenant)
        assert getattr(act(session, tenant, chat_id, **{field: "x" * 100}), field) == "x" * 100
        for text in (" ", "x" * 101):
            with pytest.raises(InvalidError) as refused:
                act(session, tenant, chat_id, **{field: text})
            assert refused.value.field == field


def test_a_canvas_action_stays_in_its_workspace(database: Database) -> None:
    """Neither another workspace's agent nor its conversation is found, and nothing is written."""
    with database.session() as session:
        tenant, stranger = factories.tenant(session), factories.tenant(session)
        own, foreign = talk(session, tenant), talk(session, stranger)
        with pytest.raises(NotFoundError) as missing:
            act(session, tenant, own, agent_id=stranger.agent_id)
        assert missing.value.kind == "agent"
        with pytest.raises(NotFoundError) as missing:
            act(session, tenant, foreign)
        assert missing.value.kind == "chat session"
        assert session.scalar(select(func.count()).select_from(CanvasAction)) == 0
        row = act(session, tenant, own)
        session.expire_all()
        assert (row.workspace_id, row.agent_id, row.session_id) == (tenant.workspace_id, tenant.agent_id, own)
        assert (row.canvas_id, row.canvas_type, row.action) == ("c1", "docs", "edit")
        assert (row.created_at, row.episode_id) == (NOW, None)


def test_another_agents_canvas_is_not_taken(database: Database) -> None:
    """An episode takes what its own agent did in the conversation."""
    with database.session() as session:
        tenant = factories.tenant(session)
        chat_id = talk(session, tenant, "one", "two")
        act(session, tenant, chat_id, agent_id=factories.extra_agent(session, tenant.workspace_id))
        episode = make(session, tenant, chat_id)
        assert episode is not None
        assert (episode.canvas_ids, episode.canvas_action_count) == ([], 0)


@pytest.mark.parametrize("title", ["", " ", "x" * 201, "a\0"])
def test_an_unfit_title_is_refused(database: Database, title: str) -> None:
    """A title that is given is neither blank nor longer than 200 characters."""
    with database.session() as session:
        tenant = factories.tenant(session)
        chat_id = talk(session, tenant, "one", "two")
        with pytest.raises(InvalidError) as refused:
            make(session, tenant, chat_id, title=title)
        assert refused.value.field == "title"
        episode = make(session, tenant, chat_id, title="x" * 200)
        assert episode is not None
        assert episode.title == "x" * 200


def test_an_episode_describes_itself(database: Database) -> None:
    """Description, and a vector of its title, summary, topics and entities."""
    with database.session() as session:
        tenant = factories.tenant(session)
        episode = make(session, tenant, talk(session, tenant, "Where is Oslo", "holidays"))
        assert episode is not None
        assert episode.description == "A conversation of 2 messages with 0 runs of the agent."
        text = service.text_of(episode)
        assert text == ("Where is Oslo\nBegan: Where is Oslo\nEnded: holidays\nholidays\nwhere\nOslo\nWhere")
        assert [episode.embedding] == EMBEDDER.embed([text])
        assert episode.embedding_model == EMBEDDER.name


def test_text_without_a_word_has_no_vector(database: Database) -> None:
    """Nothing said that the model knows: neither a vector nor the name of its model."""
    with database.session() as session:
        tenant = factories.tenant(session)
        chat_id = talk(session, tenant, "?!", "...")

        class Silent:
            name = "silent"

            def embed(self, texts: Any) -> list[Any]:
                return [None for _ in texts]

        scope = OfAgent(workspace_id=tenant.workspace_id, agent_id=tenant.agent_id)
        episode = service.create_episode_from_session(session, GATE, Silent(), chat_id=chat_id, **scope)
        assert episode is not None
        assert (episode.embedding, episode.embedding_model) == (None, None)


@pytest.mark.parametrize("threshold", [0.0, -0.5, 1.001, float("nan")])
def test_an_unfit_threshold_is_refused(database: Database, threshold: float) -> None:
    """Similarity thresholds are above 0 and at most 1."""
    with database.session() as session:
        tenant = factories.tenant(session)
        scope = OfAgent(workspace_id=tenant.workspace_id, agent_id=tenant.agent_id)
        with pytest.raises(InvalidError) as refused:
            lifecycle.consolidate(session, EMBEDDER, threshold=threshold, **scope)
        assert refused.value.field == "threshold"
        assert lifecycle.consolidate(session, EMBEDDER, threshold=1.0, **scope) == 0


def test_consolidation_is_of_an_agent_of_the_workspace(database: Database) -> None:
    """Another workspace's agent is not found."""
    with database.session() as session:
        tenant, stranger = factories.tenant(session), factories.tenant(session)
        with pytest.raises(NotFoundError) as missing:
            lifecycle.consolidate(
                session, EMBEDDER, workspace_id=tenant.workspace_id, agent_id=stranger.agent_id
            )
        assert missing.value.kind == "agent"


def test_a_thousand_accesses_are_counted_at_once(database: Database) -> None:
    """1000 episodes a call, not one more; listed twice counts once."""
    with database.session() as session:
        scope = OfWorkspace(workspace_id=factories.tenant(session).workspace_id)
        ids = [str(number) for number in range(1001)]
        assert lifecycle.count_access(session, episode_ids=ids[:1000] * 2, **scope) == 0
        with pytest.raises(InvalidError) as refused:
            lifecycle.count_access(session, episode_ids=ids, **scope)
        assert refused.value.field == "episode_ids"


def test_every_query_keeps_to_its_workspace(database: Database) -> None:
    """Given the ids of one workspace and the name of another, each query finds nothing."""
    with database.session() as session:
        tenant, stranger = factories.tenant(session), factories.tenant(session)
        chat_id = talk(session, tenant, "invoice", "invoice")
        episode = make(session, tenant, chat_id)
        assert episode is not None
        for scope, n_found in (
            (OfWorkspace(workspace_id=tenant.workspace_id), 1),
            (OfWorkspace(workspace_id=stranger.workspace_id), 0),
        ):
            who = OfAgent(**scope, agent_id=tenant.agent_id)
            model = EMBEDDER.name
            since = NOW - timedelta(days=1)
            everything = EpisodeFilter()
            newest = chat_repository.newest_messages(session, chat_id, limit=9, before=None, **scope)
            assert len(newest) == 2 * n_found
            assert (
                len(repository.newest_visible(session, since=since, where=everything, limit=9, **who))
                == n_found
            )
            assert len(list(repository.vectors(session, model=model, where=everything, **who))) == n_found
            assert len(repository.merge_candidates(session, model=model, limit=9, **who)) == n_found
            assert (repository.chat_user_id(session, chat_id, **scope) is not None) == bool(n_found)
            assert (repository.get_episode(session, episode.id, **scope) is not None) == bool(n_found)
            assert (repository.get_episode(session, episode.id, **who) is not None) == bool(n_found)
            assert repository.lock_agent(session, tenant.agent_id, **scope) == bool(n_found)
            assert repository.count_access(session, [episode.id], **scope) == n_found
