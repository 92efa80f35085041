"""The scheduler, in virtual time: every test runs once, whatever is known and whatever happens."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.scheduling.durations import expect, lower_bound

pytest.importorskip("xdist")

from tests.pytest_plugin.scheduling.virtual_time import Reporter, VirtualRun, run_virtually
from xdist.scheduler import LoadScheduling

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path("/project")

names = st.sampled_from(
    ["test_a", "TestB::test_c", "test_d[1]", "test_d[a::b]", "test_e[x@group]", "test_ü[ä]", "test_f[]]"]
)
files = st.sampled_from(
    ["tests/test_1.py", "tests/test_2.py", "tests/[odd]/test_3.py", "tests/a::b/test_4.py"]
)
nodeid_lists = st.lists(st.builds("{}::{}".format, files, names), max_size=30)
"""With duplicates: a custom collector can make them."""
scopes = files | st.builds("{}::TestB".format, files)
durations = st.one_of(
    st.floats(min_value=0.0, max_value=20.0),
    st.sampled_from([0.0, 5e-324, 1e-6, 1e9]),
)


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[str], list[float], dict[str, float]]:
    """Node ids, what each really takes, and what is known of some of them and of a test that is gone."""
    nodeids = draw(nodeid_lists)
    real_s = draw(st.lists(st.floats(0.0, 20.0), min_size=len(nodeids), max_size=len(nodeids)))
    stale = draw(st.dictionaries(st.just("tests/test_gone.py::test_x"), durations))
    known = draw(st.dictionaries(st.sampled_from(nodeids), durations)) if nodeids else {}
    return nodeids, real_s, stale | known


class TestEveryTestRunsOnce:
    """Exactly the collected tests are executed, each once."""

    @given(run=runs(), n_workers=st.integers(1, 9), fixtures_s=st.dictionaries(scopes, durations, max_size=3))
    def test_every_test_runs_once_with_any_durations(
        self,
        run: tuple[list[str], list[float], dict[str, float]],
        n_workers: int,
        fixtures_s: dict[str, float],
    ) -> None:
        """Unknown, stale, zero and absurd durations and fixtures, duplicates, fewer tests than workers."""
        nodeids, real_s, known = run
        executed = run_virtually(nodeids, real_s, known, n_workers, root=ROOT, fixtures_s=fixtures_s).executed
        assert sorted(index for _, index in executed) == list(range(len(nodeids)))

    @given(run=runs(), n_workers=st.integers(1, 5), data=st.data())
    def test_every_test_runs_once_when_workers_crash(
        self, run: tuple[list[str], list[float], dict[str, float]], n_workers: int, data: st.DataObject
    ) -> None:
        """A worker that dies gives back what it had, its replacement takes part, and the crash is named."""
        nodeids, real_s, known = run
        indices = st.sampled_from(range(len(nodeids))) if nodeids else None
        crashes = frozenset() if indices is None else data.draw(st.frozensets(indices, max_size=4))
        result = run_virtually(nodeids, real_s, known, n_workers, root=ROOT, crashes=crashes)
        assert sorted(index for _, index in result.executed) == list(range(len(nodeids)))
        assert sorted(result.crashed) == sorted(nodeids[index] for index in crashes)

    @given(run=runs(), n_workers=st.integers(1, 5), n=st.integers(1, 5))
    def test_no_test_runs_twice_in_a_run_that_is_stopped(
        self, run: tuple[list[str], list[float], dict[str, float]], n_workers: int, n: int
    ) -> None:
        """A run that is stopped, as by `-x`, ends, and has run no test twice."""
        nodeids, real_s, known = run
        executed = run_virtually(nodeids, real_s, known, n_workers, root=ROOT, stops_after=n).executed
        indices = [index for _, index in executed]
        assert len(indices) == len(set(indices))
        assert len(indices) >= min(n, len(nodeids))


def skewed_suite(seed: int) -> tuple[list[str], list[float]]:
    """Return 200 log-normal tests in ten modules, and three long ones at the end."""
    chance = random.Random(seed)
    seconds = [chance.lognormvariate(math.log(0.1), 1.0) for _ in range(200)] + [4.0, 6.0, 8.0]
    return [f"tests/test_{index // 20}.py::test_{index}" for index in range(len(seconds))], seconds


def guess(nodeids: Sequence[str], seconds: Sequence[float], seed: int) -> dict[str, float]:
    """Return durations with 30 % noise, and none for every tenth test."""
    chance = random.Random(seed)
    noisy = {nodeid: s * chance.lognormvariate(0.0, 0.3) for nodeid, s in zip(nodeids, seconds, strict=True)}
    return {nodeid: s for number, (nodeid, s) in enumerate(noisy.items()) if number % 10}


def count_setups(run: VirtualRun, nodeids: Sequence[str]) -> int:
    """Return how often a worker came to a module that it was not in."""
    n = 0
    for worker in {worker for worker, _ in run.executed}:
        modules = [nodeids[index].partition("::")[0] for index in run.order_of(worker)]
        n += 1 + sum(before != after for before, after in itertools.pairwise(modules))
    return n


@pytest.mark.parametrize("n_workers", [2, 4, 8])
class TestMakespan:
    """On the skewed suite, over ten seeds."""

    def test_known_durations_reach_the_bound(self, n_workers: int) -> None:
        """With known durations every run ends within 1.05 of the lower bound."""
        for seed in range(10):
            nodeids, seconds = skewed_suite(seed)
            known = dict(zip(nodeids, seconds, strict=True))
            run = run_virtually(nodeids, seconds, known, n_workers, root=ROOT)
            assert run.ends_at <= 1.05 * lower_bound(seconds, n_workers), seed

    def test_noise_and_unknown_tests_cost_little(self, n_workers: int) -> None:
        """With 30 % noise and a tenth of the tests unknown every run ends within 1.15 of the bound."""
        for seed in range(10):
            nodeids, seconds = skewed_suite(seed)
            run = run_virtually(nodeids, seconds, guess(nodeids, seconds, seed), n_workers, root=ROOT)
            assert run.ends_at <= 1.15 * lower_bound(seconds, n_workers), seed

    def test_module_fixtures_are_set_up_as_seldom_as_by_xdist(self, n_workers: int) -> None:
        """Modules are set up at most 1.7 times as often as by xdist's own scheduler."""
        ours = theirs = 0
        for seed in range(10):
            nodeids, seconds = skewed_suite(seed)
            known = dict(zip(nodeids, seconds, strict=True))
            ours += count_setups(run_virtually(nodeids, seconds, known, n_workers, root=ROOT), nodeids)
            stock = run_virtually(nodeids, seconds, {}, n_workers, root=ROOT, scheduler=LoadScheduling)
            theirs += count_setups(stock, nodeids)
        assert ours <= 1.7 * theirs


