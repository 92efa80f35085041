"""Invariants 12, 13, 15, 16 and 18: what is posted balances, and what is refused changes nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date, datetime, timedelta
from functools import partial
from itertools import chain, product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.kit.errors import AtomError, InvalidError, NotFoundError, StaleVersionError
from atom.kit.ids import new_id
from atom.kit.pagination import Page, PageRequest
from atom.ledger import service
from atom.ledger.errors import (
    DuplicateCodeError,
    ExternalIdReusedError,
    InactiveAccountError,
    NotReversibleError,
    OverdraftError,
    PeriodBlockedError,
    PeriodClosedError,
)
from atom.ledger.models import TransactionStatus
from atom.ledger.postings import AccountType, NewTransaction, Posting, Side, credit, debit, normal_side
from atom.ledger.rows import Header
from tests import factories
from tests.database import Database
from tests.factories import NOW, Books
from tests.keywords import OfAccount, OfTransaction, OfWorkspace
from tests.pages import follow
from tests.property_tests.ledger import strategies
from tests.property_tests.ledger.strategies import FUNDS_MINOR, DatedDeed, Defect, Line, Move

CLOCK = ManualClock(NOW)

Sessions = sessionmaker[Session]


def two_accounts(sessions: Sessions) -> Books:
    """Two accounts that two transfers can overdraw."""
    return factories.books(sessions, FUNDS_MINOR, FUNDS_MINOR)


def two_rich_accounts(sessions: Sessions) -> Books:
    """Two accounts with enough money for every transfer."""
    return factories.books(sessions, 1000, 1000)


def three_accounts(sessions: Sessions) -> Books:
    """Three accounts, one of them empty."""
    return factories.books(sessions, FUNDS_MINOR, 2 * FUNDS_MINOR, 0)


def account_of_each_type(sessions: Sessions) -> tuple[str, dict[AccountType, str]]:
    """A workspace with one account of each type, none with a floor."""
    with unit_of_work(sessions) as session:
        workspace_id = factories.workspace(session).id
        accounts = {
            type_: service.open_account(
                session, workspace_id=workspace_id, code=type_, name=type_, type_=type_, floor_minor=None
            ).id
            for type_ in AccountType
        }
    return workspace_id, accounts


@pytest.mark.invariant(12)
@given(transactions=st.lists(strategies.balanced_lines, min_size=1, max_size=3))
def test_posted_transactions_balance(database: Database, transactions: list[tuple[Line, ...]]) -> None:
    """Invariant 12: total debits equal total credits, and each balance is the sum of what was posted."""
    with (
        database.prepared(account_of_each_type) as (sessions, (workspace_id, accounts)),
        sessions() as session,
    ):
        for lines in transactions:
            postings = tuple(line.on(accounts) for line in lines)
            service.post(session, CLOCK, NewTransaction(workspace_id=workspace_id, postings=postings))
        total = service.trial_balance(session, workspace_id=workspace_id)
        assert total.is_balanced
        assert total.debit_minor == sum(
            line.amount_minor for lines in transactions for line in lines if line.side is Side.DEBIT
        )
        assert service.list_discrepancies(session, workspace_id=workspace_id) == []
        assert balances_by_type(session, workspace_id) == effect_of(transactions)


REFUSED_WITH: dict[Defect, type[AtomError]] = {
    Defect.UNBALANCED: InvalidError,
    Defect.ONE_SIDED: InvalidError,
    Defect.EMPTY: InvalidError,
    Defect.ZERO_AMOUNT: InvalidError,
    Defect.NEGATIVE_AMOUNT: InvalidError,
    Defect.UNKNOWN_ACCOUNT: NotFoundError,
    Defect.FOREIGN_ACCOUNT: NotFoundError,
    Defect.OTHER_CURRENCY: InvalidError,
    Defect.INACTIVE_ACCOUNT: InactiveAccountError,
    Defect.CLOSED_PERIOD: PeriodClosedError,
    Defect.OVERDRAFT: OverdraftError,
    Defect.REUSED_EXTERNAL_ID: ExternalIdReusedError,
}
CLOSED_DAY = date(2025, 12, 31)
TAKEN = "bank-1"


def books_with_everything_forbidden(sessions: Sessions) -> tuple[Books, dict[Defect, str]]:
    """Two accounts that may be posted to, accounts that may not, a closed period and a used external id."""
    books = factories.books(sessions, FUNDS_MINOR, FUNDS_MINOR)
    foreign = factories.books(sessions, FUNDS_MINOR)
    open_account = partial(
        service.open_account, workspace_id=books.workspace_id, name="Account", type_=AccountType.ASSET
    )
    with unit_of_work(sessions) as session:
        euro = open_account(session, code="eur", currency="EUR")
        closed = open_account(session, code="old")
        service.update_account(
            session,
            workspace_id=books.workspace_id,
            account_id=closed.id,
            expected_version=1,
            is_active=False,
        )
        service.close_period(
            session, CLOCK, workspace_id=books.workspace_id, starts_on=date(2025, 1, 1), ends_on=CLOSED_DAY
        )
        postings = (debit(books.asset_ids[0], 1), credit(books.equity_id, 1))
        taken = NewTransaction(workspace_id=books.workspace_id, postings=postings, external_id=TAKEN)
        service.post(session, CLOCK, taken)
    return books, {
        Defect.UNKNOWN_ACCOUNT: new_id(),
        Defect.FOREIGN_ACCOUNT: foreign.asset_ids[0],
        Defect.OTHER_CURRENCY: euro.id,
        Defect.INACTIVE_ACCOUNT: closed.id,
    }


@pytest.mark.invariant(13)
@given(
    defect=st.sampled_from(Defect),
    amount_minor=st.integers(1, FUNDS_MINOR),
    is_swapped=st.booleans(),
    n_good=st.integers(0, 2),
)
def test_rejected_post_changes_nothing(
    database: Database, defect: Defect, amount_minor: int, is_swapped: bool, n_good: int
) -> None:
    """Invariant 13: a rejected post leaves no row behind, even if its caller goes on and commits."""
    with database.prepared(books_with_everything_forbidden) as (sessions, (books, bad_accounts)):
        before = database.snapshot()
        with unit_of_work(sessions) as session, pytest.raises(REFUSED_WITH[defect]):
            service.post(session, CLOCK, defective(books, bad_accounts, defect, amount_minor, is_swapped))
        assert database.snapshot() == before
        with unit_of_work(sessions) as session:
            for _ in range(n_good):
                books.transfer(session, 0, 1, 1)
            with pytest.raises(REFUSED_WITH[defect]):
                service.post(session, CLOCK, defective(books, bad_accounts, defect, amount_minor, is_swapped))
        assert books.balances(sessions) == (FUNDS_MINOR + 1 - n_good, FUNDS_MINOR + n_good)


def defective(
    books: Books, bad_accounts: dict[Defect, str], defect: Defect, amount_minor: int, is_swapped: bool
) -> NewTransaction:
    """
    A transaction between the books' two accounts with this one defect; it raises if none can be constructed.
    """
    amounts = {
        Defect.ZERO_AMOUNT: (0, 0),
        Defect.NEGATIVE_AMOUNT: (-amount_minor, -amount_minor),
        Defect.UNBALANCED: (amount_minor, amount_minor + 1),
        Defect.OVERDRAFT: (3 * FUNDS_MINOR + amount_minor,) * 2,
    }
    first, second = amounts.get(defect, (amount_minor, amount_minor))
    a, b = books.asset_ids[0], bad_accounts.get(defect, books.asset_ids[1])
    if is_swapped:
        a, b = b, a
    postings: tuple[Posting, ...] = (debit(a, first), credit(b, second))
    if defect is Defect.ONE_SIDED:
        postings = (debit(a, first), debit(b, second))
    elif defect is Defect.EMPTY:
        postings = ()
    return NewTransaction(
        workspace_id=books.workspace_id,
        postings=postings,
        on=CLOSED_DAY if defect is Defect.CLOSED_PERIOD else None,
        external_id=TAKEN if defect is Defect.REUSED_EXTERNAL_ID else None,
    )


def two_open_books(sessions: Sessions) -> tuple[Books, Books]:
    """Two workspaces with funds and no closed period."""
    return factories.books(sessions, FUNDS_MINOR), factories.books(sessions, FUNDS_MINOR)


def may_close(days: range, closed: list[range], pending: list[int]) -> bool:
    """Whether a range contains no closed day and no draft."""
    return not any(set(days) & set(others) for others in closed) and not set(days) & set(pending)


@pytest.mark.invariant(13)
@given(deeds=st.lists(strategies.dated_deeds, min_size=2, max_size=8))
def test_closed_days_are_closed_in_their_workspace(database: Database, deeds: list[DatedDeed]) -> None:
    """
    Invariant 13: a day cannot be closed twice or while it has a draft, and nothing can be posted or drafted
    on a closed day; another workspace's days do not matter.
    """
    with database.prepared(two_open_books) as (sessions, both), sessions() as session:
        closed: tuple[list[range], list[range]] = ([], [])
        pending: tuple[list[int], list[int]] = ([], [])
        for deed in deeds:
            books, own_closed, own_pending = both[deed.place], closed[deed.place], pending[deed.place]
            if deed.closes:
                days = range(deed.day, deed.day + deed.n_days)
                is_accepted = may_close(days, own_closed, own_pending)
                with refusing(not is_accepted, PeriodClosedError, PeriodBlockedError):
                    service.close_period(
                        session,
                        CLOCK,
                        workspace_id=books.workspace_id,
                        starts_on=date(2026, 1, deed.day),
                        ends_on=date(2026, 1, days[-1]),
                    )
                    own_closed.append(days)
            else:
                write = service.draft if deed.is_draft else service.post
                postings = (debit(books.asset_ids[0], 1), credit(books.equity_id, 1))
                with refusing(any(deed.day in days for days in own_closed), PeriodClosedError):
                    on = date(2026, 1, deed.day)
                    new = NewTransaction(workspace_id=books.workspace_id, postings=postings, on=on)
                    write(session, CLOCK, new)
                    own_pending += [deed.day] if deed.is_draft else []


@contextmanager
def refusing(is_refused: bool, *errors: type[AtomError]) -> Iterator[None]:
    """Require that the block raises one of the errors, or that it raises nothing."""
    with pytest.raises(errors) if is_refused else nullcontext():
        yield


@pytest.mark.invariant(15)
@given(moves=st.lists(strategies.moves(3), min_size=1, max_size=5))
def test_transfers_conserve_money_above_the_floor(database: Database, moves: list[Move]) -> None:
    """
    Invariant 15: transfers keep the sum of the balances, no account falls below its floor, and only a
    transfer that would overdraw its source is refused.
    """
    with database.prepared(three_accounts) as (sessions, books), sessions() as session:
        expected = [FUNDS_MINOR, 2 * FUNDS_MINOR, 0]
        for move in moves:
            is_covered = expected[move.source] >= move.amount_minor
            try:
                books.transfer(session, move.source, move.target, move.amount_minor)
            except OverdraftError:
                assert not is_covered
            else:
                assert is_covered
                expected[move.source] -= move.amount_minor
                expected[move.target] += move.amount_minor
        balances = balances_of(session, books)
        assert sum(balances) == 3 * FUNDS_MINOR
        assert min(balances) >= 0
        assert balances == tuple(expected)


def balances_of(session: Session, books: Books) -> tuple[int, ...]:
    """The balances of the asset accounts, as the session's transaction has them."""
    accounts = service.list_accounts(session, workspace_id=books.workspace_id).items
    found = {account.id: account.balance_minor for account in accounts}
    return tuple(found[id_] for id_ in books.asset_ids)


