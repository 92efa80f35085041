"""Change points: found where they are, and not in noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.changes.changepoints import MIN_SEGMENT, find_change_points

levels = st.lists(st.floats(min_value=1e-3, max_value=1e3), max_size=40)


def normal(random: Random) -> float:
    return random.gauss(0, 1)


def laplace(random: Random) -> float:
    return random.expovariate(1) * random.choice((-1, 1))


def student(random: Random) -> float:
    return random.gauss(0, 1) / math.sqrt(random.gammavariate(1.5, 2 / 3))


@pytest.mark.parametrize("n", [10, 20, 50, 120])
@pytest.mark.parametrize("noise", [normal, laplace, student])
def test_noise_has_few_change_points(noise: Callable[[Random], float], n: int) -> None:
    """Of 100 series without a change at most five are marked, more only by three sigma of chance."""
    random = Random(n)
    marked = sum(
        bool(find_change_points([math.exp(0.15 * noise(random)) for _ in range(n)])) for _ in range(100)
    )
    assert marked <= 5 + 3 * math.sqrt(100 * 0.05 * 0.95)


@pytest.mark.parametrize("noise", [normal, laplace, student])
def test_a_step_of_half_is_found_near_its_place(noise: Callable[[Random], float]) -> None:
    """In 50 points with 15 % noise, 85 of 100 steps of 1.5x are marked within two points."""
    random = Random(11)
    found = 0
    for _ in range(100):
        series = [math.exp(0.15 * noise(random)) * (1.5 if i >= 25 else 1) for i in range(50)]
        found += any(abs(point.index - 25) <= 2 for point in find_change_points(series))
    assert found >= 85


def test_steps_up_and_down_are_told_with_their_levels() -> None:
    """Without noise the points and the levels are exact."""
    points = find_change_points([2.0] * 5 + [3.0] * 4 + [1.0] * 6)
    assert [(p.index, p.before, p.after) for p in points] == [(5, 2.0, 3.0), (9, 3.0, 1.0)]
    assert points[0].ratio == 1.5


def test_an_outlier_is_no_change() -> None:
    """One slow run between equal ones leaves no mark."""
    assert find_change_points([1.0, 1.1, 0.9, 1.0, 1.1, 5.0, 1.0, 0.9, 1.1, 1.0]) == []


def test_a_drift_below_ten_percent_is_no_change() -> None:
    """However sure a 5 % step is, it is not marked."""
    assert find_change_points([1.0] * 50 + [1.05] * 50) == []


@given(levels)
def test_levels_are_long_enough_and_in_order(values: list[float]) -> None:
    """Change points are distinct, ascending, and leave the first and last level three points."""
    indexes = [point.index for point in find_change_points(values)]
    assert indexes == sorted(set(indexes))
    assert all(MIN_SEGMENT <= index <= len(values) - MIN_SEGMENT for index in indexes)


@given(levels)
def test_every_marked_change_is_large_enough(values: list[float]) -> None:
    """What is marked differs by at least a tenth, one way or the other."""
    assert all(max(p.ratio, 1 / p.ratio) >= 1.1 - 1e-9 for p in find_change_points(values))
