"""
How far real suites with two workers end from the lower bound: `make bench-makespan`.

The backend's suite and two public ones run under xdist's schedulers and under ours, in turns, each round in
another order. A run's time is taken from the begin of its first test to the end of its last one; its lower
bound, max(sum / n, max), of the durations of that very run. A busy machine makes both longer, so ratios are
told: of that time to the bound, and of time and CPU to xdist's default in the same round.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from evidence import ROOT, save, table
from public_suites import CI_NAMES, SUBJECTS, Project, build_wheel

N = 2
STOCK, OURS = "load", "ours"
PUBLIC = ("attrs", "bidict")
OFF, ON = "--testinfra-schedule=off", "--testinfra-schedule=on"
WAYS = {STOCK: ["--dist=load", OFF], "loadfile": ["--dist=loadfile", OFF], OURS: ["--dist=load", ON]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run did."""

    wall_s: float
    bound_s: float
    cpu_s: float
    n_tests: int

    @property
    def ratio(self) -> float:
        """The time over the lower bound."""
        return self.wall_s / self.bound_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite and how it is run."""

    command: list[str]
    folder: Path
    durations: Path
    """What our scheduler keeps, and goes by."""


def main() -> int:
    """Run, print, save; 1 if ours ends further from the bound than xdist's default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    n_rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        found = {suite: _measure(suite, made, n_rounds) for suite, made in _make_suites(Path(name))}
    rows, missed = [], []
    for suite, outcomes in found.items():
        for way, runs in outcomes.items():
            stock = outcomes[STOCK]
            wall = median(a.wall_s / b.wall_s for a, b in zip(runs, stock, strict=True))
            cpu = median(a.cpu_s / b.cpu_s for a, b in zip(runs, stock, strict=True))
            bounds = [run.ratio for run in runs]
            spread = f"{min(bounds):.3f} to {max(bounds):.3f}"
            rows.append([suite, way, f"{median(bounds):.3f}", spread, f"{wall:.3f}", f"{cpu:.3f}"])
        ours, theirs = (median(run.ratio for run in outcomes[way]) for way in (OURS, STOCK))
        if ours > theirs:
            missed.append(f"{suite}: {ours:.3f}, {STOCK} {theirs:.3f}")
    head = ["suite", "scheduler", "time / bound", "of all rounds", f"time / {STOCK}", f"CPU / {STOCK}"]
    verdict = (
        f"Ours ends nearer to the bound than {STOCK} on each suite."
        if not missed
        else f"Ours ends further from the bound: {'; '.join(missed)}."
    )
    report = (
        f"Medians of {n_rounds} rounds with {N} workers, where CI is true; "
        "ours goes by the durations of the run before.\n\n"
        f"{table(head, rows)}\n\n{verdict}"
    )
    figures = {
        suite: {way: [asdict(run) for run in runs] for way, runs in outcomes.items()}
        for suite, outcomes in found.items()
    }
    save("makespan", f"make bench-makespan ROUNDS={n_rounds}", figures, report)
    return 1 if missed else 0


def _make_suites(folder: Path) -> list[tuple[str, Suite]]:
    backend = [sys.executable, "-m", "pytest", "tests/", "-m", "not integration"]
    kept = ROOT / ".testinfra" / "durations.json"
    suites = [("backend", Suite(command=backend, folder=ROOT / "backend", durations=kept))]
    wheel = build_wheel(folder)
    for name in PUBLIC:
        subject = SUBJECTS[name]
        (folder / name).mkdir()
        project = Project(name, subject, folder / name, wheel)
        python = folder / name / "venv" / "bin" / "python"
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "pytest-xdist"], check=True)
        command = [str(python), "-m", "pytest", *subject.arguments]
        durations = project.root / ".testinfra" / "durations.json"
        suites.append((name, Suite(command=command, folder=project.root, durations=durations)))
    return suites


def _measure(name: str, suite: Suite, n_rounds: int) -> dict[str, list[Outcome]]:
    suite.durations.unlink(missing_ok=True)
    _run(name, suite, OURS)  # begins without durations, and keeps them
    outcomes: dict[str, list[Outcome]] = {way: [] for way in WAYS}
    for number in range(n_rounds):
        for way in list(WAYS)[:: -1 if number % 2 else 1]:
            outcomes[way].append(_run(name, suite, way))
    n_tests = {run.n_tests for runs in outcomes.values() for run in runs}
    if len(n_tests) != 1:
        raise SystemExit(f"{name}: different numbers of tests ran: {sorted(n_tests)}")
    return outcomes


def _run(name: str, suite: Suite, way: str) -> Outcome:
    sys.stderr.write(f"{name}, {way}\n")
    spans = Path(tempfile.mkdtemp())
    environment = {key: value for key, value in os.environ.items() if key not in CI_NAMES}
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment |= {"SPANS": str(spans), "PYTHONPATH": os.pathsep.join(paths), "CI": "true"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*suite.command, "-n", str(N), *WAYS[way], "-p", "makespan_plugin"],
        cwd=suite.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in {0, 1} or (way == OURS) != ("DurationScheduling" in done.stdout):
        raise SystemExit(f"{name}, {way}: did not run:\n{done.stdout}{done.stderr}")
    found = [span for path in spans.glob("*.json") for span in json.loads(path.read_text())]
    shutil.rmtree(spans)
    seconds = [ended - began for began, ended in found]
    return Outcome(
        wall_s=max(ended for _, ended in found) - min(began for began, _ in found),
        bound_s=max(math.fsum(seconds) / N, max(seconds)),
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        n_tests=len(found),
    )


if __name__ == "__main__":
    raise SystemExit(main())
