"""Fixtures of the whole suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from atom.kit.clock import ManualClock
from tests.database import Database, open_database
from tests.factories import NOW


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    """The migrated database of this process; `tests/database.py` says how to use it."""
    database = open_database()
    yield database
    database.close()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at `factories.NOW`."""
    return ManualClock(NOW)
