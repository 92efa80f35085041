"""Episodes at size and among concurrent writers: the index, the cost of a long chat, the locks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, select, text
from sqlalchemy.orm import Session

from atom.chat import service as chat
from atom.chat.models import ChatMessage, ChatSession, MessageRole
from atom.episodes import lifecycle, repository
from atom.episodes.access import MaturityGate
from atom.episodes.embedding import WordOverlapEmbedder
from atom.episodes.models import Episode
from atom.episodes.repository import EpisodeFilter
from atom.episodes.service import create_episode_from_session
from atom.kit.clock import ManualClock
from atom.kit.ids import new_id
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfAgent, OfWorkspace

pytestmark = pytest.mark.integration

N_EPISODES = 100_000
N_MESSAGES = 10_000
TEMPORAL_INDEX = "ix_episodes_workspace_id_agent_id_started_at_id"


def plan_of(session: Session, look: Callable[[], object]) -> str:
    """The database's plan for the one statement that `look` runs."""
    seen: list[tuple[str, Any]] = []

    def watch(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", watch)
    try:
        look()
    finally:
        event.remove(connection, "before_cursor_execute", watch)
    ((statement, parameters),) = seen
    prefix = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return "\n".join(str(row) for row in connection.exec_driver_sql(f"{prefix} {statement}", parameters))


MINUTES_AGO = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', :now, '-' || n || ' minutes')",
    "postgresql": "CAST(:now AS timestamptz) - n * interval '1 minute'",
}
ADD_MINUTES = """
    WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :n_episodes)
    INSERT INTO episodes (id, {names}, agent_id, started_at)
    SELECT 'e' || n, {names}, CASE n % 2 WHEN 0 THEN :agent ELSE :colleague END, {minutes_ago}
    FROM numbers CROSS JOIN episodes
"""
"""A copy of the one episode there is for each minute, of two agents by turns, in one statement."""


def add_an_episode_a_minute(session: Session, tenant: factories.Tenant, *, colleague: str) -> None:
    """Write `N_EPISODES` of two agents, the newest of `NOW`."""
    factories.add_episodes(session, [{**tenant.agent, "id": "first"}])
    names = [c.name for c in factories.EPISODES.c if c.name not in {"id", "agent_id", "started_at"}]
    minutes_ago = MINUTES_AGO[session.get_bind().dialect.name]
    statement = text(ADD_MINUTES.format(names=", ".join(names), minutes_ago=minutes_ago))
    who = {"agent": tenant.agent_id, "colleague": colleague}
    session.execute(statement, {**who, "now": f"{NOW:%Y-%m-%d %H:%M:%S}", "n_episodes": N_EPISODES})
    session.execute(delete(Episode).where(Episode.id == "first"))


def test_temporal_retrieval_reads_an_index(database: Database) -> None:
    """Among 100,000 episodes the newest are read from the index in its order: no scan, no sort."""
    with database.session() as session:
        tenant = factories.tenant(session)
        colleague = factories.extra_agent(session, tenant.workspace_id)
        add_an_episode_a_minute(session, tenant, colleague=colleague)
        session.execute(text("ANALYZE episodes"))

        def look() -> Sequence[Episode]:
            return repository.newest_visible(
                session,
                workspace_id=tenant.workspace_id,
                agent_id=tenant.agent_id,
                since=NOW - timedelta(days=7),
                where=EpisodeFilter(),
                limit=50,
            )

        plan = plan_of(session, look)
        assert TEMPORAL_INDEX in plan
        assert "TEMP B-TREE" not in plan
        assert "Seq Scan" not in plan
        assert "Sort" not in plan
        assert [episode.started_at for episode in look()] == [
            NOW - timedelta(minutes=minute) for minute in range(0, 100, 2)
        ]


