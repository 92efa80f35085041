"""Workspaces: the tenants of the service; made from the command line, as no key could ask for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom.identity.models import Workspace
from atom.kit.ids import new_id
from atom.kit.text import checked_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def create_workspace(session: Session, *, name: str) -> Workspace:
    """Write a workspace."""
    workspace = Workspace(id=new_id(), name=checked_text(name, field="workspace name"))
    session.add(workspace)
    session.flush()
    return workspace
