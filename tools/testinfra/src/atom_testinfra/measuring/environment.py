"""The environment of a measured run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def child_environment(environ: Mapping[str, str], profile: Profile) -> dict[str, str]:
    """
    Return the environment of a run under `profile`.

    The profile says what is CI, not the machine on which it happens to be measured; and hashes are fixed, for
    the order of a set is part of the work.
    """
    environment = {name: value for name, value in environ.items() if name not in CI_VARIABLES}
    return environment | {"PYTHONHASHSEED": "0"} | profile.env
