"""How workflows run: in the order of their graph, a few steps at a time, and again after a failure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import event, func, insert, select
from sqlalchemy.orm import Session, sessionmaker

from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, InvalidError, NotFoundError, StaleVersionError
from atom.kit.ids import new_id
from atom.kit.pagination import Page, PageRequest
from atom.tables import METADATA, workflows
from atom.workflows import service
from atom.workflows.definition import parse_workflow, render_workflow
from atom.workflows.graph import Connection, Reference, Step, Workflow
from atom.workflows.rows import Execution, StepRecord
from atom.workflows.runner import Runner
from atom.workflows.scheduling import Assignment, StepState, outcome, plan, ready_steps
from atom.workflows.states import ExecutionStatus, StepStatus
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfExecution
from tests.pages import follow
from tests.property_tests.workflows import strategies
from tests.property_tests.workflows.strategies import add_workspace


class AtOnce(Executor):
    """Runs what is submitted before it returns."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except ValueError as exc:
            future.set_exception(exc)
        return future


def sources(workflow: Workflow, step_id: str) -> set[str]:
    """The steps that a step waits for."""
    return {connection.source for connection in workflow.connections if connection.target == step_id}


@given(workflow=strategies.workflows())
def test_order_respects_every_connection(workflow: Workflow) -> None:
    """The order has every step once, after all of its ancestors: the steps that it waits for, and theirs."""
    assert sorted(workflow.order) == sorted(step.id for step in workflow.steps)
    for place, step_id in enumerate(workflow.order):
        before = workflow.ancestors(step_id)
        assert before <= set(workflow.order[:place])
        direct = sources(workflow, step_id)
        assert before == direct.union(*(workflow.ancestors(source) for source in direct))


@given(workflow=strategies.workflows(), data=st.data())
def test_cycle_is_refused(workflow: Workflow, data: st.DataObject) -> None:
    """
    A connection back to an ancestor, or to the step itself, is refused with a message that names the cycle.
    """
    step_id = data.draw(st.sampled_from(workflow.order))
    back_to = data.draw(st.sampled_from(sorted({*workflow.ancestors(step_id), step_id})))
    with pytest.raises(InvalidError, match="cycle") as caught:
        Workflow(
            steps=workflow.steps,
            connections=(*workflow.connections, Connection(source=step_id, target=back_to)),
        )
    assert caught.value.field == "connections"
    assert caught.value.message.count(" -> ") >= 1
    assert step_id in caught.value.message


@given(workflow=strategies.workflows(has_conditions=True, has_inputs=True))
def test_definition_round_trips(workflow: Workflow) -> None:
    """A workflow written as JSON and read again is the same workflow."""
    assert parse_workflow(json.loads(json.dumps(render_workflow(workflow)))) == workflow


THREE_ALONE = Workflow(steps=tuple(Step(id=name, action="work") for name in "abc"))
WAITS_FIRST = [(StepStatus.PENDING, 1)]
"""The first step waits for its next attempt, which leaves the room to the others."""


