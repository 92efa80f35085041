"""Fixtures of the tool's tests, and their Hypothesis profile."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings, strategies
from hypothesis.internal import charmap
from tests.warm import IS_POSSIBLE, SERVERS, WarmPopen

from atom_testinfra.pytest_plugin.ini import is_ci

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["pytester"]

PLUGINS = ["atom_testinfra", "hypothesispytest", *(["xdist"] if find_spec("xdist") else [])]
LOAD_PLUGINS = " ".join(f"-p {name}" for name in PLUGINS)
PLUGINS_ONLY = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_ADDOPTS": f"{LOAD_PLUGINS} -p no:unraisableexception",
}
"""
The environment of a pytest that loads what the tool works with, and no other plugin that happens to be
installed: those of the backend's tests alone cost each small run more CPU time than the run itself. At its
end it does not search the heap for exceptions that it would only warn of, which takes a seventh of a run.
"""

# What takes long on a busy machine is not a property's fault: no verdict here may rest on the wall clock.
settings.register_profile(
    "unhurried",
    parent=settings.get_profile("default"),
    max_examples=50 if is_ci() else 100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", parent=settings.get_profile("unhurried"), max_examples=40_000)
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def _few_plugins_below() -> Iterator[None]:
    """Runs that a test starts load few plugins, each module compiled once, unless a test is about that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        for name, value in PLUGINS_ONLY.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def _tables_of_characters() -> Path:
    """The folder in which Hypothesis keeps them, with the tables in it."""
    strategies.text().validate()
    return Path(charmap.charmap_file()).absolute().parents[1]  # it is text in older versions


@pytest.fixture
def few_plugins(pytester: pytest.Pytester, _tables_of_characters: Path) -> Iterator[None]:
    """
    The same below `pytester`, which takes away the options of whoever runs it; and the tables of characters.

    These suites may turn warnings into errors, so that pytest searches for lost exceptions here.

    To build them in each new folder takes two thirds of the CPU time of a small run.

    Undone before `pytester` gives them back: it has patches of its own in old versions of pytest, and
    `monkeypatch`, which ends after it, would take them away for good.
    """
    (pytester.path / ".hypothesis").mkdir()
    (pytester.path / ".hypothesis" / "unicode_data").symlink_to(_tables_of_characters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", LOAD_PLUGINS)
        yield


@pytest.fixture(scope="session")
def _warm_server() -> Iterator[None]:
    """The processes that `warm` forks from end with the session."""
    yield
    SERVERS.close()


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch, _warm_server: None) -> None:
    """Runs that this test starts are forks of a process that has imported pytest and Hypothesis."""
    if IS_POSSIBLE:
        monkeypatch.setattr(subprocess, "Popen", WarmPopen)


@pytest.fixture
def all_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of this test load every plugin that is installed, as a person's do."""
    for name in PLUGINS_ONLY:
        monkeypatch.delenv(name, raising=False)
