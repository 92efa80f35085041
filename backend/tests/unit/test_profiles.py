"""The Hypothesis profiles reach every property, and say CI only when it is CI."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.property_tests.conftest import DEFAULT_PROFILE, is_ci, scaled

TESTS = Path(__file__).parents[1]
ALLOWED = {TESTS / "property_tests" / "conftest.py", Path(__file__)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("1", True),
        ("woodpecker", True),
        ("false", False),
        ("False ", False),
        ("0", False),
        ("", False),
    ],
)
def test_ci_is_a_true_value(value: str, expected: bool) -> None:
    """`CI=false` and `CI=0` are not CI."""
    assert is_ci(value) is expected


def test_scaled_is_a_multiple_of_the_profile() -> None:
    """A property that asks for a fraction gets it from the profile in force, and at least one example."""
    assert scaled(2).max_examples == 2 * DEFAULT_PROFILE.max_examples
    assert scaled(0.0001).max_examples == 1


def test_no_test_names_a_number_of_examples() -> None:
    """Only the conftest of the property tests may set a count or load a profile."""
    forbidden = re.compile(r"max_examples\s*=|load_profile|register_profile|get_profile")
    found = [
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("*.py")
        if path not in ALLOWED and forbidden.search(path.read_text())
    ]
    assert found == []