@given(
    workflow=strategies.workflows(),
    stands=st.lists(st.sampled_from(tuple(product(StepStatus, (None, -1, 0, 1)))), min_size=7, max_size=7),
    max_concurrent=st.integers(1, 5),
)
@example(workflow=THREE_ALONE, stands=[*WAITS_FIRST, *[(StepStatus.PENDING, None)] * 6], max_concurrent=1)
@example(workflow=THREE_ALONE, stands=[*WAITS_FIRST, *[(StepStatus.PENDING, None)] * 6], max_concurrent=2)
def test_plan_starts_what_is_ready_while_there_is_room(
    workflow: Workflow, stands: list[tuple[StepStatus, int | None]], max_concurrent: int
) -> None:
    """While there is room, a pending step starts if its sources are completed and its time has come."""
    states = {
        step_id: StepState(
            status=status, not_before=None if wait is None else NOW + timedelta(microseconds=wait)
        )
        for step_id, (status, wait) in zip(workflow.order, stands, strict=False)
    }
    ready = [
        step_id
        for step_id in workflow.order
        if states[step_id].status is StepStatus.PENDING
        and all(states[source].status is StepStatus.COMPLETED for source in sources(workflow, step_id))
    ]
    assert list(ready_steps(workflow, states)) == ready
    found = plan(workflow, states, inputs={}, now=NOW, max_concurrent=max_concurrent)
    counts = Counter(state.status for state in states.values())
    if counts[StepStatus.FAILED]:
        assert (found.start, found.missing, found.wait_until) == ((), (), None)
        expected = ExecutionStatus.FAILED
    else:
        late = NOW + timedelta(microseconds=1)
        due = [step_id for step_id in ready if states[step_id].not_before != late]
        room = max(0, max_concurrent - counts[StepStatus.RUNNING])
        assert [assignment.step_id for assignment in found.start] == due[:room]
        assert found.wait_until == (late if len(due) < len(ready) else None)
        if ready:
            expected = ExecutionStatus.RUNNING
        elif counts[StepStatus.COMPLETED] == len(states):
            expected = ExecutionStatus.COMPLETED
        else:
            expected = ExecutionStatus.PARTIAL
    if counts[StepStatus.RUNNING]:
        expected = ExecutionStatus.RUNNING
    assert outcome(workflow, states, missing=found.missing) is expected


class Work:
    """A handler that fails some steps some times, and notes what it was asked to do, and when."""

    def __init__(
        self, clock: ManualClock, failures: Mapping[str, int] | None = None, ok: bool = True
    ) -> None:
        self.clock = clock
        self.failures = dict(failures or {})
        self.ok = ok
        self.asked: list[tuple[str, datetime]] = []

    def __call__(self, assignment: Assignment) -> Mapping[str, Any]:
        self.asked.append((assignment.step_id, self.clock.now()))
        if self.failures.get(assignment.step_id, 0) > 0:
            self.failures[assignment.step_id] -= 1
            raise ValueError("out of \0 order")
        return {"ok": self.ok, "value": assignment.step_id}


@contextmanager
def in_one_transaction(database: Database) -> Iterator[tuple[sessionmaker[Session], str]]:
    """Give a maker of sessions whose commits stay in a transaction that is rolled back, and a workspace."""
    with database.prepared(add_workspace) as (sessions, own), sessions() as session:
        joining = sessionmaker(
            session.connection(), join_transaction_mode="rollback_only", expire_on_commit=False
        )
        yield joining, own


def run(
    sessions: sessionmaker[Session], own: str, workflow: Workflow, work: Work
) -> tuple[Execution, dict[str, StepRecord]]:
    """Run a workflow in a workspace of its own, to its end."""
    with sessions.begin() as session:
        created = service.create_execution(
            session, work.clock, workspace_id=own, workflow_id="wf", workflow=workflow
        )
    runner = Runner(
        sessions=sessions, clock=work.clock, handler=work, executor=AtOnce(), sleep_until=work.clock.set
    )
    ended = runner.run(workspace_id=own, execution_id=created.id)
    assert runner.run(workspace_id=own, execution_id=created.id) == ended
    with sessions() as session:
        steps = service.get_steps(session, workspace_id=own, execution_id=created.id)
    assert [step.sequence_order for step in steps] == list(range(len(workflow.steps)))
    return ended, {step.step_id: step for step in steps}


@given(workflow=strategies.workflows(max_steps=4))
def test_execution_runs_every_step_once(database: Database, workflow: Workflow) -> None:
    """Without failures every step runs once, after all that it waits for, and the execution is completed."""
    work = Work(ManualClock(NOW))
    with database.prepared(add_workspace) as (sessions, own):
        ended, steps = run(sessions, own, workflow, work)
    asked = [step_id for step_id, _ in work.asked]
    assert sorted(asked) == sorted(workflow.order)
    for place, step_id in enumerate(asked):
        assert sources(workflow, step_id) <= set(asked[:place])
    assert ended.status is ExecutionStatus.COMPLETED
    assert (ended.started_at, ended.ended_at) == (NOW, NOW)
    for step_id, step in steps.items():
        assert (step.status, step.retry_count, step.error) == (StepStatus.COMPLETED, 0, None)
        assert step.output == {"ok": True, "value": step_id}


