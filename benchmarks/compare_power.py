"""
How often `testinfra compare` is wrong: false alarms on equal code, and slow-downs that it misses.

A session is five runs of the ten properties in `subjects/power`. Each is the base of a few comparisons, with
the first three runs of sessions that come after it: within a comparison no run counts twice, and some time
lies between its sides, as it does in use. For A/B, every few sessions three more runs are made in which some
of the properties do a fixed amount of extra work: half of what their body costs, or as much again. Suspects
are run again as the command does it: both sides in turns, suspects and their companions alone.

Verdicts come from the code that the command runs. Time is read by the plugin, never here. The runs are kept
in `--runs`, outside of version control: a further call makes those that are missing, and judges all anew.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from evidence import save, table
from power_runs import Subject, loaded

from atom_testinfra.core.changes.comparison import Comparison, compare_sides
from atom_testinfra.core.changes.confirmation import MOST_TURNS, confirm_suspects
from atom_testinfra.core.changes.judgement import ChangeVerdict
from atom_testinfra.core.changes.sides import side_from_runs
from atom_testinfra.core.changes.threshold import Threshold, parse_threshold
from atom_testinfra.core.statistics import deviation, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from power_runs import Extra

    from atom_testinfra.core.records.measurement import Run

N_BASE, N_NEW, N_AGAIN = 5, 3, 5
LAGS = (2, 3, 5, 7, 9)
"""How many sessions lie between the two sides of a comparison."""
UNIT, UNIT_TURNS = "test_spin_short", 400
FACTORS = (1.5, 2.0)
SLOWED_AT_ONCE = 3
PROFILE = "default"


class Tally:
    """Counts what became of the tests of one kind of comparison."""

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.n_suites_slower = 0
        self.n_comparisons = self.n_tests = self.n_first = self.n_final = self.n_suspects = 0
        self.by_test: dict[str, Counter[str]] = {}
        self.ratios: list[float] = []
        self.expected = 0.0

    def add(self, first: Comparison, final: Comparison, nodeids: set[str]) -> None:
        """Take these tests of a comparison into account."""
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
            "suites_slower_after_rerun": self.n_suites_slower,
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

    def __init__(self, subject: Subject, threshold: Threshold) -> None:
        self.subject = subject
        self.threshold = threshold
        self._sessions: list[list[Run]] = []
        self.tallies = {factor: Tally(factor) for factor in (1.0, *FACTORS)}

    @property
    def n_sessions(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    @property
    def shares(self) -> list[float]:
        """What part of a core each run of the sessions got."""
        ends = [run.end for session in self._sessions for run in session]
        return [end.cpu_s / end.wall_s for end in ends if end is not None]

    def run(self, n_comparisons: int, slow_every: int, say: Callable[[str], None]) -> None:
        """Make sessions until there are enough comparisons."""
        number = 0
        while self.tallies[1.0].n_comparisons < n_comparisons:
            name = f"session{number:03d}"
            self._sessions.append([self.subject.run(name, i, {}) for i in range(N_BASE)])
            for lag in LAGS:
                if number >= lag:
                    base, new = self._sessions[number - lag], self._sessions[number][:N_NEW]
                    self._compare(f"{name}-lag{lag}", 1.0, base, new, {})
            if number >= LAGS[0] and number % slow_every == 0:
                self._slow_down(f"{name}-slowed", self._sessions[number - LAGS[0]], number // slow_every)
            number += 1
            say(self.describe())

    def _slow_down(self, name: str, base: list[Run], turn: int) -> None:
        for factor in FACTORS:
            known = [run for session in self._sessions for run in session]
            extra = choose_extra(known, factor, turn=turn)
            new = [self.subject.run(f"{name}{factor:g}", i, extra) for i in range(N_NEW)]
            self._compare(f"{name}{factor:g}", factor, base, new, extra)

    def to_json(self) -> dict[str, Any]:
        """Return the conditions and the counts."""
        return {
            "threshold": str(self.threshold),
            "base_runs": N_BASE,
            "new_runs": N_NEW,
            "rerun_pairs": N_AGAIN,
            "sessions": self.n_sessions,
            "load_average": {str(q): round(quantile(self.subject.loads(), q), 2) for q in (0.1, 0.5, 0.9)},
            "cpu_share": {str(q): round(quantile(self.shares, q), 3) for q in (0.1, 0.5, 0.9)},
            "rates": [tally.to_json() for tally in self.tallies.values()],
        }

    def describe(self) -> str:
        """Return the rates so far in one line."""
        parts = [
            f"x{tally.factor:g}: {tally.n_first}/{tally.n_final} of {tally.n_tests}"
            for tally in self.tallies.values()
        ]
        made = f"{self.n_sessions} sessions, {self.subject.n_made} runs made"
        return f"{made}; slower before/after rerun {', '.join(parts)}"

    def _compare(self, name: str, factor: float, base: list[Run], new: list[Run], extra: Extra) -> None:
        base_side = side_from_runs("base", base, self.threshold.statistic, PROFILE)
        new_side = side_from_runs("new", new, self.threshold.statistic, PROFILE)
        first = compare_sides(base_side, new_side, self.threshold)
        final = confirm_suspects(
            first,
            base=base_side,
            run_base=Turns(self.subject, f"{name}-again-base", {}),
            run_new=Turns(self.subject, f"{name}-again-new", extra),
            profile=PROFILE,
            n_runs=N_AGAIN,
        )
        self.tallies[factor].n_comparisons += 1
        self.tallies[factor].n_suites_slower += final.is_suite_slower
        slowed = {nodeid for nodeid in base_side.tests if nodeid.partition("::")[2] in extra}
        self.tallies[factor].add(first, final, slowed or set(base_side.tests))
        if slowed:  # the other tests of the run are equal code
            self.tallies[1.0].add(first, final, set(base_side.tests) - slowed)


class Turns:
    """Runs suspects of one side again, once per call."""

    def __init__(self, subject: Subject, side: str, extra: Extra) -> None:
        self._subject = subject
        self._side = side
        self._extra = extra
        self._n = 0

    def __call__(self, nodeids: Sequence[str]) -> Run:
        """Run these once."""
        self._n += 1
        return self._subject.run(self._side, self._n, self._extra, nodeids)


def choose_extra(known: Sequence[Run], factor: float, *, turn: int) -> Extra:
    """
    Return the loop turns that make some of the bodies cost that much more; other ones each turn.

    What they cost undisturbed is the least of all runs so far: of single sessions on a machine that slows
    bodies and loop turns by different amounts, "half as much again" was 1.0 to 1.6 times as much.
    """
    costs: dict[str, list[float]] = {}
    for run in known:
        for record in run.measurements:
            if record.hypothesis and record.hypothesis.body_cpu:
                name = record.nodeid.partition("::")[2]
                costs.setdefault(name, []).append(record.hypothesis.body_cpu.median_s)
    turn_s = min(costs[UNIT]) / UNIT_TURNS
    names = sorted(costs)
    chosen = [names[(turn * SLOWED_AT_ONCE + i) % len(names)] for i in range(SLOWED_AT_ONCE)]
    return {name: round(min(costs[name]) * (factor - 1) / turn_s) for name in chosen}


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


def judge(tallies: dict[float, Tally]) -> list[tuple[str, str, str, str, bool]]:
    """Return what was promised, how it came out, and whether it holds."""
    same, half, twice = (tallies[factor] for factor in (1.0, *FACTORS))
    promises = [
        ("false alarms before the rerun", same.n_first, same.n_tests, 0.02, False),
        ("false alarms after the rerun", same.n_final, same.n_tests, 0.003, False),
        ("suites falsely called slower", same.n_suites_slower, same.n_comparisons, 0.02, False),
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
    load, share = (quantile(values, 0.5) for values in (experiment.subject.loads(), experiment.shares))
    return (
        table(("", "tests or suites", "rate", "promised", ""), lines)
        + f"\n\n{experiment.tallies[1.0].n_comparisons} comparisons of {N_BASE} runs against {N_NEW},"
        f" between {experiment.n_sessions} sessions;"
        f" suspects run again {N_AGAIN} to {N_AGAIN * MOST_TURNS} times on each side;"
        f" threshold {experiment.threshold}. Busy processes beside it: {n_busy};"
        f" median load average {load:.1f}, median share of a core {share:.0%}."
    )


def main() -> int:
    """Run the experiment, print both rates, and fail when a promise is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--comparisons", type=int, default=10, help="of the suite with itself (default: 10)")
    parser.add_argument("--slow-every", type=int, default=3, help="sessions between two A/B ones")
    parser.add_argument("--load", type=int, default=1, help="busy processes meanwhile (default: 1)")
    parser.add_argument("--threshold", default="body_cpu:25%", help="as for `testinfra compare`")
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs (default: a temporary one)")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/compare_power.*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, loaded(options.load):
        subject = Subject((options.runs or Path(folder)).resolve())
        experiment = Experiment(subject, parse_threshold(options.threshold))
        experiment.run(options.comparisons, options.slow_every, say)
        report = describe(experiment, rows := judge(experiment.tallies), options.load)
        figures = experiment.to_json()
    if options.keep:
        command = " ".join(["python", "benchmarks/compare_power.py", *sys.argv[1:]])
        save("compare_power", command, figures, report)
    else:
        print(report)
    return 0 if all(row[4] for row in rows) else 1


def say(line: str) -> None:
    """Show how far it has come."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
