"""Which of Hypothesis's internals are where we look for them: checked before anything relies on them."""

from __future__ import annotations

from typing import Any

import hypothesis
from hypothesis import core, strategies

from atom_testinfra.pytest_plugin.profiles import PROFILES

SETTINGS = "_hypothesis_internal_use_settings"
SEED = "_hypothesis_internal_use_seed"
MACHINE = "_hypothesis_state_machine_class"
EXPLICIT = "hypothesis_explicit_examples"
HANDLE = "hypothesis"
GIVEN = "_given_kwargs"
PROFILE = "_current_profile"
FALLBACK = "_fallback"
TRACED_SINCE = (6, 131, 4)
"""The version of Hypothesis from which on settings know which ones they were made from."""

RANDOM = "_hypothesis_global_random"


class Internals:
    """What can be reached, and a sentence about each thing that cannot: found with a property of its own."""

    def __init__(self, version: str = hypothesis.__version__, given: Any = hypothesis.given) -> None:
        sample = given(strategies.none())(_sample)
        self.version = version
        self.problems: list[str] = []
        self.can_listen = self._has(
            [] if _has_collector() else ["hypothesis.statistics.collector"],
            "the time is not split, and examples are not counted",
        )
        """The statistics collector."""
        self.can_steer = self._has(
            [name for name in (SETTINGS, SEED) if not hasattr(sample, name)],
            "the number of examples and the seed are not set",
        )
        """A function's settings and seed."""
        self.can_seed = self._has(
            [] if hasattr(random_holder(), RANDOM) else [f"hypothesis.core.{RANDOM}"],
            "what fixtures and plain tests run inside has other seeds in each run",
        )
        """The source of seeds for properties that have none."""
        settings = hypothesis.settings
        untraced = [
            f"hypothesis.settings.{name}"
            for name, owner in ((PROFILES, settings), (FALLBACK, settings.default))
            if not hasattr(owner, name)
        ]
        # That an old version has not got them is known, and `testinfra doctor` says so: figures are right.
        is_old = hypothesis.__version_info__ < TRACED_SINCE
        self._has(
            [] if is_old else untraced,
            "a number of examples is compared with the profile that was loaded last, not the one of its test",
        )
        self.can_trace = not untraced
        """The profile in force where settings were made."""
        is_timed = callable(getattr(getattr(sample, HANDLE, None), "inner_test", None))
        self.can_time = self._has(
            [] if is_timed else ["hypothesis.inner_test"],
            "the CPU time of the test's own function is not known",
        )
        """The function under the wrapper."""

    def report_clocks(self, missing: list[str]) -> None:
        """Note the clocks of Hypothesis that could not be replaced by those that no test can patch."""
        self._has(missing, "where a test changes the time, Hypothesis's times follow it")

    def _has(self, missing: list[str], loss: str) -> bool:
        if missing:
            self.problems.append(f"Hypothesis {self.version} has no {' and no '.join(missing)}: {loss}")
        return not missing

    def describe_statistics(self, exc: Exception) -> str:
        """Return the sentence about statistics that do not look as expected."""
        return (
            f"Hypothesis {self.version} reports other statistics than we read ({exc!r}): no split of the time"
        )


def random_holder() -> Any:
    """Return what holds the source of seeds: there is one for each thread, in older versions one for all."""
    return getattr(core, "threadlocal", core)


def current_profile() -> str | None:
    """Return the name of the profile that is loaded; old versions have no public function for it."""
    ask = getattr(hypothesis.settings, "get_current_profile_name", None)
    name: str | None = ask() if ask is not None else getattr(hypothesis.settings, PROFILE, None)
    return name


def _sample(value: object) -> None:
    """Stand in for a test; never called."""


def _has_collector() -> bool:
    try:
        from hypothesis.statistics import collector
    except ImportError:
        return False
    return hasattr(collector, "value") and hasattr(collector, "with_value")
