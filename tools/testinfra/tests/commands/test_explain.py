"""`testinfra measure --explain`: one property under observation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from msgspec import convert
from tests.commands.test_measure import Project, project
from tests.versions import since_hypothesis

from atom_testinfra.core.records.measurement import Measurement

__all__ = ["project"]
pytestmark = [pytest.mark.integration, since_hypothesis("6.94")]

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

HOSTILE = """
    import asyncio
    import unittest

    import pytest
    from hypothesis import HealthCheck, given, settings, strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, rule
    from product import product

    permissive = settings(suppress_health_check=list(HealthCheck), deadline=None)
    large = st.sampled_from(["x" * 100_000 + "\\udc80", "\\ud800"])

    def work(n):
        return sum(range(100_000))

    @st.composite
    def record(draw):
        cheap = draw(st.integers(0, 9))
        costly = draw(st.lists(st.integers(0, 9).map(work), min_size=2, max_size=5))
        odd = draw(st.integers().filter(lambda n: n % 2))
        return cheap, costly, odd

    @st.composite
    def pair(draw):
        return draw(record()), draw(record())

    @pytest.fixture
    def costly():
        return sum(range(1_000_000))

    @permissive
    @given(pair())
    def test_nested(costly, x):
        product()

    @permissive
    @given(st.data(), large.filter(lambda text: len(text) > 3))
    def test_many_draws(data, text):
        for i in range(300):
            data.draw(st.booleans())
        for i in range(30):
            data.draw(large, label=f"step \\ud800 {i}")

    @permissive
    @given(st.data())
    def test_many_filters(data):
        n = data.draw(st.integers(0, 10**6))
        data.draw(st.integers(0, n).filter(lambda x: x % 2 == 0))

    tree = st.deferred(lambda: st.integers() | node())

    @st.composite
    def node(draw):
        return [draw(tree), draw(tree)]

    @permissive
    @given(node())
    def test_deep(x):
        pass

    class Wordless:
        def __repr__(self):
            raise ValueError("no")

    @permissive
    @given(st.just(Wordless()))
    def test_wordless(x):
        pass

    class Machine(RuleBasedStateMachine):
        @rule(x=pair())
        def push(self, x):
            product()

    TestMachine = Machine.TestCase
    TestMachine.settings = settings(permissive, max_examples=5, stateful_step_count=3)

    class TestCase(unittest.TestCase):
        @permissive
        @given(pair())
        def test_unit(self, x):
            product()

    @pytest.mark.asyncio
    @permissive
    @given(pair())
    async def test_async(x):
        await asyncio.sleep(0)
        product()
"""
PRODUCT = """
    import json

    def product():
        return json.dumps([busy() for _ in range(5)])

    def busy():
        return sum(range(20_000))
