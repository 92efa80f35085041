"""How a suite fits its time budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.samples import make_baseline

from atom_testinfra.core.scheduling.plan import StartUp, SuitePlan, make_plan
from atom_testinfra.reports.plan import render_text

if TYPE_CHECKING:
    from collections.abc import Sequence

START = StartUp(serial_s=1.0, controller_s=0.5, worker_s=1.0)


def plan(seconds: Sequence[float], budget_s: float = 60.0, **values: object) -> SuitePlan:
    """Return the plan of tests that take this long, on four cores."""
    known = {f"t.py::test_{index}": s for index, s in enumerate(seconds)}
    options = {"workers": [2, 3, 4], "n_cores": 4, "most_machines": None} | values
    return make_plan([*known], known, {}, START, budget_s=budget_s, **options)  # type: ignore[arg-type]


def test_a_short_suite_is_slower_with_workers() -> None:
    """Starting workers costs more than they win, and the report says so."""
    found = plan([0.05] * 10)
    assert found.best.n_workers == 0
    assert "workers cost more than they win" in "\n".join(render_text(found))


def test_a_long_suite_takes_all_cores() -> None:
    """Forty seconds in forty tests are ten on each of four workers, after 1.5 s of start-up."""
    best = plan([1.0] * 40).best
    assert (best.n_workers, best.seconds, best.startup_s) == (4, 11.5, 1.5)


def test_the_plan_asks_for_as_many_machines_as_the_budget_needs() -> None:
    """Four workers on each of three machines are twelve; a budget below the longest test is out of reach."""
    assert plan([1.0] * 40, budget_s=5.5).n_machines == 3
    assert plan([1.0] * 40, budget_s=2.0).n_machines is None
    assert plan([1.0] * 40, budget_s=5.5, most_machines=2).n_machines is None


def test_the_test_in_the_way_is_named_with_what_it_could_do() -> None:
    """A plain test is to be split; a property gets the number of examples that would fit."""
    found = plan([1.0] * 10 + [30.0], budget_s=20.0)
    assert [one.nodeid for one in found.obstacles] == ["t.py::test_10"]
    assert found.obstacles[0].advice.startswith("18.5 s would fit instead of 30.0 s: split it")
    nodeid, cost = next(
        (nodeid, one.profiles["local"])
        for nodeid, one in make_baseline(40).properties.items()
        if one.profiles["local"].unpredictable is None and one.profiles["local"].duration_s > 1.0
    )
    known = {nodeid: cost.duration_s, "t.py::test_short": 0.1}
    property_plan = make_plan(
        [*known], known, {nodeid: cost}, START, budget_s=cost.duration_s / 2, workers=[4], n_cores=4
    )
    assert property_plan.obstacles[0].nodeid == nodeid
    assert "over its" in property_plan.obstacles[0].advice


@given(
    seconds=st.lists(st.floats(0.001, 100.0), min_size=1, max_size=40),
    budget_s=st.floats(0.1, 500.0),
    n_cores=st.integers(1, 8),
)
def test_no_estimate_is_below_its_bound(seconds: list[float], budget_s: float, n_cores: int) -> None:
    """Expected times are at least start-up and lower bound, and at most twice the bound."""
    for estimate in plan(seconds, budget_s, n_cores=n_cores, workers=range(1, 9)).estimates:
        least_s = estimate.bound_s * (1 - 1e-9)
        assert least_s <= estimate.seconds - estimate.startup_s
        assert estimate.seconds - estimate.startup_s <= 2 * estimate.bound_s * (1 + 1e-9)


@given(seconds=st.lists(st.floats(0.001, 100.0), min_size=1, max_size=40), budget_s=st.floats(0.1, 500.0))
def test_machines_meet_the_budget(seconds: list[float], budget_s: float) -> None:
    """Where a number of machines is named, it meets the budget; else the longest test does not fit."""
    found = plan(seconds, budget_s)
    if found.n_machines is not None:
        assert found.machines_s <= budget_s
        return
    assume(max(seconds) + found.best.startup_s < budget_s * (1 - 1e-9))
    pytest.fail("one test on each worker would meet the budget")