@given(workflow=strategies.workflows(max_steps=3), n_failures=st.integers(1, 4), data=st.data())
@example(workflow=Workflow(steps=(Step(id="a", action="work"),)), n_failures=6, data=None)
@example(workflow=Workflow(steps=(Step(id="a", action="work"),)), n_failures=3, data=None)
@example(workflow=Workflow(steps=(Step(id="a", action="work"),)), n_failures=4, data=None)
def test_failed_step_is_tried_three_times_again(
    database: Database, workflow: Workflow, n_failures: int, data: st.DataObject | None
) -> None:
    """A step that fails is tried again after 1, 2 and 4 seconds; the fourth failure ends the execution."""
    victim = workflow.order[0] if data is None else data.draw(st.sampled_from(workflow.order))
    work = Work(ManualClock(NOW), {victim: n_failures})
    with in_one_transaction(database) as (sessions, own):
        ended, steps = run(sessions, own, workflow, work)
    times = [moment for step_id, moment in work.asked if step_id == victim]
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert waits == [1, 2, 4][:n_failures]
    assert steps[victim].retry_count == min(n_failures, 3)
    if n_failures <= 3:
        assert ended.status is ExecutionStatus.COMPLETED
        assert steps[victim].error is None
        assert set(Counter(step_id for step_id, _ in work.asked)) == set(workflow.order)
    else:
        assert ended.status is ExecutionStatus.FAILED
        assert steps[victim].status is StepStatus.FAILED
        assert steps[victim].error == "ValueError: out of ? order"
        for step_id, step in steps.items():
            if victim in workflow.ancestors(step_id):
                assert step.status is StepStatus.SKIPPED
                assert step_id not in dict(work.asked)


@given(workflow=strategies.workflows(max_steps=4, has_conditions=True), ok=st.booleans())
def test_condition_that_does_not_hold_leaves_steps_over(
    database: Database, workflow: Workflow, ok: bool
) -> None:
    """
    A condition that does not hold skips its step and all steps behind it, and the execution ends as partial.
    """
    work = Work(ManualClock(NOW), ok=ok)
    with in_one_transaction(database) as (sessions, own):
        ended, steps = run(sessions, own, workflow, work)
    closed: set[str] = set()
    for step_id in workflow.order:
        incoming = [connection for connection in workflow.connections if connection.target == step_id]
        if any(connection.source in closed or (connection.condition and not ok) for connection in incoming):
            closed.add(step_id)
    assert {step_id for step_id, step in steps.items() if step.status is StepStatus.SKIPPED} == closed
    assert {step_id for step_id, _ in work.asked} == set(workflow.order) - closed
    assert ended.status is (ExecutionStatus.PARTIAL if closed else ExecutionStatus.COMPLETED)


