"""
Every list of a service, read page by page: each row of its workspace once and in order, and no other row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.orm import Session

from atom.agents import executions
from atom.agents import service as agents
from atom.agents.maturity import AgentStatus
from atom.agents.runs import ExecutionFilter
from atom.budgets import service as budgets
from atom.chat import service as chat
from atom.episodes import service as episodes
from atom.governance import approvals, proposals, supervised_queue, triggers
from atom.graduation import service as graduation
from atom.graduation import supervision_sessions
from atom.identity import keys, users
from atom.kit.ids import new_id
from atom.kit.pagination import KeyPage, Page, PageRequest
from atom.ledger import service as ledger
from atom.tables import METADATA
from atom.workflows import definitions
from atom.workflows import service as workflows
from tests import factories
from tests.database import Database
from tests.factories import NOW, People, Tenant
from tests.pages import follow, follow_keys
from tests.property_tests.conftest import scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """
    A list ordered by time: its table, the column that orders it, what else a row needs, and how to read it.
    """

    table: str
    at: str
    row: Callable[[Tenant], dict[str, Any]]
    read: Callable[[Session, Tenant, PageRequest], Page[Any]]

    def __str__(self) -> str:
        return self.table


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyListing:
    """A list ordered by ids or names."""

    table: str
    key: str = "id"
    row: Callable[[Tenant, str], dict[str, Any]]
    read: Callable[[Session, Tenant, int, str | None], KeyPage[Any]]
    known: Callable[[People], set[str]]
    """The ids that the workspace has before the test writes any."""

    def __str__(self) -> str:
        return self.table


def of_agent(owner: Tenant) -> dict[str, Any]:
    return {"agent_id": owner.agent_id}


def of_workspace(owner: Tenant) -> dict[str, Any]:
    return {"workspace_id": owner.workspace_id}


def promotion(owner: Tenant) -> dict[str, Any]:
    figures = ("score", "intervention_rate", "constitutional_score", "confidence_before", "confidence_after")
    statuses = {"from_status": AgentStatus.STUDENT, "to_status": AgentStatus.INTERN}
    return {**of_agent(owner), **statuses, "n_episodes": 1, **dict.fromkeys(figures, 0.5)}


def queue_entry(owner: Tenant) -> dict[str, Any]:
    expires_at = NOW + timedelta(days=1)
    return {
        **of_agent(owner),
        "user_id": owner.user_id,
        "trigger_source": "data_sync",
        "max_attempts": 3,
        "expires_at": expires_at,
    }


def blocked(owner: Tenant) -> dict[str, Any]:
    return {
        **of_agent(owner),
        "maturity_at_block": AgentStatus.STUDENT,
        "confidence_at_block": 0.1,
        "trigger_source": "data_sync",
        "routing_decision": "refused",
        "reason": "r",
    }


LISTINGS = (
    Listing(
        table="agent_executions",
        at="started_at",
        row=of_agent,
        read=lambda session, owner, page: executions.list_executions(
            session, workspace_id=owner.workspace_id, where=ExecutionFilter(), page=page
        ),
    ),
    Listing(
        table="supervision_sessions",
        at="started_at",
        row=lambda owner: {**of_agent(owner), **of_workspace(owner)},
        read=lambda session, owner, page: supervision_sessions.list_supervisions(
            session, workspace_id=owner.workspace_id, page=page
        ),
    ),
    Listing(
        table="api_keys",
        at="created_at",
        row=lambda owner: {**of_workspace(owner), "name": "k", "key_hash": new_id(), "scope": "read"},
        read=lambda session, owner, page: keys.list_keys(session, workspace_id=owner.workspace_id, page=page),
    ),
    Listing(
        table="chat_sessions",
        at="updated_at",
        row=lambda owner: {**of_workspace(owner), "user_id": owner.user_id, "created_at": NOW},
        read=lambda session, owner, page: chat.list_sessions(
            session, workspace_id=owner.workspace_id, user_id=owner.user_id, page=page
        ),
    ),
    Listing(
        table="episodes",
        at="started_at",
        row=lambda owner: {
            **of_workspace(owner),
            **of_agent(owner),
            "title": "t",
            "ended_at": NOW + timedelta(days=1),
            "maturity_at_time": AgentStatus.INTERN,
        },
        read=lambda session, owner, page: episodes.list_episodes(session, **owner.agent, page=page),
    ),
    Listing(
        table="ledger_transactions",
        at="created_at",
        row=lambda owner: {
            **of_workspace(owner),
            "source": "manual",
            "status": "pending",
            "transaction_date": NOW.date(),
            "amount_minor": 1,
        },
        read=lambda session, owner, page: ledger.list_transactions(
            session, workspace_id=owner.workspace_id, page=page
        ),
    ),
    Listing(
        table="hitl_actions",
        at="created_at",
        row=lambda owner: {**of_agent(owner), "action_type": "deploy"},
        read=lambda session, owner, page: approvals.list_approvals(
            session, workspace_id=owner.workspace_id, page=page
        ),
    ),
    Listing(
        table="agent_proposals",
        at="created_at",
        row=lambda owner: {**of_agent(owner), "type": "action"},
        read=lambda session, owner, page: proposals.list_proposals(
            session, workspace_id=owner.workspace_id, page=page
        ),
    ),
    Listing(
        table="blocked_triggers",
        at="created_at",
        row=blocked,
        read=lambda session, owner, page: triggers.list_blocked_triggers(
            session, workspace_id=owner.workspace_id, page=page
        ),
    ),
    Listing(
        table="supervised_queue",
        at="created_at",
        row=queue_entry,
        read=lambda session, owner, page: supervised_queue.list_entries(
            session, workspace_id=owner.workspace_id, page=page
        ),
    ),
    Listing(
        table="promotions",
        at="promoted_at",
        row=promotion,
        read=lambda session, owner, page: graduation.list_promotions(session, **owner.agent, page=page),
    ),
    Listing(
        table="projects",
        at="created_at",
        row=lambda owner: {
            **of_workspace(owner),
            "name": "n",
            "budget_minor": 0,
            "actual_burn_minor": 0,
            "budget_status": "on_track",
        },
        read=lambda session, owner, page: budgets.list_projects(
            session, workspace_id=owner.workspace_id, page=page
        ),
    ),
    Listing(
        table="workflow_executions",
        at="created_at",
        row=lambda owner: {
            **of_workspace(owner),
            "workflow_id": "w",
            "definition": {},
            "inputs": {},
            "status": "pending",
            "version": 1,
        },
        read=lambda session, owner, page: workflows.list_executions(
            session, workspace_id=owner.workspace_id, page=page
        ),
    ),
)
KEY_LISTINGS = (
    KeyListing(
        table="spend_categories",
        key="name",
        row=lambda owner, id_: {
            **of_workspace(owner),
            "name": id_,
            "spent_minor": 0,
            "reserved_minor": 0,
            "is_paused": False,
        },
        read=lambda session, owner, limit, after: budgets.list_categories(
            session, workspace_id=owner.workspace_id, limit=limit, after=after
        ),
        known=lambda people: set(),
    ),
    KeyListing(
        table="ledger_accounts",
        key="code",
        row=lambda owner, id_: {**of_workspace(owner), "code": id_, "name": "n", "type": "asset"},
        read=lambda session, owner, limit, after: ledger.list_accounts(
            session, workspace_id=owner.workspace_id, limit=limit, after=after
        ),
        known=lambda people: set(),
    ),
    KeyListing(
        table="workflow_definitions",
        key="workflow_id",
        row=lambda owner, id_: {
            **of_workspace(owner),
            "workflow_id": id_,
            "version": 1,
            "definition": {},
            "created_at": NOW,
        },
        read=lambda session, owner, limit, after: definitions.list_definitions(
            session, workspace_id=owner.workspace_id, limit=limit, after=after
        ),
        known=lambda people: set(),
    ),
    KeyListing(
        table="users",
        row=lambda owner, id_: {**of_workspace(owner), "email": f"{id_}@example.org"},
        read=lambda session, owner, limit, after: users.list_users(
            session, workspace_id=owner.workspace_id, limit=limit, after=after
        ),
        known=lambda people: {people.tenant.user_id},
    ),
    KeyListing(
        table="agent_registry",
        row=lambda owner, id_: {
            **of_workspace(owner),
            "name": "n",
            "category": "c",
            "module_path": "m",
            "class_name": id_,
        },
        read=lambda session, owner, limit, after: agents.list_agents(
            session, workspace_id=owner.workspace_id, limit=limit, after=after
        ),
        known=lambda people: {people.tenant.agent_id, people.colleague},
    ),
)

Place = tuple[int, int, bool]
"""A row: the second of its time, the number that its id begins with, and whether the workspace owns it."""
PLACES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 99), st.booleans()),
    max_size=7,
    unique_by=lambda place: place[1],
)
TIED = [(0, 5, True), (0, 3, True), (1, 4, True), (0, 4 + 5, True), (1, 1, False), (1, 2, True)]
"""Rows with the same time, whose ids are not in the order in which they are written."""
limits = st.integers(1, 3)


def id_of(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def moment(second: int) -> datetime:
    return NOW + timedelta(seconds=second)


def write(session: Session, table: str, rows: list[dict[str, Any]]) -> None:
    """Write rows without the services."""
    if rows:
        session.connection().execute(insert(METADATA.tables[table]), rows)


def owner_of(people: People, *, is_own: bool) -> Tenant:
    return people.tenant if is_own else people.stranger


@pytest.mark.invariant(34)
@pytest.mark.parametrize("listing", LISTINGS, ids=str)
@settings(scaled(0.25))
@given(places=PLACES, limit=limits)
@example(places=TIED, limit=1)
@example(places=TIED, limit=2)
def test_pages_by_time_list_every_row_once(
    database: Database, listing: Listing, places: list[Place], limit: int
) -> None:
    """
    Following the cursors lists each row of the workspace once, the newest first;
    of rows with the same time, the greater id comes first.
    """
    with factories.with_people(database) as (session, people):
        rows = [
            {
                **listing.row(owner_of(people, is_own=is_own)),
                "id": id_of(number),
                listing.at: moment(second),
            }
            for second, number, is_own in places
        ]
        write(session, listing.table, rows)
        own = [(second, id_of(number)) for second, number, is_own in places if is_own]
        found = follow(lambda page: listing.read(session, people.tenant, page), limit=limit, most=len(places))
        assert [item.id for item in found] == [id_ for _, id_ in sorted(own, reverse=True)]


@pytest.mark.parametrize("listing", KEY_LISTINGS, ids=str)
@settings(scaled(0.25))
@given(places=PLACES, limit=limits)
@example(places=TIED, limit=2)
def test_pages_by_id_list_every_row_once(
    database: Database, listing: KeyListing, places: list[Place], limit: int
) -> None:
    """Following the cursors lists each row of the workspace once, ordered by id or name."""
    with factories.with_people(database) as (session, people):
        rows = [
            {**listing.row(owner_of(people, is_own=is_own), id_of(number)), "id": id_of(number)}
            for _, number, is_own in places
        ]
        write(session, listing.table, rows)
        own = {id_of(number) for _, number, is_own in places if is_own} | listing.known(people)
        found = follow_keys(
            lambda after: listing.read(session, people.tenant, limit, after), limit=limit, most=len(own)
        )
        assert [getattr(item, listing.key) for item in found] == sorted(own)
