"""What may be posted, without a database."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from atom.kit.errors import InvalidError
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.ledger.postings import (
    INVOICE,
    MAX_POSTINGS,
    PATTERNS,
    AccountType,
    NewTransaction,
    Posting,
    Side,
    credit,
    debit,
    normal_side,
    reversal,
)

PAIR = (debit("a", 5), credit("b", 5))


@pytest.mark.parametrize("amount_minor", [0, -1, MAX_AMOUNT_MINOR + 1])
def test_an_amount_is_positive_and_bounded(amount_minor: int) -> None:
    """Direction is the side's business, never the sign's."""
    with pytest.raises(InvalidError) as caught:
        debit("a", amount_minor)
    assert caught.value.field == "amount_minor"


def test_the_largest_amount_can_be_posted() -> None:
    """The bound itself is allowed."""
    assert debit("a", MAX_AMOUNT_MINOR).amount_minor == MAX_AMOUNT_MINOR


@pytest.mark.parametrize(
    "postings",
    [
        (),
        (debit("a", 5),),
        (debit("a", 5), debit("b", 5)),
        (debit("a", 5), credit("b", 4)),
        (debit("a", 1), credit("b", 1)) * (MAX_POSTINGS // 2) + (debit("a", 1), credit("b", 1)),
    ],
)
def test_postings_are_at_least_two_and_balance(postings: tuple[Posting, ...]) -> None:
    """What does not balance cannot even be made."""
    with pytest.raises(InvalidError) as caught:
        NewTransaction(workspace_id="w", postings=postings)
    assert caught.value.field == "postings"


@pytest.mark.parametrize("field", ["external_id", "source", "description"])
@pytest.mark.parametrize("text", ["", "  ", "nul \0", "\ud800", "x" * 2001])
def test_text_that_cannot_be_stored_is_refused(field: str, text: str) -> None:
    """The error names the field."""
    named: dict[str, Any] = {field: text}
    with pytest.raises(InvalidError) as caught:
        NewTransaction(workspace_id="w", postings=PAIR, **named)
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["external_id", "source"])
def test_a_name_of_two_hundred_letters_is_short_enough(field: str) -> None:
    """Outside data is kept as long as it says; one more letter is refused."""
    short: dict[str, Any] = {field: "x" * 200}
    long: dict[str, Any] = {field: "x" * 201}
    assert getattr(NewTransaction(workspace_id="w", postings=PAIR, **short), field) == "x" * 200
    with pytest.raises(InvalidError):
        NewTransaction(workspace_id="w", postings=PAIR, **long)


def test_bounds_of_a_transaction_are_allowed() -> None:
    """Five hundred postings and a description of two thousand letters are not too much."""
    pairs = PAIR * 250
    assert NewTransaction(workspace_id="w", postings=pairs, description="x" * 2000).amount_minor == 1250


def test_the_amount_is_one_side() -> None:
    """A transaction moves what it debits."""
    postings = (debit("a", 5), debit("b", 7), credit("c", 12))
    assert NewTransaction(workspace_id="w", postings=postings).amount_minor == 12


def test_a_reversal_swaps_the_sides() -> None:
    """Reversing twice gives the postings themselves."""
    assert reversal(PAIR) == (credit("a", 5), debit("b", 5))
    assert reversal(reversal(PAIR)) == PAIR


@pytest.mark.parametrize(
    ("type_", "side"),
    [
        (AccountType.ASSET, Side.DEBIT),
        (AccountType.EXPENSE, Side.DEBIT),
        (AccountType.LIABILITY, Side.CREDIT),
        (AccountType.EQUITY, Side.CREDIT),
        (AccountType.REVENUE, Side.CREDIT),
    ],
)
def test_an_account_grows_on_the_side_of_its_type(type_: AccountType, side: Side) -> None:
    """Assets and expenses grow by debits, everything else by credits."""
    assert normal_side(type_) is side


def test_a_pattern_names_itself_as_the_source() -> None:
    """A report can tell invoices from bills."""
    make = partial(
        INVOICE.transaction, workspace_id="w", debit_account_id="a", credit_account_id="b", amount_minor=5
    )
    new = make()
    assert (new.source, new.postings, new.pattern) == ("invoice", PAIR, INVOICE)
    assert make(source="import").source == "import"


def test_a_pattern_needs_two_accounts() -> None:
    """Money does not move from an account to itself."""
    with pytest.raises(InvalidError):
        INVOICE.transaction(workspace_id="w", debit_account_id="a", credit_account_id="a", amount_minor=5)


def test_patterns_have_names_of_their_own() -> None:
    """Each pattern can be told by its name."""
    assert len({pattern.name for pattern in PATTERNS}) == len(PATTERNS) == 5
