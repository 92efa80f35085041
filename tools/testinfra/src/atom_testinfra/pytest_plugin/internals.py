"""Which of Hypothesis's internals are where we look for them: checked before anything relies on them."""

from __future__ import annotations

from typing import Any, NamedTuple

import hypothesis
from hypothesis import strategies

SETTINGS = "_hypothesis_internal_use_settings"
SEED = "_hypothesis_internal_use_seed"
MACHINE = "_hypothesis_state_machine_class"
EXPLICIT = "hypothesis_explicit_examples"
GIVEN = "_given_kwargs"
PROFILE = "_current_profile"


class Internals(NamedTuple):
    """What can be reached, and a sentence about each thing that cannot."""

    version: str
    can_listen: bool
    """The statistics collector."""
    can_steer: bool
    """A function's settings and seed."""
    can_time: bool
    """The function under the wrapper."""
    problems: list[str]

    def describe_statistics(self, exc: Exception) -> str:
        """Return the sentence about statistics that do not look as expected."""
        return (
            f"Hypothesis {self.version} reports other statistics than we read ({exc!r}): no split of the time"
        )


def check_internals(version: str = hypothesis.__version__, given: Any = hypothesis.given) -> Internals:
    """Return which internals this version has, looking at a property made for the purpose."""
    sample = given(strategies.none())(_sample)
    missing: dict[str, list[str]] = {}
    if not _has_collector():
        missing["listen"] = ["hypothesis.statistics.collector"]
    missing["steer"] = [name for name in (SETTINGS, SEED) if not hasattr(sample, name)]
    if not callable(getattr(getattr(sample, "hypothesis", None), "inner_test", None)):
        missing["time"] = ["hypothesis.inner_test"]
    losses = {
        "listen": "the time is not split, and examples are not counted",
        "steer": "the number of examples and the seed are not set",
        "time": "the CPU time of the test's own function is not known",
    }
    return Internals(
        version=version,
        can_listen=not missing.get("listen"),
        can_steer=not missing.get("steer"),
        can_time=not missing.get("time"),
        problems=[
            f"Hypothesis {version} has no {' and no '.join(names)}: {losses[what]}"
            for what, names in missing.items()
            if names
        ],
    )


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
