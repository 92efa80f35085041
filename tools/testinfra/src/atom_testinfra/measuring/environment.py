"""The environment of a measured run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.machine.instruments import MODE_VARIABLES, TRACER_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from atom_testinfra.core.config import Profile

CI_VARIABLES = (
    "CI",
    "BUILDKITE",
    "CIRCLECI",
    "CIRRUS_CI",
    "CODEBUILD_BUILD_ID",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "HEROKU_TEST_RUN_ID",
    "TEAMCITY_VERSION",
    "TF_BUILD",
    "__TOX_ENVIRONMENT_VARIABLE_ORIGINAL_CI",
    "bamboo.buildKey",
)
"""Variables by which Hypothesis (or a suite) takes a machine for CI, and then loads other settings."""

IMPORT_VARIABLES = ("PYTHONDONTWRITEBYTECODE",)
"""Variables that make start-up and collection slower: each run compiles every module anew."""

DISTURBING = frozenset((*TRACER_VARIABLES, *MODE_VARIABLES, *IMPORT_VARIABLES))
"""Variables that change what is measured; whoever wants to measure under one sets it in a profile's `env`."""


def child_environment(environ: Mapping[str, str], profile: Profile) -> dict[str, str]:
    """
    Return the environment of a run under `profile`.

    The profile says what is CI, not the machine on which it happens to be measured; nothing watches the code
    that is measured; and hashes are fixed, because the order of a set is part of the work.
    """
    left_out = DISTURBING if profile.keeps_ci else DISTURBING.union(CI_VARIABLES)
    environment = {name: value for name, value in environ.items() if name not in left_out}
    return environment | {"PYTHONHASHSEED": "0"} | profile.env


def describe_left_out(environ: Mapping[str, str], profiles: Iterable[Profile]) -> str | None:
    """Return, in a line, which variables the measured tests do without; `None` where it is none."""
    kept = set().union(*(profile.env for profile in profiles))
    names = sorted(name for name in DISTURBING & environ.keys() if name not in kept)
    if not names:
        return None
    return (
        f"the tests run without {', '.join(names)}, because that changes what is measured;"
        " set it in a profile's `env` in [tool.testinfra] to measure under it"
    )
