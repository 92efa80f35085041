"""
What a baseline of very many tests costs: CPU seconds and peak memory of load, check, compare and save.

Each is done in a process of its own, on a file with five runs under two profiles for every test. The start of
the interpreter and the imports are not counted in the seconds; they are in the memory.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from evidence import save, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atom_testinfra.core.costs.baseline import Baseline, PropertyCost

SIZES = (1_000, 10_000, 100_000)
STEPS = ("load", "check", "compare", "save")
N_RUNS = 5
MOST_S, MOST_MB = 2.0, 400.0
LINEAR = 1.6
"""Most by which the cost per test may grow from 10,000 tests to 100,000."""


def main() -> int:
    """Measure every step at every size; 1 if a limit is passed or the growth is more than linear."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for n_tests in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "baseline.json"
            _child("write", n_tests, path)
            figures[str(n_tests)] = {step: _child(step, n_tests, path) for step in STEPS}
            figures[str(n_tests)]["file"] = {"mb": path.stat().st_size / 1e6}
            sys.stderr.write(f"{n_tests} tests: done\n")
    missed = _missed(figures)
    rows = [
        [f"{int(n):,}", f"{steps['file']['mb']:.1f} MB"]
        + [f"{steps[step]['cpu_s']:.2f} s, {steps[step]['mb']:.0f} MB" for step in STEPS]
        for n, steps in figures.items()
    ]
    report = table(["tests", "file", *STEPS], rows)
    limits = (
        f"Asked for at 100,000 tests: under {MOST_S:g} s of CPU and {MOST_MB:g} MB each, growing linearly"
    )
    verdict = "all met." if not missed else f"missed: {', '.join(missed)}."
    save("baseline_scale", "make bench-baseline", figures, f"{report}\n\n{limits}: {verdict}")
    return 1 if missed else 0


def _missed(figures: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    small, large = figures[str(SIZES[-2])], figures[str(SIZES[-1])]
    ratio = SIZES[-1] / SIZES[-2]
    return [
        step
        for step in STEPS
        if large[step]["cpu_s"] >= MOST_S
        or large[step]["mb"] >= MOST_MB
        or large[step]["cpu_s"] > small[step]["cpu_s"] * ratio * LINEAR
    ]


def _child(step: str, n_tests: int, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, step, str(n_tests), str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def run_step(step: str, n_tests: int, path: Path) -> dict[str, float]:
    """Do one step in this process and return what it cost."""
    from atom_testinfra.core.changes.comparison import compare_sides
    from atom_testinfra.core.changes.threshold import parse_threshold
    from atom_testinfra.core.targets.verification import check
    from atom_testinfra.storage.baseline import load_baseline, save_baseline
    from atom_testinfra.storage.recordings import Recording

    if step == "write":
        save_baseline(path, _make_baseline(n_tests))
        return {}
    baseline = None if step == "load" else load_baseline(path)
    began = time.process_time()
    if baseline is None:
        load_baseline(path)
    elif step == "check":
        differences = check(baseline)[1]
        assert not differences, differences[:3]
    elif step == "compare":
        threshold = parse_threshold("body_cpu:25%")
        recordings = [Recording(label="it", baseline=b) for b in (baseline, load_baseline(path))]
        del baseline
        began = time.process_time()
        sides = []
        while recordings:  # as the command lets go of them
            sides.append(recordings.pop().side(threshold.statistic, "local", is_calibrated=True))
        assert compare_sides(sides[0], sides[1], threshold).n_compared == n_tests
    elif step == "save":
        save_baseline(path, baseline)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"cpu_s": time.process_time() - began, "mb": peak / (2**20 if sys.platform == "darwin" else 2**10)}


def _make_baseline(n_tests: int) -> Baseline:
    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.costs.baseline import Evidence, SessionProvenance
    from atom_testinfra.core.policies import PinPolicy
    from atom_testinfra.core.targets.verification import complete
    from atom_testinfra.machine.fingerprint import read_provenance

    made = read_provenance(Path(__file__).parent, sys.argv)
    return complete(
        Evidence(
            targets=Targets(),
            tiers={},
            provenance=SessionProvenance(
                commit=made.commit,
                is_dirty=made.is_dirty,
                command=["make", "bench-baseline"],
                python=made.python,
                versions=made.versions,
                machine=made.machine,
                started_at="2026-01-01T00:00:00Z",
                runs=[f"{profile}-{run}" for run in range(N_RUNS) for profile in ("local", "ci")],
                max_examples={"ci": 50, "local": 200},
                seed_sets=[0],
                pins=PinPolicy.RESPECT,
                n_workers=0,
                calibration_s=0.003,
                tests_wall_per_cpu=1.0,
                calibration="made up",
            ),
            suite=None,
            excluded=[],
            properties=dict(sorted(_make_properties(n_tests))),
        ),
        "2026-01-01T00:00:00Z",
    )


def _make_properties(n_tests: int) -> Iterator[tuple[str, PropertyCost]]:
    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.costs.aggregation import property_cost
    from atom_testinfra.core.costs.tiers import DeclaredTiers
    from atom_testinfra.core.records.measurement import Cost, Measurement, PhaseCost, Property, Samples
    from atom_testinfra.core.vocabulary import Kind, Outcome

    random, targets, declared = Random(0), Targets(), DeclaredTiers({})

    def measure(nodeid: str, n: int, body_s: float) -> Measurement:
        noise = random.lognormvariate(0, 0.1)
        one = body_s * noise
        run = Samples(n=n, first_s=3 * one, median_s=one, q90_s=2 * one, max_s=3 * one, total_s=n * one)
        phase = PhaseCost(
            duration_s=2 * n * one, n_valid=n, n_invalid=n // 20, run_s=1.4 * n * one, draw_s=0.4 * n * one
        )
        return Measurement(
            nodeid=nodeid,
            kind=Kind.FUNCTION,
            outcome=Outcome.PASSED,
            setup=Cost(wall_s=0.002 * noise, cpu_s=0.002 * noise),
            call=Cost(wall_s=2.1 * n * one, cpu_s=2 * n * one),
            hypothesis=Property(
                requested=n,
                configured=n,
                effective=n,
                stopped_because=None,
                phases={"generate": phase},
                n_engine_runs=1,
                run=run,
                body_cpu=run,
                digest=f"{random.getrandbits(64):016x}",
            ),
            calibration_s=0.003 * noise,
        )

    for number in range(n_tests):
        nodeid = f"tests/property_tests/domain_{number // 1000:03d}/test_{number // 20:05d}.py::test_{number}"
        body_s = random.lognormvariate(-8, 1.5)
        fit = {
            profile: [measure(nodeid, n, body_s) for _ in range(N_RUNS)]
            for profile, n in {"ci": 50, "local": 200}.items()
        }
        yield nodeid, property_cost(nodeid, fit, targets, declared)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(run_step(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
    else:
        raise SystemExit(main())
