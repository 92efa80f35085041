"""
What the suites cost: `make bench-suite`, to be run on a machine that does nothing else.

The commands of `make test`, `make test-ci` and `make test-postgres` are run one after the other: wall time
from start to end, CPU of all their processes, and the peak memory of each worker and their controller.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from evidence import ROOT, save, table, take_no_options

BACKEND = (sys.executable, "-m", "pytest", "tests/", "-m", "not integration", "-n", "auto")
TOOL = (sys.executable, "-m", "pytest", "-m", "not integration and not nightly", "-n", "auto")
WITH_POSTGRES = str(ROOT / "backend" / "scripts" / "with-postgres")
MOST_MB = 500.0
MOST_RATIO = 4.0
MOST_WALL_S = {"backend": 60.0, "backend, CI": 30.0, "make test": 120.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took; `peak_mb` has the most memory that each process ever held, by its name."""

    wall_s: float
    cpu_s: float
    peak_mb: dict[str, float]


def main() -> int:
    """Run, print, save; 1 if a limit is passed."""
    take_no_options(__doc__)
    costs = {
        "backend": _run(BACKEND, "backend", CI="false"),
        "backend, CI": _run(BACKEND, "backend", CI="true"),
        "backend, PostgreSQL": _run((WITH_POSTGRES, *BACKEND), "backend", CI="false"),
        "tool": _run(TOOL, "tools/testinfra", CI="false"),
    }
    ratio = costs["backend, PostgreSQL"].wall_s / costs["backend"].wall_s
    wall_s = {name: cost.wall_s for name, cost in costs.items()}
    wall_s["make test"] = wall_s["backend"] + wall_s["tool"]
    peak_mb = max(max(cost.peak_mb.values()) for cost in costs.values())
    missed = [f"{name} {wall_s[name]:.0f} s" for name, most in MOST_WALL_S.items() if wall_s[name] >= most]
    missed += [f"memory {peak_mb:.0f} MB"] if peak_mb >= MOST_MB else []
    missed += [f"PostgreSQL {ratio:.1f}"] if ratio > MOST_RATIO else []
    rows = [
        [
            name,
            f"{cost.wall_s:.1f}",
            f"{cost.cpu_s:.1f}",
            ", ".join(f"{process} {mb:.0f}" for process, mb in sorted(cost.peak_mb.items())),
        ]
        for name, cost in costs.items()
    ]
    report = table(["suite", "wall s", "CPU s", "peak MB of each process"], rows)
    walls = ", ".join(f"{name} under {most:.0f} s" for name, most in MOST_WALL_S.items())
    limits = (
        f"Limits: {walls}, a process under {MOST_MB:.0f} MB, PostgreSQL at most {MOST_RATIO:.0f} times SQLite"
    )
    found = f"`make test` is the first and the last row, {wall_s['make test']:.1f} s. "
    found += f"PostgreSQL takes {ratio:.2f} times the wall time of SQLite."
    figures = {name: asdict(cost) for name, cost in costs.items()} | {"postgresql_to_sqlite": ratio}
    verdict = f"missed: {', '.join(missed)}" if missed else "all inside"
    save("suite", "make bench-suite", figures, f"{report}\n\n{found}\n{limits}: {verdict}.")
    return 1 if missed else 0


def _run(command: tuple[str, ...], folder: str, **environment: str) -> Cost:
    sys.stderr.write(
        f"{' '.join(f'{name}={value}' for name, value in environment.items())} {' '.join(command)}\n"
    )
    with tempfile.TemporaryDirectory() as out:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [*command, "-p", "suite_plugin"],
            cwd=ROOT / folder,
            env=os.environ | environment | {"SUITE_OUT": out, "PYTHONPATH": str(Path(__file__).parent)},
            stdout=sys.stderr,
            check=True,
        )
        wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        peak_mb = {path.stem: json.loads(path.read_text())["peak_mb"] for path in Path(out).glob("*.json")}
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall_s=wall_s, cpu_s=cpu_s, peak_mb=peak_mb)


if __name__ == "__main__":
    raise SystemExit(main())
