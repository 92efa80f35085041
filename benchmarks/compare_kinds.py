"""
Which kinds of slow-down `testinfra compare` finds, and which of them it names: each part of a test's cost.

A base session is five runs of the ten properties in `subjects/power/test_kinds.py`. For each kind three
further runs are made in which some of the properties take 1.5 times or twice as long as a whole, by extra
work of that kind; suspects are run again as the command does it. The other properties of these runs are
unchanged code, and so are those of sessions without extra work, and of one in which the tests in front were
deselected.

Verdicts come from the code that the command runs. Time is read by the plugin, never here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare_power import N_AGAIN, N_BASE, N_NEW, PROFILE, rate, say
from evidence import save, table
from power_runs import Subject

from atom_testinfra.core.changes.comparison import compare_sides
from atom_testinfra.core.changes.confirmation import MOST_TURNS, confirm_suspects
from atom_testinfra.core.changes.judgement import ChangeVerdict
from atom_testinfra.core.changes.sides import side_from_runs
from atom_testinfra.core.changes.threshold import parse_threshold
from atom_testinfra.core.records.parts import parts_of
from atom_testinfra.core.statistics import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.changes.comparison import Comparison
    from atom_testinfra.core.records.measurement import Run

    Work = dict[str, tuple[str, int]]

FILE = "test_kinds.py"
UNIT, UNIT_TURNS = "test_unit", 4000
KINDS = ("body", "slow path", "strategy", "context", "thread", "child", "set-up", "teardown", "filter")
SLOWED_AT_ONCE = 3
FACTORS = {1.5: 0.80, 2.0: 0.95}
"""How much slower, and the least share to be found after the rerun."""
HARD = {("strategy", 1.5): 0.60, ("context", 1.5): 0.60, ("filter", 1.5): 1.0, ("filter", 2.0): 1.0}
"""Other shares for these: a strategy's noise is the engine's, and a count has none."""
FALSE_ALARMS = 0.003
IN_FRONT = 3
"""Tests that are deselected in front of the others."""


class Runs:
    """Runs of the suite with some extra work, once per call; what was run before is read from its file."""

    def __init__(self, subject: Subject, side: str, work: Work) -> None:
        self._subject = subject
        self._side = side
        self._work = work
        self._n = 0

    def __call__(self, nodeids: Sequence[str] = (FILE,)) -> Run:
        """Run these once."""
        self._n += 1
        os.environ["KINDS_EXTRA"] = json.dumps(self._work)
        try:
            digest = {f"{name}:{kind}": turns for name, (kind, turns) in self._work.items()}
            return self._subject.run(self._side, self._n, digest, nodeids)
        finally:
            del os.environ["KINDS_EXTRA"]


class Experiment:
    """The comparisons, and what became of the slowed and the unchanged tests in them."""

    def __init__(self, subject: Subject, threshold: str) -> None:
        self._subject = subject
        self._threshold = parse_threshold(threshold)
        self._n = 0
        self.found: dict[tuple[str, float], Counter[str]] = {}
        self.same: Counter[str] = Counter()
        self.in_front: Counter[str] = Counter()
        self.named: Counter[str] = Counter()

    def round(self, number: int) -> None:
        """Make a base, and compare every kind of slow-down with it; other tests are slowed each round."""
        make = Runs(self._subject, f"base{number}", {})
        base = [make() for _ in range(N_BASE)]
        self._hold(base, {}, f"same{number}", self.same)
        names = [record.nodeid for record in base[0].measurements]
        self._hold(base, {}, f"front{number}", self.in_front, names[IN_FRONT:])
        for turn, kind in enumerate(KINDS):
            for factor in FACTORS:
                work = choose_work(base, kind, factor, turn + number)
                counts = self.found.setdefault((kind, factor), Counter())
                self._hold(base, work, f"{kind}{factor}-{number}".replace(" ", "-"), counts)
                say(f"round {number}: {kind} {factor:g}x: {counts['found']} of {counts['tests']}")

    def _hold(
        self,
        base: list[Run],
        work: Work,
        name: str,
        counts: Counter[str],
        nodeids: Sequence[str] = (FILE,),
    ) -> None:
        statistic = self._threshold.statistic
        make = Runs(self._subject, name, work)
        new = [make(nodeids) for _ in range(N_NEW)]
        base_side = side_from_runs("base", base, statistic, PROFILE)
        first = compare_sides(base_side, side_from_runs("new", new, statistic, PROFILE), self._threshold)
        final = confirm_suspects(
            first,
            base=base_side,
            run_base=Runs(self._subject, f"{name}-again-base", {}),
            run_new=Runs(self._subject, f"{name}-again-new", work),
            profile=PROFILE,
            n_runs=N_AGAIN,
        )
        self._count(first, final, work, counts)

    def _count(self, first: Comparison, final: Comparison, work: Work, counts: Counter[str]) -> None:
        suspects = {change.nodeid for change in first.suspects}
        for change in final.changes:
            name = change.nodeid.rpartition("::")[2]
            is_slower = change.verdict is ChangeVerdict.SLOWER
            if change.verdict is ChangeVerdict.GONE:
                continue
            tally = counts if name in work or not work else self.same
            tally.update(tests=1, found=is_slower, suspects=change.nodeid in suspects)
            if name in work and is_slower:
                self.named[f"{work[name][0]}: {change.part}"] += 1

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and the rates with their 95 % intervals."""
        return {
            "threshold": str(self._threshold),
            "load_average": {q: round(quantile(self._subject.loads(), q), 2) for q in (0.1, 0.5, 0.9)},
            "unchanged": dict(self.same) | {"rate": rate(self.same["found"], self.same["tests"])},
            "deselected in front": dict(self.in_front),
            "slowed": [
                {"kind": kind, "factor": factor, **counts, "rate": rate(counts["found"], counts["tests"])}
                for (kind, factor), counts in self.found.items()
            ],
            "named": dict(sorted(self.named.items())),
        }


