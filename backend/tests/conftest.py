"""Fixtures of the whole suite."""

from __future__ import annotations

import pytest

from atom.kit.clock import ManualClock
from tests.database import Database, close_shared_database, shared_database
from tests.factories import NOW


@pytest.fixture(scope="session")
def database() -> Database:
    """The migrated database of this process; `tests/database.py` says how to use it."""
    return shared_database()


def pytest_unconfigure() -> None:
    """Drop the database of this process, if a test asked for it."""
    close_shared_database()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at `factories.NOW`."""
    return ManualClock(NOW)
