"""Approval requests under any sequence of decisions and waits, compared with a model of them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select
from sqlalchemy.orm import Session

from atom.governance import approvals
from atom.governance.models import ApprovalStatus, HitlAction
from atom.kit.clock import Clock, ManualClock
from atom.kit.errors import ConflictError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant
from tests.property_tests.conftest import scaled

LIFETIME = timedelta(hours=1)
PARAMS = {"table": "t"}
QUESTIONS = select(HitlAction.__table__)


def ask(session: Session, clock: Clock, office: Tenant) -> str:
    """Request an approval for the office's agent, and return its id."""
    asked = approvals.request_approval(session, clock, **office.agent, action_type="delete", params=PARAMS)
    return asked.id


@dataclass
class Question:
    """An approval request as it should be."""

    created_at: datetime
    status: ApprovalStatus = ApprovalStatus.PENDING
    reviewed_at: datetime | None = None
    reviewed_by: str | None = None


class ApprovalMachine(RuleBasedStateMachine):
    """
    Invariant 42: an approval request is decided once, or expires
    when it is an hour old, and then never changes again.

    Another workspace has a request too: it stays pending, and that workspace cannot decide on the others.
    """

    database: ClassVar[Database]
    questions = Bundle("questions")

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.session, people = self.undo.enter_context(factories.with_people(self.database))
        self.office, self.stranger = people.tenant, people.stranger
        self.clock = ManualClock(NOW)
        self.foreign_id = ask(self.session, self.clock, self.stranger)
        self.model: dict[str, Question] = {}

    def teardown(self) -> None:
        self.undo.close()

    @initialize(target=questions)
    def ask_first(self) -> str:
        return self.ask()

    @rule(target=questions)
    def ask_another(self) -> str:
        return self.ask()

    def ask(self) -> str:
        id_ = ask(self.session, self.clock, self.office)
        self.model[id_] = Question(self.clock.now())
        return id_

    @rule(id_=questions, is_approved=st.booleans(), is_stranger=st.sampled_from((False, False, True)))
    def decide(self, id_: str, is_approved: bool, is_stranger: bool) -> None:
        by = self.stranger if is_stranger else self.office
        decide = partial(
            approvals.decide_approval,
            workspace_id=by.workspace_id,
            action_id=id_,
            user_id=by.user_id,
            is_approved=is_approved,
        )
        question = self.model[id_]
        if is_stranger:
            with pytest.raises(NotFoundError):
                decide(self.session, self.clock)
        elif question.status is not ApprovalStatus.PENDING:
            with pytest.raises(ConflictError, match=question.status.value):
                decide(self.session, self.clock)
        else:
            decide(self.session, self.clock)
            question.status = ApprovalStatus.APPROVED if is_approved else ApprovalStatus.REJECTED
            question.reviewed_at, question.reviewed_by = self.clock.now(), self.office.user_id

    @rule()
    def expire(self) -> None:
        due = [
            question
            for question in self.model.values()
            if question.status is ApprovalStatus.PENDING
            and self.clock.now() - question.created_at >= LIFETIME
        ]
        n_expired = approvals.expire_approvals(
            self.session, self.clock, workspace_id=self.office.workspace_id, older_than=LIFETIME
        )
        assert n_expired == len(due)
        for question in due:
            question.status, question.reviewed_at = ApprovalStatus.EXPIRED, self.clock.now()

    @rule(minutes=st.sampled_from((1, 59, 60, 61)))
    def wait(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    @invariant()
    def rows_agree(self) -> None:
        self.session.flush()
        rows = {row.id: row for row in self.session.connection().execute(QUESTIONS)}
        assert rows.pop(self.foreign_id).status is ApprovalStatus.PENDING
        assert rows.keys() == self.model.keys()
        for id_, question in self.model.items():
            row = rows[id_]
            assert (row.status, row.reviewed_at, row.reviewed_by) == (
                question.status,
                question.reviewed_at,
                question.reviewed_by,
            )
            assert (row.action_type, row.params, row.created_at) == ("delete", PARAMS, question.created_at)


@pytest.fixture(autouse=True, scope="module")
def _machine_database(database: Database) -> None:
    ApprovalMachine.database = database


@pytest.mark.invariant(42)
class TestApprovals(ApprovalMachine.TestCase):  # type: ignore[valid-type,misc]  # a class that Hypothesis makes
    """Runs the machine."""

    settings = settings(scaled(0.25), stateful_step_count=15)
