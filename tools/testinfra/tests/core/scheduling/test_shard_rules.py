"""Shards: what each of them runs, and what the check of all of them refuses."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from atom_testinfra.core.errors import ShardError
from atom_testinfra.core.scheduling.durations import lower_bound
from atom_testinfra.core.scheduling.shards import (
    Shard,
    ShardKind,
    ShardNumber,
    deal_mutants,
    deal_tests,
    find_problems,
    parse_shard,
)
from atom_testinfra.core.scheduling.units import assign_longest_first

if TYPE_CHECKING:
    from collections.abc import Sequence

nodeid_lists = st.lists(
    st.sampled_from([f"t/test_{f}.py::test_{n}[ü::{n}]" for f in range(3) for n in range(8)]), max_size=30
)
known_durations = st.dictionaries(
    st.sampled_from([f"t/test_{f}.py::test_{n}[ü::{n}]" for f in range(3) for n in range(9)]),
    st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, 5e-324, 1e9])),
)


@given(nodeids=nodeid_lists, known=known_durations, n_shards=st.integers(1, 16), n_workers=st.integers(1, 4))
def test_every_test_is_in_one_shard(
    nodeids: list[str], known: dict[str, float], n_shards: int, n_workers: int
) -> None:
    """All shards together have every test, and no two of them have the same one."""
    shards, _ = deal_tests(nodeids, known, n_shards, n_workers)
    assert len(shards) == n_shards
    assert sorted(nodeid for shard in shards for nodeid in shard) == sorted(set(nodeids))


@given(nodeids=nodeid_lists, known=known_durations, n_shards=st.integers(1, 16), chance=st.randoms())
def test_order_does_not_matter(
    nodeids: list[str], known: dict[str, float], n_shards: int, chance: random.Random
) -> None:
    """Neither the order of the tests nor that of the durations changes a shard or the digest."""
    shuffled, entries = list(nodeids), list(known.items())
    chance.shuffle(shuffled)
    chance.shuffle(entries)
    assert deal_tests(nodeids, known, n_shards, 2) == deal_tests(shuffled, dict(entries), n_shards, 2)


@given(nodeids=nodeid_lists, known=known_durations, n_shards=st.integers(1, 8), extra=st.text(min_size=1))
def test_whatever_decides_is_in_the_digest(
    nodeids: list[str], known: dict[str, float], n_shards: int, extra: str
) -> None:
    """Another test, another duration, and another number of shards or workers give another digest."""
    digests = {
        deal_tests(nodeids, known, n_shards, 2)[1],
        deal_tests([*nodeids, extra], known, n_shards, 2)[1],
        deal_tests(nodeids, known | {extra: known.get(extra, 0.0) + 1.0}, n_shards, 2)[1],
        deal_tests(nodeids, known, n_shards + 1, 2)[1],
        deal_tests(nodeids, known, n_shards, 3)[1],
    }
    assert len(digests) == 5


@given(ids=st.sets(st.text(min_size=1, max_size=6)), n_shards=st.integers(1, 16))
def test_every_mutant_is_in_one_shard(ids: set[str], n_shards: int) -> None:
    """The shards have all mutants, each once, and differ by one mutant at most."""
    shards, _ = deal_mutants(ids, "asked", n_shards)
    assert sorted(id_ for shard in shards for id_ in shard) == sorted(ids)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize("n_shards", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("n_workers", [1, 2])
def test_shards_are_balanced(n_shards: int, n_workers: int) -> None:
    """With known durations the slowest shard takes at most 1.05 times the lower bound, over ten suites."""
    for seed in range(10):
        chance = random.Random(seed)
        known = {f"test_{n // 20}.py::test_{n}": chance.lognormvariate(-2.3, 1.0) for n in range(400)}
        known |= {f"test_long.py::test_{n}": chance.uniform(2.0, 8.0) for n in range(6)}
        shards, _ = deal_tests(known, known, n_shards, n_workers)
        slowest_s = max(
            max(
                sum(weights[index] for index in slot)
                for weights in [[known[nodeid] for nodeid in sorted(shard)]]
                for slot in assign_longest_first(weights, n_workers)
            )
            for shard in shards
        )
        assert slowest_s <= 1.05 * lower_bound(known.values(), n_shards * n_workers), seed


def test_unknown_tests_count_as_the_shortest_known_one() -> None:
    """Plain tests, which the baseline does not know, are spread over all shards."""
    plain = [f"test_plain.py::test_{n}" for n in range(40)]
    known = {"test_a.py::test_long": 8.0, "test_a.py::test_short": 0.1}
    shards, _ = deal_tests([*plain, *known], known, 4, 1)
    long = next(shard for shard in shards if "test_a.py::test_long" in shard)
    assert long == {"test_a.py::test_long"}
    assert max(map(len, shards)) <= 17


@pytest.mark.parametrize(
    "text", ["", "0/4", "5/4", "1/0", "1", "a/b", "-1/4", "1/4/2", "1 /4", "01/4", "1/20000", "\u0661/4"]
)
def test_what_names_no_shard_is_refused(text: str) -> None:
    """The message says how a shard is written."""
    with pytest.raises(ShardError, match="is not a shard") as error:
        parse_shard(text)
    assert "2/4" in str(error.value.hint)


def whole(n_shards: int = 3) -> list[tuple[str, Shard]]:
    """Return all shards of a small suite in which one test failed."""
    ids = [f"t.py::test_{n}" for n in range(10)]
    shards, digest = deal_tests(ids, {}, n_shards, 1)
    return [
        (
            f"shard-{index}",
            Shard(
                kind=ShardKind.TESTS,
                number=ShardNumber(index, n_shards),
                digest=digest,
                ids=ids,
                chosen=sorted(chosen),
                results=[(id_, "failed" if id_ == ids[0] else "passed") for id_ in sorted(chosen)],
                exit_status=0,
            ),
        )
        for index, chosen in enumerate(shards, start=1)
    ]


def problems_with(position: int, **values: object) -> Sequence[str]:
    """Return the problems of the whole with one shard changed."""
    shards = whole()
    name, shard = shards[position]
    shards[position] = name, replace(shard, **values)
    return find_problems(shards)


class TestProblems:
    """What is refused, by name."""

    @pytest.mark.parametrize("n_shards", [1, 2, 12])
    def test_the_whole_has_none(self, n_shards: int) -> None:
        """Some of twelve shards of ten tests are empty."""
        assert find_problems(whole(n_shards)) == []

    def test_a_missing_shard_is_named(self) -> None:
        """Each missing one is named."""
        assert find_problems(whole()[:1]) == ["missing: shard 2/3, 3/3"]

    def test_a_repeated_shard_is_named_with_its_files(self) -> None:
        """The files that hold it are named."""
        shards = whole()
        assert find_problems([*shards, ("again", shards[1][1])]) == [
            "shard 2/3 is in 2 files: shard-2, again"
        ]

    def test_a_shard_with_another_digest_is_refused(self) -> None:
        """It is named, and so is what is missing without it."""
        first, second = problems_with(1, digest="another")
        assert first.startswith("shard-2: shard 2/3 does not belong to the others: its digest is another")
        assert second == "missing: shard 2/3"

    def test_a_shard_of_another_division_is_refused(self) -> None:
        """One of four does not fit to three."""
        first, *_ = problems_with(2, number=ShardNumber(3, 4))
        assert first == "shard-3: shard 3/4 does not belong to the others: it is one of 4, not of 3"

    def test_a_shard_that_collected_other_tests_is_refused(self) -> None:
        """How many more and fewer, and the first of each."""
        ids = [*(f"t.py::test_{n}" for n in range(9)), "t.py::test_new"]
        first, *_ = problems_with(0, ids=ids)
        assert "1 more (first 't.py::test_new'), 1 fewer (first 't.py::test_9')" in first

    def test_a_test_without_a_result_is_named(self) -> None:
        """As after `-x`, or where the run was killed."""
        (problem,) = problems_with(1, results=[])
        assert problem.startswith("shard-2: 3 tests have no result, the first is")

    def test_a_result_of_another_shard_is_named(self) -> None:
        """A result that nobody asked for is named."""
        (problem,) = problems_with(1, results=[*whole()[1][1].results, ("t.py::test_0", "passed")])
        assert problem == "shard-2: 1 results are of other tests, the first is 't.py::test_0'"

    def test_a_run_that_was_interrupted_is_refused(self) -> None:
        """pytest's exit status is named."""
        assert problems_with(0, exit_status=2) == ["shard-1: its run ended with exit status 2"]

    def test_shards_that_overlap_are_refused(self) -> None:
        """Digests detect accidents, and this is another check: nothing is lost, nothing is in two shards."""
        chosen = whole()[0][1].chosen
        problems = problems_with(1, chosen=chosen, results=[(id_, "passed") for id_ in chosen])
        assert [problem.partition(" ")[2].partition(",")[0] for problem in problems] == [
            "are in no shard",
            "are in a shard and were not collected",
        ]

    def test_shards_of_different_random_seeds_are_refused(self) -> None:
        """Two shards of a random order have to have one seed."""
        assert problems_with(0, seed="1") == ["the random order had different seeds: 1, None"]

    def test_no_shards_at_all_are_refused(self) -> None:
        """An empty list of shards is not the whole suite."""
        assert find_problems([]) == ["there is no shard"]
