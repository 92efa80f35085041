"""The pytest side of `timebox.py`: writes what a timed run planned, and how each of its tests ended."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atom_testinfra.core.budgets.events import Ended

FOLDER = "TIMEBOX_NOTES"
PLAN, ENDS = "plan.json", "ends.json"


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write what is known of each test, in the processes that run them; it is the same in each."""
    runner: Any = session.config.pluginmanager.get_plugin("atom_testinfra_timebox")
    tests = getattr(runner, "_tests", None)
    if tests:
        rows = [{"factor": test.factor, "floor": test.floor} for test in tests]
        _write(PLAN, rows)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write how each test ended, in the process that a person looks at."""
    account: Any = session.config.pluginmanager.get_plugin("atom_testinfra_timebox_account")
    if account is not None:
        _write(ENDS, [msgspec.to_builtins(event) for event in account._events if isinstance(event, Ended)])


def _write(name: str, rows: list[Any]) -> None:
    path = Path(os.environ[FOLDER], name)
    new = path.with_name(f"{name}.{os.getpid()}")
    new.write_text(json.dumps(rows))
    new.replace(path)
