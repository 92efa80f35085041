"""Tests that share what is costly to build go to one worker."""

from __future__ import annotations

import pytest

from tests.scheduling import scope_of


def test_who_shares_the_contract_goes_together(request: pytest.FixtureRequest) -> None:
    """All tests of this run that ask for the contract are in one scope; so is every file."""
    sharing = {item.nodeid for item in request.session.items if "contract" in fixtures_of(item)}
    integration = {nodeid for nodeid in sharing if "/integration/" in nodeid}
    assert len({scope_of(nodeid) for nodeid in sharing - integration}) <= 1
    assert scope_of("tests/unit/test_a.py::test_a[b::c]") == "tests/unit/test_a.py"
    assert scope_of("tests/property_tests/api/test_a.py::test_a") == "tests/property_tests/api/"


def fixtures_of(item: pytest.Item) -> list[str]:
    """Return the names of the fixtures that a test asks for, itself or by another one."""
    names: list[str] = getattr(item, "fixturenames", [])
    return names
