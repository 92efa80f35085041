"""Which properties are split, and into what."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from atom_testinfra.core.scheduling.durations import expect
from atom_testinfra.core.scheduling.splitting import (
    LEAST_EXAMPLES,
    ShareNumber,
    count_shares,
    examples_of_share,
    expect_shares,
    seed_of_share,
)

SECONDS = st.floats(0, 1e6)
EXAMPLES = st.integers(0, 10_000)
WORKERS = st.integers(1, 64)


@given(expected_s=SECONDS, equal_s=SECONDS, n_examples=EXAMPLES, n_workers=WORKERS)
def test_shares_are_never_below_the_least_or_more_than_the_workers(
    expected_s: float, equal_s: float, n_examples: int, n_workers: int
) -> None:
    """Every share of a split property runs at least 50 examples, and each has a worker."""
    n_shares = count_shares(expected_s, equal_s, n_examples, n_workers)
    assert 1 <= n_shares <= n_workers
    assume(n_shares > 1)
    sizes = [examples_of_share(n_examples, ShareNumber(i, n_shares)) for i in range(1, n_shares + 1)]
    assert min(sizes) >= LEAST_EXAMPLES
    assert expected_s > equal_s


@given(n_examples=EXAMPLES, n_shares=WORKERS)
def test_shares_add_up(n_examples: int, n_shares: int) -> None:
    """All examples are run, and no share has more than one more than another."""
    sizes = [examples_of_share(n_examples, ShareNumber(i, n_shares)) for i in range(1, n_shares + 1)]
    assert sum(sizes) == n_examples
    assert max(sizes) - min(sizes) <= 1


@given(n_shares=st.integers(2, 64), base=st.text(max_size=5), nodeid=st.text(max_size=5))
def test_each_share_has_a_seed_of_its_own(n_shares: int, base: str, nodeid: str) -> None:
    """With one seed, all shares would run the same examples."""
    seeds = {seed_of_share(base, nodeid, ShareNumber(i, n_shares)) for i in range(1, n_shares + 1)}
    assert len(seeds) == n_shares


def test_a_property_within_an_equal_share_stays_whole() -> None:
    """Splitting it would not shorten the run."""
    assert count_shares(10.0, 10.0, 1000, 4) == 1
    assert count_shares(10.1, 10.0, 1000, 4) == 2
    assert count_shares(100.0, 10.0, 1000, 4) == 4
    assert count_shares(100.0, 10.0, 149, 4) == 2


def test_a_share_is_expected_to_take_its_part() -> None:
    """Shares have the node id of their property, whose whole duration is known."""
    expectation = expect(["long", "long", "other", "new"], {"long": 6.0, "other": 1.0})
    seconds = expect_shares(expectation, {0: 2, 1: 2})
    assert seconds.seconds[:3] == (3.0, 3.0, 1.0)
    assert seconds.unknown == {3}
