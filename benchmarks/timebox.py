"""
How near a timed run ends to its time, and how fair it is: `make bench-time`.

Whole pytest processes, from start to exit, on a synthetic suite whose examples cost from 20 us to 20 ms, and
on the backend's properties. The budgets are CPU seconds, because those mean the same on a busy machine: what
is compared is the CPU time that the system charges for the process and its workers. Each suite runs first
without kept costs (the backend has its baseline), then with those that the first run kept, with costs that
are wrong by two, and on two workers.

Fairness is compared with hindsight: given what each example turned out to cost, how many would each property
have got of the same time? The figures are the medians of the four quarters of the order.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from evidence import ROOT, save, table

from atom_testinfra.core.budgets.allocation import Demand, level_of
from atom_testinfra.storage.costs import costs_path

ROW = re.compile(r"^(\S+::.+?) +([\d.]+) +([\d.]+) +([\d,]+) +([\d,]+)  (\S.*)$", re.MULTILINE)
N_PROPERTIES = 40
SYNTHETIC = f"""\
import time

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def make(seconds):
    @settings(deadline=None)
    @given(st.lists(st.integers(), max_size=5))
    def test_property(xs):
        burn(seconds)

    return test_property


order = sorted(range({N_PROPERTIES}), key=lambda i: i * 17 % {N_PROPERTIES})
for i in order:
    globals()[f"test_{{i}}"] = make(10 ** (-4.7 + 3.0 * i / {N_PROPERTIES}))


@given(st.booleans())
def test_exhausted(value):
    pass


@settings(max_examples=300)
@given(st.integers())
def test_pinned(value):
    burn(0.0005)


class Machine(RuleBasedStateMachine):
    @rule()
    def step(self):
        burn(0.0001)


class TestMachine(Machine.TestCase):
    settings = settings(max_examples=50, deadline=None, stateful_step_count=5)


@pytest.mark.parametrize("i", range(20))
def test_plain(i):
    burn(0.005)
"""
INI = "[pytest]\nfilterwarnings = error\naddopts = -p no:asyncio -p no:anyio -p no:schemathesis\n"
WAYS = {"no costs": [], "known": [], "twice too low": [], "known, -n 2": ["-n", "2"]}


def main() -> int:
    """Run, print, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/timebox.*")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--synthetic", type=float, nargs="*", default=[20.0], help="CPU seconds asked")
    parser.add_argument("--backend", type=float, nargs="*", default=[40.0], help="CPU seconds asked")
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        synthetic = Path(name) / "synthetic"
        synthetic.mkdir()
        (synthetic / "test_synthetic.py").write_text(SYNTHETIC)
        (synthetic / "pytest.ini").write_text(INI)
        suites = {"synthetic": (synthetic, options.synthetic), "backend": (ROOT / "backend", options.backend)}
        for suite, (folder, times) in suites.items():
            for _ in range(options.rounds):
                for asked_s in times:
                    found += [run(suite, folder, way, asked_s) for way in WAYS]
    report = describe(found)
    if options.keep:
        save("timebox", "make bench-time", found, report)
    else:
        sys.stdout.write(f"{report}\n")
    return 1 if any(figure["exit_status"] for figure in found) else 0


def run(suite: str, folder: Path, way: str, asked_s: float) -> dict[str, Any]:
    """Run the suite for a number of CPU seconds, and return what it took and how fair it was."""
    costs = costs_path(folder)
    if way == "no costs":
        costs.unlink(missing_ok=True)
    kept = costs.read_bytes() if costs.exists() else b""
    if way == "twice too low":
        costs.write_text(json.dumps(halve(json.loads(kept))))
    has_baseline = suite == "backend"
    tests = ["tests/property_tests"] if has_baseline else []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *tests]
    command += [f"--testinfra-time={asked_s:g}cpu-s", "--testinfra-time-table", *WAYS[way]]
    sys.stderr.write(f"{suite}, {way}: {asked_s:g} CPU s\n")
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "TESTINFRA_TIME"}}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        output.seek(0)
        text = output.read()
    taken_s = usage.ru_utime + usage.ru_stime
    if way == "twice too low":
        costs.write_bytes(kept)
    rows = [(float(taken), int(n.replace(",", "")), how) for _, _, taken, _, n, how in ROW.findall(text)]
    if not rows:
        raise SystemExit(f"{suite}, {way}: no table\n{text[-3000:]}")
    sys.stderr.write(f"  taken {taken_s:.2f} CPU s, {taken_s / asked_s - 1.0:+.1%}\n")
    return {
        "suite": suite,
        "way": "the baseline's" if has_baseline and way == "no costs" else way,
        "asked_s": asked_s,
        "taken_s": taken_s,
        "off": taken_s / asked_s - 1.0,
        "n_properties": len(rows),
        "n_examples": sum(n for _, n, _ in rows),
        "fairness": [] if has_baseline else fairness(rows, is_equal_time=way == "no costs"),
        "said": [line for line in text.splitlines() if line.startswith("testinfra: ")],
        "exit_status": os.waitstatus_to_exitcode(status),
    }


def halve(costs: dict[str, Any]) -> dict[str, Any]:
    """Return costs of properties that are half of what they are."""
    for cost in costs["properties"].values():
        for part in ("example", "fixed"):
            cost[part] = {name: seconds / 2 for name, seconds in cost[part].items()}
    return costs


def fairness(rows: list[tuple[float, int, str]], *, is_equal_time: bool) -> list[float]:
    """Return what each quarter of the order got, against what it would have got with hindsight; medians."""
    open_rows = [(taken_s, n) for taken_s, n, how in rows if n > 1 and how in {"count", "clock", "cut"}]
    total_s = sum(taken_s for taken_s, _ in open_rows)
    if is_equal_time:
        ratios = [taken_s / (total_s / len(open_rows)) for taken_s, _ in open_rows]
    else:
        demands = [Demand(cost_s=max(taken_s / n, 1e-7), floor=5) for taken_s, n in open_rows]
        level = level_of(demands, total_s)
        ratios = [n / demand.n_at(level) for (_, n), demand in zip(open_rows, demands, strict=True)]
    size = max(len(ratios) // 4, 1)
    return [round(median(ratios[i * size : (i + 1) * size]), 3) for i in range(4)]


def describe(found: list[dict[str, Any]]) -> str:
    """Return the table, and the median and the worst deviation."""
    rows = [
        [
            f"{figure['suite']}, {figure['way']}",
            f"{figure['asked_s']:g}",
            f"{figure['taken_s']:.2f}",
            f"{figure['off']:+.1%}",
            f"{figure['n_examples']:,}",
            " ".join(f"{ratio:.2f}" for ratio in figure["fairness"]),
        ]
        for figure in found
    ]
    off = sorted(abs(figure["off"]) for figure in found)
    head = ["suite, costs", "asked CPU s", "taken", "off", "examples", "quarters against hindsight"]
    return (
        f"{table(head, rows)}\n\n"
        f"{len(off)} runs: off by {median(off):.1%} (median) and {off[-1]:.1%} (worst).\n"
        "The quarters are those of the order in which tests end. Without costs hindsight means equal times,\n"
        "otherwise the numbers that the same time would have given. The backend has none: some of its\n"
        "properties ask for a multiple of the profile's number, which the table does not say."
    )


if __name__ == "__main__":
    raise SystemExit(main())
