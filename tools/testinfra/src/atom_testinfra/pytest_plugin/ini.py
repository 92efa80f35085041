"""What the `hypothesis_*` options of pytest's configuration file do, where one of them is set."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.options import (
    DATABASE,
    DEADLINE,
    MAX_EXAMPLES,
    MAX_EXAMPLES_CI,
    SUPPRESS,
    read_ini,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

PROFILE = "ini"
"""Name of the Hypothesis profile that carries the options."""

NOT_TRUE = frozenset({"", "0", "false", "no", "off"})


class IniHooks(HooksOnly):
    """Registered only where the project sets one of the options."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> Generator[None, object, object]:
        """Export the example counts before pytest-env expands them."""
        export_counts(early_config)
        return (yield)

    # pytest registers only functions whose names begin with `pytest_`.
    @pytest.hookimpl(specname="pytest_load_initial_conftests")
    def pytest_testinfra_load_profile(self, early_config: pytest.Config) -> None:
        """Load the profile of the ini options: after pytest-env, before the first conftest is imported."""
        load_profile(early_config)


def export_counts(config: pytest.Config) -> None:
    """Put the example counts that are set into the environment; a variable that is there already wins."""
    given = os.environ.get(MAX_EXAMPLES.upper())
    for name in (MAX_EXAMPLES, MAX_EXAMPLES_CI):
        _export(config, name)
    if given is not None and is_ci():
        config.pluginmanager.register(_NotInForce(given), "atom_testinfra_not_in_force")


class _NotInForce:
    """Says above the tests that the number of examples that somebody gave is not the one in CI."""

    def __init__(self, given: str) -> None:
        self._given = given

    def pytest_report_header(self) -> str | None:
        in_force = os.environ.get(MAX_EXAMPLES_CI.upper())
        if in_force is None or in_force == self._given:
            return None
        return (
            f"{MAX_EXAMPLES.upper()}={self._given} is not in force, because CI is true: "
            f"{MAX_EXAMPLES_CI.upper()}={in_force} is"
        )


def load_profile(config: pytest.Config) -> None:
    """
    Make the options Hypothesis's current profile.

    A conftest that loads a profile of its own comes later and wins, and so does `--hypothesis-profile`.
    """
    from hypothesis import settings

    from atom_testinfra.pytest_plugin.internals import current_profile

    values = _profile_values(config)
    before = current_profile()
    settings.register_profile(PROFILE, parent=settings.get_profile("default"), **values)
    settings.load_profile(PROFILE)

    def unload() -> None:
        if current_profile() == PROFILE and before not in {None, PROFILE}:
            settings.load_profile(before)

    config.add_cleanup(unload)


def is_ci() -> bool:
    """Return whether `$CI` has a true value: `CI=false` and `CI=0` are not CI."""
    return os.environ.get("CI", "").strip().lower() not in NOT_TRUE


def _export(config: pytest.Config, option: str) -> None:
    value = read_ini(config, option)
    if value is None:
        return
    _parse_count(option, value)
    variable = option.upper()
    before = os.environ.get(variable)
    overrides: list[str] = getattr(config.known_args_namespace, "override_ini", None) or []
    is_flag = any(text.partition("=")[0].strip() == option for text in overrides)
    if before is None or is_flag:
        os.environ[variable] = value.strip()
        config.add_cleanup(lambda: _restore(variable, before))


def _restore(variable: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = value


def _profile_values(config: pytest.Config) -> dict[str, Any]:
    parsers: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
        DATABASE: ("database", lambda option, value: _parse_database(option, value, config.rootpath)),
        DEADLINE: ("deadline", _parse_deadline),
        SUPPRESS: ("suppress_health_check", _parse_health_checks),
    }
    values = {
        keyword: parse(option, value)
        for option, (keyword, parse) in parsers.items()
        if (value := read_ini(config, option)) is not None
    }
    n_examples = _max_examples(config)
    return values if n_examples is None else values | {"max_examples": n_examples}


def _max_examples(config: pytest.Config) -> int | None:
    for option in (MAX_EXAMPLES_CI, MAX_EXAMPLES) if is_ci() else (MAX_EXAMPLES,):
        # The environment holds the option's own value, or the one that beats it, as pytest-env may have set.
        value = os.environ.get(option.upper(), read_ini(config, option))
        if value is not None:
            return _parse_count(f"${option.upper()}", value)
    return None


def _parse_count(option: str, value: str) -> int:
    text = value.strip()
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise pytest.UsageError(f"{option}: {value!r} is not a whole number above 0, such as 200")
    return int(text)


def _parse_deadline(option: str, value: str) -> float | None:
    if _is_none(value):
        return None
    try:
        milliseconds = float(value)
    except ValueError:
        milliseconds = 0.0
    if not 0.0 < milliseconds <= 86_400_000.0:
        raise pytest.UsageError(f"{option}: {value!r} is not None or a number of milliseconds, such as 200")
    return milliseconds


def _parse_database(option: str, value: str, root: Path) -> object:
    from hypothesis.database import DirectoryBasedExampleDatabase

    if _is_none(value):
        return None
    folder = root / value.strip()
    if not value.strip() or (folder.exists() and not folder.is_dir()):
        raise pytest.UsageError(f"{option}: {value!r} is not None or a folder, such as .hypothesis/examples")
    return DirectoryBasedExampleDatabase(folder)


def _parse_health_checks(option: str, lines: list[str]) -> list[Any]:
    from hypothesis import HealthCheck

    known = {check.name: check for check in HealthCheck}
    words = ",".join(lines).strip().removeprefix("[").removesuffix("]").replace(",", " ").split()
    names = [word.strip("'\"").removeprefix("HealthCheck.") for word in words]
    if names == ["all"]:
        return list(known.values())
    for name in names:
        if name not in known:
            raise pytest.UsageError(
                f"{option}: {name!r} is not a health check; use all, or some of: {', '.join(known)}"
            )
    return [known[name] for name in names]


def _is_none(value: str) -> bool:
    return value.strip().lower() == "none"
