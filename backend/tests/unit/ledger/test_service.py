"""Use cases of the ledger where one example says it all."""

from __future__ import annotations

from datetime import date
from functools import partial

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError, NotFoundError
from atom.kit.pagination import PageRequest
from atom.ledger import service
from atom.ledger.errors import (
    InactiveAccountError,
    NotReversibleError,
    OverdraftError,
    PeriodBlockedError,
    PeriodClosedError,
)
from atom.ledger.models import Account, JournalEntry, TransactionStatus
from atom.ledger.postings import (
    BILL,
    BILL_PAYMENT,
    EXPENSE_PAYMENT,
    INVOICE,
    AccountType,
    NewTransaction,
    Pattern,
    Side,
    credit,
    debit,
)
from tests import factories
from tests.database import Database
from tests.keywords import OfTransaction


def chart(session: Session) -> tuple[str, dict[str, str]]:
    """A workspace with the accounts that the patterns need; the cash account holds 1000."""
    workspace_id = factories.workspace(session).id
    types = {
        "cash": AccountType.ASSET,
        "receivable": AccountType.ASSET,
        "payable": AccountType.LIABILITY,
        "revenue": AccountType.REVENUE,
        "expense": AccountType.EXPENSE,
        "equity": AccountType.EQUITY,
    }
    ids = {
        name: service.open_account(session, workspace_id=workspace_id, code=name, name=name, type_=type_).id
        for name, type_ in types.items()
    }
    postings = (debit(ids["cash"], 1000), credit(ids["equity"], 1000))
    service.post(session, CLOCK, NewTransaction(workspace_id=workspace_id, postings=postings))
    return workspace_id, ids


CLOCK = ManualClock(factories.NOW)


def balances(session: Session, workspace_id: str) -> dict[str, int]:
    """The balances that are not zero, by code."""
    accounts = service.list_accounts(session, workspace_id=workspace_id).items
    return {account.code: account.balance_minor for account in accounts if account.balance_minor}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(INVOICE, "receivable", "revenue")], {"receivable": 40, "revenue": 40, "cash": 1000}),
        ([(BILL, "expense", "payable")], {"expense": 40, "payable": 40, "cash": 1000}),
        (
            [(BILL, "expense", "payable"), (BILL_PAYMENT, "payable", "cash")],
            {"expense": 40, "cash": 960},
        ),
        ([(EXPENSE_PAYMENT, "expense", "cash")], {"expense": 40, "cash": 960}),
    ],
)
def test_patterns_move_the_accounts_they_name(
    database: Database, steps: list[tuple[Pattern, str, str]], expected: dict[str, int]
) -> None:
    """Invoice, bill and payments debit and credit what a bookkeeper would."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        for pattern, debited, credited in steps:
            new = pattern.transaction(
                workspace_id=workspace_id,
                debit_account_id=ids[debited],
                credit_account_id=ids[credited],
                amount_minor=40,
            )
            service.post(session, CLOCK, new)
        assert balances(session, workspace_id) == {**expected, "equity": 1000}


@pytest.mark.parametrize(
    ("debited", "credited", "field"),
    [("revenue", "cash", "debit_account_id"), ("cash", "payable", "credit_account_id")],
)
def test_a_pattern_refuses_an_account_of_another_type(
    database: Database, debited: str, credited: str, field: str
) -> None:
    """An invoice against a liability is a mistake, and the error says which account."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        new = INVOICE.transaction(
            workspace_id=workspace_id,
            debit_account_id=ids[debited],
            credit_account_id=ids[credited],
            amount_minor=40,
        )
        with pytest.raises(InvalidError) as caught:
            service.post(session, CLOCK, new)
        assert caught.value.field == field


