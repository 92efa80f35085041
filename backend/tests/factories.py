"""Rows for tests: each function writes one valid row; keywords say what matters to the test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from atom.db.base import Base
from atom.kit.ids import new_id
from atom.tables import agents, identity

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
