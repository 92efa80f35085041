"""
What making an episode of a long conversation costs: `make bench-episodes`.

10,000 messages become one episode, in one segment and in as many segments as messages, on SQLite in memory.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from evidence import save, table, take_no_options
from sqlalchemy import insert
from sqlalchemy.orm import Session

from atom.agents.maturity import AgentStatus
from atom.agents.models import Agent
from atom.chat import service as chat
from atom.chat.models import ChatMessage, MessageRole
from atom.db import migrate
from atom.db.session import create_engine
from atom.episodes import repository
from atom.episodes.access import MaturityGate
from atom.episodes.embedding import WordOverlapEmbedder
from atom.episodes.service import create_episode_from_session
from atom.identity import users, workspaces
from atom.kit.clock import ManualClock
from atom.kit.ids import new_id

COMMAND = "make bench-episodes"
N_MESSAGES = 10_000
REPEATS = 5
MOST_S = 1.0
START = datetime(2026, 3, 1, tzinfo=UTC)
GAPS = {"one segment": timedelta(minutes=1), "all cut": timedelta(minutes=31)}
"""How long the speakers were silent between two messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one conversation cost, run after run."""

    conversation: str
    n_segments: int
    wall_s: list[float]
    cpu_s: list[float]


def main() -> int:
    """Measure, print, save; 1 if an episode took a second or more."""
    take_no_options(__doc__)
    costs = [_measure(name, gap) for name, gap in GAPS.items()]
    rows = [
        [cost.conversation, f"{cost.n_segments}", f"{median(cost.cpu_s):.3f}", f"{median(cost.wall_s):.3f}"]
        for cost in costs
    ]
    slow = [cost.conversation for cost in costs if median(cost.wall_s) >= MOST_S]
    report = (
        f"{table(['conversation', 'segments', 'CPU s', 'wall s'], rows)}\n\n{N_MESSAGES:,} messages, "
        f"medians of {REPEATS} runs. Asked: under {MOST_S:g} s; missed by {', '.join(slow) or 'none'}."
    )
    save("episodes", COMMAND, [asdict(cost) for cost in costs], report)
    return 1 if slow else 0


def _measure(name: str, gap: timedelta) -> Cost:
    engine = create_engine("sqlite://")
    migrate.upgrade(engine)
    wall_s, cpu_s, n_segments = [], [], 0
    with Session(engine) as session:
        workspace_id, agent_id, chat_id = _talk(session, gap)
        for _ in range(REPEATS):
            started_s, cpu_before_s = time.perf_counter(), time.process_time()
            episode = create_episode_from_session(
                session,
                MaturityGate(),
                WordOverlapEmbedder(),
                workspace_id=workspace_id,
                chat_id=chat_id,
                agent_id=agent_id,
            )
            cpu_s.append(time.process_time() - cpu_before_s)
            wall_s.append(time.perf_counter() - started_s)
            assert episode is not None
            n_segments = len(repository.segments_of(session, episode.id))
    engine.dispose()
    return Cost(conversation=name, n_segments=n_segments, wall_s=wall_s, cpu_s=cpu_s)


def _talk(session: Session, gap: timedelta) -> tuple[str, str, str]:
    """Write a conversation; return the ids of its workspace, of an agent and of itself."""
    workspace = workspaces.create_workspace(session, name="A long talk")
    user = users.create_user(session, workspace_id=workspace.id, email="ada@example.org")
    agent = Agent(
        workspace_id=workspace.id,
        name="Clerk",
        category="finance",
        module_path="agents.clerk",
        class_name="Clerk",
        status=AgentStatus.AUTONOMOUS,
    )
    session.add(agent)
    session.flush()
    talk = chat.create_session(session, ManualClock(START), workspace_id=workspace.id, user_id=user.id)
    messages = [
        {
            "id": new_id(),
            "session_id": talk.id,
            "workspace_id": workspace.id,
            "position": place,
            "role": MessageRole.USER,
            "content": f"the invoice {place % 97} of March is still open, says the bank",
            "created_at": START + place * gap,
        }
        for place in range(N_MESSAGES)
    ]
    session.execute(insert(ChatMessage), messages)
    return workspace.id, agent.id, talk.id


if __name__ == "__main__":
    raise SystemExit(main())