def test_a_floor_below_zero_allows_an_overdraft(database: Database) -> None:
    """An account may be given credit, and not a cent more."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        limited = service.open_account(
            session,
            workspace_id=workspace_id,
            code="card",
            name="Card",
            type_=AccountType.ASSET,
            floor_minor=-50,
        )
        transfer = partial(
            service.transfer,
            session,
            CLOCK,
            workspace_id=workspace_id,
            source_account_id=limited.id,
            target_account_id=ids["cash"],
        )
        transfer(amount_minor=50)
        with pytest.raises(OverdraftError):
            transfer(amount_minor=1)
        assert balances(session, workspace_id)["card"] == -50


@pytest.mark.parametrize("floor_minor", [1, -(10**16)])
def test_a_floor_is_zero_or_below(database: Database, floor_minor: int) -> None:
    """A new account is empty, so its floor cannot be above zero."""
    with database.session() as session, pytest.raises(InvalidError) as caught:
        service.open_account(
            session,
            workspace_id=factories.workspace(session).id,
            code="1",
            name="Cash",
            type_=AccountType.ASSET,
            floor_minor=floor_minor,
        )
    assert caught.value.field == "floor_minor"


@pytest.mark.parametrize("currency", ["", "usd", "EURO", "Ä€$"])
def test_a_currency_is_three_capital_letters(database: Database, currency: str) -> None:
    """Anything else is refused before it reaches the schema."""
    with database.session() as session, pytest.raises(InvalidError) as caught:
        service.open_account(
            session,
            workspace_id=factories.workspace(session).id,
            code="1",
            name="Cash",
            type_=AccountType.ASSET,
            currency=currency,
        )
    assert caught.value.field == "currency"


def test_an_account_code_has_at_most_sixty_four_letters(database: Database) -> None:
    """The longest code is kept, a longer one is refused with its field."""
    with database.session() as session:
        own = factories.workspace(session).id
        open_account = partial(
            service.open_account, session, workspace_id=own, name="Cash", type_=AccountType.ASSET
        )
        assert open_account(code="x" * 64).code == "x" * 64
        with pytest.raises(InvalidError) as caught:
            open_account(code="x" * 65)
        assert caught.value.field == "code"


def test_rows_held_by_the_session_are_read_anew(database: Database) -> None:
    """Posting changes balances and statuses in the database alone; who asks again sees them."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        cash = service.get_account(session, workspace_id=workspace_id, account_id=ids["cash"])
        postings = (debit(ids["cash"], 5), credit(ids["equity"], 5))
        new = NewTransaction(workspace_id=workspace_id, postings=postings, external_id="x-1")
        address = {
            "workspace_id": workspace_id,
            "transaction_id": service.draft(session, CLOCK, new).transaction_id,
        }
        transaction = service.get_transaction(session, **address)
        assert (cash.balance_minor, transaction.status) == (1000, TransactionStatus.PENDING)
        service.post_draft(session, CLOCK, **address)
        assert service.post(session, CLOCK, new).status is TransactionStatus.POSTED
        assert service.get_transaction(session, **address).posted_at == factories.NOW
        found = service.get_account(session, workspace_id=workspace_id, account_id=ids["cash"])
        assert found.balance_minor == 1005


