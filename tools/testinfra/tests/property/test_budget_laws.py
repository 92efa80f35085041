"""Laws of a timed run: in virtual time, so that no verdict rests on the machine."""

from __future__ import annotations

import random
from itertools import pairwise
from math import inf, isclose
from statistics import median

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.virtual_run import VirtualRun

from atom_testinfra.core.budgets.allocation import Demand, level_of
from atom_testinfra.core.budgets.drift import Drift
from atom_testinfra.core.budgets.events import Began, Ended, Ending
from atom_testinfra.core.budgets.planner import FLOOR, PlannedTest, Planner
from atom_testinfra.core.time_spans import BudgetClock

DEMANDS = st.lists(
    st.builds(
        Demand,
        cost_s=st.floats(1e-5, 1.0),
        factor=st.floats(0.01, 10.0),
        floor=st.integers(1, 20),
        most=st.one_of(st.just(inf), st.integers(1, 5000)),
    ),
    min_size=1,
    max_size=30,
)


def total_s(demands: list[Demand], level: float) -> float:
    return sum(demand.cost_s * demand.n_at(level) for demand in demands)


@given(DEMANDS, st.floats(0.0, 1e4))
def test_the_room_is_filled_between_the_floors_and_what_can_be_used(
    demands: list[Demand], room_s: float
) -> None:
    """All shares together take the room; less only where all get what they can use, more only for floors."""
    level = level_of(demands, room_s)
    taken_s = total_s(demands, level)
    if level == inf:
        assert taken_s <= room_s * (1 + 1e-9)
        assert all(demand.most < inf for demand in demands)
    elif taken_s > room_s * (1 + 1e-9) + 1e-12:
        assert all(demand.n_at(level) == demand.floor for demand in demands)
    else:
        assert isclose(taken_s, room_s, rel_tol=1e-6)


@given(DEMANDS, st.floats(0.0, 1e3), st.floats(1.0, 10.0))
def test_more_time_is_never_fewer_examples(demands: list[Demand], room_s: float, factor: float) -> None:
    """With more room no property gets less."""
    less, more = level_of(demands, room_s), level_of(demands, room_s * factor)
    assert all(demand.n_at(more) >= demand.n_at(less) * (1 - 1e-9) for demand in demands)


@given(DEMANDS, st.floats(0.1, 1e3))
def test_a_more_expensive_property_gets_no_more_examples(demands: list[Demand], room_s: float) -> None:
    """Between two that ask for the same, the cheaper one gets at least as many, and less of the time."""
    demands = [Demand(cost_s=demand.cost_s) for demand in demands]
    level = level_of(demands, room_s)
    ordered = sorted(demands, key=lambda demand: demand.cost_s)
    for cheap, costly in pairwise(ordered):
        assert cheap.n_at(level) >= costly.n_at(level)


@given(st.floats(0.25, 4.0), st.lists(st.floats(0.01, 5.0), min_size=40, max_size=80))
def test_drift_learns_a_constant_factor(factor: float, predicted: list[float]) -> None:
    """If everything is slower by one factor, that factor is found, whatever was guessed first."""
    drift = Drift(asked_s=100.0, guess=1.0)
    for seconds in predicted:
        drift.learn(seconds, seconds * factor)
    assume(sum(predicted) > 20.0)
    assert drift.factor == pytest.approx(factor, rel=0.05)


def suite(costs: list[float], known: float | None, factors: list[float] | None = None) -> list[PlannedTest]:
    """Properties whose costs are known up to a factor, or not at all."""
    factors = factors or [1.0] * len(costs)
    return [
        PlannedTest(
            is_property=True,
            factor=factor,
            example_s=None if known is None else cost_s * known,
            fixed_s=None if known is None else 0.002 * known,
        )
        for cost_s, factor in zip(costs, factors, strict=True)
    ]


def random_costs(seed: int, n: int = 80) -> list[float]:
    """Costs over three decades."""
    source = random.Random(seed)
    return [10 ** source.uniform(-5, -2) for _ in range(n)]


SEEDS = st.integers(0, 10**6)


