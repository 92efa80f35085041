"""The environment of a measured run: what is left out of it, and who hears of that."""

from __future__ import annotations

import pytest

from atom_testinfra.core.config import Profile
from atom_testinfra.machine.instruments import MODE_VARIABLES, TRACER_VARIABLES
from atom_testinfra.measuring.environment import (
    CI_VARIABLES,
    IMPORT_VARIABLES,
    child_environment,
    describe_left_out,
)

PROFILE = Profile(max_examples=5)


@pytest.mark.parametrize("name", [*TRACER_VARIABLES, *MODE_VARIABLES, *IMPORT_VARIABLES])
def test_what_changes_the_figures_is_left_out_and_told_in_one_line(name: str) -> None:
    """It is left out whatever its value, because for some an empty one is enough."""
    assert child_environment({name: "", "HOME": "/"}, PROFILE) == {"HOME": "/", "PYTHONHASHSEED": "0"}
    said = describe_left_out({name: "", "HOME": "/"}, [PROFILE])
    assert said is not None
    assert said.startswith(f"the tests run without {name}, because that changes what is measured")
    assert "\n" not in said


def test_a_profile_may_set_a_variable_that_is_left_out() -> None:
    """Who wants to measure under it says so in the settings, and is told nothing."""
    profile = Profile(max_examples=5, env={"PYTHONDEVMODE": "1"})
    assert child_environment({"PYTHONDEVMODE": "0"}, profile)["PYTHONDEVMODE"] == "1"
    assert describe_left_out({"PYTHONDEVMODE": "0"}, [profile]) is None


def test_nothing_is_said_where_nothing_is_left_out() -> None:
    """Signs of CI are left out as well; the profile says what is CI, so that is not worth a note."""
    assert describe_left_out({"CI": "true", "PATH": "/bin"}, [PROFILE]) is None
    assert child_environment(dict.fromkeys(CI_VARIABLES, "1"), PROFILE) == {"PYTHONHASHSEED": "0"}


def test_modules_are_compiled_once() -> None:
    """A shell that keeps bytecode from being written would make start-up and collection look slower."""
    assert "PYTHONDONTWRITEBYTECODE" not in child_environment({"PYTHONDONTWRITEBYTECODE": "1"}, PROFILE)