@given(is_given=st.booleans(), later=st.booleans(), of_step=st.booleans())
def test_unresolved_input_pauses_until_it_is_given(
    database: Database, is_given: bool, later: bool, of_step: bool
) -> None:
    """
    An execution pauses if a step lacks an input; once it is resumed with the input, the step runs with it.
    """
    clock = ManualClock(NOW)
    reference = Reference(key="rows", step="fetch" if of_step else None)
    name = "fetch.rows" if of_step else "rows"
    workflow = Workflow(
        steps=(Step(id="fetch", action="get"), Step(id="send", action="put", inputs={"body": reference})),
        connections=(Connection(source="fetch", target="send"),),
    )
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        inputs = {name: 5} if is_given else {}
        created = service.create_execution(
            session, clock, workspace_id=own, workflow_id="wf", workflow=workflow, inputs=inputs
        )
        scope = OfExecution(workspace_id=own, execution_id=created.id)
        service.begin(session, clock, **scope)
        service.advance(session, clock, **scope)
        after = service.complete_step(session, clock, **scope, step_id="fetch", output={})
        if not is_given:
            assert after.status is ExecutionStatus.PAUSED
            with pytest.raises(ConflictError):
                service.advance(session, clock, **scope)
            if not later:
                resumed = service.resume(session, clock, **scope)
                (missing,) = service.advance(session, clock, **scope).missing
                assert (missing.step_id, missing.name, missing.reference) == ("send", "body", reference)
                assert service.get_execution(session, **scope).status is ExecutionStatus.PAUSED
            resumed = service.resume(session, clock, **scope, inputs={name: 7})
            assert resumed.inputs == {name: 7}
        found = service.advance(session, clock, **scope)
        expected = Assignment(step_id="send", action="put", inputs={"body": 5 if is_given else 7})
        assert (found.start, found.missing) == ((expected,), ())
        done = service.complete_step(session, clock, **scope, step_id="send", output={})
        assert done.status is ExecutionStatus.COMPLETED


@given(
    started_s=st.integers(0, 5),
    took_ms=st.integers(0, 5_000),
    is_ok=st.booleans(),
    of_output=st.none() | st.integers(0, 1),
    of_start=st.none() | st.integers(2, 3),
    of_resume=st.none() | st.integers(4, 5),
)
@example(started_s=2, took_ms=1_500, is_ok=True, of_output=1, of_start=3, of_resume=None)
@example(started_s=2, took_ms=1_500, is_ok=True, of_output=None, of_start=3, of_resume=4)
@example(started_s=1, took_ms=7, is_ok=False, of_output=None, of_start=None, of_resume=None)
def test_moments_are_kept_and_the_nearest_input_counts(
    database: Database,
    started_s: int,
    took_ms: int,
    is_ok: bool,
    of_output: int | None,
    of_start: int | None,
    of_resume: int | None,
) -> None:
    """
    A step records its start and duration; the output of an earlier step takes precedence over an input given
    to resume, and that over one given at the start.
    """
    clock = ManualClock(NOW)
    reference = Reference(key="rows", step="fetch")
    workflow = Workflow(
        steps=(Step(id="fetch", action="get"), Step(id="send", action="put", inputs={"body": reference})),
        connections=(Connection(source="fetch", target="send"),),
    )
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        inputs = {} if of_start is None else {"fetch.rows": of_start}
        made = service.create_execution(
            session, clock, workspace_id=own, workflow_id="wf", workflow=workflow, inputs=inputs
        )
        scope = OfExecution(workspace_id=own, execution_id=made.id)
        began = clock.advance(timedelta(seconds=started_s))
        service.begin(session, clock, **scope)
        step_began = clock.advance(timedelta(seconds=1))
        service.advance(session, clock, **scope)
        reported = clock.advance(timedelta(milliseconds=took_ms))
        service.pause(session, clock, **scope)
        output = {} if of_output is None else {"rows": of_output}
        if is_ok:
            service.complete_step(session, clock, **scope, step_id="fetch", output=output)
        else:
            service.fail_step(session, clock, **scope, step_id="fetch", error="broken")
        fetch, _ = service.get_steps(session, **scope)
        assert (fetch.started_at, fetch.duration_ms) == (step_began, took_ms)
        assert fetch.not_before == (None if is_ok else reported + timedelta(seconds=1))
        given_now = None if of_resume is None else {"fetch.rows": of_resume}
        resumed = service.resume(session, clock, **scope, inputs=given_now)
        assert (resumed.started_at, resumed.ended_at) == (began, None)
        if not is_ok:
            ended_at = clock.advance(timedelta(seconds=1))
            ended = service.cancel(session, clock, **scope)
            assert (ended.started_at, ended.ended_at) == (began, ended_at)
            return
        wanted = next((n for n in (of_output, of_resume, of_start) if n is not None), None)
        found = service.advance(session, clock, **scope)
        if wanted is None:
            assert [need.name for need in found.missing] == ["body"]
        else:
            (send,) = found.start
            assert send.inputs == {"body": wanted}
            ended_at = clock.advance(timedelta(minutes=1))
            ended = service.complete_step(session, clock, **scope, step_id="send", output={})
            assert (ended.status, ended.ended_at) == (ExecutionStatus.COMPLETED, ended_at)