@pytest.mark.invariant(15)
@given(amount_minor=st.integers(1, FUNDS_MINOR), source=st.integers(0, 1))
def test_transfer_and_back_restores_both_balances(database: Database, amount_minor: int, source: int) -> None:
    """Invariant 15: a transfer followed by the same transfer back restores both balances."""
    with database.prepared(two_accounts) as (sessions, books), sessions() as session:
        books.transfer(session, source, 1 - source, amount_minor)
        assert balances_of(session, books) != (FUNDS_MINOR, FUNDS_MINOR)
        books.transfer(session, 1 - source, source, amount_minor)
        assert balances_of(session, books) == (FUNDS_MINOR, FUNDS_MINOR)


@pytest.mark.invariant(16)
@given(
    transactions=st.lists(strategies.balanced_lines, min_size=1, max_size=3), place=st.sampled_from((0, 1, 2))
)
def test_reversal_restores_every_balance(
    database: Database, transactions: list[tuple[Line, ...]], place: int
) -> None:
    """
    Invariant 16: after a reversal, the balances are as if the transaction had never been posted;
    it can be reversed only once.
    """
    with (
        database.prepared(account_of_each_type) as (sessions, (workspace_id, accounts)),
        sessions() as session,
    ):
        ids = []
        for lines in transactions:
            postings = tuple(line.on(accounts) for line in lines)
            new = NewTransaction(workspace_id=workspace_id, postings=postings)
            ids.append(service.post(session, CLOCK, new).transaction_id)
        place = min(place, len(ids) - 1)
        wrong = OfTransaction(workspace_id=workspace_id, transaction_id=ids[place])
        service.reverse(session, CLOCK, **wrong)
        found = balances_by_type(session, workspace_id)
        assert found == effect_of([*transactions[:place], *transactions[place + 1 :]])
        with pytest.raises(NotReversibleError):
            service.reverse(session, CLOCK, **wrong)
        assert balances_by_type(session, workspace_id) == found