@pytest.mark.parametrize("gap", [timedelta(minutes=1), timedelta(minutes=31)], ids=["one segment", "all cut"])
def test_a_long_chat_becomes_an_episode_in_few_statements(database: Database, gap: timedelta) -> None:
    """Under a dozen for 10,000 messages, in one segment or in as many; `make bench-episodes` has the time."""
    n_statements = 0

    def watch(*_args: Any) -> None:
        nonlocal n_statements
        n_statements += 1

    with database.session() as session:
        tenant = factories.tenant(session)
        talk = chat.create_session(
            session, ManualClock(NOW), workspace_id=tenant.workspace_id, user_id=tenant.user_id
        )
        rows = [
            {
                "id": new_id(),
                "session_id": talk.id,
                "workspace_id": tenant.workspace_id,
                "position": place,
                "role": MessageRole.USER,
                "content": "the invoice of March is still open, says the bank",
                "created_at": NOW + place * gap,
            }
            for place in range(N_MESSAGES)
        ]
        session.execute(insert(ChatMessage), rows)
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", watch)
        episode = create_episode_from_session(
            session,
            MaturityGate(),
            WordOverlapEmbedder(),
            workspace_id=tenant.workspace_id,
            chat_id=talk.id,
            agent_id=tenant.agent_id,
        )
        event.remove(connection, "before_cursor_execute", watch)
        assert episode is not None
        n_segments = len(repository.segments_of(session, episode.id))
        assert n_segments == (N_MESSAGES if gap > timedelta(minutes=30) else 1)
        assert n_statements < 12


def test_concurrent_messages_get_places_of_their_own(database: Database) -> None:
    """Two writers of one conversation lose no message and take no place twice."""
    n_each, n_writers = 20, 4
    with database.clone() as clone:
        with clone.sessions.begin() as session:
            tenant = factories.tenant(session)
            scope = OfWorkspace(workspace_id=tenant.workspace_id)
            talk_id = chat.create_session(session, ManualClock(NOW), user_id=tenant.user_id, **scope).id

        def write(writer: int) -> None:
            for place in range(n_each):
                with clone.sessions.begin() as session:
                    content = f"{writer}:{place}"
                    role = MessageRole.USER
                    chat.append_message(
                        session, ManualClock(NOW), chat_id=talk_id, role=role, content=content, **scope
                    )

        with ThreadPoolExecutor(n_writers) as pool:
            list(pool.map(write, range(n_writers)))
        with clone.sessions() as session:
            history = chat.history(session, chat_id=talk_id, limit=100, **scope)
            assert [message.position for message in history] == list(range(n_each * n_writers))
            assert len({message.content for message in history}) == n_each * n_writers
            assert session.scalar(select(ChatSession.message_count)) == n_each * n_writers


def test_concurrent_consolidations_build_no_chain(database: Database) -> None:
    """Two jobs on one agent's episodes end in links one deep."""

    embedder = WordOverlapEmbedder()
    (vector,) = embedder.embed(["the invoice of March"])
    with database.clone() as clone:
        with clone.sessions.begin() as session:
            tenant = factories.tenant(session)
            scope = OfAgent(workspace_id=tenant.workspace_id, agent_id=tenant.agent_id)
            same = {"embedding": vector, "embedding_model": embedder.name}
            factories.add_episodes(
                session, [{**scope, **same, "started_at": NOW + timedelta(hours=h)} for h in range(30)]
            )

        def job(_number: int) -> int:
            with clone.sessions.begin() as session:
                return lifecycle.consolidate(session, embedder, **scope)

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(job, range(4))) == 29
        with clone.sessions() as session:
            links = dict(session.execute(select(Episode.id, Episode.consolidated_into)).all())
            assert {links[parent] for parent in links.values() if parent is not None} == {None}


def test_merging_goes_on_past_the_window(database: Database) -> None:
    """More alike episodes than are compared at once all find a parent, and a second run changes nothing."""
    embedder = WordOverlapEmbedder()
    (vector,) = embedder.embed(["the invoice of March"])
    with database.session() as session:
        tenant = factories.tenant(session)
        scope = OfAgent(workspace_id=tenant.workspace_id, agent_id=tenant.agent_id)
        same = {"embedding": vector, "embedding_model": embedder.name}
        n = lifecycle.MERGE_WINDOW + 50
        rows = [{**scope, **same, "started_at": NOW + timedelta(hours=hour)} for hour in range(n)]
        factories.add_episodes(session, rows)
        assert lifecycle.consolidate(session, embedder, **scope) == n - 1
        assert lifecycle.consolidate(session, embedder, **scope) == 0
