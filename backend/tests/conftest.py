"""Fixtures of the whole suite."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from atom.kit.clock import ManualClock
from tests.database import Database, close_shared_database, database_url, shared_database
from tests.factories import NOW
from tests.strictness import refuse_untyped_moments, warn_of_open_connections

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

    from tests.http import Api
    from tests.property_tests.api.contract import Contract

# Looking for cycles after every 700 allocations, as Python does, is a tenth of the suite's CPU; while the
# tests are imported there is next to nothing to find.
gc.set_threshold(20_000, 10, 10)
gc.disable()

refuse_untyped_moments()
warn_of_open_connections()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which database the tests run on, and what they leave out."""
    backend = database_url().get_backend_name()
    lines = [f"database: {backend}"]
    if backend == "sqlite":
        lines.append("left out: the same tests on PostgreSQL, which `make test-postgres` runs")
    if "not integration" in config.option.markexpr:
        lines.append("left out: tests marked `integration`, which `make test-integration` runs")
    return lines


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Build the contract of the API in one worker: that takes 2 s of CPU."""
    if config.getvalue("dist") != "loadfile":
        return None
    from tests.scheduling import ByWhatIsBuilt  # xdist is there when it calls this hook

    return ByWhatIsBuilt(config, log)


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later collection: it stays to the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def database() -> Database:
    """The migrated database of this process; `tests/database.py` says how to use it."""
    return shared_database()


@pytest.fixture(scope="session")
def running_api(database: Database) -> Iterator[Api]:
    """The app of this process; a property puts the database back itself after each example."""
    from tests.http import serving  # what it imports would cost every other test

    with serving(database) as api:
        yield api


@pytest.fixture
def api(running_api: Api) -> Iterator[Api]:
    """The app, on a database that is put back afterwards, with the clock at `factories.NOW`."""
    running_api.clock.set(NOW)
    with running_api.database.sessions():
        yield running_api


@pytest.fixture(scope="session")
def contract(running_api: Api) -> Iterator[Contract]:
    """The OpenAPI document of the running app, and requests made up from it."""
    from tests.property_tests.api.contract import Contract  # Schemathesis is imported where it is used

    contract = Contract(running_api)
    yield contract
    contract.transport.close()


def pytest_unconfigure() -> None:
    """Drop the database of this process, if a test asked for it."""
    close_shared_database()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at `factories.NOW`."""
    return ManualClock(NOW)
