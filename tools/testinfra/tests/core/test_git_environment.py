"""What git says of itself in a hook leads no other command astray."""

from __future__ import annotations

from atom_testinfra.core.git_environment import PLACES, without_places


def test_what_names_a_repository_goes_and_everything_else_stays() -> None:
    """Who commits, with which settings, and where git is: `safe.directory` may come this way."""
    kept = {"PATH": "/bin", "GIT_CONFIG_COUNT": "1", "GIT_AUTHOR_NAME": "n", "GIT_CEILING_DIRECTORIES": "/"}
    assert without_places({**kept, **dict.fromkeys(PLACES, "/elsewhere")}) == kept
