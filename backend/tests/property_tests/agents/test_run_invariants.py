"""Runs of an agent: what may start one, how many steps it takes, and how runs are listed."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Unpack

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from atom.agents import executions
from atom.agents.models import ExecutionStatus
from atom.agents.runs import MAX_SUMMARY, ExecutionFilter, NewExecution, Outcome, Result
from atom.chat import service as chat
from atom.chat.service import has_session
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.pagination import PageRequest
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant
from tests.keywords import OfWorkspace
from tests.property_tests.conftest import scaled


class OfRun(OfWorkspace):
    """A run of an agent of a workspace."""

    execution_id: str


@given(key=st.sampled_from(("steps", "human_intervention", "human_corrections")), is_foreign=st.booleans())
def test_a_run_begins_in_its_workspace_and_with_the_senders_own_metadata(
    database: Database, key: str, is_foreign: bool
) -> None:
    """A run cannot start with metadata that reports write, another workspace's agent or an unknown chat."""
    clock = ManualClock(NOW)
    with factories.with_people(database) as (session, people):
        with pytest.raises(InvalidError) as caught:
            executions.start(
                session, clock, has_session, **people.tenant.agent, new=NewExecution(metadata={key: []})
            )
        assert caught.value.field == "metadata"
        agent_id = people.stranger.agent_id if is_foreign else people.tenant.agent_id
        new = NewExecution(chat_id=None if is_foreign else "no-such-chat")
        with pytest.raises(NotFoundError):
            executions.start(
                session,
                clock,
                has_session,
                workspace_id=people.tenant.workspace_id,
                agent_id=agent_id,
                new=new,
            )


@given(n_before=st.integers(executions.MAX_STEPS - 3, executions.MAX_STEPS), is_step=st.booleans())
def test_steps_and_corrections_of_a_run_have_a_limit(
    database: Database, n_before: int, is_step: bool
) -> None:
    """
    A run takes at most `MAX_STEPS` steps and as many corrections; one more is a conflict and is not stored.
    """
    clock = ManualClock(NOW)
    key = "steps" if is_step else "human_corrections"
    with factories.with_people(database) as (session, people):
        run = executions.start(session, clock, has_session, **people.tenant.agent, new=NewExecution())
        run.details[key] = [{"at": NOW.isoformat(), "summary": "read"}] * n_before
        session.flush()
        scope = OfRun(workspace_id=people.tenant.workspace_id, execution_id=run.id)
        for n in range(n_before, executions.MAX_STEPS + 1):
            if n == executions.MAX_STEPS:
                with pytest.raises(ConflictError, match="the limit"):
                    report_of(session, clock, is_step=is_step, **scope)
            else:
                report_of(session, clock, is_step=is_step, **scope)
        session.expire_all()
        assert len(executions.get_execution(session, **scope).details[key]) == executions.MAX_STEPS


@given(status=st.sampled_from(ExecutionStatus), report=st.sampled_from(("step", "intervention", "end")))
@example(status=ExecutionStatus.PENDING, report="step")
@example(status=ExecutionStatus.PENDING, report="end")
def test_a_run_is_reported_on_until_it_has_ended(
    database: Database, status: ExecutionStatus, report: str
) -> None:
    """A run that waits or goes on takes every report; one that has ended takes none and stays as it is."""
    clock = ManualClock(NOW)
    with factories.with_people(database) as (session, people):
        run = factories.execution(session, agent_id=people.tenant.agent_id, status=status)
        scope = OfRun(workspace_id=people.tenant.workspace_id, execution_id=run.id)
        is_over = status in (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED)
        with pytest.raises(ConflictError) if is_over else nullcontext():
            if report == "end":
                executions.finish(session, clock, result=Result(outcome=Outcome.FAILED), **scope)
            else:
                report_of(session, clock, is_step=report == "step", **scope)
        session.expire_all()
        found = executions.get_execution(session, **scope)
        assert (found.details == {}) is (is_over or report == "end")
        assert found.status is (ExecutionStatus.FAILED if report == "end" and not is_over else status)


