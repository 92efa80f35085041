"""Workspaces: the tenants of the service. A key cannot make one, so the command line does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sqlalchemy import delete, select

from atom.db.base import Base
from atom.identity.models import Workspace, WorkspaceStatus
from atom.kit.errors import ConflictError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import KeyPage
from atom.kit.text import checked_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class BooksLookup(Protocol):
    """Knows the ledger, which stands above identity."""

    def __call__(self, session: Session, *, workspace_id: str) -> bool:
        """Whether the workspace has a transaction."""


def create_workspace(session: Session, *, name: str) -> Workspace:
    """Create a workspace."""
    workspace = Workspace(id=new_id(), name=checked_text(name, field="workspace name"))
    session.add(workspace)
    session.flush()
    return workspace


def get_workspace(session: Session, *, workspace_id: str) -> Workspace:
    """Return a workspace."""
    workspace = session.get(Workspace, workspace_id)
    if workspace is None:
        raise NotFoundError("workspace", workspace_id)
    return workspace


def hold_workspace(session: Session, *, workspace_id: str) -> None:
    """Lock the workspace's row until the transaction ends; waits while another one holds it."""
    query = select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True)
    if session.scalar(query) is None:
        raise NotFoundError("workspace", workspace_id)


def list_workspaces(
    session: Session, *, status: WorkspaceStatus | None = None, limit: int, after: str | None = None
) -> KeyPage[Workspace]:
    """Return a page of workspaces in the order of their ids."""
    query = select(Workspace).order_by(Workspace.id).limit(limit + 1)
    if status is not None:
        query = query.where(Workspace.status == status)
    if after is not None:
        query = query.where(Workspace.id > after)
    return KeyPage.cut(session.scalars(query).all(), limit=limit, key=lambda workspace: workspace.id)


def rename_workspace(session: Session, *, workspace_id: str, name: str) -> Workspace:
    """Give a workspace another name."""
    workspace = get_workspace(session, workspace_id=workspace_id)
    workspace.name = checked_text(name, field="name")
    session.flush()
    return workspace


def delete_workspace(session: Session, has_books: BooksLookup, *, workspace_id: str) -> None:
    """
    Delete a workspace and all that belongs to it, unless it has books.

    The ledger never deletes a transaction, so a workspace that has one can only be suspended.
    """
    workspace = get_workspace(session, workspace_id=workspace_id)
    if has_books(session, workspace_id=workspace_id):
        raise ConflictError(
            f"workspace {workspace_id!r} has transactions in its ledger, which are never deleted; suspend it"
        )
    for table in reversed(Base.metadata.sorted_tables):
        if "workspace_id" in table.c:
            session.execute(delete(table).where(table.c.workspace_id == workspace_id))
    session.delete(workspace)
    session.flush()


def set_status(session: Session, *, workspace_id: str, status: WorkspaceStatus) -> Workspace:
    """Set a workspace's status; keys of a workspace that is suspended or expired are refused."""
    workspace = get_workspace(session, workspace_id=workspace_id)
    workspace.status = status
    session.flush()
    return workspace
