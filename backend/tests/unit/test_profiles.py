"""The Hypothesis profiles reach every property, and say CI only when it is CI."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property_tests.conftest import (
    DEFAULT_PROFILE,
    LEAST_EXAMPLES,
    is_ci,
    pytest_collection_modifyitems,
    read_count,
    scaled,
)

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


@pytest.mark.parametrize("value", [None, "", "0", "-1", "many", "5.0"])
def test_a_count_that_is_not_set_is_named(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other lines in the `env` section of pytest.ini end in a message that says which variable is missing."""
    monkeypatch.delenv("COUNT", raising=False)
    if value is not None:
        monkeypatch.setenv("COUNT", value)
    with pytest.raises(pytest.UsageError, match=r"COUNT is .*pytest\.ini has to set .* `D:COUNT=50`"):
        read_count("COUNT")


def test_scaled_is_a_multiple_of_the_profile() -> None:
    """A property that asks for a fraction gets it from the profile in force, and at least ten examples."""
    assert scaled(2).max_examples == 2 * DEFAULT_PROFILE.max_examples
    assert scaled(0.0001).max_examples == LEAST_EXAMPLES


def property_with(own: settings) -> Any:
    """A collected property with settings of its own."""

    @own
    @given(st.integers())
    def law(number: int) -> None:
        raise AssertionError(f"collected only, and yet run with {number}")

    return SimpleNamespace(nodeid="test_a.py::law", obj=law)


def test_a_number_of_its_own_is_refused_though_it_is_the_profiles() -> None:
    """Under the other profile the same number would be another one's."""
    pinned = property_with(settings(max_examples=int(DEFAULT_PROFILE.max_examples)))
    with pytest.raises(pytest.UsageError, match=r"use scaled\(\) .*test_a\.py::law"):
        pytest_collection_modifyitems([pinned])


@pytest.mark.parametrize(
    "own", [DEFAULT_PROFILE, scaled(0.25), settings(scaled(3), deadline=None), settings()]
)
def test_a_multiple_of_the_profile_is_taken(own: settings) -> None:
    """Settings that are made from the profile's follow it."""
    pytest_collection_modifyitems([property_with(own)])


@pytest.mark.parametrize("profile", ["local", "ci", "default"])
def test_a_profile_on_the_command_line_goes_first(profile: str) -> None:
    """It is loaded after the conftest, which the command line's path leads to."""
    path = "tests/property_tests/ledger"
    command = [sys.executable, "-m", "pytest", path, "--collect-only", "-q", "--hypothesis-profile", profile]
    environment = os.environ | {"CI": "false" if profile == "ci" else "true"}
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_test_names_a_number_of_examples() -> None:
    """Only the conftest of the property tests may set a count or load a profile."""
    forbidden = re.compile(r"max_examples\s*=|load_profile|register_profile|get_profile")
    found = [
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("*.py")
        if path not in ALLOWED and forbidden.search(path.read_text())
    ]
    assert found == []