Change = Callable[..., object]
CHANGES: dict[str, Change] = {
    "pause": service.pause,
    "cancel": service.cancel,
    "advance": service.advance,
    "complete": lambda *args, **scope: service.complete_step(*args, **scope, step_id="a", output={}),
    "fail": lambda *args, **scope: service.fail_step(*args, **scope, step_id="a", error="broken"),
}


@pytest.mark.invariant(21)
@given(first=st.sampled_from(sorted(CHANGES)), second=st.sampled_from(sorted(CHANGES)))
def test_of_two_changes_at_once_one_wins(database: Database, first: str, second: str) -> None:
    """
    Invariant 21: of two concurrent changes to the same version of an execution, the first to write adds one
    to the version and the other is refused.
    """
    clock = ManualClock(NOW)
    workflow = Workflow(steps=(Step(id="a", action="work"), Step(id="b", action="work")))
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        created = service.create_execution(
            session, clock, workspace_id=own, workflow_id="wf", workflow=workflow
        )
        scope = OfExecution(workspace_id=own, execution_id=created.id)
        service.begin(session, clock, **scope)
        started = service.advance(session, clock, **scope)
        assert [assignment.step_id for assignment in started.start] == ["a", "b"]
        before = service.get_execution(session, **scope)
        assert before.version == 3

        def interrupt() -> None:
            """The first change comes after the second has read and before it writes."""
            CHANGES[first](session, clock, **scope)

        if first == "advance":  # nothing is left to start: nothing is changed
            interrupt()
            assert service.get_execution(session, **scope) == before
            return
        if second == "advance":  # it has nothing to write
            CHANGES[second](session, clock, **scope)
            interrupt()
        else:
            with before_first_update(session, interrupt), pytest.raises(StaleVersionError):
                CHANGES[second](session, clock, **scope)
        after = service.get_execution(session, **scope)
        assert after.version == before.version + 1
        status, step = {
            "pause": (ExecutionStatus.PAUSED, StepStatus.RUNNING),
            "cancel": (ExecutionStatus.CANCELLED, StepStatus.SKIPPED),
            "complete": (ExecutionStatus.RUNNING, StepStatus.COMPLETED),
            "fail": (ExecutionStatus.RUNNING, StepStatus.PENDING),
        }[first]
        assert (after.status, service.get_steps(session, **scope)[0].status) == (status, step)


@contextmanager
def before_first_update(session: Session, interrupt: Callable[[], None]) -> Iterator[None]:
    """Do something after the block has read, and before it writes for the first time."""
    waiting = [interrupt]

    def listen(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE") and waiting:
            waiting.pop()()

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", listen)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", listen)


@given(action=st.sampled_from(sorted(CHANGES)), is_foreign=st.booleans())
def test_execution_of_another_workspace_is_not_found(
    database: Database, action: str, is_foreign: bool
) -> None:
    """An execution cannot be read or changed from another workspace."""
    clock = ManualClock(NOW)
    workflow = Workflow(steps=(Step(id="a", action="work"),))
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        created = service.create_execution(
            session, clock, workspace_id=own, workflow_id="wf", workflow=workflow
        )
        service.begin(session, clock, workspace_id=own, execution_id=created.id)
        before = service.get_execution(session, workspace_id=own, execution_id=created.id)
        scope = OfExecution(workspace_id=other, execution_id=created.id)
        if not is_foreign:
            scope = OfExecution(workspace_id=own, execution_id="nothing")
        readings: list[Callable[[], object]] = [
            lambda: service.get_execution(session, **scope),
            lambda: service.get_steps(session, **scope),
            lambda: service.resume(session, clock, **scope),
            lambda: service.begin(session, clock, **scope),
            lambda: CHANGES[action](session, clock, **scope),
        ]
        for attempt in readings:
            with pytest.raises(NotFoundError):
                attempt()
        assert service.list_executions(session, workspace_id=other).items == ()
        assert service.list_executions(session, workspace_id=own).items == (before,)


