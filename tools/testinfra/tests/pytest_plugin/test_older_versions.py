"""What older versions of Hypothesis and pytest hand over is read as well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import TestCase

import pytest
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from atom_testinfra.pytest_plugin.costs import EngineRun
from atom_testinfra.pytest_plugin.options import UNSET, read_ini
from atom_testinfra.pytest_plugin.steering.subject import MachineSubject, find_subject, peek_kind

if TYPE_CHECKING:
    from collections.abc import Callable


class Machine(RuleBasedStateMachine):
    """A machine with one step."""

    @rule()
    def step(self) -> None:
        """Do nothing."""


def make_test_case(machine: type[RuleBasedStateMachine]) -> type[TestCase]:
    """Return a test case as old versions of Hypothesis made it: only its closure has the machine."""

    class MachineTestCase(TestCase):
        settings = machine.TestCase.settings

        def runTest(self) -> None:  # noqa: N802 (unittest's name)
            run_state_machine_as_test(machine, settings=self.settings)

        runTest.is_hypothesis_test = True  # type: ignore[attr-defined]

    return MachineTestCase


def test_a_machine_is_found_in_the_closure_of_its_test() -> None:
    """It is steered and timed like any other."""
    case = make_test_case(Machine)
    item: Any = SimpleNamespace(obj=case("runTest").runTest, cls=case, originalname="runTest")  # type: ignore[attr-defined]
    found = find_subject(item)
    assert isinstance(found, MachineSubject)
    assert (found.body, peek_kind(item)) == (Machine, "stateful")


def test_statistics_without_a_word_about_garbage_are_read() -> None:
    """Before Hypothesis 6.103.1 they have no `gctime`: run and draw are as always, and `gc` is not known."""
    case = {"status": "valid", "runtime": 0.5, "drawtime": 0.25}
    run = EngineRun({"generate-phase": {"duration-seconds": 2.0, "test-cases": [case, case]}})
    assert run.phases["generate"] == {"duration_s": 2.0, "n_valid": 2, "run_s": 1.0, "draw_s": 0.5}
    assert {name: list(times) for name, times in run.valid.items()} == {"run": [0.5] * 2, "draw": [0.25] * 2}


@pytest.mark.parametrize(("value", "read"), [(UNSET, None), ([], []), ("20", "20")])
def test_an_option_that_is_not_set_is_told_from_an_empty_list(value: object, read: object) -> None:
    """Before 8.0 pytest returns an empty list for one whose default is `None`."""
    config: Any = SimpleNamespace(getini=lambda _: value)
    assert read_ini(config, "hypothesis_suppress_health_check") == read


def test_options_have_a_default_that_pytest_hands_back(pytestconfig: pytest.Config) -> None:
    """Every version of pytest returns a default that is not `None` as it is."""
    get: Callable[[str], object] = pytestconfig.getini
    assert get("hypothesis_deadline") is UNSET