def say(session: Session, tenant: Tenant, scope: OfRun, *, field: str, text: str) -> None:
    """Report a text of a run in the field of this name."""
    clock = ManualClock(NOW)
    if field == "input_summary":
        new = NewExecution(input_summary=text)
        executions.start(session, clock, has_session, **tenant.agent, new=new)
    elif field == "summary":
        executions.add_step(session, clock, summary=text, **scope)
    elif field == "correction":
        executions.intervene(session, clock, correction=text, **scope)
    else:
        said: dict[str, Any] = {field: text}
        result = Result(outcome=Outcome.COMPLETED, **said)
        executions.finish(session, clock, result=result, **scope)


TEXTS = ("input_summary", "summary", "correction", "output_summary", "result_summary", "error_message")
UNFIT = ("", " \n", "a\0b", "\ud800", "x" * (MAX_SUMMARY + 1))


@settings(scaled(0.5))
@given(field=st.sampled_from(TEXTS), text=st.sampled_from(UNFIT))
@example(field="correction", text=" \n")
def test_no_text_of_a_run_is_blank_too_long_or_unstorable(database: Database, field: str, text: str) -> None:
    """A text of a run that is unfit is refused by its name, and the run stays as it is."""
    with factories.with_people(database) as (session, people):
        run = factories.execution(session, agent_id=people.tenant.agent_id, status=ExecutionStatus.RUNNING)
        scope = OfRun(workspace_id=people.tenant.workspace_id, execution_id=run.id)
        with pytest.raises(InvalidError) as caught:
            say(session, people.tenant, scope, field=field, text=text)
        assert caught.value.field == field
        session.expire_all()
        found = executions.get_execution(session, **scope)
        assert (found.status, found.details) == (ExecutionStatus.RUNNING, {})


def report_of(session: Session, clock: ManualClock, *, is_step: bool, **scope: Unpack[OfRun]) -> None:
    if is_step:
        executions.add_step(session, clock, summary="read", **scope)
    else:
        executions.intervene(session, clock, correction="84.20", **scope)


@given(
    runs=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=5),
    by=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
@example(runs=[(True, False, False), (True, True, True), (False, True, False)], by=(True, True, True))
@example(runs=[(True, False, True), (True, True, True)], by=(False, True, False))
def test_runs_are_listed_by_agent_conversation_and_status(
    database: Database, runs: list[tuple[bool, bool, bool]], by: tuple[bool, bool, bool]
) -> None:
    """A list holds the runs of its workspace that match every given filter."""
    clock = ManualClock(NOW)
    with factories.with_people(database) as (session, people):
        own = people.tenant.workspace_id
        talk = chat.create_session(session, clock, workspace_id=own, user_id=people.tenant.user_id).id
        executions.start(session, clock, has_session, **people.stranger.agent, new=NewExecution())
        wanted = set()
        for is_mine, is_in_talk, is_running in runs:
            run = executions.start(
                session,
                clock,
                has_session,
                workspace_id=own,
                agent_id=people.tenant.agent_id if is_mine else people.colleague,
                new=NewExecution(chat_id=talk if is_in_talk else None),
            )
            if not is_running:
                done = Result(outcome=Outcome.COMPLETED)
                executions.finish(session, clock, workspace_id=own, execution_id=run.id, result=done)
            matches = zip((is_mine, is_in_talk, is_running), by, strict=True)
            if all(has or not is_asked for has, is_asked in matches):
                wanted.add(run.id)
        where = ExecutionFilter(
            agent_id=people.tenant.agent_id if by[0] else None,
            chat_id=talk if by[1] else None,
            status=ExecutionStatus.RUNNING if by[2] else None,
        )
        page = executions.list_executions(session, workspace_id=own, where=where, page=PageRequest())
        assert {run.id for run in page.items} == wanted
