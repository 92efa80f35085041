"""Properties of the rules; the slow ones compare with a count of every day or every cent."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tariffs import fee, merge, overlap, rank, share_out, wrap

DAYS = st.integers(0, 400)
SPANS = st.lists(st.tuples(DAYS, st.integers(0, 30)).map(lambda pair: (pair[0], sum(pair))), max_size=12)
AMOUNTS = st.integers(0, 200_000)
WORDS = st.lists(st.text("abcde", min_size=1, max_size=12), max_size=15)


def days_of(spans: list[tuple[int, int]]) -> set[int]:
    return {day for first, last in spans for day in range(first, last + 1)}


@given(AMOUNTS, st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_nothing_is_lost(amount: int, weights: list[int]) -> None:
    shares = share_out(amount, weights)
    assert sum(shares) == amount
    total = sum(weights)
    assert all(
        abs(share * total - amount * weight) <= total for share, weight in zip(shares, weights, strict=True)
    )


@given(AMOUNTS, AMOUNTS)
def test_a_fee_never_falls(one: int, two: int) -> None:
    assert fee(min(one, two)) <= fee(max(one, two))
    assert 5 <= fee(one) <= 2_000


@given(st.integers(0, 55_000))
def test_a_fee_is_what_each_cent_adds(amount: int) -> None:
    hundredths = sum(3 if cent < 1_000 else 2 if cent < 50_000 else 1 for cent in range(amount))
    assert fee(amount) == max(5, min(hundredths // 100, 2_000))


@given(SPANS)
def test_merging_keeps_the_days(spans: list[tuple[int, int]]) -> None:
    merged = merge(spans)
    assert days_of(merged) == days_of(spans)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(merged))


@given(SPANS)
def test_merging_twice_is_merging_once(spans: list[tuple[int, int]]) -> None:
    assert merge(merge(spans)) == merge(spans)


@given(DAYS, DAYS, DAYS, DAYS)
def test_an_overlap_is_what_both_hold(a: int, b: int, c: int, d: int) -> None:
    one, two = (min(a, b), max(a, b)), (min(c, d), max(c, d))
    assert overlap(one, two) == len(days_of([one]) & days_of([two]))


@given(WORDS, st.integers(5, 30))
def test_wrapping_keeps_the_words(words: list[str], width: int) -> None:
    lines = wrap(words, width)
    assert " ".join(lines).split() == words
    assert all(len(line) <= width or " " not in line for line in lines)


@given(WORDS, st.integers(5, 30))
def test_no_word_would_fit_on_the_line_before(words: list[str], width: int) -> None:
    lines = wrap(words, width)
    assert all(len(a) + 1 + len(b.split()[0]) > width for a, b in pairwise(lines))


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 20), max_size=10))
def test_a_place_counts_who_is_better(scores: dict[str, int]) -> None:
    for place, name in rank(scores):
        assert place == 1 + sum(other > scores[name] for other in scores.values())
