"""
What the first answer costs: `make bench-first`, to be run on a machine that does nothing else.

Bare `testinfra measure` and plain pytest run the same tests in turns, each in a process of its own; what is
compared is the CPU time of all their processes, as medians. The suites are public ones, from their source
distributions, and the properties of this repository's backend with the examples of CI. Then two files of the
backend stand for the first example of the README: how long the whole command takes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from evidence import ROOT, save, table
from public_suites import CI_NAMES, SUBJECTS, Project, build_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_RATIO, MOST_LOOK_S = 1.1, 15.0
PUBLIC = ("attrs", "bidict")
BACKEND = "backend"
NOT_PASSED_ON = {*CI_NAMES, "PYTHONDONTWRITEBYTECODE"}
"""With the second one every run would compile the tool again, and few people set it."""
LOOK = tuple(
    f"tests/property_tests/{name}.py"
    for name in ("chat/test_chat_invariants", "workflows/test_definition_invariants")
)


class Suite(NamedTuple):
    """Where a suite is run, by which Python, and what pytest is told."""

    root: Path
    python: Path
    arguments: Sequence[str]
    plain: Sequence[str] = ()
    """What plain pytest is told as well: as many workers as `measure` has, and to run without the plugin."""
    environment: Mapping[str, str] = {}


class Cost(NamedTuple):
    """Seconds that a command took, with all its processes."""

    cpu_s: float
    wall_s: float
    status: int


def main() -> int:
    """Measure, print, save; 1 if a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side")
    parser.add_argument("--suite", action="append", choices=[*PUBLIC, BACKEND], help="only this one")
    options = parser.parse_args()
    chosen = options.suite or [*PUBLIC, BACKEND]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build_wheel(folder)
        suites = {public: make_public(public, folder, wheel) for public in PUBLIC if public in chosen}
        if BACKEND in chosen:
            suites[BACKEND] = ours(["tests/property_tests"], CI="true")
        found = {suite: compare(each, options.rounds) for suite, each in suites.items()}
    look = ours(LOOK)
    look_s = _run(_measure(look), look).wall_s
    rows, missed = [], []
    figures: dict[str, object] = {"look_s": look_s}
    for suite, (plain, measured) in found.items():
        ratio = median(cost.cpu_s for cost in measured) / median(cost.cpu_s for cost in plain)
        figures[suite] = {"plain": plain, "measured": measured, "ratio": ratio}
        rows.append([suite, *(f"{median(c.cpu_s for c in side):.2f}" for side in (plain, measured))])
        rows[-1].append(f"{ratio:.3f}")
        if ratio > MOST_RATIO:
            missed.append(f"{suite} {ratio:.3f}")
    missed += [f"a look {look_s:.1f} s"] if look_s >= MOST_LOOK_S else []
    verdict = f"missed by {', '.join(missed)}" if missed else "met"
    report = (
        f"CPU seconds, medians of {options.rounds} runs of each side in turns.\n\n"
        f"{table(['suite', 'plain pytest', 'bare measure', 'ratio'], rows)}\n\n"
        f"A look at two files (`testinfra measure -- {' '.join(LOOK)}`) took {look_s:.1f} s.\n\n"
        f"Limits: a ratio of {MOST_RATIO}, and {MOST_LOOK_S:.0f} s for the look: {verdict}."
    )
    if options.suite:  # a part never takes the place of the whole
        command = " ".join(["python", "benchmarks/first_answer.py", *sys.argv[1:]])
        save("_".join(["first_answer", *chosen]), command, figures, report)
    else:
        save("first_answer", "make bench-first", figures, report)
    return 1 if missed else 0


def ours(arguments: Sequence[str], **environment: str) -> Suite:
    """Return tests of this repository's backend."""
    return Suite(ROOT / "backend", Path(sys.executable), arguments, ["-n", "auto"], environment)


def make_public(name: str, folder: Path, wheel: Path) -> Suite:
    """Return a public suite with an environment of its own."""
    own = folder / name
    own.mkdir()
    project = Project(name, SUBJECTS[name], own, wheel)
    plain = ["-p", "no:atom_testinfra"]
    if any((own / "venv").glob("lib/*/site-packages/xdist")):
        plain.append("-n0")
    return Suite(project.root, own / "venv" / "bin" / "python", SUBJECTS[name].arguments, plain)


def compare(suite: Suite, n_rounds: int) -> tuple[list[Cost], list[Cost]]:
    """Return what plain pytest and bare `measure` took, in turns; one run of each before is not counted."""
    commands = [str(suite.python), "-m", "pytest", "-q", *suite.arguments, *suite.plain], _measure(suite)
    rounds = [[_run(command, suite) for command in commands] for _ in range(n_rounds + 1)]
    for plain, measured in rounds:
        if plain.status != measured.status:
            raise SystemExit(f"pytest ended with {plain.status}, and measure with {measured.status}")
    return [plain for plain, _ in rounds[1:]], [measured for _, measured in rounds[1:]]


def _measure(suite: Suite) -> list[str]:
    return [str(suite.python), "-m", "atom_testinfra", "measure", "--", *suite.arguments]


def _run(command: list[str], suite: Suite) -> Cost:
    environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=suite.root,
        env=environment | {"PYTHONHASHSEED": "0", **suite.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1}:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - began, process.returncode)


if __name__ == "__main__":
    raise SystemExit(main())