@given(SEEDS, st.sampled_from([1.0, 0.5, 2.0]), st.sampled_from([1, 2, 4]))
def test_with_known_costs_a_run_ends_within_two_percent_of_its_time(
    seed: int, error: float, n_workers: int
) -> None:
    """With costs that are right, or wrong by two, a run ends within two percent of the time."""
    costs = random_costs(seed)
    run = VirtualRun(suite(costs, error), costs, asked_s=20.0, n_workers=n_workers).run()
    assert run.now_s == pytest.approx(20.0, rel=0.02)
    assert len(run.n_run) == len(costs)


@given(SEEDS)
def test_without_costs_a_run_keeps_to_its_time(seed: int) -> None:
    """Where nothing is known each property runs until its share is spent, and the time is kept."""
    costs = random_costs(seed)
    run = VirtualRun(suite(costs, None), costs, asked_s=20.0).run()
    assert run.now_s == pytest.approx(20.0, rel=0.02)
    assert set(run.endings.values()) == {Ending.CLOCK}


@given(SEEDS)
def test_without_costs_the_last_property_gets_as_much_time_as_the_first(seed: int) -> None:
    """Where nothing is known the last property gets as much time as the first."""
    costs = random_costs(seed)
    run = VirtualRun(suite(costs, None), costs, asked_s=40.0).run()
    times = [run.n_run[i] * cost_s for i, cost_s in enumerate(costs)]
    fair_s = 40.0 / len(costs)
    assert all(time_s > 0.85 * fair_s for time_s in times[:-1])


@given(SEEDS, st.sampled_from([1.0, 0.5, 2.0]))
def test_no_quarter_of_the_order_starves(seed: int, error: float) -> None:
    """Each quarter gets at least 0.85 of what perfect foresight gives it, with costs wrong by two as well."""
    costs = random_costs(seed)
    run = VirtualRun(suite(costs, error), costs, asked_s=40.0).run()
    ratios = [run.n_run[i] / n for i, n in enumerate(run.foreseen())]
    size = len(ratios) // 4
    quarters = [median(ratios[i * size : (i + 1) * size]) for i in range(4)]
    assert min(quarters) >= 0.85, quarters


@given(SEEDS, st.sampled_from([1.0, 0.5, 2.0]))
def test_what_the_first_test_pays_for_all_is_no_cost_of_the_others(seed: int, error: float) -> None:
    """A database that nobody predicted takes 3 of 40 s; the tests after it get what they should."""
    costs = random_costs(seed)
    run = VirtualRun(suite(costs, error), costs, asked_s=40.0, once_s=3.0).run()
    ratios = [run.n_run[i] / n for i, n in enumerate(run.foreseen())]
    size = len(ratios) // 8
    eighths = [median(ratios[i * size : (i + 1) * size]) for i in range(8)]
    assert min(eighths) >= 0.85, eighths


@given(SEEDS, st.floats(0.5, 3.0), st.sampled_from([None, 0.1, 1.0, 10.0]))
def test_no_property_goes_below_its_floor(seed: int, asked_s: float, known: float | None) -> None:
    """However little time there is, and however wrong the costs are, each property gets its floor."""
    costs = random_costs(seed, n=40)
    run = VirtualRun(suite(costs, known), costs, asked_s=asked_s, dearer_by=3.0).run()
    assert len(run.n_run) == len(costs)
    assert min(run.n_run.values()) >= FLOOR


@given(SEEDS)
def test_a_load_that_doubles_half_way_keeps_the_time(seed: int) -> None:
    """Nobody can know that the machine gets slower; the time is kept all the same."""
    costs = random_costs(seed)
    run = VirtualRun(suite(costs, 1.0), costs, asked_s=40.0, dearer_by=2.0).run()
    assert run.now_s == pytest.approx(40.0, rel=0.03)


@given(st.integers(0, 30), st.floats(0.01, 3.0))
def test_saved_failures_raise_the_floor(saved: int, factor: float) -> None:
    """The floor leaves room for each saved failure and for fresh examples after them."""
    test = PlannedTest(is_property=True, factor=factor, saved=saved)
    assert test.floor > saved