@pytest.mark.parametrize("n_workers", [2, 4, 8])
def test_costly_fixtures_are_set_up_seldom(n_workers: int) -> None:
    """With fixtures of 1 s in two modules, runs stay nearer to the bound than where that is not known."""
    knowing_s = ignorant_s = 0.0
    for seed in range(10):
        nodeids, seconds = skewed_suite(seed)
        nodeids, seconds = nodeids[:200], seconds[:200]
        fixtures_s = dict.fromkeys(
            random.Random(seed).sample([f"tests/test_{i}.py" for i in range(10)], 2), 1.0
        )
        known = dict(zip(nodeids, seconds, strict=True))
        run = run_virtually(nodeids, seconds, known, n_workers, root=ROOT, fixtures_s=fixtures_s)
        bound_s = expect(nodeids, known, fixtures_s=fixtures_s).bound_s(n_workers)
        assert run.ends_at <= 1.15 * bound_s, seed
        knowing_s += run.ends_at
        run = run_virtually(
            nodeids, seconds, known, n_workers, root=ROOT, fixtures_s=fixtures_s, knows_fixtures=False
        )
        ignorant_s += run.ends_at
    assert knowing_s < ignorant_s


def test_nothing_waits_behind_a_test_of_unknown_duration_but_the_shortest() -> None:
    """Of two unknown tests neither waits for the other, and the longest known test waits for neither."""
    nodeids = [f"t.py::test_{index}" for index in range(12)]
    known = {nodeid: 1.0 + index / 10 for index, nodeid in enumerate(nodeids[:10])}
    run = run_virtually(nodeids, [*known.values(), 30.0, 30.0], known, 2, root=ROOT)
    first, second = run.order_of("gw0"), run.order_of("gw1")
    assert {first[0], second[0]} == {10, 11}
    assert {first[1], second[1]} == {0, 1}


def test_a_poor_plan_is_called_poor() -> None:
    """With half of the durations unknown a line says so; the other lines name the scheduler and the bound."""
    nodeids, seconds = skewed_suite(1)
    known = dict(list(zip(nodeids, seconds, strict=True))[::2])
    reporter = Reporter()
    run_virtually(nodeids, seconds, known, 4, root=ROOT, reporter=reporter)
    first, second = reporter.lines
    assert first.startswith("testinfra: DurationScheduling, 203 tests in ")
    assert "lower bound" in first
    assert second == (
        "testinfra: the schedule may be poor, because the duration of 101 of 203 tests is not known;"
        " this run records them"
    )