@pytest.mark.invariant(16)
@given(
    days_before=st.integers(0, 40),
    days_later=st.integers(0, 40),
    on=st.none() | st.integers(-40, 40),
    is_closed=st.booleans(),
)
@example(days_before=3, days_later=1, on=None, is_closed=False)
@example(days_before=3, days_later=1, on=None, is_closed=True)
def test_a_reversal_is_dated_today_unless_it_says_otherwise(
    database: Database, days_before: int, days_later: int, on: int | None, is_closed: bool
) -> None:
    """
    Invariant 16: a reversal is dated today unless it names a day,
    whatever the date of the original, which does not change.
    """
    clock = ManualClock(NOW)
    posted_on = (NOW - timedelta(days=days_before)).date()
    with database.prepared(two_rich_accounts) as (sessions, books), sessions() as session:
        scope = OfWorkspace(workspace_id=books.workspace_id)
        postings = (debit(books.asset_ids[0], 1), credit(books.asset_ids[1], 1))
        new = NewTransaction(postings=postings, on=posted_on, **scope)
        wrong = service.post(session, clock, new).transaction_id
        if is_closed:
            service.close_period(session, clock, starts_on=posted_on, ends_on=posted_on, **scope)
        today = clock.advance(timedelta(days=days_later)).date()
        wanted = today if on is None else today + timedelta(days=on)
        day = None if on is None else wanted
        with refusing(is_closed and wanted == posted_on, PeriodClosedError):
            receipt = service.reverse(session, clock, transaction_id=wrong, on=day, **scope)
            found = service.get_transaction(session, transaction_id=receipt.transaction_id, **scope)
            assert (found.transaction_date, found.reverses_id) == (wanted, wrong)
            assert (found.created_at, found.posted_at) == (clock.now(), clock.now())
            original = service.get_transaction(session, transaction_id=wrong, **scope)
            assert original.transaction_date == posted_on


