"""Laws of money and postings, for the mutants of `kit/money.py` and `ledger/postings.py`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atom.kit.errors import InvalidError
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.ledger.postings import (
    MAX_DESCRIPTION,
    PATTERNS,
    AccountType,
    NewTransaction,
    Pattern,
    Posting,
    Side,
    credit,
    debit,
    normal_side,
    reversal,
    total,
)

settings.register_profile("laws", max_examples=50, database=None, derandomize=True, deadline=None)
settings.load_profile("laws")

ids = st.text("abcdef", min_size=1, max_size=4)
amounts = st.integers(1, MAX_AMOUNT_MINOR)
postings = st.builds(Posting, account_id=ids, side=st.sampled_from(Side), amount_minor=amounts)
many = st.lists(postings, max_size=8)


@given(amount_minor=st.one_of(st.integers(-5, 5), st.integers(MAX_AMOUNT_MINOR - 2, MAX_AMOUNT_MINOR + 2)))
def test_an_amount_is_positive_and_bounded(amount_minor: int) -> None:
    """Amounts from one to the largest can be posted, and no others."""
    if 1 <= amount_minor <= 10**15:
        assert debit("a", amount_minor) == Posting(account_id="a", side=Side.DEBIT, amount_minor=amount_minor)
        return
    with pytest.raises(InvalidError) as caught:
        debit("a", amount_minor)
    assert caught.value.field == "amount_minor"


@given(account_id=ids, amount_minor=amounts)
def test_a_debit_and_a_credit_are_on_opposite_sides(account_id: str, amount_minor: int) -> None:
    """The two makers differ in nothing but the side."""
    one, other = debit(account_id, amount_minor), credit(account_id, amount_minor)
    assert (one.account_id, one.amount_minor) == (other.account_id, other.amount_minor)
    assert (one.side, other.side) == (Side.DEBIT, Side.CREDIT)


@given(side=st.sampled_from(Side))
def test_the_opposite_of_the_opposite_is_the_side(side: Side) -> None:
    """There are two sides."""
    assert side.opposite is not side
    assert side.opposite.opposite is side


@given(one=many, other=many, side=st.sampled_from(Side))
def test_totals_add_up(one: list[Posting], other: list[Posting], side: Side) -> None:
    """The total of two lists together is the sum of their totals."""
    assert total([*one, *other], side) == total(one, side) + total(other, side)


@given(lines=many)
def test_the_totals_of_both_sides_are_everything(lines: list[Posting]) -> None:
    """Each posting counts on one side."""
    assert total(lines, Side.DEBIT) + total(lines, Side.CREDIT) == sum(line.amount_minor for line in lines)


@given(lines=many)
def test_a_reversal_is_undone_by_a_reversal(lines: list[Posting]) -> None:
    """A reversal has each side's total on the other side, and its reversal is the original."""
    undone = reversal(lines)
    assert total(undone, Side.DEBIT) == total(lines, Side.CREDIT)
    assert reversal(undone) == tuple(lines)


@given(parts=st.lists(st.integers(1, 1000), max_size=5), off=st.sampled_from((0, 0, 1, -1)))
def test_a_transaction_balances(parts: list[int], off: int) -> None:
    """What does not balance, or has no posting, is refused; the amount is that of one side."""
    credited = sum(parts) + off
    lines = [*(debit("a", part) for part in parts), *([credit("b", credited)] if credited > 0 else [])]
    if parts and off == 0:
        assert NewTransaction(workspace_id="w", postings=tuple(lines)).amount_minor == sum(parts)
        return
    with pytest.raises(InvalidError) as caught:
        NewTransaction(workspace_id="w", postings=tuple(lines))
    assert caught.value.field == "postings"


@given(text=st.text(max_size=4), field=st.sampled_from(("source", "external_id", "description")), long=st.booleans())
def test_text_is_neither_blank_nor_too_long(text: str, field: str, long: bool) -> None:
    """A transaction keeps text that a database can store, and refuses the rest by the name of the field."""
    most = MAX_DESCRIPTION if field == "description" else 200
    text = "x" * (most + 1) if long else text
    pair = (debit("a", 5), credit("b", 5))
    if text.strip() and not long and "\0" not in text:
        kept = getattr(NewTransaction(workspace_id="w", postings=pair, **{field: text}), field)
        assert kept == text
        return
    with pytest.raises(InvalidError) as caught:
        NewTransaction(workspace_id="w", postings=pair, **{field: text})
    assert caught.value.field == field


@given(pattern=st.sampled_from(PATTERNS), one=ids, other=ids, amount_minor=amounts)
def test_a_pattern_makes_its_transaction(pattern: Pattern, one: str, other: str, amount_minor: int) -> None:
    """A pattern debits one account and credits another, and names itself as the source."""
    accounts = {"debit_account_id": one, "credit_account_id": other}
    if one == other:
        with pytest.raises(InvalidError):
            pattern.transaction(workspace_id="w", amount_minor=amount_minor, **accounts)
        return
    made = pattern.transaction(workspace_id="w", amount_minor=amount_minor, **accounts)
    assert made.postings == (debit(one, amount_minor), credit(other, amount_minor))
    assert (made.source, made.pattern, made.workspace_id) == (pattern.name, pattern, "w")
    assert (pattern.expects(Side.DEBIT), pattern.expects(Side.CREDIT)) == (pattern.debit, pattern.credit)


@given(type_=st.sampled_from(AccountType))
def test_an_account_grows_on_one_side(type_: AccountType) -> None:
    """Assets and expenses grow by debits, everything else by credits."""
    grows_on_debit = type_.value in ("asset", "expense")
    assert normal_side(type_) is (Side.DEBIT if grows_on_debit else Side.CREDIT)
