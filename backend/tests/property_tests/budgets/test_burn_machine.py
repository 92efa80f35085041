"""What two projects burn under any sequence of bookings and work, compared with a model that adds it up."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from atom.budgets import service
from atom.budgets.rows import ProjectBudget
from atom.budgets.rules import budget_status
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, NotFoundError
from atom.ledger import service as ledger_service
from atom.ledger.postings import BILL, BILL_PAYMENT, EXPENSE_PAYMENT, INVOICE, AccountType, Pattern
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfProject
from tests.property_tests.budgets.strategies import MINUTES, RATES_MINOR
from tests.property_tests.conftest import scaled

CLOCK = ManualClock(NOW)
DEFAULT_RATE_MINOR = 5_000
numbers = st.sampled_from((0, 0, 1))
"""Two projects: what is booked on one must not be seen in the other."""
amounts = st.sampled_from((1, 2, 99, 1_000, 4_999, 5_000, 5_001, 19_999, 20_000))


@dataclass
class Burning:
    """A project as it should be: its burn now, and its row as it was when the burn was last refreshed."""

    row: ProjectBudget
    expenses_minor: int = 0
    labour_minor: Fraction = field(default_factory=Fraction)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """A bill for a project."""

    number: int
    transaction_id: str
    amount_minor: int


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task of a project, and what an hour of it costs."""

    number: int
    task_id: str
    rate_minor: int


