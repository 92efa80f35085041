"""
How often `testinfra compare` is wrong: false alarms on equal code, and slow-downs that it misses.

A session is five runs of the ten properties in `subjects/power`, each in a process of its own. Every session
is the base of one comparison, and its first three runs are the new side of another, `--lag` sessions later:
within a comparison no run counts twice, and some time lies between its sides, as it does in use. For A/B,
every few sessions three more runs are made in which some of the properties do a fixed amount of extra work:
half of what their body costs, or as much again. Suspects are run again as the command does it: both sides in
turns, suspects alone.

Verdicts come from the code that the command runs. Time is read by the plugin, never here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from evidence import save, table

from atom_testinfra.core.comparison import ChangeVerdict, Comparison, compare_sides
from atom_testinfra.core.confirmation import confirm_suspects
from atom_testinfra.core.sides import side_from_runs
from atom_testinfra.core.statistics import deviation, quantile
from atom_testinfra.core.threshold import Threshold, parse_threshold
from atom_testinfra.storage.runs import load_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from atom_testinfra.core.measurement import Run

SUBJECT = Path(__file__).parent / "subjects" / "power"
N_EXAMPLES = 50
N_BASE, N_NEW, N_AGAIN = 5, 3, 5
UNIT, UNIT_TURNS = "test_spin_short", 400
FACTORS = (1.5, 2.0)
SLOWED_AT_ONCE = 3
PROFILE = "default"
PLUGIN = "atom_testinfra.pytest_plugin.plugin"
LOAD = r"""
import os
parent = os.getppid()
while os.getppid() == parent:
    compile("x = [i * i for i in range(9)]\n" * 200, "load", "exec")
