"""The environment in which git finds the repository of the folder that it is asked about, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACES = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
"""Set by git while a hook runs, to say where its repository is: of `git rev-parse --local-env-vars`."""


def without_places(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what names a repository; what names settings stays."""
    return {name: value for name, value in environ.items() if name not in PLACES}
