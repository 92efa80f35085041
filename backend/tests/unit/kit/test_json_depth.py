"""How deep JSON is, and how it becomes shallow: told from the text, however deep it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from atom.kit.json_depth import depth_of, flatten
from atom.kit.text import MAX_JSON_DEPTH, json_fault


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("1", 0),
        ('"[{["', 0),
        ("[]", 1),
        ('{"a": [], "b": {"c": {}}}', 3),
        ('[[], [[]], "]]]]", "\\"[["]', 3),
        (nested(100_000), 100_000),
    ],
    ids=lambda value: str(value)[:20],
)
def test_depth_counts_brackets_outside_of_strings(text: str, depth: int) -> None:
    """Arrays and objects in each other are levels; what a string holds is text."""
    assert depth_of(text) == depth


@pytest.mark.parametrize(
    ("text", "flat"),
    [
        ('{"a": {"b": 1}, "c": 2}', {"a": '{"b": 1}', "c": 2}),
        ('[[], "[[]]", [[1]]]', ["[]", "[[]]", "[[1]]"]),
        ('{"a": ["\\"é[", 1]}', {"a": '["\\"é[", 1]'}),
        ('"a"', "a"),
    ],
)
def test_what_is_too_deep_becomes_its_own_text(text: str, flat: Any) -> None:
    """A string stands for what was cut out, and reading it gives it back."""
    assert json.loads(flatten(text, max_depth=1)) == flat


@pytest.mark.parametrize("depth", [1, 2, 31, 32, 33, 64, 1_000, 100_000])
def test_nothing_is_deeper_than_asked(depth: int) -> None:
    """The text keeps as many levels as are allowed."""
    assert depth_of(flatten(nested(depth), max_depth=32)) == min(depth, 32)


@pytest.mark.parametrize(("depth", "is_fine"), [(MAX_JSON_DEPTH, True), (MAX_JSON_DEPTH + 1, False)])
@pytest.mark.parametrize("around", ['{"a": %s}', "[%s]"])
def test_a_sender_may_nest_as_deep_as_the_limit(depth: int, around: str, is_fine: bool) -> None:
    """The limit counts the outermost object too."""
    fault = json_fault(json.loads(around % nested(depth - 1)))
    assert (fault is None) is is_fine
    assert is_fine or fault == "is nested deeper than 32 levels"


def test_wide_json_is_not_deep() -> None:
    """Any number of brackets beside each other is fine."""
    assert json_fault({"a": [[] for _ in range(10_000)]}) is None