"""
"""A process of it keeps one core busy, for as long as the one that started it lives."""

Extra = dict[str, int]


class Subject:
    """Runs the ten properties, or some of them, once per call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.n_runs = 0

    def run(self, extra: Extra, names: Sequence[str] = ("test_power.py",)) -> Run:
        """Run these node ids in a process of their own and return what the plugin recorded."""
        self.n_runs += 1
        path = self._folder / f"{self.n_runs}.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir=."]
        command += ["-p", "_hypothesis_pytestplugin", "-p", PLUGIN, "-p", "no:cacheprovider"]
        command += ["--testinfra-record", os.fspath(path)]
        command += ["--testinfra-max-examples", str(N_EXAMPLES), *names]
        environment = os.environ | {
            "PYTHONHASHSEED": "0",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "POWER_EXTRA": json.dumps(extra),
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        subprocess.run(command, cwd=SUBJECT, env=environment, check=True, stdout=subprocess.DEVNULL)
        run = load_run(path)
        path.unlink()
        return run


class Tally:
    """Counts what became of the tests of one kind of comparison."""

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.n_comparisons = self.n_tests = self.n_first = self.n_final = self.n_suspects = 0
        self.by_test: dict[str, Counter[str]] = {}
        self.ratios: list[float] = []
        self.expected = 0.0

    def add(self, first: Comparison, final: Comparison, nodeids: set[str]) -> None:
        """Take one comparison into account, as far as these tests go."""
        self.n_comparisons += 1
        self.expected += first.expected_by_chance
        after = {change.nodeid: change.verdict for change in final.changes}
        for change in first.changes:
            if change.nodeid not in nodeids:
                continue
            is_first = change.verdict is ChangeVerdict.SLOWER
            is_final = after[change.nodeid] is ChangeVerdict.SLOWER
            self.n_tests += 1
            self.n_suspects += change.is_suspect
            self.n_first += is_first
            self.n_final += is_final
            counts = self.by_test.setdefault(change.nodeid.partition("::")[2], Counter())
            counts.update({"n": 1, "first": is_first, "final": is_final})
            if change.ratio is not None:
                self.ratios.append(change.ratio.value)

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and the rates with their 95 % intervals."""
        return {
            "factor": self.factor,
            "comparisons": self.n_comparisons,
            "tests": self.n_tests,
            "suspects": self.n_suspects,
            "slower_before_rerun": self.n_first,
            "slower_after_rerun": self.n_final,
            "rate_before_rerun": rate(self.n_first, self.n_tests),
            "rate_after_rerun": rate(self.n_final, self.n_tests),
            "expected_by_chance": round(self.expected, 2),
            "median_ratio": round(median(self.ratios), 4) if self.ratios else None,
            "ratio_spread": round(deviation(self.ratios), 4) if self.ratios else None,
            "by_test": {name: dict(counts) for name, counts in sorted(self.by_test.items())},
        }


class Experiment:
    """Sessions one after the other, and the comparisons between them."""

    def __init__(self, subject: Subject, threshold: Threshold, lag: int) -> None:
        self.subject = subject
        self.threshold = threshold
        self._lag = lag
        self._sessions: list[list[Run]] = []
        self.tallies = {factor: Tally(factor) for factor in (1.0, *FACTORS)}
        self.loads: list[float] = []
        self.shares: list[float] = []

    def run(self, n_comparisons: int, slow_every: int, say: Callable[[str], None]) -> None:
        """Make sessions until there are enough comparisons."""
        for number in range(n_comparisons + self._lag):
            self._sessions.append([self.subject.run({}) for _ in range(N_BASE)])
            self._note_conditions()
            if number < self._lag:
                continue
            base = self._sessions[number - self._lag]
            self._compare(1.0, base, self._sessions[number][:N_NEW], {})
            if number % slow_every == 0:
                for factor in FACTORS:
                    extra = choose_extra(base, factor, turn=number // slow_every)
                    self._compare(factor, base, [self.subject.run(extra) for _ in range(N_NEW)], extra)
            say(self.describe())

    def to_json(self) -> dict[str, Any]:
        """Return the conditions and the counts."""
        return {
            "threshold": str(self.threshold),
            "base_runs": N_BASE,
            "new_runs": N_NEW,
            "rerun_pairs": N_AGAIN,
            "load_average": {str(q): round(quantile(self.loads, q), 2) for q in (0.1, 0.5, 0.9)},
            "cpu_share": {str(q): round(quantile(self.shares, q), 3) for q in (0.1, 0.5, 0.9)},
            "rates": [tally.to_json() for tally in self.tallies.values()],
        }

    def describe(self) -> str:
        """Return the rates so far in one line."""
        parts = [
            f"x{tally.factor:g}: {tally.n_first}/{tally.n_final} of {tally.n_tests}"
            for tally in self.tallies.values()
        ]
        return f"{self.subject.n_runs} runs; slower before/after rerun {', '.join(parts)}"

    def _compare(self, factor: float, base: list[Run], new: list[Run], extra: Extra) -> None:
        base_side = side_from_runs("base", base, self.threshold.statistic, PROFILE)
        new_side = side_from_runs("new", new, self.threshold.statistic, PROFILE)
        first = compare_sides(base_side, new_side, self.threshold)
        final = confirm_suspects(
            first,
            base=base_side,
            run_base=lambda nodeids: self.subject.run({}, nodeids),
            run_new=lambda nodeids: self.subject.run(extra, nodeids),
            profile=PROFILE,
            n_runs=N_AGAIN,
        )
        slowed = {nodeid for nodeid in base_side.tests if nodeid.partition("::")[2] in extra}
        self.tallies[factor].add(first, final, slowed or set(base_side.tests))
        if slowed:  # the other tests of the run are equal code
            untouched = set(base_side.tests) - slowed
            self.tallies[1.0].add(first, final, untouched)
            self.tallies[1.0].n_comparisons -= 1

    def _note_conditions(self) -> None:
        self.loads.append(os.getloadavg()[0])
        for run in self._sessions[-1]:
            assert run.end is not None
            self.shares.append(run.end.cpu_s / run.end.wall_s)


def choose_extra(base: Sequence[Run], factor: float, *, turn: int) -> Extra:
    """Return the loop turns that make some of the bodies cost that much more; other ones each turn."""
    costs: dict[str, list[float]] = {}
    for run in base:
        for record in run.measurements:
            if record.hypothesis and record.hypothesis.body_cpu:
                name = record.nodeid.partition("::")[2]
                costs.setdefault(name, []).append(record.hypothesis.body_cpu.median_s)
    turn_s = median(costs[UNIT]) / UNIT_TURNS
    names = sorted(costs)
    chosen = [names[(turn * SLOWED_AT_ONCE + i) % len(names)] for i in range(SLOWED_AT_ONCE)]
    return {name: round(median(costs[name]) * (factor - 1) / turn_s) for name in chosen}


def rate(n: int, total: int) -> dict[str, float | None]:
    """Return a share with its 95 % interval (Wilson 1927)."""
    if total == 0:
        return {"value": None, "low": None, "high": None}
    z, p = 1.96, n / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return {
        "value": round(p, 5),
        "low": round(max(0.0, centre - half), 5),
        "high": round(min(1.0, centre + half), 5),
    }


@contextlib.contextmanager
def loaded(n_processes: int) -> Iterator[None]:
    """Keep that many processes busy meanwhile."""
    busy = [subprocess.Popen([sys.executable, "-c", LOAD]) for _ in range(n_processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def judge(tallies: dict[float, Tally]) -> list[tuple[str, str, str, str, bool]]:
    """Return what was promised, how it came out, and whether it holds."""
    same, half, twice = (tallies[factor] for factor in (1.0, *FACTORS))
    promises = [
        ("false alarms before the rerun", same.n_first, same.n_tests, 0.02, False),
        ("false alarms after the rerun", same.n_final, same.n_tests, 0.003, False),
        ("1.5x slow-downs found", half.n_final, half.n_tests, 0.80, True),
        ("2x slow-downs found", twice.n_final, twice.n_tests, 0.95, True),
    ]
    rows = []
    for name, n, total, limit, is_floor in promises:
        share = n / total if total else math.nan
        is_met = total > 0 and (share >= limit if is_floor else share <= limit)
        promise = f"{'at least' if is_floor else 'at most'} {limit:.1%}"
        rows.append((name, f"{n} of {total}", f"{share:.2%}", promise, is_met))
    return rows


def describe(experiment: Experiment, rows: list[tuple[str, str, str, str, bool]], n_busy: int) -> str:
    """Return the results as Markdown."""
    lines = [(*row[:4], "met" if row[4] else "MISSED") for row in rows]
    load, share = (quantile(values, 0.5) for values in (experiment.loads, experiment.shares))
    return (
        table(("", "tests", "rate", "promised", ""), lines)
        + f"\n\n{experiment.tallies[1.0].n_comparisons} comparisons of {N_BASE} runs against {N_NEW};"
        f" suspects run again {N_AGAIN} times on each side; threshold {experiment.threshold}."
        f" Busy processes beside it: {n_busy}; median load average {load:.1f},"
        f" median share of a core {share:.0%}."
    )


def main() -> int:
    """Run the experiment, print both rates, and fail when a promise is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--comparisons", type=int, default=10, help="of the suite with itself (default: 10)")
    parser.add_argument("--slow-every", type=int, default=2, help="comparisons between two A/B ones")
    parser.add_argument("--lag", type=int, default=5, help="sessions between base and new")
    parser.add_argument("--load", type=int, default=1, help="busy processes meanwhile (default: 1)")
    parser.add_argument("--threshold", default="body_cpu:25%", help="as for `testinfra compare`")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/compare_power.*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, loaded(options.load):
        subject = Subject(Path(folder))
        experiment = Experiment(subject, parse_threshold(options.threshold), options.lag)
        experiment.run(options.comparisons, options.slow_every, say)
    rows = judge(experiment.tallies)
    report = describe(experiment, rows, options.load)
    if options.keep:
        command = " ".join(["python", "benchmarks/compare_power.py", *sys.argv[1:]])
        save("compare_power", command, experiment.to_json() | {"runs": subject.n_runs}, report)
    else:
        print(report)
    return 0 if all(row[4] for row in rows) else 1


def say(line: str) -> None:
    """Show how far it has come."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
