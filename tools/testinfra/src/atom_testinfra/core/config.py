"""The project's settings, validated once and handed down as plain values."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from atom_testinfra.core.errors import ConfigError
from atom_testinfra.core.policies import PinPolicy, Steering
from atom_testinfra.core.time_spans import LONGEST_S

AS_IS = "as-is"
"""The profile of a bare `testinfra measure`: the suite's own settings."""
PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Part of a run's id, which is a file's name."""

Natural = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
PositiveSeconds = Annotated[float, Meta(gt=0.0, le=LONGEST_S)]
"""At most thirty days, so that `inf` is refused where it is read."""
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named way of running the suite: how many examples, and the environment that makes it so."""

    max_examples: Positive | None
    """Examples of a property without a number of its own; if not set, the suite's own number."""
    env: dict[str, str] = {}
    """Environment variables of the run, such as `CI = "true"`."""
    repeats: Positive | None = None
    """Runs of this profile for a baseline; by default the general `repeats`."""
    steering: Steering = Steering.TOOL
    """Who sets the number of examples: the tool for each test, or the suite itself."""
    keeps_ci: bool = False
    """Whether the variables by which a machine says that it is CI stay in the environment."""


class TierLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Upper bounds of a tier, in wall seconds of a test: local and in CI."""

    local_s: PositiveSeconds
    """Limit in seconds under the local profile."""
    ci_s: PositiveSeconds
    """Limit in seconds under the CI profile."""


class Targets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the suite promises; the defaults are the plan's."""

    fast: TierLimits = TierLimits(local_s=10.0, ci_s=3.0)
    """Simple invariants, little set-up."""
    medium: TierLimits = TierLimits(local_s=60.0, ci_s=15.0)
    """Database work, contracts between parts, consistency of transactions."""
    slow: TierLimits = TierLimits(local_s=100.0, ci_s=25.0)
    """Rollbacks with constraints, whole lifecycles, invariants of the system."""
    suite_s: PositiveSeconds = 300.0
    """Upper bound of the whole suite, in wall seconds."""
    share: Share = 0.8
    """Share of the targets that must be met for `verify` to succeed."""
    local_profile: str = "local"
    """The profile that the local limits are for."""
    ci_profile: str = "ci"
    """The profile that the limits in CI are for."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tool.testinfra]` of pyproject.toml; paths are relative to that file."""

    rootdir: str = "."
    """Where pytest is run."""
    paths: list[str] = []
    """pytest arguments that select the properties; if empty, pytest collects as usual."""
    suite: list[str] = []
    """pytest arguments of the whole suite, timed by `verify`."""
    baseline: str = "performance_baseline.json"
    """The file that `verify` writes and everything else reads."""
    runs: str = ".testinfra/runs"
    """The folder of run files."""
    durations: str = ".testinfra/durations.json"
    """The file in which a run with workers keeps how long each test took on this machine."""
    shards: str = ".testinfra/shards"
    """The folder in which each shard writes what it ran, in a subfolder of its own."""
    report: str = ".testinfra/report.html"
    """The page that `report --format html` writes."""
    docs: list[str] = []
    """Markdown files with managed blocks; globs."""
    product: list[str] = []
    """Packages and modules that `mutate` changes; if empty, those below `src/`, or else beside the tests."""
    mutants: str = ".testinfra/mutants"
    """The folder in which `mutate` keeps its verdicts."""
    budget: str = "testinfra-budget.json"
    """The file in which `budget` writes how many examples each property gets."""
    corpus: str = "testinfra-corpus.json"
    """The file in which `distil` keeps the test cases that notice most."""
    equivalent: str = "equivalent.toml"
    """The file of mutants that may survive, each with its reason."""
    profiles: dict[str, Profile] = field(
        default_factory=lambda: {
            "local": Profile(max_examples=200),
            "ci": Profile(max_examples=50, env={"CI": "true"}),
        }
    )
    """How the suite is measured, by name."""
    targets: Targets = Targets()
    """What the suite promises."""
    tiers: dict[str, Literal["fast", "medium", "slow"]] = {}
    """Globs of node ids and the tier of these tests; the last match wins, other tests go by their cost."""
    pins: PinPolicy = PinPolicy.RESPECT
    """What happens to a test whose own settings name `max_examples`."""
    repeats: Positive = 5
    """Runs of each profile for a baseline, whose figures are medians; `compare` needs 5 of its base."""
    workers: Natural = 0
    """xdist workers of a measured run; 0 is the steadiest, and both sides of a comparison need the same."""
    time_budget_s: PositiveSeconds | None = None
    """Stop measuring after this many seconds, and begin no repeat that would exceed them."""

    def __post_init__(self) -> None:
        if not self.profiles:
            raise ConfigError(
                "profiles: the table is empty, so there is nothing to measure under",
                hint="add one, such as local = { max_examples = 200 }, or leave the table out",
            )
        for name, profile in self.profiles.items():
            refuse_unfit_name("profiles", name)
            _refuse_unfit_env(f"profiles.{name}.env", profile.env)
            if name == AS_IS:
                raise ConfigError(
                    f"profiles: {AS_IS!r} is what a bare `testinfra measure` calls the suite's own settings",
                    hint="give the profile another name",
                )
        refuse_unfit_name("targets.local_profile", self.targets.local_profile)
        refuse_unfit_name("targets.ci_profile", self.targets.ci_profile)
        for key in self.__struct_fields__:
            value = getattr(self, key)
            if isinstance(value, str | list) and any("\0" in text for text in value):
                raise ConfigError(f"{key}: no file or argument can hold the character NUL")


def _refuse_unfit_env(key: str, env: dict[str, str]) -> None:
    for name, value in env.items():
        if not name or "=" in name or "\0" in name + value:
            raise ConfigError(
                f"{key}: no environment can hold {name!r} = {value!r}",
                hint="a name is not empty and has no equals sign, and neither part has the character NUL",
            )


def refuse_unfit_name(key: str, name: str) -> None:
    """
    Refuse what cannot be the name of a profile; `key` says where it stands.

    Raises:
        ConfigError: It could be no part of a file's name, or would not be the same on every system.
    """
    if PROFILE_NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{key}: a profile cannot be named {name!r}",
            hint="use up to 64 letters, digits, dots, dashes, underscores; a letter or a digit first",
        )
