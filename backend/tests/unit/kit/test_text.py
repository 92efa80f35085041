"""Text is refused at the edge when a database could not store it."""

from __future__ import annotations

import pytest

from atom.kit.errors import InvalidError
from atom.kit.text import MAX_JSON_LENGTH, check_json, check_text


@pytest.mark.parametrize("text", ["", " ", "\n\t", "a\0", "\ud800", "abcdef"])
def test_unfit_text_is_refused_with_its_field(text: str) -> None:
    """Blank, too long, with a NUL or half a surrogate pair."""
    with pytest.raises(InvalidError) as refused:
        check_text(text, field="title", max_length=5)
    assert refused.value.field == "title"


@pytest.mark.parametrize("text", ["a", "abcde", "漢😀", " a "])
def test_text_up_to_its_length_is_accepted_in_any_script(text: str) -> None:
    """Up to the length, in any script."""
    check_text(text, field="title", max_length=5)


@pytest.mark.parametrize(
    "value",
    [{"a": "\0"}, {"\0": 1}, {"a": ["b", {"c": "x\0"}]}, {"a": "\ud800"}, {"a": float("nan")}, {"a": {1}}],
)
def test_unfit_json_is_refused(value: dict[str, object]) -> None:
    """What is not JSON, or holds text that is not storable, however deep."""
    with pytest.raises(InvalidError) as refused:
        check_json(value, field="metadata")
    assert refused.value.field == "metadata"


def test_json_may_be_as_long_as_the_limit() -> None:
    """The limit counts the characters of the text."""
    assert MAX_JSON_LENGTH == 100_000
    around = len('{"a": ""}')
    check_json({"a": "x" * (MAX_JSON_LENGTH - around)}, field="metadata")
    with pytest.raises(InvalidError):
        check_json({"a": "x" * (MAX_JSON_LENGTH - around + 1)}, field="metadata")


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "C:\\u0000x"])
def test_a_written_out_escape_is_no_nul(text: str) -> None:
    """A backslash, a u and four zeros are six harmless characters."""
    check_json({"a": text}, field="metadata")


def test_json_too_deep_is_refused() -> None:
    """A bottomless list is the caller's mistake, not a crash."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidError):
        check_json({"a": deep}, field="metadata")
