"""Laws of the cost model and of what is recommended from it."""

from __future__ import annotations

import math
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import a_measurement, measurements

from atom_testinfra.core.advice.recommendation import recommend
from atom_testinfra.core.costs.baseline import ProfileCost
from atom_testinfra.core.costs.cost import (
    combine_runs,
    duration_with,
    examples_within,
    marginal_s,
    predict,
    split_time,
)
from atom_testinfra.core.records.measurement import Measurement
from atom_testinfra.core.rounding import round_micros, round_seconds


def has_examples(measured: Measurement) -> bool:
    generate = measured.hypothesis and measured.hypothesis.generate
    return generate is not None and generate.n_valid > 0


one_measurement = measurements("test_a.py::test_a", 200).filter(has_examples)
limits = st.floats(0.001, 1000)


costs = st.lists(one_measurement, min_size=1, max_size=6).map(combine_runs)


@given(costs, st.integers(0, 10_000), st.integers(0, 10_000))
def test_duration_grows_with_the_examples(cost: ProfileCost, n: int, more: int) -> None:
    """No further example makes a test cheaper."""
    assert duration_with(cost, n) <= duration_with(cost, n + more)


@given(costs)
def test_the_model_passes_through_the_measurement(cost: ProfileCost) -> None:
    """At the number of examples that was measured, the model says what was measured."""
    assert duration_with(cost, cost.n_examples) == max(cost.setup_s, cost.duration_s)


@given(costs, limits)
def test_what_is_said_to_fit_does_fit(cost: ProfileCost, limit_s: float) -> None:
    """The number of examples that should meet a limit meets it, and one more does not."""
    fitting = examples_within(cost, limit_s)
    if fitting > 0:
        assert duration_with(cost, fitting) < limit_s * (1 + 1e-9)
    if marginal_s(cost) > 0 and fitting < 10**9 - 1:
        assert duration_with(cost, fitting + 1) >= limit_s * (1 - 1e-9) or fitting == 0


@given(costs)
def test_the_parts_add_up_to_the_duration(cost: ProfileCost) -> None:
    """Where the time goes accounts for all of it, and for no more."""
    split = split_time(cost)
    assert math.isclose(sum(split), cost.duration_s, abs_tol=1e-9)
    assert all(part >= 0 for part in split)


@given(costs, st.floats(1.0, 50.0), st.floats(0.0, 1.0))
def test_what_is_given_up_carries_its_share_of_the_engine(
    cost: ProfileCost, calls_per_valid: float, overrun_share: float
) -> None:
    """Without what was given up, an example costs the engine what one test case costs it."""
    overruns = (calls_per_valid - 1) * overrun_share
    wasteful = msgspec.structs.replace(
        cost,
        duration_s=1e6,
        calls_per_valid=calls_per_valid,
        overruns_per_valid=overruns,
        filtered_us=0.0,
        filtered_draw_us=0.0,
        overrun_us=0.0,
    )
    split = split_time(wasteful)
    engine_s = cost.engine_us * cost.n_examples / 1e6
    assert math.isclose(split.engine_s * calls_per_valid, engine_s, abs_tol=1e-9)
    assert math.isclose(split.engine_s + split.rejected_s + split.overrun_s, engine_s, abs_tol=1e-9)
    assert math.isclose(split.overrun_s, split.engine_s * overruns, abs_tol=1e-9)


@given(st.lists(one_measurement, min_size=1, max_size=6), st.randoms())
def test_the_order_of_the_runs_changes_no_median(runs: list[Measurement], random: Random) -> None:
    """Medians over runs do not depend on which run came first."""
    shuffled = runs.copy()
    random.shuffle(shuffled)
    one, other = combine_runs(runs), combine_runs(shuffled)
    for name in ("duration_s", "cpu_s", "setup_s", "body_us", "generate_us", "engine_us", "body_cpu_us"):
        assert getattr(one, name) == getattr(other, name)


@given(st.floats(10, 1e5), st.floats(10, 1e5), st.floats(1, 1e3), st.integers(1, 400))
def test_a_linear_cost_is_predicted_exactly(
    body_us: float, generate_us: float, engine_us: float, n: int
) -> None:
    """Where every example costs the same, the prediction is off by rounding only."""

    def made(bound: int) -> ProfileCost:
        one = a_measurement(
            bound=bound, body_us=body_us, generate_us=generate_us, engine_us=engine_us, first_surplus_us=0.0
        )
        return combine_runs([one])

    source, measured = made(200), made(n)
    expected = predict(source, n, source="local")
    assert expected is not None
    assert math.isclose(
        expected.duration_s, measured.duration_s, rel_tol=0.01, abs_tol=2e-3 * source.duration_s
    )


@given(costs, st.integers(0, 1000))
def test_the_interval_holds_the_prediction(cost: ProfileCost, n: int) -> None:
    """A prediction lies inside its own interval, and one run alone has none."""
    expected = predict(cost, n, source="local")
    if expected is not None and expected.cpu_low_s is not None and expected.cpu_high_s is not None:
        assert cost.repeats > 1
        assert expected.cpu_low_s <= expected.cpu_s <= expected.cpu_high_s


@given(costs, limits)
def test_a_recommendation_is_one_sentence(cost: ProfileCost, limit_s: float) -> None:
    """It is a single sentence on a single line, whatever was measured."""
    sentence = recommend(cost, limit_s)
    assert sentence.endswith(".")
    assert "\n" not in sentence


@given(st.floats(0, 1e9))
def test_rounding_is_idempotent_and_close(value: float) -> None:
    """A rounded figure stays as it is, and is within half a unit of its fourth digit or of the resolution."""
    for rounding, resolution in ((round_seconds, 1e-5), (round_micros, 1e-3)):
        rounded = rounding(value)
        assert rounding(rounded) == rounded
        assert abs(rounded - value) <= max(value * 5.01e-4, resolution * 0.501)


@given(st.floats(0, 1e9))
def test_a_kept_figure_needs_no_exponent(value: float) -> None:
    """What is written can be read at a glance."""
    assert b"e" not in msgspec.json.encode(round_seconds(value))
    assert b"e" not in msgspec.json.encode(round_micros(value))
