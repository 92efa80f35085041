"""
How far from the lower bound a run with workers ends: `make bench-schedule`.

A suite of sleeping tests, 200 log-normal ones and three long ones at the end, is run by the real pytest-xdist
under its own schedulers and under ours. Sleeping takes no CPU, so the figures hold on a busy machine as
long as it starts tests in time. A run's time is taken from the begin of its first test to the end of its last
one; the lower bound, max(sum / n, max), is taken of the durations of that very run.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from evidence import save, table, take_no_options

from atom_testinfra.storage.durations import save_durations

SEED = 7
WORKERS = (2, 4, 8)
STOCK = {
    "load (xdist's default)": "--dist=load",
    "worksteal": "--dist=worksteal",
    "loadfile": "--dist=loadfile",
    "longest first, load": "--dist=load -p longest_first",
}
OURS, GUESSED = "ours", "ours, 30 % noise, 10 % unknown"
MOST = {OURS: 1.05, GUESSED: 1.15}
MOST_SETUPS = 1.7
N_SHORT, PER_MODULE, LONG_S = 200, 20, (4.0, 6.0, 8.0)

MODULE = """\
import json, os, time
import pytest

SECONDS = {seconds}

def log(*what):
    with open(os.environ["LOG"], "a") as file:
        file.write(json.dumps(what) + "\\n")

@pytest.fixture(scope="module", autouse=True)
def module():
    log("setup")

@pytest.mark.parametrize("i", range(len(SECONDS)))
def test_it(i):
    began = time.monotonic()
    time.sleep(SECONDS[i])
    log("test", began, time.monotonic())
"""
LONGEST_FIRST = """\
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: -item.module.SECONDS[item.callspec.params["i"]])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run did."""

    ratio: float
    wall_s: float
    bound_s: float
    n_setups: int


def main() -> int:
    """Run, print, save; 1 if a limit is missed."""
    take_no_options(__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = _write_suite(folder)
        found = {(way, n): _run(folder, n, way, known) for n in WORKERS for way in (*STOCK, OURS, GUESSED)}
    rows, missed = [], []
    for way in (*STOCK, OURS, GUESSED):
        outcomes = [found[way, n] for n in WORKERS]
        rows.append([way, *(f"{outcome.ratio:.3f}" for outcome in outcomes)])
        rows[-1] += [str(outcome.n_setups) for outcome in outcomes]
        missed += [
            f"{way} with {n} workers: {outcome.ratio:.3f} > {MOST[way]}"
            for n, outcome in zip(WORKERS, outcomes, strict=True)
            if way in MOST and outcome.ratio > MOST[way]
        ]
    for n in WORKERS:
        ours, theirs = found[OURS, n].n_setups, found[next(iter(STOCK)), n].n_setups
        if ours > MOST_SETUPS * theirs:
            missed.append(f"module set-ups with {n} workers: {ours} > {MOST_SETUPS} x {theirs}")
    head = ["scheduler", *(f"n = {n}" for n in WORKERS), *(f"set-ups, n = {n}" for n in WORKERS)]
    verdict = "All limits are kept." if not missed else f"Missed: {'; '.join(missed)}."
    report = (
        f"Time over the lower bound, and how often a module was set up: {N_SHORT} log-normal tests and "
        f"{len(LONG_S)} long ones at the end, one run of each.\n\n{table(head, rows)}\n\n"
        f"Limits: ours {MOST[OURS]}, with noise and unknown tests {MOST[GUESSED]}, set-ups {MOST_SETUPS} "
        f"times those of load. {verdict}"
    )
    figures = {f"{way}, n = {n}": asdict(outcome) for (way, n), outcome in found.items()}
    save("schedule", "make bench-schedule", figures, report)
    return 1 if missed else 0


def _write_suite(folder: Path) -> dict[str, float]:
    """Write the tests, and return how long each of them sleeps."""
    chance = random.Random(SEED)
    short = [chance.lognormvariate(math.log(0.1), 1.0) for _ in range(N_SHORT)]
    modules = [short[begin : begin + PER_MODULE] for begin in range(0, N_SHORT, PER_MODULE)] + [[*LONG_S]]
    known: dict[str, float] = {}
    for number, seconds in enumerate(modules):
        name = f"test_{number:02}.py"
        (folder / name).write_text(MODULE.format(seconds=seconds))
        known |= {f"{name}::test_it[{i}]": s for i, s in enumerate(seconds)}
    (folder / "longest_first.py").write_text(LONGEST_FIRST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return known


def _run(folder: Path, n: int, way: str, known: dict[str, float]) -> Outcome:
    sys.stderr.write(f"{way}, {n} workers\n")
    durations = folder / ".testinfra" / "durations.json"
    durations.unlink(missing_ok=True)
    save_durations(durations, _guess(known) if way == GUESSED else known)
    arguments = [*STOCK.get(way, "").split(), f"--testinfra-schedule={'off' if way in STOCK else 'on'}"]
    log = folder / "log"
    log.unlink(missing_ok=True)
    plugins = ["-p", "xdist.plugin", "-p", "atom_testinfra.pytest_plugin.plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", str(n), *plugins, *arguments],
        cwd=folder,
        env=os.environ | {"LOG": str(log), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    is_ours = "DurationScheduling" in done.stdout
    if done.returncode or f"{len(known)} passed" not in done.stdout or is_ours == (way in STOCK):
        raise SystemExit(f"{way} did not run as asked:\n{done.stdout}{done.stderr}")
    return _read(log, n)


def _read(log: Path, n: int) -> Outcome:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    spans = [(began, ended) for kind, *times in lines if kind == "test" for began, ended in [times]]
    seconds = [ended - began for began, ended in spans]
    wall_s = max(ended for _, ended in spans) - min(began for began, _ in spans)
    bound_s = max(math.fsum(seconds) / n, max(seconds))
    n_setups = sum(kind == "setup" for kind, *_ in lines)
    return Outcome(ratio=wall_s / bound_s, wall_s=wall_s, bound_s=bound_s, n_setups=n_setups)


def _guess(known: dict[str, float]) -> dict[str, float]:
    """Return durations with 30 % noise, and none for every tenth test."""
    chance = random.Random(SEED)
    noisy = {nodeid: s * chance.lognormvariate(0.0, 0.3) for nodeid, s in known.items()}
    return {nodeid: s for number, (nodeid, s) in enumerate(noisy.items()) if number % 10}


if __name__ == "__main__":
    raise SystemExit(main())
