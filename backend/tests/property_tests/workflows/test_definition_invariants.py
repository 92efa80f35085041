"""A workflow has versions: each change makes the next one, and the newest is listed and run."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atom.kit.clock import ManualClock
from atom.kit.errors import NotFoundError
from atom.workflows import definitions
from atom.workflows.graph import Step, Workflow
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfWorkflow

CLOCK = ManualClock(NOW)
NAMES = ("invoice", "payroll")
deeds = st.tuples(st.integers(0, 1), st.sampled_from(NAMES), st.sampled_from("abc"))
"""A workspace, a workflow of it, and the action that its one step now takes."""


@given(story=st.lists(deeds, min_size=1, max_size=6))
@example(story=[(0, "invoice", "a"), (0, "invoice", "a"), (0, "invoice", "b"), (1, "invoice", "c")])
@example(story=[(0, "invoice", "a"), (0, "invoice", "b"), (0, "invoice", "a"), (0, "payroll", "b")])
def test_each_change_is_the_next_version(database: Database, story: list[tuple[int, str, str]]) -> None:
    """
    Defining a workflow anew adds a version only if something changed; every version stays,
    and the newest is listed and read by default.
    """
    with database.session() as session:
        own = factories.workspace_ids(session, 2)
        known: dict[tuple[int, str], list[Workflow]] = {}
        for place, name, action in story:
            workflow = Workflow(steps=(Step(id="s", action=action),))
            versions = known.setdefault((place, name), [])
            if versions[-1:] != [workflow]:
                versions.append(workflow)
            found = definitions.define(
                session, CLOCK, workspace_id=own[place], workflow_id=name, workflow=workflow
            )
            assert (found.workflow_id, found.version) == (name, len(versions))
        for place, workspace_id in enumerate(own):
            listed = definitions.list_definitions(session, workspace_id=workspace_id, limit=9).items
            names = sorted(name for at, name in known if at == place)
            assert [(each.workflow_id, each.version) for each in listed] == [
                (name, len(known[place, name])) for name in names
            ]
            for name in NAMES:
                scope = OfWorkflow(workspace_id=workspace_id, workflow_id=name)
                versions = known.get((place, name), [])
                for number, workflow in enumerate(versions, start=1):
                    assert definitions.get_workflow(session, **scope, version=number) == workflow
                for missing in (0, len(versions) + 1):
                    with pytest.raises(NotFoundError):
                        definitions.get_workflow(session, **scope, version=missing)
                if versions:
                    assert definitions.get_workflow(session, **scope) == versions[-1]
