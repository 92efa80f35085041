"""Rows for tests: each function writes one valid row; keywords say what matters to the test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import JSON, insert, text
from sqlalchemy.orm import Session, sessionmaker

from atom.agents.maturity import AgentStatus
from atom.db.base import Base
from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.kit.ids import new_id
from atom.ledger import service
from atom.ledger.postings import AccountType, NewTransaction, credit, debit
from atom.tables import METADATA, agents, episodes, governance, identity
from tests.database import Database
from tests.keywords import OfAgent

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Row = TypeVar("Row", bound=Base)


def add(session: Session, row: Row) -> Row:
    """Write a row."""
    session.add(row)
    session.flush()
    return row


def workspace(session: Session, **values: Any) -> identity.Workspace:
    """Write a workspace."""
    return add(session, identity.Workspace(**{"name": "Acme", **values}))


def user(session: Session, *, workspace_id: str, **values: Any) -> identity.User:
    """Write a user with an address of their own."""
    defaults = {"workspace_id": workspace_id, "email": f"{new_id()}@example.org"}
    return add(session, identity.User(**{**defaults, **values}))


def agent(session: Session, *, workspace_id: str, **values: Any) -> agents.Agent:
    """Write an agent with a class of its own."""
    defaults = {
        "workspace_id": workspace_id,
        "name": "Clerk",
        "category": "finance",
        "module_path": "agents.clerk",
        "class_name": f"Clerk{new_id()}",
    }
    return add(session, agents.Agent(**{**defaults, **values}))


def execution(session: Session, *, agent_id: str, **values: Any) -> agents.AgentExecution:
    """Write a run of an agent."""
    return add(session, agents.AgentExecution(**{"agent_id": agent_id, "started_at": NOW, **values}))


# Built once and given to the connection, past the session: a property's every example begins with these rows.
ADD_WORKSPACE = insert(METADATA.tables["workspaces"])
ADD_USER = insert(METADATA.tables["users"])
ADD_AGENT = insert(METADATA.tables["agent_registry"])
ADD_ACCOUNTS = insert(METADATA.tables["ledger_accounts"])
EPISODES = METADATA.tables["episodes"]
ADD_EPISODES = insert(EPISODES).values(
    {column: text("'[]'") for column in EPISODES.c if isinstance(column.type, JSON)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """The ids of a workspace with a user and an agent."""

    workspace_id: str
    user_id: str
    agent_id: str

    @property
    def agent(self) -> OfAgent:
        """The keywords with which a service finds the agent."""
        return OfAgent(workspace_id=self.workspace_id, agent_id=self.agent_id)


def tenant(session: Session, *, user_values: Mapping[str, Any] | None = None, **agent_values: Any) -> Tenant:
    """Write a workspace with a user and an agent, which may do everything unless keywords say otherwise."""
    ids = Tenant(workspace_id=new_id(), user_id=new_id(), agent_id=new_id())
    connection = session.connection()
    connection.execute(ADD_WORKSPACE, {"id": ids.workspace_id, "name": "Acme"})
    person = {"id": ids.user_id, "workspace_id": ids.workspace_id, "email": f"{ids.user_id}@example.org"}
    connection.execute(ADD_USER, {**person, **(user_values or {})})
    extra_agent(session, ids.workspace_id, id=ids.agent_id, **agent_values)
    return ids


def extra_agent(session: Session, workspace_id: str, **values: Any) -> str:
    """Write one more agent of a workspace, and return its id."""
    row = {
        "id": new_id(),
        "workspace_id": workspace_id,
        "name": "Clerk",
        "category": "finance",
        "module_path": "agents.clerk",
        "class_name": f"Clerk{new_id()}",
        "status": AgentStatus.AUTONOMOUS,
        **values,
    }
    session.connection().execute(ADD_AGENT, row)
    return str(row["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """An agent and the user of its workspace, a colleague of the agent, and another workspace."""

    tenant: Tenant
    colleague: str
    stranger: Tenant


def add_people(sessions: sessionmaker[Session]) -> People:
    """Commit the people of many a property's every example, to be prepared once."""
    with unit_of_work(sessions) as session:
        own = tenant(session)
        return People(tenant=own, colleague=extra_agent(session, own.workspace_id), stranger=tenant(session))


