"""A spending category under any sequence of requests, compared with a small model of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from atom.budgets import service
from atom.budgets.models import ReservationStatus
from atom.budgets.rows import Category
from atom.budgets.rules import Verdict
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, InvalidError
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfWorkspace
from tests.property_tests.budgets import strategies
from tests.property_tests.conftest import scaled

MILESTONES = st.sampled_from(((), ("signed",), ("sent", "signed")))
STAGES = st.sampled_from((None, "won", "won", "lost"))


class SpendMachine(RuleBasedStateMachine):
    """
    Invariant 22: after any sequence of checks, reservations, spending, releases and new limits, a category
    has the verdicts, totals and pause that a small model expects.
    """

    database: ClassVar[Database]
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.session = self.open.enter_context(self.database.session())
        self.clock = ManualClock(NOW)
        self.limit: int | None = None
        self.stage: str | None = None
        self.milestone: str | None = None
        self.spent = 0
        self.is_paused = False
        self.reservations: dict[str, int] = {}
        self.exists = False

    @initialize()
    def begin(self) -> None:
        own, other = factories.workspace_ids(self.session, 2)
        self.category: dict[str, Any] = {"workspace_id": own, "category": "travel"}
        self.scope = OfWorkspace(workspace_id=own)
        service.set_limit(self.session, workspace_id=other, category="travel", limit_minor=1)

    @rule(
        limit=st.sampled_from((None, 0, 50, strategies.LIMIT_MINOR, strategies.LIMIT_MINOR)),
        stage=st.sampled_from((None, None, "won")),
        milestone=st.sampled_from((None, None, "signed")),
    )
    def set_limit(self, limit: int | None, stage: str | None, milestone: str | None) -> None:
        set_limit = partial(
            service.set_limit, limit_minor=limit, required_deal_stage=stage, required_milestone=milestone
        )
        if limit is not None and limit < sum(self.reservations.values()):
            with pytest.raises(ConflictError):
                set_limit(self.session, **self.category)
            return
        returned = set_limit(self.session, **self.category)
        self.limit, self.stage, self.milestone, self.is_paused = limit, stage, milestone, False
        self.exists = True
        assert returned == service.get_category(self.session, **self.category)

    @rule(amount=strategies.amounts, stage=STAGES, milestones=MILESTONES)
    def check(self, amount: int, stage: str | None, milestones: tuple[str, ...]) -> None:
        found = service.check(
            self.session, **self.category, amount_minor=amount, deal_stage=stage, milestones=milestones
        )
        assert found.verdict is self.verdict(amount, stage, milestones)

    @rule(target=held, amount=strategies.amounts, stage=STAGES, milestones=MILESTONES)
    def reserve(self, amount: int, stage: str | None, milestones: tuple[str, ...]) -> object:
        found = service.reserve(
            self.session,
            self.clock,
            **self.category,
            amount_minor=amount,
            deal_stage=stage,
            milestones=milestones,
        )
        self.exists = True
        assert found.decision.verdict is self.verdict(amount, stage, milestones)
        if found.reservation is None:
            assert not found.decision.is_approved
            return multiple()
        assert found.decision.is_approved
        assert (found.reservation.amount_minor, found.reservation.created_at) == (amount, self.clock.now())
        self.reservations[found.reservation.id] = amount
        return found.reservation.id

    @rule(amount=strategies.amounts)
    def record(self, amount: int) -> None:
        returned = service.record(self.session, **self.category, amount_minor=amount)
        self.spent += amount
        self.exists = True
        assert returned == service.get_category(self.session, **self.category)

    @rule(id_=held, less=st.sampled_from((0, 1, 20)))
    def settle(self, id_: str, less: int) -> None:
        amount = self.reservations.get(id_)
        if amount is None:
            with pytest.raises(ConflictError):
                service.settle(self.session, self.clock, **self.scope, reservation_id=id_, spent_minor=0)
            return
        for wrong in (-1, amount + 1):
            with pytest.raises(InvalidError):
                service.settle(self.session, self.clock, **self.scope, reservation_id=id_, spent_minor=wrong)
        spent = max(0, amount - less)
        done = service.settle(self.session, self.clock, **self.scope, reservation_id=id_, spent_minor=spent)
        assert (done.status, done.spent_minor, done.amount_minor) == (
            ReservationStatus.SETTLED,
            spent,
            amount,
        )
        assert done.ended_at == self.clock.now()
        del self.reservations[id_]
        self.spent += spent

    @rule(id_=held)
    def release(self, id_: str) -> None:
        amount = self.reservations.pop(id_, None)
        if amount is None:
            with pytest.raises(ConflictError):
                service.release(self.session, self.clock, **self.scope, reservation_id=id_)
            return
        done = service.release(self.session, self.clock, **self.scope, reservation_id=id_)
        assert (done.status, done.spent_minor, done.amount_minor) == (
            ReservationStatus.RELEASED,
            None,
            amount,
        )

    @rule()
    def resume(self) -> None:
        if self.exists:
            returned = service.resume_category(self.session, **self.category)
            self.is_paused = False
            assert returned == service.get_category(self.session, **self.category)

    @rule()
    def wait(self) -> None:
        self.clock.advance(timedelta(hours=1))

    @invariant()
    def category_is_that_of_the_model(self) -> None:
        listed = service.list_categories(self.session, **self.scope).items
        assert len(listed) == self.exists
        for category in listed:
            assert category == Category(
                id=category.id,
                name="travel",
                limit_minor=self.limit,
                spent_minor=self.spent,
                reserved_minor=sum(self.reservations.values()),
                is_paused=self.is_paused,
                required_deal_stage=self.stage,
                required_milestone=self.milestone,
            )

    def verdict(self, amount: int, stage: str | None, milestones: tuple[str, ...]) -> Verdict:
        """The expected verdict; in the model, an amount beyond the limit also pauses the category."""
        if self.limit is None:
            return Verdict.APPROVED
        if self.is_paused:
            return Verdict.PAUSED
        if self.stage and stage != self.stage:
            return Verdict.REJECTED
        if self.milestone and self.milestone not in milestones:
            return Verdict.PENDING
        self.is_paused = self.spent + sum(self.reservations.values()) + amount > self.limit
        return Verdict.PAUSED if self.is_paused else Verdict.APPROVED

    def teardown(self) -> None:
        self.open.close()


@pytest.fixture(scope="module", autouse=True)
def _on_the_database(database: Database) -> Iterator[None]:
    SpendMachine.database = database
    yield
    del SpendMachine.database


TestSpending = pytest.mark.invariant(22)(SpendMachine.TestCase)
TestSpending.settings = scaled(0.25)
