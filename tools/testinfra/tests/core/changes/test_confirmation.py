"""Suspects run again: who is run, in which order, and what it decides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import cycle

import pytest
from msgspec.structs import replace
from tests.made_runs import make_record, make_run

from atom_testinfra.core.changes.comparison import Comparison, Side, compare_sides
from atom_testinfra.core.changes.confirmation import (
    choose_companions,
    confirm_suspects,
    forecast_run,
    take_turns,
)
from atom_testinfra.core.changes.judgement import ChangeVerdict
from atom_testinfra.core.changes.sides import side_from_runs
from atom_testinfra.core.changes.threshold import Statistic, Threshold
from atom_testinfra.core.records.measurement import Run, WideFixture

NAMES = [f"t{i}" for i in range(8)]


class Product:
    """Code that costs what it is told; remembers what was run."""

    def __init__(self, log: list[str], name: str, costs: dict[str, float]) -> None:
        self.costs = costs
        self._log = log
        self._name = name

    def run(self, nodeids: Sequence[str]) -> Run:
        self._log.append(self._name)
        n = len(self._log)
        return make_run([make_record(nodeid, self.costs[nodeid]) for nodeid in nodeids], repeat=n)


def side(label: str, n_runs: int, **changed: float) -> Side:
    costs = {name: changed.get(name, 0.001) for name in NAMES}
    runs = [make_run([make_record(n, c) for n, c in costs.items()], repeat=i) for i in range(n_runs)]
    return side_from_runs(label, runs, Statistic.BODY_CPU, "local")


@pytest.fixture
def suspected() -> Comparison:
    """`t0` looks twice as slow."""
    return compare_sides(side("base", 5), side("new", 3, t0=0.002), Threshold())


def again(suspected: Comparison, *, base_s: float | None, new_s: float) -> tuple[Comparison, list[str]]:
    log: list[str] = []
    costs = dict.fromkeys(NAMES, 0.001)
    new = Product(log, "new", costs | {"t0": new_s})
    base = None if base_s is None else Product(log, "base", costs | {"t0": base_s})
    result = confirm_suspects(
        suspected,
        base=side("base", 5),
        run_base=None if base is None else base.run,
        run_new=new.run,
        profile="local",
        n_runs=4,
    )
    return result, log


def test_sides_take_turns(suspected: Comparison) -> None:
    """ABBA, so that a drift weighs on both sides alike."""
    assert list(take_turns(3)) == ["base", "new", "new", "base", "base", "new"]
    _, log = again(suspected, base_s=0.001, new_s=0.002)
    assert log == ["base", "new", "new", "base", "base", "new", "new", "base"]


@pytest.mark.parametrize("base_s", [0.001, None])
@pytest.mark.parametrize(("new_s", "verdict"), [(0.002, "slower"), (0.001, "ok")])
def test_the_further_runs_decide(
    suspected: Comparison, base_s: float | None, new_s: float, verdict: str
) -> None:
    """Slow again is slower, otherwise it is let go; with the base run again or its stored figures."""
    result, _ = again(suspected, base_s=base_s, new_s=new_s)
    (change,) = [change for change in result.changes if change.nodeid == "t0"]
    assert change.verdict.value == verdict
    assert change.suspected is not None
    assert {c.verdict for c in result.changes if c.nodeid != "t0"} == {ChangeVerdict.OK}


def test_what_is_not_decided_is_run_again_up_to_three_times(suspected: Comparison) -> None:
    """Twelve runs of each side, always beside as many others as tell what a run does to all alike."""
    log: list[list[str]] = []
    noise = cycle([0.001, 0.003])

    def run(nodeids: Sequence[str], *, is_new: bool) -> Run:
        log.append(list(nodeids))
        cost_s = next(noise) if is_new else 0.001
        costs = dict.fromkeys(nodeids, 0.001) | {"t0": cost_s}
        return make_run([make_record(n, c) for n, c in costs.items()], repeat=len(log))

    result = confirm_suspects(
        suspected,
        base=side("base", 5),
        run_base=partial(run, is_new=False),
        run_new=partial(run, is_new=True),
        profile="local",
        n_runs=4,
    )
    (change,) = [change for change in result.changes if change.nodeid == "t0"]
    assert (change.verdict, change.n_runs) == (ChangeVerdict.INCONCLUSIVE, (12, 12))
    assert len(log) == 24
    assert {len(nodeids) for nodeids in log} == {5}


@pytest.mark.parametrize(("factor", "is_slower"), [(2.0, True), (1.0, False)])
def test_a_suspect_suite_is_judged_by_the_further_runs(factor: float, *, is_slower: bool) -> None:
    """All of its tests looked twice as slow; none of them is a suspect, and all run again."""
    slow = dict.fromkeys(NAMES, 0.002)
    suspected = compare_sides(side("base", 5), side("new", 3, **slow), Threshold())
    assert suspected.is_suite_slower
    assert not suspected.suspects
    log: list[str] = []
    costs = dict.fromkeys(NAMES, 0.001)
    result = confirm_suspects(
        suspected,
        base=side("base", 5),
        run_base=Product(log, "base", costs).run,
        run_new=Product(log, "new", {name: cost * factor for name, cost in costs.items()}).run,
        profile="local",
        n_runs=5,
    )
    assert len(log) == 10
    assert result.is_suite_slower is is_slower
    assert result.suite is not None
    assert result.suite.value == pytest.approx(factor)
    assert result.suite_factor == pytest.approx(2)


def test_a_suspect_suite_keeps_its_verdict_without_a_base_that_runs() -> None:
    """Compared with stored figures, a machine that became slower would be slower again."""
    slow = dict.fromkeys(NAMES, 0.002)
    suspected = compare_sides(side("base", 5), side("new", 3, **slow), Threshold())
    result, log = again(suspected, base_s=None, new_s=0.001)
    assert result is suspected
    assert log == []


def test_companions_make_up_the_number(suspected: Comparison) -> None:
    """They are not suspects, and not more than there are."""
    assert len(choose_companions(suspected, 4)) == 4
    assert sorted(choose_companions(suspected, 10)) == NAMES[1:]
    assert choose_companions(suspected, -1) == []


def test_few_run_beside_many_suspects() -> None:
    """Suspects and companions are at least five tests together."""
    slow = {f"t{i}": 0.002 for i in range(3)}
    crowd = compare_sides(side("base", 5), side("new", 3, **slow), Threshold())
    ran: set[str] = set()

    def run(nodeids: Sequence[str]) -> Run:
        ran.update(nodeids)
        return make_run([make_record(n, 0.001) for n in nodeids])

    confirm_suspects(crowd, base=side("base", 5), run_base=run, run_new=run, profile="local", n_runs=1)
    assert len(ran) == 5
    assert set(slow) < ran


def test_suspects_have_no_say_about_the_suite() -> None:
    """Three of eight are much slower, all of them by a third: the factor is the others'."""
    looks = {name: 0.004 if name in {"t0", "t1", "t2"} else 0.00133 for name in NAMES}
    suspected = compare_sides(side("base", 5), side("new", 3, **looks), Threshold())
    assert suspected.is_suite_suspect
    log: list[str] = []
    result = confirm_suspects(
        suspected,
        base=side("base", 5),
        run_base=Product(log, "base", dict.fromkeys(NAMES, 0.001)).run,
        run_new=Product(log, "new", looks).run,
        profile="local",
        n_runs=5,
    )
    assert result.suite is not None
    assert result.suite.value == pytest.approx(1.33)
    ratios = {c.nodeid: c.ratio.value for c in result.changes if c.ratio is not None}
    assert ratios["t0"] == pytest.approx(4 / 1.33)