@pytest.mark.invariant(13)
@pytest.mark.parametrize("whose", ["of another workspace", "of nobody"])
@given(
    is_active=st.none() | st.booleans(),
    name=st.none() | st.sampled_from(("Cash", " Bank ")),
    version=st.integers(0, 3),
)
def test_an_account_is_changed_by_its_workspace_at_its_version(
    database: Database, whose: str, is_active: bool | None, name: str | None, version: int
) -> None:
    """
    Invariant 13: a change to an account of another workspace, to an unknown one, or with a wrong version is
    refused and writes nothing, even if its caller commits.
    """
    with database.prepared(two_open_books) as (sessions, (own, other)):
        before = database.snapshot()
        change = partial(service.update_account, expected_version=version, name=name, is_active=is_active)
        foreign = other.asset_ids[0] if whose == "of another workspace" else new_id()
        with unit_of_work(sessions) as session, pytest.raises(NotFoundError):
            change(session, workspace_id=own.workspace_id, account_id=foreign)
        assert database.snapshot() == before
        account = OfAccount(workspace_id=own.workspace_id, account_id=own.asset_ids[0])
        with unit_of_work(sessions) as session:
            if version != 1:
                with pytest.raises(StaleVersionError):
                    change(session, **account)
            else:
                change(session, **account)
        if version != 1:
            assert database.snapshot() == before
        with sessions() as session:
            found = service.get_account(session, **account)
            is_changed = version == 1
            assert found.version == 1 + is_changed
            assert found.name == (name.strip() if is_changed and name else "Account")
            assert found.is_active is (is_active if is_changed and is_active is not None else True)
            assert found.balance_minor == FUNDS_MINOR