"""


def explain(project: Project, name: str, *, status: int = 0) -> tuple[Measurement, dict[str, Any]]:
    """Return the record of an explained test, and its parts by name."""
    nodeid = f"test_a.py::{name}"
    plugin = ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")
    more = ("--", *plugin) if name == "test_async" else ()
    out, _ = project.measure("--profile", "p=20", "--json", "--explain", nodeid, *more, status=status)
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
    assert (record.instruments, record.problems) == ([], [])  # what observes is the tool
    assert {"execute:test"} <= set(parts)
    causes = {waste.cause: waste for waste in explanation.waste}
    assert causes["integers().filter(lambda x: x % 3 == 0)"].n_retried > 0
    assert any("assume()" in cause for cause in causes)
    assert explanation.n_untimed > 0
    counts = [phase.n_valid + phase.n_invalid + phase.n_overrun for phase in cost.phases.values()]
    assert explanation.n_cases == sum(counts)
    assert explanation.timed_s <= sum(phase.run_s for phase in cost.phases.values())
    assert not (project.root / ".testinfra").exists(), "an explained run is not a measurement"


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
        assert text in " ".join(out.split())


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


def test_what_pytest_printed_is_still_there_when_it_could_not_run(project: Project) -> None:
    """The hint names a file, though the runs themselves are kept nowhere."""
    project.write(test_a="import no_such_module")
    _, err = project.measure("--explain", "test_a.py::test_x", status=2)
    (name,) = re.findall(r"hint: all of its output is in '(.+)'", err)
    log = Path(name)
    assert log.parent == project.root / ".testinfra" / "runs"
    assert "No module named 'no_such_module'" in log.read_text(encoding="utf-8")


@pytest.fixture
def hostile(project: Project) -> Project:
    """A project whose tests are awkward to explain."""
    project.write(test_a=HOSTILE, product=PRODUCT)
    return project


def line_of(text: str) -> int:
    """Return the line of the hostile suite in which a text stands."""
    return dedent(HOSTILE).splitlines().index(text) + 1


@pytest.mark.parametrize(
    "name", ["test_nested", "TestMachine::runTest", "TestCase::test_unit", "test_async", "test_deep"]
)
def test_the_line_of_the_expensive_draw_is_named(hostile: Project, name: str) -> None:
    """In whatever kind of test: the draw inside the composite, and not the composite that asks for it."""
    record, _ = explain(hostile, name)
    assert record.explanation is not None
    draws = record.explanation.draws
    if name == "test_deep":
        assert record.hypothesis is not None
        (draw,) = draws
        assert draw.function == "node"
        assert draw.total_s <= sum(phase.run_s for phase in record.hypothesis.phases.values())
        return
    line = line_of("    costly = draw(st.lists(st.integers(0, 9).map(work), min_size=2, max_size=5))")
    assert (draws[0].place, draws[0].function) == (f"test_a.py:{line}", "record")
    outer = next(draw for draw in draws if draw.function == "pair")
    assert outer.total_s > draws[0].total_s
    assert outer.own_s < draws[0].own_s


def test_the_filter_the_fixture_and_the_functions_are_named(hostile: Project) -> None:
    """Each with the line where it stands; the standard library counts for who calls it."""
    record, _ = explain(hostile, "test_nested")
    explanation = record.explanation
    assert explanation is not None
    (waste,) = [entry for entry in explanation.waste if entry.place is not None]
    assert waste.place == f"test_a.py:{line_of('    odd = draw(st.integers().filter(lambda n: n % 2))')}"
    fixture = explanation.fixtures[0]
    assert (fixture.name, fixture.scope) == ("costly", "function")
    assert fixture.place is not None
    assert fixture.place.startswith("test_a.py:")
    functions = {found.function: found for found in explanation.functions}
    assert next(iter(functions)) == "work"
    assert functions["busy"].place == "product.py:7"
    assert functions["busy"].n == 5 * functions["product"].n
    places = [found.place for found in explanation.functions]
    assert [place for place in places if not place.startswith(("test_a.py:", "product.py:"))] == []


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("test_nested", 0),
        ("test_many_draws", 0),
        ("test_many_filters", 0),
        ("test_wordless", 1),
        ("TestMachine::runTest", 0),
    ],
)
def test_the_output_fits_two_screens(hostile: Project, name: str, status: int) -> None:
    """Whatever a test draws, and however long its representations are."""
    out, _ = hostile.measure("--profile", "p=20", "--explain", f"test_a.py::{name}", status=status)
    lines = out.splitlines()
    assert 0 < len(lines) <= 80
    assert max(map(len, lines)) <= 160


def test_draws_in_a_loop_are_one_row(hostile: Project) -> None:
    """Three hundred draws without a label are one; what is left out is counted."""
    record, parts = explain(hostile, "test_many_draws")
    explanation = record.explanation
    assert explanation is not None
    assert parts["generate:data.draw()"].n == 20
    assert explanation.n_parts == len(parts) > 30
    assert len([draw for draw in explanation.draws if draw.n == 300 * explanation.n_cases]) == 1
    out, _ = hostile.measure("--profile", "p=20", "--json", "--explain", "test_a.py::test_many_draws")
    assert len(out) < 50_000


def test_filters_of_one_line_are_one_cause(hostile: Project) -> None:
    """Each time the strategy is another one, and its condition stands in the same place."""
    record, _ = explain(hostile, "test_many_filters")
    assert record.explanation is not None
    causes = [waste.place for waste in record.explanation.waste if "filter" in waste.cause]
    assert len(causes) == 1
    assert causes[0] is not None
