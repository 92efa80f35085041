"""Runs of an agent: what may start one, how many steps it takes, and how runs are listed."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from atom.agents import executions
from atom.agents.models import ExecutionStatus
from atom.agents.runs import ExecutionFilter, NewExecution, Outcome, Result
from atom.chat import service as chat
from atom.chat.service import has_session
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.pagination import PageRequest
from tests import factories
from tests.database import Database
from tests.factories import NOW


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
        scope = {"workspace_id": people.tenant.workspace_id, "execution_id": run.id}
        for n in range(n_before, executions.MAX_STEPS + 1):
            if n == executions.MAX_STEPS:
                with pytest.raises(ConflictError, match="the limit"):
                    report(session, clock, is_step=is_step, **scope)
            else:
                report(session, clock, is_step=is_step, **scope)
        session.expire_all()
        assert len(executions.get_execution(session, **scope).details[key]) == executions.MAX_STEPS


def report(session: Session, clock: ManualClock, *, is_step: bool, **scope: str) -> None:
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