DEEDS = ("post", "draft", "post a draft", "cancel a draft", "reverse")


@pytest.mark.invariant(16)
@given(
    story=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 1), st.booleans()), max_size=6),
    limit=st.integers(1, 3),
)
@example(story=[("draft", 0, False), ("post a draft", 0, False)], limit=1)
@example(story=[("post", 0, True), ("post", 1, False), ("draft", 1, False)], limit=1)
@example(story=[("post", 0, True), ("reverse", 0, False)], limit=1)
def test_every_deed_has_its_moment_and_is_listed_for_its_accounts(
    database: Database, story: list[tuple[str, int, bool]], limit: int
) -> None:
    """
    Invariant 16: a transaction records when it was written and when it was posted, and an account lists
    exactly the transactions that it is part of.
    """
    clock = ManualClock(NOW)
    with database.prepared(two_currencies) as (sessions, (books, euros)), sessions() as session:
        scope = OfWorkspace(workspace_id=books.workspace_id)
        model: dict[str, tuple[TransactionStatus, datetime, datetime | None, int, bool]] = {}
        for deed, account, is_euro in story:
            now = clock.advance(timedelta(hours=1))
            drafts = [id_ for id_, row in model.items() if row[0] is TransactionStatus.PENDING]
            posted = [id_ for id_, row in model.items() if row[0] is TransactionStatus.POSTED]
            if deed in ("post", "draft"):
                side = euros if is_euro else (books.asset_ids[account], books.equity_id)
                new = NewTransaction(
                    postings=(debit(side[0], 2), credit(side[1], 2)),
                    currency="EUR" if is_euro else "USD",
                    **scope,
                )
                write = service.post if deed == "post" else service.draft
                receipt = write(session, clock, new)
                at = now if deed == "post" else None
                model[receipt.transaction_id] = (receipt.status, now, at, account, is_euro)
            elif deed == "post a draft" and drafts:
                service.post_draft(session, clock, transaction_id=drafts[0], **scope)
                _, made, _, account, is_euro = model[drafts[0]]
                model[drafts[0]] = (TransactionStatus.POSTED, made, now, account, is_euro)
            elif deed == "cancel a draft" and drafts:
                service.cancel_draft(session, transaction_id=drafts[0], **scope)
                _, made, at, account, is_euro = model[drafts[0]]
                model[drafts[0]] = (TransactionStatus.CANCELLED, made, at, account, is_euro)
            elif deed == "reverse" and len(posted) == 1:
                receipt = service.reverse(session, clock, transaction_id=posted[0], **scope)
                model[receipt.transaction_id] = (TransactionStatus.POSTED, now, now, *model[posted[0]][3:])
                break
        for number, account_id in enumerate(books.asset_ids):

            def read(page: PageRequest, account_id: str = account_id) -> Page[Header]:
                return service.list_transactions(session, account_id=account_id, page=page, **scope)

            found = follow(
                read,
                limit=limit,
                most=len(model) + 1,
            )
            own = {id_: row for id_, row in model.items() if row[3] == number and not row[4]}
            funding = 1
            assert len(found) == len(own) + funding
            assert {
                row.id: (row.status, row.created_at, row.posted_at) for row in found if row.id in model
            } == {id_: row[:3] for id_, row in own.items()}
        for currency, is_euro in (("USD", False), ("EUR", True)):
            moved = sum(
                2 for row in model.values() if row[0] is TransactionStatus.POSTED and row[4] is is_euro
            )
            total = service.trial_balance(session, currency=currency, **scope)
            funds = 0 if is_euro else 2 * FUNDS_MINOR
            assert (total.debit_minor, total.credit_minor) == (funds + moved, funds + moved)


def two_currencies(sessions: Sessions) -> tuple[Books, tuple[str, str]]:
    """Books with two funded accounts, and two accounts in euros without a floor."""
    books = factories.books(sessions, FUNDS_MINOR, FUNDS_MINOR)
    with unit_of_work(sessions) as session:
        first, second = (
            service.open_account(
                session,
                workspace_id=books.workspace_id,
                code=code,
                name=code,
                type_=AccountType.ASSET,
                currency="EUR",
                floor_minor=None,
            ).id
            for code in ("e1", "e2")
        )
    return books, (first, second)


