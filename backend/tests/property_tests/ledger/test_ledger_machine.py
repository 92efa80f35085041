"""The ledger under any sequence of operations, each in its own transaction, compared with a small model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule
from sqlalchemy.orm import Session, sessionmaker

from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.kit.errors import AtomError
from atom.ledger import service
from atom.ledger.errors import (
    DraftedBeforeError,
    NotPendingError,
    NotReversibleError,
    OverdraftError,
    PeriodBlockedError,
    PeriodClosedError,
)
from atom.ledger.models import TransactionStatus
from atom.ledger.postings import AccountType, NewTransaction, normal_side
from tests import factories
from tests.database import shared_database
from tests.factories import NOW
from tests.keywords import OfTransaction
from tests.property_tests.conftest import scaled
from tests.property_tests.ledger.strategies import Line, balanced_lines

pytestmark = pytest.mark.invariant(12)

FLOOR_MINOR = -100
TODAY = NOW.date()
days = st.sampled_from([TODAY - timedelta(days=n_days) for n_days in range(4)])


def workspace_with_a_floor(sessions: sessionmaker[Session]) -> tuple[str, dict[AccountType, str]]:
    """A workspace with one account of each type; only the asset has a floor."""
    with unit_of_work(sessions) as session:
        workspace_id = factories.workspace(session).id
        accounts = {
            type_: service.open_account(
                session,
                workspace_id=workspace_id,
                code=type_,
                name=type_,
                type_=type_,
                floor_minor=FLOOR_MINOR if type_ is AccountType.ASSET else None,
            ).id
            for type_ in AccountType
        }
    return workspace_id, accounts


@dataclass(slots=True)
class Known:
    """A transaction as the model knows it."""

    id: str
    effect: dict[AccountType, int]
    on: date
    status: TransactionStatus
    new: NewTransaction | None = None
    is_reversed: bool = False


class LedgerMachine(RuleBasedStateMachine):
    """
    Invariant 12: after any sequence of posts, drafts, reversals, closed periods and refusals, debits equal
    credits and every balance is that of a small model.
    """

    transactions = Bundle("transactions")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(NOW)
        self.resources = ExitStack()
        prepared = shared_database().prepared(workspace_with_a_floor)
        self.sessions, (self.workspace_id, self.accounts) = self.resources.enter_context(prepared)
        self.balances = dict.fromkeys(AccountType, 0)
        self.known: list[Known] = []
        self.closed: set[date] = set()

    def teardown(self) -> None:
        self.resources.close()

    @rule(target=transactions, lines=balanced_lines, on=days, is_draft=st.booleans(), has_id=st.booleans())
    def write(self, lines: tuple[Line, ...], on: date, is_draft: bool, has_id: bool) -> object:
        """Post or draft a transaction; a draft may overdraw because it does not count yet."""
        effect = effect_of(lines)
        error: type[AtomError] | None = PeriodClosedError if on in self.closed else None
        if error is None and not is_draft and self.overdraws(effect):
            error = OverdraftError
        new = NewTransaction(
            workspace_id=self.workspace_id,
            postings=tuple(line.on(self.accounts) for line in lines),
            on=on,
            external_id=f"external {len(self.known)}" if has_id else None,
        )
        operation = service.draft if is_draft else service.post
        receipt = self.expect(error, lambda session: operation(session, self.clock, new))
        if receipt is None:
            return multiple()
        assert receipt.is_new
        status = TransactionStatus.PENDING if is_draft else TransactionStatus.POSTED
        known = self.remember(receipt, effect, on, status)
        if has_id:
            known.new = new
            for repeats_draft in (True, False):
                self.write_again(known, repeats_draft)
        return known

    @rule(known=transactions, is_draft=st.booleans())
    def write_again(self, known: Known, is_draft: bool) -> None:
        """
        Repeating an external id writes nothing; posting with the id of a draft that is not posted is refused.
        """
        new = known.new
        if new is None:
            return
        is_posted = known.status is TransactionStatus.POSTED
        error = None if is_draft or is_posted else DraftedBeforeError
        operation = service.draft if is_draft else service.post
        receipt = self.expect(error, lambda session: operation(session, self.clock, new))
        if error is None:
            assert receipt == service.Receipt(transaction_id=known.id, status=known.status, is_new=False)

    @rule(known=transactions)
    def post_draft(self, known: Known) -> None:
        """Post a pending draft; its day cannot be closed while it is pending."""
        error: type[AtomError] | None = None if known.status is TransactionStatus.PENDING else NotPendingError
        if known.on in self.closed:
            error = PeriodClosedError
        elif error is None and self.overdraws(known.effect):
            error = OverdraftError
        address = OfTransaction(workspace_id=self.workspace_id, transaction_id=known.id)
        if self.expect(error, lambda session: service.post_draft(session, self.clock, **address)):
            known.status = TransactionStatus.POSTED
            self.apply(known.effect)

    @rule(known=transactions)
    def cancel_draft(self, known: Known) -> None:
        """Cancel a pending draft."""
        error: type[AtomError] | None = None if known.status is TransactionStatus.PENDING else NotPendingError
        address = OfTransaction(workspace_id=self.workspace_id, transaction_id=known.id)
        if self.expect(error, lambda session: service.cancel_draft(session, **address)):
            known.status = TransactionStatus.CANCELLED

    @rule(target=transactions, known=transactions, on=days)
    def reverse(self, known: Known, on: date) -> object:
        """Reverse a posted transaction, once; a reversal can itself be reversed."""
        effect = {type_: -minor for type_, minor in known.effect.items()}
        error: type[AtomError] | None = None
        if known.status is not TransactionStatus.POSTED:
            error = NotReversibleError
        elif on in self.closed:
            error = PeriodClosedError
        elif known.is_reversed:
            error = NotReversibleError
        elif self.overdraws(effect):
            error = OverdraftError
        address = OfTransaction(workspace_id=self.workspace_id, transaction_id=known.id)
        receipt = self.expect(error, lambda session: service.reverse(session, self.clock, **address, on=on))
        if receipt is None:
            return multiple()
        known.is_reversed = True
        return self.remember(receipt, effect, on, TransactionStatus.POSTED)

    @rule(first=days, last=days)
    def close_period(self, first: date, last: date) -> None:
        """Close days, unless one of them is closed already or has a pending draft."""
        starts_on, ends_on = min(first, last), max(first, last)
        period = {starts_on + timedelta(days=n) for n in range((ends_on - starts_on).days + 1)}
        pending = {known.on for known in self.known if known.status is TransactionStatus.PENDING}
        error: type[AtomError] | None = None
        if period & self.closed:
            error = PeriodClosedError
        elif period & pending:
            error = PeriodBlockedError
        close = partial(
            service.close_period, workspace_id=self.workspace_id, starts_on=starts_on, ends_on=ends_on
        )
        if self.expect(error, lambda session: close(session, self.clock)):
            self.closed |= period

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Balances are the model's, they are the sum of the entries, and debits equal credits."""
        with unit_of_work(self.sessions) as session:
            accounts = service.list_accounts(session, workspace_id=self.workspace_id).items
            assert {account.type: account.balance_minor for account in accounts} == self.balances
            assert service.list_discrepancies(session, workspace_id=self.workspace_id) == []
            assert service.trial_balance(session, workspace_id=self.workspace_id).is_balanced

    def expect(self, error: type[AtomError] | None, operation: Callable[[Session], Any]) -> Any:
        """Run the operation and commit, whether it is refused with that error or succeeds."""
        with unit_of_work(self.sessions) as session:
            if error is None:
                return operation(session)
            with pytest.raises(error):
                operation(session)
        return None

    def remember(
        self, receipt: service.Receipt, effect: dict[AccountType, int], on: date, status: TransactionStatus
    ) -> Known:
        known = Known(id=receipt.transaction_id, effect=effect, on=on, status=status)
        self.known.append(known)
        assert receipt.status is status
        if status is TransactionStatus.POSTED:
            self.apply(effect)
        return known

    def overdraws(self, effect: dict[AccountType, int]) -> bool:
        return self.balances[AccountType.ASSET] + effect[AccountType.ASSET] < FLOOR_MINOR

    def apply(self, effect: dict[AccountType, int]) -> None:
        for type_, minor in effect.items():
            self.balances[type_] += minor


def effect_of(lines: tuple[Line, ...]) -> dict[AccountType, int]:
    """What the lines add to the balance of each type."""
    effect = dict.fromkeys(AccountType, 0)
    for line in lines:
        effect[line.type] += line.amount_minor if line.side is normal_side(line.type) else -line.amount_minor
    return effect


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(scaled(0.25), stateful_step_count=20)
