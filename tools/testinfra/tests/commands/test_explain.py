"""`testinfra measure --explain`: one property under observation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import convert
from tests.commands.test_measure import Project, project

from atom_testinfra.core.measurement import Measurement

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["project"]
pytestmark = pytest.mark.integration

SUITE = """
    from hypothesis import assume, given, settings, strategies as st, HealthCheck
    from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

    @settings(suppress_health_check=list(HealthCheck))
    @given(xs=st.lists(st.integers().filter(lambda x: x % 3 == 0)), n=st.integers())
    def test_filtered(xs, n):
        assume(n > 0)

    @given(st.integers())
    def test_free(x):
        sum(range(1000))

    class Machine(RuleBasedStateMachine):
        @rule(x=st.integers())
        def push(self, x):
            pass

        @invariant()
        def holds(self):
            pass

    TestMachine = Machine.TestCase

    @given(st.integers())
    def test_wrong(x):
        assert x < 10

    def test_plain():
        pass
"""


def explain(project: Project, name: str, *, status: int = 0) -> tuple[Measurement, dict[str, Any]]:
    """Return the record of an explained test, and its parts by name."""
    out, _ = project.measure("--profile", "p=20", "--json", "--explain", f"test_a.py::{name}", status=status)
    record = convert(json.loads(out), Measurement)
    assert record.explanation is not None
    return record, {part.name: part for part in record.explanation.parts}


def test_time_is_split_by_argument_and_filters_are_named(project: Project) -> None:
    """Each argument with its strategy; what is thrown away with its cause; what has no times is counted."""
    project.write(test_a=SUITE)
    record, parts = explain(project, "test_filtered")
    explanation, cost = record.explanation, record.hypothesis
    assert explanation is not None
    assert cost is not None
    assert parts["generate:xs"].strategy == "lists(integers().filter(lambda x: x % 3 == 0))"
    assert parts["generate:n"].strategy == "integers()"
    assert {"execute:test"} <= set(parts)
    causes = {waste.cause: waste for waste in explanation.waste}
    assert causes["integers().filter(lambda x: x % 3 == 0)"].n_retried > 0
    assert any("assume()" in cause for cause in causes)
    assert explanation.n_untimed > 0
    counts = [phase.n_valid + phase.n_invalid + phase.n_overrun for phase in cost.phases.values()]
    assert explanation.n_cases == sum(counts)
    assert explanation.timed_s <= sum(phase.run_s for phase in cost.phases.values())
    assert not (project.root / ".testinfra").exists(), "an explained run is no measurement"


def test_a_machine_is_split_by_rule_and_invariant(project: Project) -> None:
    """And its slowest runs are shown step by step."""
    project.write(test_a=SUITE)
    record, parts = explain(project, "TestMachine::runTest")
    assert record.explanation is not None
    assert {"generate:rule:push", "execute:rule:push", "execute:invariant:holds"} <= set(parts)
    assert "state.push(x=" in record.explanation.slowest[0].call


def test_the_text_says_what_is_not_in_the_figures(project: Project) -> None:
    """The page is complete: parts, slowest, waste, and that observing costs and misses something."""
    project.write(test_a=SUITE)
    out, _ = project.measure("--profile", "p=20", "--explain", "test_a.py::test_filtered")
    for text in (
        "where the time goes",
        "slowest test cases:",
        "thrown away:",
        "gave up while drawing, and Hypothesis observes no times for those",
        "none of this enters a baseline",
    ):
        assert text in out


def test_a_failing_property_is_explained_with_exit_status_1(project: Project) -> None:
    """Its counterexamples are among what was observed."""
    project.write(test_a=SUITE)
    record, _ = explain(project, "test_wrong", status=1)
    assert record.outcome == "failed"


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("test_no_such", 3, "pytest collected no test 'test_a.py::test_no_such'"),
        ("test_plain", 2, "Hypothesis observed no test case of it"),
    ],
)
def test_what_cannot_be_explained_is_an_error(
    project: Project, name: str, status: int, message: str, tmp_path: Path
) -> None:
    """In one line that names the test."""
    project.write(test_a=SUITE)
    _, err = project.measure("--max-examples", "5", "--explain", f"test_a.py::{name}", status=status)
    assert message in err
    assert not (tmp_path / ".testinfra").exists()
