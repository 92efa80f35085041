"""
What a report on very many tests costs: `make bench-report`; REPEATS=1 takes a third of the time.

Each report is one call of the command line, start of the interpreter included, on a baseline with five runs
under two profiles for every test. Seconds are CPU seconds: what else the machine does is not counted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from evidence import ROOT, save, table

SIZES = (1_000, 10_000, 50_000)
FORMATS = ("text", "markdown", "html", "json")
MOST_S = {1_000: 2.0, 50_000: 10.0}
MOST_MB = 600.0
MOST_PAGE_MB = 1.5
"""Of the page of 1,000 tests."""
MOST_DOCS_S = 1.0

TESTINFRA = [sys.executable, "-m", "atom_testinfra"]


def main() -> int:
    """Measure every format at every size, and the documents of this repository; 1 if a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="calls of each format at each size")
    repeats = parser.parse_args().repeats
    figures: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in SIZES:
            baseline = folder / f"{size}.json"
            _write_baseline(size, baseline)
            figures[str(size)] = {
                form: _report(baseline, form, folder / f"out.{form}", repeats) for form in FORMATS
            }
            sys.stderr.write(f"{size} tests: done\n")
    docs = [_run([*TESTINFRA, "docs", "--check"], ROOT) for _ in range(repeats)]
    docs_s = median(cpu_s for cpu_s, _ in docs)
    missed = _missed(figures, docs_s)
    rows = [
        [f"{int(size):,}"]
        + [f"{by[form]['cpu_s']:.2f} s, {by[form]['mb']:.0f} MB" for form in FORMATS]
        + [f"{by['html']['file_mb']:.1f} MB"]
        for size, by in figures.items()
    ]
    report = table(["tests", *FORMATS, "page"], rows)
    limits = (
        f"Asked for: 1,000 tests under {MOST_S[1_000]:g} s and {MOST_PAGE_MB:g} MB of page, 50,000 under "
        f"{MOST_S[50_000]:g} s and {MOST_MB:g} MB of memory; `testinfra docs --check` here under "
        f"{MOST_DOCS_S:g} s, and it takes {docs_s:.2f} s"
    )
    verdict = "all met" if not missed else f"missed: {', '.join(missed)}"
    save(
        "report_scale",
        f"make bench-report REPEATS={repeats}",
        {"reports": figures, "docs_check_cpu_s": docs_s},
        f"{report}\n\nCPU seconds (median of {repeats}) and peak memory. {limits}: {verdict}.",
    )
    return 1 if missed else 0


def _missed(figures: dict[str, dict[str, dict[str, float]]], docs_s: float) -> list[str]:
    missed = [
        f"{form} of {size} tests"
        for size, most_s in MOST_S.items()
        for form, figure in figures[str(size)].items()
        if figure["cpu_s"] >= most_s or figure["mb"] >= MOST_MB
    ]
    if figures["1000"]["html"]["file_mb"] >= MOST_PAGE_MB:
        missed.append("size of the page")
    if docs_s >= MOST_DOCS_S:
        missed.append("docs --check")
    return missed


def _report(baseline: Path, form: str, output: Path, repeats: int) -> dict[str, float]:
    command = [*TESTINFRA, "report", "--no-summary", "--format", form, "-o", str(output), str(baseline)]
    costs = [_run(command, baseline.parent) for _ in range(repeats)]
    return {
        "cpu_s": median(cpu_s for cpu_s, _ in costs),
        "mb": max(mb for _, mb in costs),
        "file_mb": output.stat().st_size / 1e6,
    }


def _run(command: list[str], folder: Path) -> tuple[float, float]:
    """Run a command and return its CPU seconds and its peak memory in MB."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}\n{said}")
    peak_mb = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return usage.ru_utime + usage.ru_stime, peak_mb


def _write_baseline(size: int, path: Path) -> None:
    sys.path.insert(0, str(ROOT / "tools" / "testinfra"))
    samples = importlib.import_module("tests.samples")

    from atom_testinfra.storage.baseline import save_baseline

    save_baseline(path, samples.make_baseline(size))


if __name__ == "__main__":
    sys.exit(main())
