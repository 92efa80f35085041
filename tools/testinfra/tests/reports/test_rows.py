"""The split of a cost into parts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import make_baseline, make_cost, make_property

from atom_testinfra.core.records.measurement import Pin
from atom_testinfra.reports.rows import PARTS, property_rows, split_cost

seconds = st.floats(min_value=0, max_value=100)
micros = st.floats(min_value=0, max_value=1e6)


@given(seconds, seconds, micros, micros, micros, micros, st.integers(1, 500))
def test_the_parts_add_up_to_the_duration(
    duration: float, setup: float, body: float, generate: float, engine: float, filtered: float, n: int
) -> None:
    """A bar is as long as the test took, also where the medians of its parts are not."""
    cost = make_cost(
        random.Random(1),
        duration,
        n,
        setup_s=setup,
        body_us=body,
        generate_us=generate,
        engine_us=engine,
        filtered_us=min(filtered, body + generate),
    )

    split = split_cost(cost)

    assert all(split.part(name) >= 0 for name in PARTS)
    assert sum(split.part(name) for name in PARTS) == pytest.approx(duration, abs=1e-5)


def test_what_was_given_up_is_a_part_of_its_own() -> None:
    """It has its drawing, its part of the body and its share of the engine; each is counted once."""
    values = {"setup_s": 0.0, "body_us": 4000.0, "generate_us": 1000.0, "engine_us": 5000.0}
    cost = make_cost(
        random.Random(1),
        1.0,
        100,
        filtered_us=2000.0,
        filtered_draw_us=500.0,
        overrun_us=0.0,
        overruns_per_valid=0.0,
        calls_per_valid=2.0,
        **values,
    )

    split = split_cost(cost)

    assert (split.generate_s, split.body_s, split.engine_s, split.filtered_s) == (0.05, 0.25, 0.25, 0.45)
    assert split.other_s == 0.0


def test_an_older_file_takes_what_was_given_up_out_of_drawing_first() -> None:
    """It does not say how much of it was drawing."""
    values = {"setup_s": 0.0, "body_us": 4000.0, "generate_us": 1000.0, "engine_us": 5000.0}
    cost = make_cost(random.Random(1), 1.0, 100, filtered_us=2000.0, calls_per_valid=1.0, **values)

    split = split_cost(cost)

    assert (split.generate_s, split.body_s, split.engine_s, split.filtered_s) == (0.0, 0.3, 0.5, 0.2)


def test_what_no_part_explains_is_shown_as_other() -> None:
    """Explicit examples take time too."""
    cost = make_cost(
        random.Random(1), 2.0, 100, setup_s=0.5, body_us=1.0, generate_us=1.0, engine_us=1.0, filtered_us=0.0
    )

    assert split_cost(cost).other_s == pytest.approx(2.0 - 0.5 - 0.0003)


def test_examples_are_all_that_ran() -> None:
    """The time is that of generated and explicit examples, and so is their number."""
    cost = make_cost(random.Random(1), 2.0, 100, n_explicit=3)

    assert split_cost(cost).n_examples == 103


def test_rows_are_in_the_order_of_node_ids_and_say_where_a_pin_is() -> None:
    """The same baseline gives the same rows, and a pinned test says where it is pinned."""
    rng = random.Random(1)
    pin = Pin(max_examples=500, path="tests/test_a.py", line=7)
    baseline = make_baseline(
        0,
        properties={
            "b": make_property(rng, local_s=1, ci_s=1),
            "a": make_property(rng, local_s=1, ci_s=1, pin=pin),
        },
    )

    rows = property_rows(baseline)

    assert [row.nodeid for row in rows] == ["a", "b"]
    assert [row.pin for row in rows] == ["500, set in tests/test_a.py:7", None]


def test_a_single_run_has_no_spread() -> None:
    """One run says nothing about the next."""
    cost = make_cost(random.Random(1), 1.0, 100)
    runs = cost.runs

    assert split_cost(cost).spread is not None
    alone = make_cost(
        random.Random(1),
        1.0,
        100,
        runs=type(runs)(duration_s=[1.0], cpu_s=[1.0], body_cpu_us=[1.0], calibration_s=[0.002]),
    )
    assert split_cost(alone).spread is None
