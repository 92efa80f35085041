"""The states of an execution, and the numbers of scheduling."""

from __future__ import annotations

from datetime import timedelta

import pytest

from atom.workflows.graph import Step, Workflow
from atom.workflows.scheduling import StepState, backoff, may_retry, plan
from atom.workflows.states import ExecutionStatus, IllegalTransitionError, is_final, require_transition
from tests.factories import NOW

ALLOWED = {
    ("pending", "running"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "paused"),
    ("running", "partial"),
    ("running", "cancelled"),
    ("paused", "running"),
    ("paused", "cancelled"),
}


@pytest.mark.parametrize("source", ExecutionStatus)
@pytest.mark.parametrize("target", ExecutionStatus)
def test_only_the_documented_transitions_are_possible(
    source: ExecutionStatus, target: ExecutionStatus
) -> None:
    """Every other one is refused with what would be possible."""
    if (source, target) in ALLOWED:
        require_transition(source, target)
    else:
        with pytest.raises(IllegalTransitionError) as caught:
            require_transition(source, target)
        assert (caught.value.source, caught.value.target) == (source, target)
        possible = sorted(to for at, to in ALLOWED if at == source)
        assert caught.value.message.endswith(", ".join(possible) or "it has ended")


def test_a_final_status_is_never_left() -> None:
    """No status can follow on a final one."""
    assert {status for status in ExecutionStatus if is_final(status)} == {
        "completed",
        "failed",
        "partial",
        "cancelled",
    }


def test_the_wait_before_each_retry_doubles() -> None:
    """The three retries wait one, two and four seconds."""
    assert [backoff(retry) for retry in (1, 2, 3)] == [timedelta(seconds=n) for n in (1, 2, 4)]


def test_a_step_is_retried_three_times_at_most() -> None:
    """After the third retry there is none."""
    assert [may_retry(count) for count in range(5)] == [True, True, True, False, False]


def test_five_steps_at_a_time() -> None:
    """Of seven independent steps five start."""
    workflow = Workflow(steps=tuple(Step(id=str(n), action="work") for n in range(7)))
    states = {step_id: StepState() for step_id in workflow.order}
    assert len(plan(workflow, states, inputs={}, now=NOW).start) == 5
