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


def read_count(variable: str) -> int:
    """Return the examples that an environment variable asks for; the `env` section of pytest.ini sets it."""
    value = os.environ.get(variable, "")
    if not (value.isascii() and value.isdigit() and int(value)):
        found = f"is {value!r}" if value else "is not set"
        msg = (
            f"{variable} {found}: the `env` section of backend/pytest.ini has to set a whole number, "
            f"as in `D:{variable}=50`; pytest-env knows no prefix such as `CI:`"
        )
        raise pytest.UsageError(msg)
    return int(value)


class ProfileCount(int):
    """A number of examples that follows the profile; settings made from such settings keep it."""


from_ini = settings.get_profile(INI)
settings.register_profile("local", parent=from_ini, max_examples=read_count("HYPOTHESIS_MAX_EXAMPLES_LOCAL"))
settings.register_profile(
    "ci",
    parent=from_ini,
    max_examples=read_count("HYPOTHESIS_MAX_EXAMPLES_CI"),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    derandomize=False,
)
if settings.get_current_profile_name() == INI:
    settings.load_profile("ci" if is_ci(os.environ.get("CI", "")) else "local")


def profile_in_force() -> settings:
    """Return the profile that is loaded; from now on its number of examples is known as a profile's."""
    name, current = settings.get_current_profile_name(), settings()
    settings.register_profile(name, current, max_examples=ProfileCount(current.max_examples))
    settings.load_profile(name)
    return settings()


DEFAULT_PROFILE = profile_in_force()
"""`@settings(DEFAULT_PROFILE)` asks for the profile by name."""


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Follow `--hypothesis-profile`, which is loaded after a conftest that is named by the command line."""
    global DEFAULT_PROFILE
    DEFAULT_PROFILE = profile_in_force()


LEAST_EXAMPLES = 10
"""Hypothesis tries the simplest values first: a property with one or two examples tests constants."""


def scaled(factor: float) -> settings:
    """Return the profile with `factor` times its examples, at least ten unless the profile has fewer."""
    least = min(LEAST_EXAMPLES, DEFAULT_PROFILE.max_examples)
    count = max(least, round(DEFAULT_PROFILE.max_examples * factor))
    return settings(DEFAULT_PROFILE, max_examples=ProfileCount(count))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a property whose number of examples is not the profile's or a multiple of it."""
    pinned = [
        f"{item.nodeid} ({found.max_examples} examples)"
        for item in items
        if (found := _settings_of(item)) is not None and not isinstance(found.max_examples, ProfileCount)
    ]
    if pinned:
        msg = f"out of the profile's reach; use scaled() of property_tests/conftest.py: {', '.join(pinned)}"
        raise pytest.UsageError(msg)


def _settings_of(item: pytest.Item) -> settings | None:
    """The settings that a property was bound to when it was decorated, None for any other test."""
    test: Any = getattr(item, "obj", None)
    machine = getattr(test, "_hypothesis_state_machine_class", None)
    if machine is not None:
        own: settings | None = machine.TestCase.settings
    else:
        own = getattr(getattr(test, "__func__", test), "_hypothesis_internal_use_settings", None)
    return own
