"""What the suite would take with another number of examples: laws of the estimate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.made_runs import make_record, make_run

from atom_testinfra.core.costs.overview import overview
from atom_testinfra.core.costs.what_if import GrowingSuite
from atom_testinfra.core.records.measurement import Measurement, Pin
from atom_testinfra.core.vocabulary import Kind


def a_suite(records: list[Measurement]) -> GrowingSuite:
    return overview([make_run(records)], "local")[1]


def pinned(nodeid: str) -> Measurement:
    record = make_record(nodeid)
    assert record.hypothesis is not None
    return replace(record, hypothesis=replace(record.hypothesis, pin=Pin(max_examples=200)))


RECORDS = [make_record("t.py::test_a"), make_record("t.py::test_b", n_valid=100), pinned("t.py::test_c")]


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_more_examples_take_no_less(few: int, many: int) -> None:
    """The time grows with the number, and lies inside its interval."""
    suite = a_suite(RECORDS)
    estimates = [suite.estimate(n) for n in sorted((few, many))]
    assert estimates[0].seconds <= estimates[1].seconds
    assert all(found.low_s <= found.seconds <= found.high_s for found in estimates)


def test_the_number_that_was_measured_takes_what_was_measured() -> None:
    """No model stands between a figure and itself."""
    suite = a_suite([make_record("t.py::test_a"), make_record("t.py::test_b")])
    found, _ = overview([make_run([make_record("t.py::test_a"), make_record("t.py::test_b")])], "local")
    assert suite.estimate(200).seconds == pytest.approx(found.tests_s)


@given(st.floats(0.1, 100.0))
def test_the_largest_number_fits_and_the_next_does_not(limit_s: float) -> None:
    """Nothing fits a time that set-up alone takes."""
    suite = a_suite(RECORDS)
    found = suite.largest_within(limit_s)
    if found is None:
        assert suite.estimate(1).seconds > limit_s
    else:
        assert found.seconds <= limit_s
        assert suite.estimate(found.n_examples + 1).seconds > limit_s


def test_a_pinned_property_keeps_its_time() -> None:
    """Where pins are kept, only the others change: the two numbers of examples differ by less."""
    suite = a_suite(RECORDS)
    kept = suite.keeping_pins()
    assert kept.n_fixed == suite.n_fixed + 1
    assert kept.estimate(200).seconds == pytest.approx(suite.estimate(200).seconds)
    assert kept.estimate(400).seconds < suite.estimate(400).seconds


def test_a_pin_is_kept_whatever_the_policy_let_it_run() -> None:
    """A session that ran 200 examples of a test that asks for 400 says what the 400 would take."""
    record = make_record("t.py::test_a")
    assert record.hypothesis is not None
    capped = replace(record, hypothesis=replace(record.hypothesis, pin=Pin(max_examples=400)))
    suite = a_suite([capped])
    assert suite.keeping_pins().estimate(25).seconds == pytest.approx(suite.estimate(400).seconds)


def test_one_example_predicts_nothing() -> None:
    """What starting costs cannot be told from what an example costs, so the property counts as it is."""
    record = make_record("t.py::test_a", n_valid=1)
    assert record.hypothesis is not None
    one = replace(record, hypothesis=replace(record.hypothesis, requested=1, configured=1, effective=1))
    suite = a_suite([one])
    assert (suite.growing, suite.n_fixed) == ([], 1)


def test_tests_without_a_model_keep_their_time() -> None:
    """Plain tests, those with a remark and those that found too few examples are counted, and do not grow."""
    plain = replace(make_record("t.py::test_plain"), kind=Kind.PLAIN, hypothesis=None)
    odd = make_record("t.py::test_odd", problems=["odd"])
    found, suite = overview([make_run([*RECORDS, plain, odd])], "local")
    assert (found.n_plain, len(found.tests), len(suite.growing), suite.n_fixed) == (1, 4, 2, 3)
    assert suite.fixed_s == pytest.approx(6.0)
    assert found.tests_s == pytest.approx(10.0)