def test_a_draft_stays_one_when_an_account_of_it_was_closed_meanwhile(database: Database) -> None:
    """Its accounts were open when it was written down; what counts is that they are when it is posted."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        postings = (debit(ids["cash"], 5), credit(ids["equity"], 5))
        drafted = service.draft(session, CLOCK, NewTransaction(workspace_id=workspace_id, postings=postings))
        address = {"workspace_id": workspace_id, "transaction_id": drafted.transaction_id}
        cash = service.get_account(session, workspace_id=workspace_id, account_id=ids["cash"])
        service.update_account(
            session,
            workspace_id=workspace_id,
            account_id=cash.id,
            expected_version=cash.version,
            is_active=False,
        )
        with pytest.raises(InactiveAccountError):
            service.post_draft(session, CLOCK, **address)
        assert service.get_transaction(session, **address).status is TransactionStatus.PENDING


def test_an_account_needs_its_workspace(database: Database) -> None:
    """An unknown workspace is not found, and the session goes on."""
    with database.session() as session:
        with pytest.raises(NotFoundError):
            service.open_account(
                session, workspace_id="nowhere", code="1", name="Cash", type_=AccountType.ASSET
            )
        assert factories.workspace(session).id


def test_nothing_of_another_workspace_is_found(database: Database) -> None:
    """Ids of one workspace mean nothing in another."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        other = factories.workspace(session).id
        posted = service.list_transactions(session, workspace_id=workspace_id, page=PageRequest()).items[0]
        address = OfTransaction(workspace_id=other, transaction_id=posted.id)
        for operation in (
            lambda: service.get_account(session, workspace_id=other, account_id=ids["cash"]),
            lambda: service.update_account(
                session, workspace_id=other, account_id=ids["cash"], expected_version=1, name="Mine"
            ),
            lambda: service.get_transaction(session, **address),
            lambda: service.reverse(session, CLOCK, **address),
            lambda: service.post_draft(session, CLOCK, **address),
            lambda: service.cancel_draft(session, **address),
        ):
            with pytest.raises(NotFoundError):
                operation()
        assert service.get_account(session, workspace_id=workspace_id, account_id=ids["cash"]).name == "cash"
        assert service.list_transactions(session, workspace_id=other, page=PageRequest()).items == ()
        assert service.list_accounts(session, workspace_id=other).items == ()


def test_an_account_of_another_workspace_takes_no_posting(database: Database) -> None:
    """It is not found, and neither workspace has a further transaction."""
    with database.session() as session:
        _, ids = chart(session)
        other, others = chart(session)
        postings = (debit(others["cash"], 5), credit(ids["cash"], 5))
        with pytest.raises(NotFoundError) as caught:
            service.post(session, CLOCK, NewTransaction(workspace_id=other, postings=postings))
        assert ids["cash"] in str(caught.value)
        assert balances(session, other) == {"cash": 1000, "equity": 1000}


