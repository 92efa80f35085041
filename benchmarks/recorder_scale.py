"""
What the recorder holds on to over 100,000 tests, and how soon `--help` is there: `make bench-recorder`.

Peak memory of whole pytest processes, with the recorder and without: what the difference grows by from a
small suite to a large one, for each test more, is what the recorder keeps.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evidence import save, table

LIMIT_BYTES, LIMIT_HELP_S = 2048, 0.150
TRIVIAL = """\
import pytest

@pytest.mark.parametrize("i", range({n}))
def test_trivial(i):
    assert i >= 0
"""
PROPERTIES = """\
from hypothesis import given, settings, strategies as st

def make_property():
    @settings(max_examples=1, database=None, deadline=None)
    @given(x=st.integers())
    def test_property(x):
        pass

    return test_property

globals().update({{f"test_{{i}}": make_property() for i in range({n})}})
"""
"""
Each a function of its own: Hypothesis's plugin wraps the settings of a parametrised one once more for each of
its items, and with the thousandth the chain is too long for Python's stack, whoever records.
"""
SUITES = {
    "without Hypothesis": ((1_000, 100_000), TRIVIAL),
    "properties of one example": ((250, 2_500), PROPERTIES),
}
HELP_RUNS = 9
SHOWN_LINES = 60
"""Of a run that failed."""


def main() -> int:
    """Measure, print, save; 1 if a limit is missed."""
    figures: dict[str, object] = {}
    rows, missed = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        for suite, (sizes, source) in SUITES.items():
            peaks = {n: _peaks(folder, source.format(n=n), n) for n in sizes}
            (small, large) = (peaks[n]["recorded"] - peaks[n]["bare"] for n in sizes)
            each = (large - small) / (sizes[1] - sizes[0])
            figures[suite] = {"peak_bytes": peaks, "bytes_per_test": each}
            rows.append([suite, f"{sizes[0]:,} to {sizes[1]:,}", f"{each:,.0f}", f"{LIMIT_BYTES:,}"])
            if each >= LIMIT_BYTES:
                missed.append(f"{suite}: {each:.0f} bytes a test")
    help_s = min(_cpu_seconds([sys.executable, "-m", "atom_testinfra", "--help"]) for _ in range(HELP_RUNS))
    figures["help_cpu_s"] = help_s
    if help_s >= LIMIT_HELP_S:
        missed.append(f"--help: {help_s:.3f} s")
    verdict = "All limits are kept." if not missed else f"Missed: {'; '.join(missed)}."
    report = (
        f"{table(['suite', 'tests', 'bytes a test', 'limit'], rows)}\n\n"
        f"`testinfra --help` takes {help_s * 1000:.0f} ms of CPU time, the least of {HELP_RUNS} runs "
        f"(limit {LIMIT_HELP_S * 1000:.0f} ms).\n\n{verdict}"
    )
    save("recorder_scale", "make bench-recorder", figures, report)
    return 1 if missed else 0


def _peaks(folder: Path, source: str, n: int) -> dict[str, int]:
    (folder / "test_scale.py").write_text(source)
    run = folder / f"run-{n}.jsonl"
    ways = {"bare": [], "recorded": [f"--testinfra-record={run}"]}
    plugins = ["-p", "atom_testinfra.pytest_plugin.plugin", "-p", "_hypothesis_pytestplugin"]
    start = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins]
    sys.stderr.write(f"{n} tests\n")
    with ThreadPoolExecutor() as pool:  # memory is the same however busy the machine is
        peaks = dict(
            zip(ways, pool.map(lambda way: _peak_bytes([*start, *way], folder), ways.values()), strict=True)
        )
    with run.open() as lines:
        n_lines = sum(1 for _ in lines)
    if n_lines != n + 3:
        raise SystemExit(f"{n} tests, but {n_lines} lines in the run file")
    run.unlink()
    return peaks


def _peak_bytes(command: list[str], cwd: Path) -> int:
    """Return the peak memory of a process, as the kernel counted it."""
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = "".join(output.readlines()[-SHOWN_LINES:])
            raise SystemExit(f"{' '.join(command)} failed with {process.returncode}:\n{said}")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if usage.ru_maxrss <= own:
        raise SystemExit(f"a peak of {usage.ru_maxrss} KB: inherited from this process, not measured")
    return usage.ru_maxrss * 1024


def _cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
