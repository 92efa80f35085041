import math

import loops
from hypothesis import given, settings, strategies as st

few = settings(max_examples=30)
small = st.integers(0, 300)


@few
@given(small, small)
def test_greatest_divisor(one, other):
    assert loops.greatest_divisor(one, other) == math.gcd(one, other)


@few
@given(st.integers(0, 10**6))
def test_n_digits(number):
    assert loops.n_digits(number) == len(str(number))


@few
@given(st.lists(small).map(sorted), small)
def test_find(items, wanted):
    place = loops.find(items, wanted)
    assert all(item < wanted for item in items[:place])
    assert all(item >= wanted for item in items[place:])


@few
@given(st.integers(0, 10**6))
def test_root(number):
    assert loops.root(number) == math.isqrt(number)


@few
@given(st.integers(0, 10**6))
def test_binary(number):
    assert loops.binary(number) == f"{number:b}"


@few
@given(st.integers(0, 9), st.integers(0, 12))
def test_power(base, exponent):
    assert loops.power(base, exponent) == base**exponent % 1_000_003


@few
@given(st.text("ab", max_size=9))
def test_runs(text):
    assert "".join(sign * n for sign, n in loops.runs(text)) == text


@few
@given(st.dictionaries(st.integers(0, 5), st.lists(st.integers(0, 5), max_size=3)))
def test_reachable(edges):
    assert 0 in loops.reachable(edges, 0)


def test_primes():
    assert loops.primes(20) == [2, 3, 5, 7, 11, 13, 17, 19]


@few
@given(st.integers(1, 300))
def test_factors(number):
    assert math.prod(loops.factors(number)) == number


@few
@given(st.lists(small, max_size=6))
def test_bubble(items):
    assert loops.bubble(items) == sorted(items)


@few
@given(st.integers(0, 30), st.integers(1, 9))
def test_pages(n_items, size):
    found = loops.pages(n_items, size)
    assert sum(last - first for first, last in found) == n_items


@few
@given(st.integers(1, 5))
def test_retry(first):
    assert loops.retry(lambda n: n >= first) == (first if first <= 3 else None)