def test_only_what_was_posted_can_be_reversed(database: Database) -> None:
    """A draft, and one that was cancelled, never moved anything."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        postings = (debit(ids["expense"], 5), credit(ids["cash"], 5))
        draft = service.draft(session, CLOCK, NewTransaction(workspace_id=workspace_id, postings=postings))
        address = OfTransaction(workspace_id=workspace_id, transaction_id=draft.transaction_id)
        for _ in range(2):
            with pytest.raises(NotReversibleError):
                service.reverse(session, CLOCK, **address)
            if service.get_transaction(session, **address).status is TransactionStatus.PENDING:
                service.cancel_draft(session, **address)
        assert balances(session, workspace_id) == {"cash": 1000, "equity": 1000}
        account = service.get_account(session, workspace_id=workspace_id, account_id=ids["cash"])
        assert (account.name, account.version) == ("cash", 1)


def test_pages_of_transactions_are_newest_first_and_complete(database: Database) -> None:
    """Following the cursor gives every transaction once, also those of one moment."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        clock = ManualClock(factories.NOW)
        for number in range(6):
            clock.set(factories.NOW.replace(minute=number // 3))
            service.transfer(
                session,
                clock,
                workspace_id=workspace_id,
                source_account_id=ids["cash"],
                target_account_id=ids["receivable"],
                amount_minor=1,
            )
        seen, page = [], PageRequest(limit=3)
        while True:
            found = service.list_transactions(session, workspace_id=workspace_id, page=page)
            seen += [(item.created_at, item.id) for item in found.items]
            if found.next is None:
                break
            page = PageRequest(limit=3, after=found.next)
        assert len(set(seen)) == 7
        assert seen == sorted(seen, reverse=True)
        touching = service.list_transactions(
            session, workspace_id=workspace_id, page=PageRequest(), account_id=ids["receivable"]
        )
        assert len(touching.items) == 6


def test_a_pending_transaction_blocks_closing_and_is_named(database: Database) -> None:
    """The one who closes is told what is in the way; once it is cancelled, the period closes."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        postings = (debit(ids["cash"], 5), credit(ids["equity"], 5))
        new = NewTransaction(workspace_id=workspace_id, postings=postings, on=date(2026, 2, 28))
        drafted = service.draft(session, CLOCK, new)
        assert drafted.status is TransactionStatus.PENDING
        close = partial(
            service.close_period,
            session,
            CLOCK,
            workspace_id=workspace_id,
            starts_on=date(2026, 2, 1),
            ends_on=date(2026, 2, 28),
        )
        with pytest.raises(PeriodBlockedError) as caught:
            close()
        assert caught.value.pending == (drafted.transaction_id,)
        service.cancel_draft(session, workspace_id=workspace_id, transaction_id=drafted.transaction_id)
        assert close().closed_at == factories.NOW


@pytest.mark.parametrize("day", [date(2026, 2, 1), date(2026, 2, 28)])
def test_both_ends_of_a_closed_period_are_closed(database: Database, day: date) -> None:
    """The service refuses it by itself, before the schema would."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        service.close_period(
            session, CLOCK, workspace_id=workspace_id, starts_on=date(2026, 2, 1), ends_on=date(2026, 2, 28)
        )
        postings = (debit(ids["cash"], 5), credit(ids["equity"], 5))
        new = NewTransaction(workspace_id=workspace_id, postings=postings, on=day)
        with pytest.raises(PeriodClosedError, match="lies in a closed period"):
            service.post(session, CLOCK, new)


def test_a_repeated_request_is_answered_after_its_period_was_closed(database: Database) -> None:
    """Who asks again with an external id learns what became of it, though it could not be posted now."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        postings = (debit(ids["cash"], 5), credit(ids["equity"], 5))
        new = NewTransaction(
            workspace_id=workspace_id, postings=postings, on=date(2026, 2, 3), external_id="x-1"
        )
        first = service.post(session, CLOCK, new)
        service.close_period(
            session, CLOCK, workspace_id=workspace_id, starts_on=date(2026, 2, 1), ends_on=date(2026, 2, 28)
        )
        again = service.post(session, CLOCK, new)
        assert (again.transaction_id, again.is_new) == (first.transaction_id, False)


def test_a_pattern_stays_in_its_currency(database: Database) -> None:
    """An invoice in dollars against an account in euros is refused by its field."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        euros = service.open_account(
            session,
            workspace_id=workspace_id,
            code="eur",
            name="Euros",
            type_=AccountType.ASSET,
            currency="EUR",
        )
        new = INVOICE.transaction(
            workspace_id=workspace_id,
            debit_account_id=euros.id,
            credit_account_id=ids["revenue"],
            amount_minor=40,
        )
        with pytest.raises(InvalidError) as caught:
            service.post(session, CLOCK, new)
        assert caught.value.field == "currency"