def test_without_suspects_nothing_runs() -> None:
    """Neither side is asked for anything."""
    quiet = compare_sides(side("base", 5), side("new", 3), Threshold())
    result, log = again(quiet, base_s=0.001, new_s=0.001)
    assert result is quiet
    assert log == []


def test_a_rerun_takes_its_start_up_and_its_tests() -> None:
    """What a run takes outside of its tests is paid again, however few of them run."""
    records = [make_record(name) for name in NAMES]  # 2 s each
    run = make_run(records)
    assert run.end is not None
    assert run.collected is not None
    end = replace(run.end, wall_s=20.0)
    run = replace(run, end=end, collected=replace(run.collected, startup_cpu_s=0.5))
    assert forecast_run([run], {NAMES[0], NAMES[1]}) == pytest.approx(20 - 16 + 0.5 + 4)
    assert forecast_run([replace(run, end=None)], {NAMES[0]}) is None


def test_what_is_outside_of_the_tests_runs_again_too() -> None:
    """A fixture that took three times as long at first, and not again, is let go; its payer ran."""
    fixture = WideFixture(name="engine", scope="module", place="", cpu_s=0.1)

    def runs(n: int, cost_s: float) -> list[Run]:
        one = replace(fixture, cpu_s=cost_s)
        return [
            make_run(
                [replace(make_record(name), fixtures=[one] if name == "t7" else []) for name in NAMES],
                repeat=i,
            )
            for i in range(n)
        ]

    base = side_from_runs("base", runs(5, 0.1), Statistic.PARTS, "local")
    new = side_from_runs("new", runs(3, 0.3), Statistic.PARTS, "local")
    first = compare_sides(base, new, Threshold())
    assert [(c.nodeid, c.verdict.value) for c in first.outside] == [("module fixture engine", "slower")]
    asked: list[Sequence[str]] = []

    def run_again(nodeids: Sequence[str]) -> Run:
        asked.append(nodeids)
        return replace(runs(1, 0.1)[0], header=replace(runs(1, 0.1)[0].header, repeat=len(asked)))

    final = confirm_suspects(
        first, base=base, run_base=run_again, run_new=run_again, profile="local", n_runs=4
    )
    assert [(c.nodeid, c.verdict.value) for c in final.outside] == [("module fixture engine", "ok")]
    assert not final.is_slower
    assert all("t7" in nodeids for nodeids in asked)
