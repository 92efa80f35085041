"""Use cases of definitions: a workflow is known by its name, and each change of it is another version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom.identity.workspaces import hold_workspace
from atom.kit.errors import NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import KeyPage
from atom.kit.text import checked_text
from atom.workflows import repository
from atom.workflows.definition import parse_workflow, render_workflow
from atom.workflows.models import WorkflowDefinition

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock
    from atom.workflows.graph import Workflow


def define(
    session: Session, clock: Clock, *, workspace_id: str, workflow_id: str, workflow: Workflow
) -> WorkflowDefinition:
    """Write the next version of a workflow; if it equals the newest version, that version is returned."""
    name = checked_text(workflow_id, field="workflow_id")
    document = render_workflow(workflow)
    hold_workspace(
        session, workspace_id=workspace_id
    )  # of two at once the second sees the first one's version
    newest = repository.newest_definition(session, workspace_id, name)
    if newest is not None and newest.definition == document:
        return newest
    definition = WorkflowDefinition(
        id=new_id(),
        workspace_id=workspace_id,
        workflow_id=name,
        version=1 if newest is None else newest.version + 1,
        definition=document,
        created_at=clock.now(),
    )
    session.add(definition)
    session.flush()
    return definition


def get_definition(
    session: Session, *, workspace_id: str, workflow_id: str, version: int | None = None
) -> WorkflowDefinition:
    """Return a version of a workflow, by default the newest."""
    definition = (
        repository.newest_definition(session, workspace_id, workflow_id)
        if version is None
        else repository.get_definition(session, workspace_id, workflow_id, version)
    )
    if definition is None:
        kind = "workflow" if version is None else f"version {version} of workflow"
        raise NotFoundError(kind, workflow_id)
    return definition


def get_workflow(
    session: Session, *, workspace_id: str, workflow_id: str, version: int | None = None
) -> Workflow:
    """Return the steps and connections of a version."""
    definition = get_definition(session, workspace_id=workspace_id, workflow_id=workflow_id, version=version)
    return parse_workflow(definition.definition)


def list_definitions(
    session: Session, *, workspace_id: str, limit: int, after: str | None = None
) -> KeyPage[WorkflowDefinition]:
    """Return the newest version of each workflow of the workspace, by name."""
    found = repository.newest_definitions(session, workspace_id, limit=limit + 1, after=after)
    return KeyPage.cut(found, limit=limit, key=lambda one: one.workflow_id)