class BurnMachine(RuleBasedStateMachine):
    """
    Invariant 22: a project's burn is its own work plus its own posted expenses, each counted once.

    Work costs its hours times the worker's rate, and the sum is rounded once. Drafts, invoices, payments of
    bills and transactions in other currencies do not count, and a reversed bill no longer counts.
    """

    database: ClassVar[Database]
    bills = Bundle("bills")
    drafts = Bundle("drafts")
    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.session = self.undo.enter_context(self.database.session())
        (self.own,) = factories.workspace_ids(self.session, 1)
        self.accounts: dict[tuple[AccountType, str], str] = {}
        self.reversed: set[str] = set()
        self.posted: set[str] = set()

    def teardown(self) -> None:
        self.undo.close()

    @initialize(budget_minor=st.sampled_from((0, 1, 5_000, 20_000, 100_000)))
    def begin(self, budget_minor: int) -> None:
        self.projects = [
            Burning(
                service.create_project(
                    self.session, CLOCK, workspace_id=self.own, name=name, budget_minor=budget_minor
                )
            )
            for name in ("Bridge", "Tunnel")
        ]

    def account(self, type_: AccountType, currency: str) -> str:
        """The workspace's account of a type and currency."""
        if (type_, currency) not in self.accounts:
            self.accounts[type_, currency] = ledger_service.open_account(
                self.session,
                workspace_id=self.own,
                code=f"{type_} {currency}",
                name=str(type_),
                type_=type_,
                currency=currency,
                floor_minor=None,
            ).id
        return self.accounts[type_, currency]

    def book(
        self,
        pattern: Pattern,
        amount_minor: int,
        number: int,
        *,
        currency: str = "USD",
        to_draft: bool = False,
    ) -> str:
        """Book a pattern for a project, and return the transaction's id."""
        new = pattern.transaction(
            workspace_id=self.own,
            debit_account_id=self.account(pattern.debit, currency),
            credit_account_id=self.account(pattern.credit, currency),
            amount_minor=amount_minor,
            currency=currency,
            project_id=self.projects[number].row.id,
        )
        write = ledger_service.draft if to_draft else ledger_service.post
        return write(self.session, CLOCK, new).transaction_id

    @rule(target=bills, number=numbers, amount_minor=amounts)
    def bill(self, number: int, amount_minor: int) -> Bill:
        id_ = self.book(BILL, amount_minor, number)
        self.projects[number].expenses_minor += amount_minor
        return Bill(number=number, transaction_id=id_, amount_minor=amount_minor)

    @rule(bill=bills)
    def pay(self, bill: Bill) -> None:
        self.book(BILL_PAYMENT, bill.amount_minor, bill.number)

    @rule(bill=bills)
    def reverse(self, bill: Bill) -> None:
        is_first = bill.transaction_id not in self.reversed
        with ExitStack() if is_first else pytest.raises(ConflictError):
            ledger_service.reverse(
                self.session, CLOCK, workspace_id=self.own, transaction_id=bill.transaction_id
            )
        if is_first:
            self.reversed.add(bill.transaction_id)
            self.projects[bill.number].expenses_minor -= bill.amount_minor

    @rule(target=drafts, number=numbers, amount_minor=amounts)
    def draft_bill(self, number: int, amount_minor: int) -> Bill:
        id_ = self.book(BILL, amount_minor, number, to_draft=True)
        return Bill(number=number, transaction_id=id_, amount_minor=amount_minor)

    @rule(target=bills, draft=drafts)
    def post_draft(self, draft: Bill) -> object:
        if draft.transaction_id in self.posted:
            return multiple()
        ledger_service.post_draft(
            self.session, CLOCK, workspace_id=self.own, transaction_id=draft.transaction_id
        )
        self.posted.add(draft.transaction_id)
        self.projects[draft.number].expenses_minor += draft.amount_minor
        return draft

    @rule(number=numbers, amount_minor=amounts)
    def pay_expense(self, number: int, amount_minor: int) -> None:
        self.book(EXPENSE_PAYMENT, amount_minor, number)
        self.projects[number].expenses_minor += amount_minor

    @rule(number=numbers, amount_minor=amounts, is_foreign=st.booleans())
    def book_what_costs_nothing(self, number: int, amount_minor: int, is_foreign: bool) -> None:
        if is_foreign:
            self.book(BILL, amount_minor, number, currency="EUR")
        else:
            self.book(INVOICE, amount_minor, number)

    def scope(self, number: int) -> OfProject:
        return OfProject(workspace_id=self.own, project_id=self.projects[number].row.id)

    @rule(
        target=tasks,
        number=numbers,
        minutes=st.sampled_from(MINUTES),
        rate_minor=st.sampled_from(RATES_MINOR),
    )
    def add_task(self, number: int, minutes: int, rate_minor: int | None) -> Task:
        person = (
            None
            if rate_minor is None
            else factories.user(self.session, workspace_id=self.own, hourly_cost_rate_minor=rate_minor).id
        )
        added = service.add_task(
            self.session, **self.scope(number), title="Dig", assigned_to=person, actual_minutes=minutes
        )
        task = Task(number=number, task_id=added.id, rate_minor=rate_minor or DEFAULT_RATE_MINOR)
        self.work(task, minutes)
        return task

    @rule(task=tasks, minutes=st.sampled_from((1, 30, 60)))
    def log_work(self, task: Task, minutes: int) -> None:
        with pytest.raises(NotFoundError):
            service.log_work(
                self.session, **self.scope(1 - task.number), task_id=task.task_id, minutes=minutes
            )
        service.log_work(self.session, **self.scope(task.number), task_id=task.task_id, minutes=minutes)
        self.work(task, minutes)

    def work(self, task: Task, minutes: int) -> None:
        self.projects[task.number].labour_minor += Fraction(task.rate_minor * minutes, 60)

    @rule()
    def refresh_other(self) -> None:
        self.refresh(1)

    def refresh(self, number: int) -> None:
        project = self.projects[number]
        found = service.refresh_burn(self.session, **self.scope(number))
        expected = math.floor(project.labour_minor + Fraction(1, 2)) + project.expenses_minor
        assert found.actual_burn_minor == expected
        assert found.status is budget_status(burn_minor=expected, budget_minor=found.budget_minor)
        project.row = found

    @invariant()
    def projects_agree(self) -> None:
        """The first project's burn is refreshed after every step; the other project keeps its last one."""
        self.refresh(0)
        for number, project in enumerate(self.projects):
            assert service.get_project(self.session, **self.scope(number)) == project.row


@pytest.fixture(autouse=True, scope="module")
def _machine_database(database: Database) -> None:
    BurnMachine.database = database


@pytest.mark.invariant(22)
class TestBurn(BurnMachine.TestCase):  # type: ignore[valid-type,misc]  # a class that Hypothesis makes
    """Runs the machine."""

    settings = settings(scaled(0.25), stateful_step_count=15)
