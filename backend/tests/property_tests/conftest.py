"""
The Hypothesis profiles of the property tests, and the guarantee that they reach every property.

`CI` set to a true value loads `ci`, anything else `local`; `--hypothesis-profile NAME` goes before both. A
property takes the profile by saying nothing or with `@settings(DEFAULT_PROFILE)`. One that needs another
number of examples asks for a multiple of the profile's with `@settings(scaled(0.25))`.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

NOT_CI = {"", "0", "false", "no", "off"}
INI = "ini"
"""The profile that the plugin of atom-testinfra makes from pytest.ini and loads before any conftest."""


def is_ci(value: str) -> bool:
    """Whether the environment variable `CI` says that this is CI."""
    return value.strip().lower() not in NOT_CI


asked_for = settings.get_current_profile_name()
from_ini = settings.get_profile(INI)
settings.register_profile(
    "local", parent=from_ini, max_examples=int(os.environ["HYPOTHESIS_MAX_EXAMPLES_LOCAL"])
)
settings.register_profile(
    "ci",
    parent=from_ini,
    max_examples=int(os.environ["HYPOTHESIS_MAX_EXAMPLES_CI"]),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    derandomize=False,
)
if asked_for == INI:
    settings.load_profile("ci" if is_ci(os.environ.get("CI", "")) else "local")
else:
    settings.load_profile(asked_for)

DEFAULT_PROFILE = settings()
"""The profile in force: `@settings(DEFAULT_PROFILE)` asks for it by name."""

_counts = {DEFAULT_PROFILE.max_examples}


def scaled(factor: float) -> settings:
    """Return the profile with `factor` times its examples, at least one."""
    count = max(1, round(DEFAULT_PROFILE.max_examples * factor))
    _counts.add(count)
    return settings(DEFAULT_PROFILE, max_examples=count)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a property whose number of examples is not the profile's or a multiple of it."""
    pinned = [
        f"{item.nodeid} ({found.max_examples} examples)"
        for item in items
        if (found := _settings_of(item)) is not None and found.max_examples not in _counts
    ]
    if pinned:
        msg = f"out of the profile's reach; use scaled() of property_tests/conftest.py: {', '.join(pinned)}"
        raise pytest.UsageError(msg)


def _settings_of(item: pytest.Item) -> settings | None:
    """The settings that a property was bound to when it was decorated, None for any other test."""
    test: Any = getattr(item, "obj", None)
    machine = getattr(test, "_hypothesis_state_machine_class", None)
    if machine is not None:
        return machine.TestCase.settings
    return getattr(getattr(test, "__func__", test), "_hypothesis_internal_use_settings", None)