@contextmanager
def with_people(database: Database) -> Iterator[tuple[Session, People]]:
    """Give a session in which there are people; what it does not commit is rolled back."""
    with database.prepared(add_people) as (sessions, people), sessions() as session:
        yield session, people


def add_episodes(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write episodes in one statement, their lists empty; each row names its workspace and its agent."""
    defaults = {
        "title": "An episode",
        "started_at": NOW,
        "status": episodes.EpisodeStatus.COMPLETED,
        "maturity_at_time": AgentStatus.INTERN,
        "importance": 0.5,
    }
    if rows:
        session.connection().execute(ADD_EPISODES, [{"id": new_id(), **defaults, **row} for row in rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """A workspace with accounts: asset accounts that have been funded, and the equity that funded them."""

    workspace_id: str
    equity_id: str
    asset_ids: tuple[str, ...]

    def transfer(self, session: Session, source: int, target: int, amount_minor: int) -> service.Receipt:
        """Transfer from the n-th asset account to the m-th."""
        return service.transfer(
            session,
            ManualClock(NOW),
            workspace_id=self.workspace_id,
            source_account_id=self.asset_ids[source],
            target_account_id=self.asset_ids[target],
            amount_minor=amount_minor,
        )

    def balances(self, sessions: sessionmaker[Session]) -> tuple[int, ...]:
        """Return the committed balances of the asset accounts."""
        with unit_of_work(sessions) as session:
            accounts = service.list_accounts(session, workspace_id=self.workspace_id).items
            found = {account.id: account.balance_minor for account in accounts}
        return tuple(found[id_] for id_ in self.asset_ids)


def books(sessions: sessionmaker[Session], *funds_minor: int, floor_minor: int | None = 0) -> Books:
    """Commit a workspace with one asset account for each amount, funded with it by a posted transaction."""
    workspace_id = new_id()
    equity_id, *asset_ids = ids = [new_id() for _ in range(len(funds_minor) + 1)]
    accounts = [
        {
            "id": id_,
            "workspace_id": workspace_id,
            "code": f"{number:04}",
            "name": "Account",
            "type": AccountType.ASSET if number else AccountType.EQUITY,
            "floor_minor": floor_minor,
        }
        for number, id_ in enumerate(ids)
    ]
    funding = tuple(debit(id_, minor) for id_, minor in zip(asset_ids, funds_minor, strict=True) if minor)
    with unit_of_work(sessions) as session:  # plain inserts: this runs in every example of many properties
        session.connection().execute(ADD_WORKSPACE, {"id": workspace_id, "name": "Acme"})
        session.connection().execute(ADD_ACCOUNTS, accounts)
        if funding:
            new = NewTransaction(
                workspace_id=workspace_id, postings=(*funding, credit(equity_id, sum(funds_minor)))
            )
            service.post(session, ManualClock(NOW), new)
    return Books(workspace_id=workspace_id, equity_id=equity_id, asset_ids=tuple(asset_ids))


def queue_entry(
    session: Session, *, agent_id: str, user_id: str, **values: Any
) -> governance.SupervisedQueueEntry:
    """Write an entry of the supervised queue that waits for a day."""
    defaults = {
        "agent_id": agent_id,
        "user_id": user_id,
        "trigger_source": "data_sync",
        "max_attempts": 3,
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=1),
    }
    return add(session, governance.SupervisedQueueEntry(**{**defaults, **values}))


def workspace_ids(session: Session, count: int) -> list[str]:
    """Write some workspaces with one statement, and return their ids."""
    ids = [new_id() for _ in range(count)]
    session.connection().execute(ADD_WORKSPACE, [{"id": id_, "name": "Acme"} for id_ in ids])
    return ids