def choose_work(base: Sequence[Run], kind: str, factor: float, turn: int) -> Work:
    """Return extra work that makes some tests cost that much more as a whole; other ones each turn."""
    costs: dict[str, list[float]] = {}
    units = []
    for run in base:
        for record in run.measurements:
            name = record.nodeid.rpartition("::")[2]
            parts = parts_of(record)
            assert parts is not None
            costs.setdefault(name, []).append(sum(parts.values()))
            if name == UNIT and record.hypothesis is not None and record.hypothesis.body_cpu is not None:
                units.append(record.hypothesis.body_cpu.median_s / UNIT_TURNS)
    names = sorted(costs)
    chosen = [names[(turn * SLOWED_AT_ONCE + i) % len(names)] for i in range(SLOWED_AT_ONCE)]
    if kind == "filter":  # every n-th call is rejected
        return {name: (kind, round(factor / (factor - 1))) for name in chosen}
    return {name: (kind, round(min(costs[name]) * (factor - 1) / min(units))) for name in chosen}


def judge(experiment: Experiment) -> list[tuple[str, str, str, str, bool]]:
    """Return what was promised, how it came out, and whether it holds."""
    rows = []
    for (kind, factor), counts in experiment.found.items():
        least = HARD.get((kind, factor), FACTORS[factor])
        rows.append(_row(f"{kind}, {factor:g}x", counts, least, is_floor=True))
    rows.append(_row("false alarms, unchanged tests", experiment.same, FALSE_ALARMS, is_floor=False))
    rows.append(_row("false alarms, tests in front deselected", experiment.in_front, 0.0, is_floor=False))
    return rows


def _row(name: str, counts: Counter[str], limit: float, *, is_floor: bool) -> tuple[str, str, str, str, bool]:
    n, total = counts["found"], counts["tests"]
    share = n / total if total else float("nan")
    is_met = total > 0 and (share >= limit if is_floor else share <= limit)
    promise = f"{'at least' if is_floor else 'at most'} {limit:.1%}"
    return name, f"{n} of {total}", f"{share:.1%}", promise, is_met


def main() -> int:
    """Run the experiment, print what was found, and fail when a promise is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=1, help="bases, each with all kinds (default: 1)")
    parser.add_argument("--threshold", default="parts:25%", help="as for `testinfra compare`")
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs (default: a temporary one)")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/compare_kinds.*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject((options.runs or Path(folder)).resolve())
        experiment = Experiment(subject, options.threshold)
        for number in range(options.rounds):
            experiment.round(number)
        figures, rows = experiment.to_json(), judge(experiment)
    lines = [(*row[:4], "met" if row[4] else "MISSED") for row in rows]
    report = table(("kind of slow-down, of the whole test", "tests", "found", "promised", ""), lines) + (
        f"\n\n{options.rounds} bases of {N_BASE} runs, each against {N_NEW} runs for every row; suspects run"
        f" again {N_AGAIN} to {N_AGAIN * MOST_TURNS} times on each side; threshold {figures['threshold']};"
        f" median load average {figures['load_average'][0.5]:.1f}. Counted after the rerun."
    )
    if options.keep:
        save(
            "compare_kinds",
            " ".join(["python", "benchmarks/compare_kinds.py", *sys.argv[1:]]),
            figures,
            report,
        )
    else:
        print(report)
    return 0 if all(row[4] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