def effect_of(transactions: list[tuple[Line, ...]]) -> dict[AccountType, int]:
    """What the transactions add to the balance of each type."""
    effect = dict.fromkeys(AccountType, 0)
    for line in chain.from_iterable(transactions):
        is_growth = line.side is normal_side(line.type)
        effect[line.type] += line.amount_minor if is_growth else -line.amount_minor
    return effect


def balances_by_type(session: Session, workspace_id: str) -> dict[AccountType, int]:
    """The balances of a workspace with one account of each type."""
    accounts = service.list_accounts(session, workspace_id=workspace_id).items
    return {account.type: account.balance_minor for account in accounts}


DETAILS: tuple[dict[str, Any], ...] = (
    {},
    {"project_id": "p-1"},
    {"source": "import"},
    {"description": "three lines"},
    {"currency": "EUR"},
)
"""What a transaction may say in addition to what it moves."""


@pytest.mark.invariant(16)
@given(requests=st.lists(st.sampled_from([*product("ab", (1, 2), DETAILS)]), min_size=1, max_size=5))
@example(requests=[("a", 1, DETAILS[0]), *(("a", 1, details) for details in DETAILS)])
def test_an_external_id_is_posted_once(
    database: Database, requests: list[tuple[str, int, dict[str, Any]]]
) -> None:
    """
    Invariant 16: repeating a request with the same external id writes nothing;
    a different request with that id is refused.
    """
    with database.prepared(two_rich_accounts) as (sessions, books), sessions() as session:
        posted: dict[str, tuple[str, int, dict[str, Any]]] = {}
        for external_id, amount_minor, details in requests:
            new = NewTransaction(
                workspace_id=books.workspace_id,
                postings=(debit(books.asset_ids[0], amount_minor), credit(books.asset_ids[1], amount_minor)),
                external_id=external_id,
                **details,
            )
            try:
                receipt = service.post(session, CLOCK, new)
            except ExternalIdReusedError:
                assert posted[external_id][1:] != (amount_minor, details)
            except InvalidError:  # the accounts are in dollars
                assert external_id not in posted
                assert "currency" in details
            else:
                assert receipt.is_new == (external_id not in posted)
                asked = (receipt.transaction_id, amount_minor, details)
                assert asked == posted.setdefault(external_id, asked)
        moved = sum(amount_minor for _, amount_minor, _ in posted.values())
        assert balances_of(session, books) == (1000 + moved, 1000 - moved)


def two_workspaces(sessions: Sessions) -> tuple[str, str]:
    """Two workspaces without accounts."""
    with unit_of_work(sessions) as session:
        return factories.workspace(session).id, factories.workspace(session).id


def form_of(code: str) -> str:
    """The form in which a code is stored: codes that look the same are equal."""
    return unicodedata.normalize("NFC", code).strip()


@pytest.mark.invariant(18)
@example(opened=[(0, "caf\u00e9"), (0, "cafe\u0301"), (1, "cafe\u0301")])
@given(
    opened=st.lists(
        st.sampled_from([*product((0, 1), ("1000", " 1000 ", "A", "caf\u00e9", "cafe\u0301"))]),
        min_size=1,
        max_size=6,
    )
)
def test_account_codes_are_unique_in_a_workspace(database: Database, opened: list[tuple[int, str]]) -> None:
    """
    Invariant 18: a workspace has each account code at most once, whatever the order;
    after a refusal the session stays usable.
    """
    with database.prepared(two_workspaces) as (sessions, workspaces), sessions() as session:
        expected: list[set[str]] = [set(), set()]
        for number, code in opened:
            try:
                service.open_account(
                    session,
                    workspace_id=workspaces[number],
                    code=code,
                    name="Account",
                    type_=AccountType.ASSET,
                )
            except DuplicateCodeError:
                assert form_of(code) in expected[number]
            else:
                assert form_of(code) not in expected[number]
                expected[number].add(form_of(code))
        for workspace_id, codes in zip(workspaces, expected, strict=True):
            accounts = service.list_accounts(session, workspace_id=workspace_id).items
            assert [account.code for account in accounts] == sorted(codes)