def test_a_test_that_asks_for_twice_as_many_gets_twice() -> None:
    """Numbers that tests set themselves are kept as proportions."""
    costs = [0.001] * 40
    factors = [2.0 if i % 2 else 1.0 for i in range(40)]
    run = VirtualRun(suite(costs, 1.0, factors), costs, asked_s=10.0).run()
    for i in range(0, 30, 2):
        assert run.n_run[i + 1] / run.n_run[i] == pytest.approx(2.0, rel=0.1)


def test_time_that_exhausted_properties_cannot_use_goes_to_the_others() -> None:
    """A property with nothing left to try leaves its time to those that can use it."""
    costs = [0.001] * 20
    tests = suite(costs, 1.0)
    tests[3] = PlannedTest(is_property=True, example_s=0.001, fixed_s=0.002, most=7)
    run = VirtualRun(tests, costs, asked_s=10.0).run()
    assert run.n_run[3] == 7
    assert run.now_s == pytest.approx(10.0, rel=0.02)


def test_plain_tests_are_provided_for() -> None:
    """What cannot be steered and is still to come is taken off what the properties share."""
    costs = [0.001] * 20 + [0.01] * 200
    tests = suite(costs[:20], 1.0) + [PlannedTest(is_property=False, fixed_s=0.012) for _ in costs[20:]]
    run = VirtualRun(tests, costs, asked_s=10.0).run()
    assert run.now_s == pytest.approx(10.0, rel=0.02)


def test_many_short_tests_do_not_hide_the_longer_ones() -> None:
    """What 90 unknown tests take is predicted by the mean of those that were seen, without an odd one."""
    planner = Planner([PlannedTest(is_property=False) for _ in range(101)], asked_s=1000.0, exit_s=0.0)
    for index, seconds in enumerate([0.1] * 6 + [1.0] * 4 + [50.0]):
        end = Ended(test=index, worker="", at_s=0.0, ending=Ending.PLAIN, wall_s=seconds, process_s=seconds)
        planner.note(end)
    assert planner.forecast(60.0).floor_s == pytest.approx(90 * 0.46)


def test_a_forecast_says_when_the_floor_does_not_fit() -> None:
    """Twenty properties of a second an example need at least a hundred seconds."""
    planner = Planner(suite([1.0] * 20, 1.0), asked_s=50.0, exit_s=1.0)
    forecast = planner.forecast(4.0)
    assert not forecast.fits
    assert forecast.left_s == 45.0
    assert forecast.floor_s == pytest.approx(100.0, rel=0.01)
    assert Planner(suite([1.0] * 20, 1.0), asked_s=150.0, exit_s=1.0).forecast(4.0).fits


def test_a_worker_that_dies_does_not_keep_its_time() -> None:
    """A test that began and never ended counts no longer once its time is over."""
    tests = suite([0.001] * 10, 1.0)
    planner = Planner(tests, asked_s=100.0, exit_s=0.0, n_workers=2, worker="gw0")
    planner.note(Began(test=0, worker="gw1", at_s=0.0, planned_s=30.0))
    assert planner.forecast(10.0).left_s == pytest.approx(2 * 90.0 - 20.0)
    assert planner.forecast(40.0).left_s == pytest.approx(2 * 60.0)


def test_a_test_that_took_longer_than_the_whole_time_teaches_nothing() -> None:
    """A laptop that slept must not make all other tests look slow."""
    tests = suite([0.001] * 10, 1.0)
    planner = Planner(tests, asked_s=10.0, exit_s=0.0)
    before = planner.drift
    planner.note(
        Ended(
            test=0,
            worker="",
            at_s=5000.0,
            ending=Ending.COUNT,
            wall_s=5000.0,
            process_s=0.1,
            n_examples=100,
            n_planned=100,
            n_running=99,
        )
    )
    assert planner.drift == before


def test_cpu_seconds_of_other_workers_are_taken_off() -> None:
    """A budget in CPU seconds is one pot: what the others are about to use is gone."""
    planner = Planner(
        suite([0.001] * 10, 1.0),
        asked_s=100.0,
        exit_s=0.0,
        clock=BudgetClock.CPU,
        n_workers=2,
        worker="gw0",
    )
    planner.note(Began(test=0, worker="gw1", at_s=10.0, planned_s=30.0))
    assert planner.forecast(20.0).left_s == pytest.approx(100.0 - 20.0 - 30.0)