ADD_EXECUTIONS = insert(METADATA.tables["workflow_executions"])


@given(
    made=st.lists(st.sampled_from(tuple(product((0, 1), ("x", "y"), ("x", "y")))), max_size=5),
    limit=st.integers(1, 3),
)
def test_pages_list_every_execution_once(
    database: Database, made: list[tuple[int, str, str]], limit: int
) -> None:
    """Following the cursors lists every execution of a workspace once, the newest first."""
    clock = ManualClock(NOW)
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        created, rows = [], []
        for step_s, *workflow_ids in made:
            clock.advance(timedelta(seconds=step_s))
            for workspace_id, workflow_id in zip((own, other), workflow_ids, strict=True):
                execution = Execution(
                    id=new_id(),
                    workflow_id=workflow_id,
                    status=ExecutionStatus.PENDING,
                    version=1,
                    inputs={},
                    created_at=clock.now(),
                    started_at=None,
                    ended_at=None,
                )
                rows.append({**asdict(execution), "workspace_id": workspace_id, "definition": {}})
                if workspace_id == own:
                    created.append(execution)
        if rows:
            session.connection().execute(ADD_EXECUTIONS, rows)
        for sought in (None, "x"):

            def read(page: PageRequest, only: str | None = sought) -> Page[Execution]:
                return service.list_executions(session, workspace_id=own, page=page, workflow_id=only)

            found = follow(read, limit=limit, most=len(made))
            wanted = [item for item in created if sought in (None, item.workflow_id)]
            assert found == sorted(wanted, key=lambda item: (item.created_at, item.id), reverse=True)


@given(
    output=st.sampled_from(
        [{"n": float("nan")}, {"t": "\0"}, {"t": "\ud800"}, {"x": object()}, {"long": "x" * 100_001}]
    )
)
def test_refused_output_writes_nothing(database: Database, output: dict[str, Any]) -> None:
    """A value that cannot be stored is refused as an input and as an output, and nothing is written."""
    clock = ManualClock(NOW)
    workflow = Workflow(steps=(Step(id="a", action="work"),))
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        with pytest.raises(InvalidError) as caught:
            service.create_execution(
                session, clock, workspace_id=own, workflow_id="wf", workflow=workflow, inputs=output
            )
        assert caught.value.field == "inputs"
        assert session.scalar(select(func.count()).select_from(workflows.WorkflowExecution)) == 0
        created = service.create_execution(
            session, clock, workspace_id=own, workflow_id="wf", workflow=workflow
        )
        scope = OfExecution(workspace_id=own, execution_id=created.id)
        service.begin(session, clock, **scope)
        service.advance(session, clock, **scope)
        before = service.get_execution(session, **scope), service.get_steps(session, **scope)
        with pytest.raises(InvalidError) as caught:
            service.complete_step(session, clock, **scope, step_id="a", output=output)
        assert caught.value.field == "output"
        with pytest.raises(InvalidError) as caught:
            service.fail_step(session, clock, **scope, step_id="a", error=" ")
        assert caught.value.field == "error"
        assert before == (service.get_execution(session, **scope), service.get_steps(session, **scope))
        service.pause(session, clock, **scope)
        with pytest.raises(InvalidError) as caught:
            service.resume(session, clock, **scope, inputs=output)
        assert caught.value.field == "inputs"
