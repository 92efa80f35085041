"""
How near the named properties are to their floor: `make bench-floor`.

Each property is run three times over, at 200 examples and with the same seed: as it is; with an empty body,
which is what Hypothesis and the strategies cost alone; and on a schema that is built anew for each example.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from evidence import ROOT, save, table, take_no_options

PROPERTIES = (
    "tests/property_tests/analytics/test_analytics_invariants.py::test_metric_collection_creates_valid_metric",
    "tests/property_tests/database/test_database_invariants.py::test_transaction_atomicity",
    "tests/property_tests/database/test_database_invariants.py::test_atomic_rollback_with_constraint_violation",
    "tests/property_tests/episodes/test_episode_invariants.py::test_episode_creation_after_chat",
)
WAYS = ("ours", "floor", "fresh")
REPEATS = 3
MOST_FLOORS = 8.0
LEAST_SAVING = 5.0


def main() -> int:
    """Measure, print, save; 1 if a property is over eight floors or above a fifth of a fresh schema."""
    take_no_options(__doc__)
    cpu_s: dict[str, dict[str, list[float]]] = {name: {way: [] for way in WAYS} for name in PROPERTIES}
    for repeat in range(REPEATS):
        for way in WAYS:
            sys.stderr.write(f"repeat {repeat + 1} of {REPEATS}: {way}\n")
            for nodeid, seconds in _run(way).items():
                cpu_s[nodeid][way].append(seconds)
    report, missed = report_on(cpu_s)
    save("floor", "make bench-floor", cpu_s, report)
    return 1 if missed else 0


def report_on(cpu_s: dict[str, dict[str, list[float]]]) -> tuple[str, list[str]]:
    """Return what came out, as Markdown, and the properties that miss a limit."""
    rows, missed = [], []
    for nodeid in PROPERTIES:
        ours, floor, fresh = (median(cpu_s[nodeid][way]) for way in WAYS)
        name = nodeid.rpartition("::")[2]
        rows.append(
            [
                name,
                f"{ours:.3f}",
                f"{floor:.3f}",
                f"{fresh:.2f}",
                f"{ours / floor:.1f}",
                f"{fresh / ours:.1f}",
            ]
        )
        if ours > MOST_FLOORS * floor or fresh < LEAST_SAVING * ours or ours >= 1.0:
            missed.append(name)
    report = table(["property", "CPU s", "empty body", "fresh schema", "ours / floor", "fresh / ours"], rows)
    names = "*Ours* is the column *CPU s*, *floor* is *empty body*, and *fresh* is *fresh schema*."
    verdict = "all inside" if not missed else f"missed by {', '.join(missed)}"
    limits = f"Limits: under 1 s, at most {MOST_FLOORS:.0f} floors, at most a fifth of a fresh schema"
    return f"{report}\n\n{names}\n{limits}: {verdict}. Medians of {REPEATS} runs.", missed


def _run(way: str) -> dict[str, float]:
    """Return the CPU seconds of each property's call, from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "cpu.json")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "floor_plugin", "--hypothesis-seed=0", *PROPERTIES],
            cwd=ROOT / "backend",
            env=os.environ
            | {
                "CI": "false",
                "FLOOR_WAY": way,
                "FLOOR_OUT": str(out),
                "PYTHONHASHSEED": "0",
                "PYTHONPATH": str(Path(__file__).parent),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"pytest failed ({way}):\n{done.stdout}{done.stderr}")
        seconds: dict[str, float] = json.loads(out.read_text())
    return seconds


if __name__ == "__main__":
    raise SystemExit(main())
