"""How many steps start beside those that run."""

from __future__ import annotations

import pytest

from atom.workflows.graph import Step, Workflow
from atom.workflows.scheduling import StepState, plan
from atom.workflows.states import StepStatus
from tests.factories import NOW


@pytest.mark.parametrize(("n_running", "n_started"), [(0, 5), (1, 4), (4, 1), (5, 0), (6, 0)])
def test_running_steps_count_for_the_limit_of_five(n_running: int, n_started: int) -> None:
    """Five run at a time; what has no room waits for a later plan."""
    names = [f"s{number:02}" for number in range(12)]
    workflow = Workflow(steps=tuple(Step(id=name, action="work") for name in names), connections=())
    running = {name: StepState(status=StepStatus.RUNNING) for name in names[:n_running]}
    states = {name: running.get(name, StepState()) for name in names}
    found = plan(workflow, states, inputs={}, now=NOW)
    assert [item.step_id for item in found.start] == names[n_running : n_running + n_started]