def test_pending_transactions_are_named_by_day(database: Database) -> None:
    """Whoever closes a period finds the oldest first, those of one day in a fixed order."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        postings = (debit(ids["cash"], 5), credit(ids["equity"], 5))
        drafted = []
        for day in (3, 1, 2, 1, 2, 1):
            new = NewTransaction(workspace_id=workspace_id, postings=postings, on=date(2026, 2, day))
            drafted.append((day, service.draft(session, CLOCK, new).transaction_id))
        with pytest.raises(PeriodBlockedError) as caught:
            service.close_period(
                session,
                CLOCK,
                workspace_id=workspace_id,
                starts_on=date(2026, 2, 1),
                ends_on=date(2026, 2, 28),
            )
        assert caught.value.pending == tuple(id_ for _, id_ in sorted(drafted))


@pytest.mark.parametrize("workspace_id", ["nowhere", None])
def test_a_period_needs_a_workspace_and_an_order(database: Database, workspace_id: str | None) -> None:
    """An unknown workspace is not found; a period that ends before it starts is invalid."""
    with database.session() as session:
        known = factories.workspace(session).id
        error = InvalidError if workspace_id is None else NotFoundError
        with pytest.raises(error):
            service.close_period(
                session,
                CLOCK,
                workspace_id=workspace_id or known,
                starts_on=date(2026, 3, 2) if workspace_id is None else date(2026, 3, 1),
                ends_on=date(2026, 3, 1),
            )


def test_a_trial_balance_shows_what_is_lopsided(database: Database) -> None:
    """Without the guards of the schema a lopsided transaction could be written, and the sums would tell."""
    with database.clone() as clone:
        books = factories.books(clone.sessions, 100)
        on_table = " ON ledger_transactions" if database.dialect == "postgresql" else ""
        with unit_of_work(clone.sessions) as session:
            session.execute(text(f"DROP TRIGGER draft_balances{on_table}"))
            postings = (debit(books.asset_ids[0], 7), credit(books.equity_id, 7))
            new = NewTransaction(workspace_id=books.workspace_id, postings=postings)
            drafted = service.draft(session, CLOCK, new)
            lopsided = JournalEntry(
                transaction_id=drafted.transaction_id,
                account_id=books.asset_ids[0],
                workspace_id=books.workspace_id,
                position=2,
                side=Side.DEBIT,
                amount_minor=5,
            )
            factories.add(session, lopsided)
            address = OfTransaction(workspace_id=books.workspace_id, transaction_id=drafted.transaction_id)
            service.post_draft(session, CLOCK, **address)
            found = service.trial_balance(session, workspace_id=books.workspace_id)
            assert (found.debit_minor, found.credit_minor, found.is_balanced) == (112, 107, False)


def test_a_trial_balance_is_of_one_currency(database: Database) -> None:
    """Amounts of different currencies are never added up."""
    with database.session() as session:
        workspace_id, _ = chart(session)
        euros = [
            service.open_account(
                session, workspace_id=workspace_id, code=code, name=code, type_=type_, currency="EUR"
            ).id
            for code, type_ in (("e1", AccountType.ASSET), ("e2", AccountType.EQUITY))
        ]
        postings = (debit(euros[0], 70), credit(euros[1], 70))
        new = NewTransaction(workspace_id=workspace_id, postings=postings, currency="EUR")
        service.post(session, CLOCK, new)
        sums = {
            currency: service.trial_balance(session, workspace_id=workspace_id, currency=currency).debit_minor
            for currency in ("USD", "EUR", "GBP")
        }
        assert sums == {"USD": 1000, "EUR": 70, "GBP": 0}


def test_discrepancies_name_a_damaged_account(database: Database) -> None:
    """A balance changed behind the ledger's back is found."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        assert service.list_discrepancies(session, workspace_id=workspace_id) == []
        session.execute(update(Account).where(Account.id == ids["cash"]).values(balance_minor=999))
        found = service.list_discrepancies(session, workspace_id=workspace_id)
        assert [(item.account_id, item.balance_minor, item.entries_minor) for item in found] == [
            (ids["cash"], 999, 1000)
        ]


def test_a_transaction_keeps_its_details_and_entries(database: Database) -> None:
    """What was asked for is what is found, the entries in their order."""
    with database.session() as session:
        workspace_id, ids = chart(session)
        postings = (debit(ids["cash"], 2), debit(ids["expense"], 3), credit(ids["equity"], 5))
        new = NewTransaction(
            workspace_id=workspace_id,
            postings=postings,
            on=date(2026, 2, 3),
            external_id="x-1",
            source="import",
            description="three lines",
            project_id="p-1",
        )
        receipt = service.post(session, CLOCK, new)
        found = service.get_transaction(
            session, workspace_id=workspace_id, transaction_id=receipt.transaction_id
        )
        assert (found.external_id, found.source, found.description) == ("x-1", "import", "three lines")
        assert (found.transaction_date, found.amount_minor, found.project_id) == (date(2026, 2, 3), 5, "p-1")
        assert (found.created_at, found.posted_at) == (factories.NOW, factories.NOW)
        entries = service.list_entries(session, workspace_id=workspace_id, transaction_id=found.id)
        assert [(entry.account_id, entry.side, entry.amount_minor) for entry in entries] == [
            (ids["cash"], Side.DEBIT, 2),
            (ids["expense"], Side.DEBIT, 3),
            (ids["equity"], Side.CREDIT, 5),
        ]
