"""
What recording costs, in instructions: `make bench-overhead`.

Seconds are noise at this scale (a run against itself comes out between 0.9 and 1.3), so each way of running
the same tests is counted under valgrind, which repeats to a few parts in ten thousand. What does not repeat
is where a full collection of garbage falls: a few objects more or less, or another order of a set, and a run
of properties has one more, 0.3 %. So each way is counted with several hash seeds, each with more objects, so
that the collector is at another place of its round. Peers run beside it, installed in a virtual
environment that is thrown away.

A calibration is not part of a test: four are made in a short run, and in a long one as many as a set
share of its CPU time allows. So recording is counted with them and without them and the database that they
work with. Limits are for all of it; peers, which calibrate nothing, are compared with the other.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evidence import ROOT, save, table, take_no_options

PLUGIN = "-p atom_testinfra.pytest_plugin.plugin"
UNCALIBRATED = "testinfra, recording, not calibrating"
# Naming a plugin by -p makes pytest read the metadata of all that is installed: so every way names two.
WAYS = {
    "pytest alone": "-p blank -p empty",
    "pytest alone, again": "-p blank -p empty",
    "testinfra, idle": f"-p blank {PLUGIN}",
    "testinfra, recording": f"-p blank {PLUGIN} --testinfra-record {{out}}.jsonl",
    UNCALIBRATED: f"-p uncalibrated {PLUGIN} --testinfra-record {{out}}.jsonl",
    "pytest-json-report": "-p blank -p pytest_jsonreport.plugin --json-report --json-report-file={out}.json",
    "pytest-durations": "-p blank -p pytest_durations --pytest-durations-json={out}.json",
    "junitxml": "-p blank -p empty --junitxml={out}.xml",
}
PEERS = ["pytest-json-report", "pytest-durations"]
HASH_SEEDS = (0, 1, 2, 3)
ROUND = 700 * 10 * 10
"""Objects from one full collection to the next that may come, by CPython's thresholds."""
PAD = """\
import os

PAD = [[] for _ in range(int(os.environ["PAD"]))]
"""

TRIVIAL = """\
import pytest

@pytest.mark.parametrize("i", range(300))
def test_trivial(i):
    assert i >= 0
"""
PROPERTIES = """\
from hypothesis import given, settings, strategies as st

def check(xs):
    assert sorted(sorted(xs)) == sorted(xs)

""" + "\n".join(
    f"@settings(max_examples=100, derandomize=True, database=None, deadline=None)\n"
    f"@given(st.lists(st.integers({i}, 1000)))\n"
    f"def test_{i}(xs):\n    check(xs)\n"
    for i in range(20)
)
BESIDE = {
    "blank": PAD,
    "empty": "",
    "uncalibrated": f"""\
{PAD}
import sys
from types import SimpleNamespace

def pytest_collection_modifyitems():
    if "hypothesis" in sys.modules:
        sys.modules["sqlite3"] = SimpleNamespace(connect=None)
        from atom_testinfra.machine.calibration import Calibrator

        Calibrator.__init__.__kwdefaults__["workload"] = lambda: 1.0
""",
}
"""Plugins that stand beside the tests."""
SUITES = {
    "300 trivial tests": (TRIVIAL, ""),
    "20 properties x 100 examples": (PROPERTIES, "-p _hypothesis_pytestplugin"),
}
LIMITS = {
    "300 trivial tests": {"testinfra, idle": 1.005, "testinfra, recording": 1.03},
    "20 properties x 100 examples": {"testinfra, idle": 1.005, "testinfra, recording": 1.01},
}


def main() -> int:
    """Count, print, save; 1 if a limit is missed or a peer is ahead."""
    take_no_options(__doc__)
    if shutil.which("valgrind") is None:
        raise SystemExit("error: valgrind is not installed\nhint: install the package 'valgrind'")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is compiled anew in each run would be counted
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = _make_environment(folder / "venv")
        counts = {suite: _count_suite(python, folder, suite) for suite in SUITES}
    ratios = {
        suite: {way: sum(found) / sum(ways["pytest alone"]) for way, found in ways.items()}
        for suite, ways in counts.items()
    }
    rows, missed = [], []
    for way in WAYS:
        cells = [way]
        for suite in SUITES:
            ratio = ratios[suite][way]
            cells.append(f"{ratio:.4f}")
            limit = LIMITS[suite].get(way)
            if limit is not None and ratio > limit:
                missed.append(f"{way} on {suite}: {ratio:.4f} > {limit}")
            if way in {*PEERS, "junitxml"} and ratio < ratios[suite][UNCALIBRATED]:
                missed.append(f"{way} is ahead of {UNCALIBRATED} on {suite}")
        rows.append(cells)
    kept = f"All limits are kept, and no peer is ahead of {UNCALIBRATED}."
    verdict = kept if not missed else f"Missed: {'; '.join(missed)}."
    report = table(["instructions / pytest alone", *SUITES], rows)
    save("overhead", "make bench-overhead", counts, f"{report}\n\n{verdict}")
    return 1 if missed else 0


def _make_environment(folder: Path) -> Path:
    """Return the interpreter of a new environment with the tool and its peers."""
    sys.stderr.write("making an environment with the peers\n")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pins = [f"{name}=={_version(name)}" for name in ("pytest", "hypothesis")]
    subprocess.run([*install, *pins, *PEERS, str(ROOT / "tools" / "testinfra")], check=True)
    return python


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def _count_suite(python: Path, folder: Path, suite: str) -> dict[str, list[int]]:
    """Return the instructions of each way, one count for each hash seed and its pad."""
    source, plugins = SUITES[suite]
    tests = folder / suite.replace(" ", "_")
    tests.mkdir()
    (tests / "test_suite.py").write_text(source)
    for name, text in BESIDE.items():
        (tests / f"{name}.py").write_text(text)
    (tests / "pytest.ini").write_text("[pytest]\n")

    def count(way: str, hash_seed: int) -> int:
        out = f"{folder / tests.name}-{list(WAYS).index(way)}-{hash_seed}"
        command = [str(python), *f"-m pytest -q -p no:cacheprovider {plugins} {WAYS[way]}".split()]
        sys.stderr.write(f"{suite}: {way}, hash seed {hash_seed}\n")
        warm = [argument.format(out=f"{out}-warm") for argument in command]
        _run(warm, tests, hash_seed)  # compiles, which is not to be counted
        counted = [argument.format(out=out) for argument in command]
        return _count(counted, tests, Path(f"{out}-cachegrind"), hash_seed)

    # Instructions are the same however busy the machine is.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        cells = [(way, hash_seed) for way in WAYS for hash_seed in HASH_SEEDS]
        found = dict(zip(cells, pool.map(count, *zip(*cells, strict=True)), strict=True))
    return {way: [found[way, hash_seed] for hash_seed in HASH_SEEDS] for way in WAYS}


def _count(command: list[str], cwd: Path, out: Path, hash_seed: int) -> int:
    """Return the instructions of the command's own process."""
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={out}"]
    done = _run([*valgrind, *command], cwd, hash_seed)
    match = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if match is None:
        raise SystemExit(f"valgrind gave no count:\n{done.stderr}")
    return int(match[1].replace(",", ""))


def _run(command: list[str], cwd: Path, hash_seed: int) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "CI"} | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(cwd),
        "PYTHONHASHSEED": str(hash_seed),
        "PAD": str(ROUND * HASH_SEEDS.index(hash_seed) // len(HASH_SEEDS)),
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done


if __name__ == "__main__":
    raise SystemExit(main())
