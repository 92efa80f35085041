"""A run of an agent: what is reported of it stands in order, a person's part is counted, and it ends once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

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
from tests.keywords import OfExecution

deeds = st.tuples(
    st.sampled_from(("step", "intervene", "correct", "finish")), st.sampled_from((-60, 0, 1, 90))
)
"""What is reported, and how many seconds later; now and then the clock is set back."""


SUMMARIES = {"output_summary": "84.20", "result_summary": "it is paid", "error_message": "the bank was slow"}


@pytest.mark.invariant(47)
@given(story=st.lists(deeds, max_size=6), outcome=st.sampled_from(Outcome), is_stranger=st.booleans())
@example(story=[("finish", -60), ("step", 1)], outcome=Outcome.COMPLETED, is_stranger=False)
@example(
    story=[("correct", 1), ("step", 1), ("correct", 0), ("finish", 90), ("intervene", 0), ("finish", 1)],
    outcome=Outcome.FAILED,
    is_stranger=True,
)
def test_a_run_tells_what_was_reported_until_it_ended(
    database: Database, story: list[tuple[str, int]], outcome: Outcome, is_stranger: bool
) -> None:
    """Invariant 47: steps and corrections keep their order, an intervention is marked, an end is final."""
    clock = ManualClock(NOW)
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        new = NewExecution(metadata={"model": "small"}, input_summary="Is it paid?")
        run = executions.start(session, clock, has_session, **tenant.agent, new=new)
        scope = OfExecution(workspace_id=tenant.workspace_id, execution_id=run.id)
        steps: list[str] = []
        corrections: list[str] = []
        is_marked, ended_at = False, None
        for number, (deed, seconds) in enumerate(story):
            now = clock.advance(timedelta(seconds=seconds))
            where = {**scope, "workspace_id": people.stranger.workspace_id} if is_stranger else scope
            call: dict[str, Any] = {
                "step": lambda at=number, to=where: executions.add_step(
                    session, clock, summary=f"step {at}", **to
                ),
                "intervene": lambda to=where: executions.intervene(session, clock, **to),
                "correct": lambda at=number, to=where: executions.intervene(
                    session, clock, user_id=tenant.user_id, correction=f"correction {at}", **to
                ),
                "finish": lambda to=where: executions.finish(
                    session, clock, result=Result(outcome=outcome, **SUMMARIES), **to
                ),
            }
            if is_stranger:
                with pytest.raises(NotFoundError):
                    call[deed]()
                continue
            if ended_at is not None:
                with pytest.raises(ConflictError):
                    call[deed]()
                continue
            call[deed]()
            steps += [f"step {number}"] if deed == "step" else []
            corrections += [f"correction {number}"] if deed == "correct" else []
            is_marked = is_marked or deed in ("intervene", "correct")
            ended_at = max(now, NOW) if deed == "finish" else None
        session.expire_all()
        found = executions.get_execution(session, **scope)
        assert [step["summary"] for step in found.details.get("steps", [])] == steps
        assert [entry["correction"] for entry in found.details.get("human_corrections", [])] == corrections
        by = [entry["user_id"] for entry in found.details.get("human_corrections", [])]
        assert by == [tenant.user_id] * len(corrections)
        assert found.details.get("human_intervention", False) is is_marked
        for name, text in SUMMARIES.items():
            assert getattr(found, name) == (None if ended_at is None else text)
        assert (found.details["model"], found.started_at, found.completed_at) == ("small", NOW, ended_at)
        assert found.duration_seconds == (None if ended_at is None else (ended_at - NOW).total_seconds())
        assert found.status == ("running" if ended_at is None else outcome.value)


@given(key=st.sampled_from(("steps", "human_intervention", "human_corrections")), is_foreign=st.booleans())
def test_a_run_begins_in_its_workspace_and_with_the_senders_own_metadata(
    database: Database, key: str, is_foreign: bool
) -> None:
    """What reports write, nobody sends; another workspace's agent and conversation do not exist."""
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
    """The entry after the last one that there is room for is a conflict, and the others stay."""
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
    """A list holds the runs that every given field matches, and no other workspace's."""
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
