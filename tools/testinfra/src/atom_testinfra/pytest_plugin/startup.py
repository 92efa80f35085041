"""Collects and runs nothing, so that what comes before the first test can be timed; loaded with `-p`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.naming import Naming, find_root
from atom_testinfra.storage.run_writer import escape_all

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = "TESTINFRA_STARTUP"
"""The environment variable with the folder that the findings go to."""
COLLECTED, CONTROLLER = "collected.json", "controller.json"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Write which tests were collected, and how long that took; then leave none."""
    naming = Naming(config, find_root(config))
    found = {"nodeids": escape_all([naming.name(item) for item in items]), "cpu_s": Clocks.process_cpu()}
    _write(COLLECTED, found)
    items.clear()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write how long the process took that the person starts."""
    if not hasattr(session.config, "workerinput"):
        _write(CONTROLLER, {"cpu_s": Clocks.process_cpu()})


def _write(name: str, found: dict[str, Any]) -> None:
    Path(os.environ[FOLDER], name).write_text(json.dumps(found), encoding="utf-8")


def __dir__() -> Sequence[str]:
    return [name for name in globals() if name.startswith("pytest_")]
