"""A cursor survives its trip through a client, and nothing else passes for one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.kit.errors import InvalidError
from atom.kit.pagination import MAX_LIMIT, Cursor, PageRequest
from tests.factories import NOW

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])


@given(at=st.datetimes(timezones=ZONES), id_=st.from_regex("[!-~]{1,36}", fullmatch=True))
def test_a_decoded_cursor_gives_the_same_place(at: datetime, id_: str) -> None:
    """Encoding a place and decoding the cursor gives the place again."""
    assert Cursor.decode(Cursor(at=at, id=id_).encode()) == Cursor(at=at, id=id_)


@given(st.text(max_size=80) | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_other_text_is_invalid(text: str) -> None:
    """Hostile text is an invalid value of the field `cursor`, never another exception."""
    with pytest.raises(InvalidError) as caught:
        Cursor.decode(text)
    assert caught.value.field == "cursor"


def test_a_place_without_an_id_is_invalid() -> None:
    """Whoever cuts the id off is told so."""
    with pytest.raises(InvalidError):
        Cursor.decode(Cursor(at=NOW, id="").encode())


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
def test_a_limit_out_of_bounds_is_refused(limit: int) -> None:
    """A page is neither empty nor endless."""
    with pytest.raises(InvalidError):
        PageRequest(limit=limit)


@pytest.mark.parametrize("limit", [1, MAX_LIMIT])
def test_a_page_of_the_least_and_of_the_greatest_size_is_taken(limit: int) -> None:
    """Both bounds belong to what may be asked for."""
    assert PageRequest(limit=limit).limit == limit
