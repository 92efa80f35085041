"""
Whether verdicts of `testinfra mutate` are right: `make bench-mutate-truth`.

Verdicts are drawn at random and repeated the slow way: the patch is applied to a copy, and a fresh pytest
runs. A noticed mutant has to fail the test that noticed it; a survivor, or one that no test reaches, has to
pass all tests. Subjects are the backend, where a survivor is shown to the tests of its service, and the small
suites in `subjects/mutate`: what tests share (caches, fixtures), objects of every make, what Hypothesis can
do, and threads and processes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from evidence import ROOT, save, table

Finding = dict[str, Any]
NO_COPY = shutil.ignore_patterns(".venv*", ".testinfra", "__pycache__", ".hypothesis", ".git", "*.sqlite3*")
WALL_S = 900.0
SUBJECTS = ROOT / "benchmarks/subjects/mutate"
SUITES = ("shared", "objects", "engine", "processes")


def main() -> int:
    """Ask, repeat, report; 1 if less than 99 % of the verdicts are repeated."""
    parser = argparse.ArgumentParser(description="Repeat verdicts by editing files.")
    parser.add_argument("--sample", type=int, default=40, help="mutants to ask about")
    parser.add_argument("--each", type=int, default=10, help="verdicts to repeat of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    parser.add_argument("--suite", choices=SUITES, help="one of the small suites instead of the backend")
    parser.add_argument("paths", nargs="*", help="files of the product; all if none is given")
    arguments = parser.parse_args()
    subject = ROOT if arguments.suite is None else SUBJECTS / arguments.suite
    findings = ask(subject, arguments)
    chance = random.Random(arguments.seed)
    chance.shuffle(findings)
    chosen: list[Finding] = []
    taken: Counter[str] = Counter()
    for finding in findings:
        kind = kind_of(finding)
        if taken[kind] < arguments.each:
            taken[kind] += 1
            chosen.append(finding)
    agreed: Counter[str] = Counter()
    differences = []
    with tempfile.TemporaryDirectory(prefix="mutate-truth-") as folder:
        copy = Path(folder) / "copy"
        inside = "backend" if arguments.suite is None else ""
        shutil.copytree(subject / inside, copy / inside, ignore=NO_COPY)
        for number, finding in enumerate(chosen, start=1):
            is_same = repeat(finding, copy, inside)
            agreed[kind_of(finding)] += is_same
            if not is_same:
                differences.append(finding)
            sys.stderr.write(
                f"{number} of {len(chosen)}: {finding['verdict']} {'repeated' if is_same else 'DIFFERS'}\n"
            )
    rows = [[kind, str(taken[kind]), str(agreed[kind])] for kind in sorted(taken)]
    n, n_same = sum(taken.values()), sum(agreed.values())
    parts = [table(["verdict", "repeated", "the same"], rows), f"All: {n_same} of {n} are the same."]
    parts += [f"`{one['id']}` {one['verdict']}\n\n```diff\n{one['difference']}\n```" for one in differences]
    text = "\n\n".join(parts)
    command = f"python benchmarks/mutate_truth.py {' '.join(sys.argv[1:])}"
    if arguments.keep:
        name = "mutate_truth" if arguments.suite is None else f"mutate_truth_{arguments.suite}"
        save(name, command, {"taken": taken, "agreed": agreed, "seed": arguments.seed}, text)
    else:
        sys.stdout.write(f"{text}\n")
    return int(n_same < 0.99 * n)


def kind_of(finding: Finding) -> str:
    """Return the class of a verdict: where the mutant is, and what became of it."""
    place = "in a function" if finding["function"] else "at module level"
    return f"{finding['verdict']}, {place}"


def ask(subject: Path, arguments: argparse.Namespace) -> list[Finding]:
    """Return the findings on a sample."""
    command = [sys.executable, "-m", "atom_testinfra", "mutate", "--json", *arguments.paths]
    command += ["--sample", str(arguments.sample), "--seed", str(arguments.seed)]
    if subject == ROOT:
        command += ["--profile", "ci"]
    done = subprocess.run(command, cwd=subject, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    findings: list[Finding] = json.loads(done.stdout)["findings"]
    return findings


def repeat(finding: Finding, copy: Path, inside: str) -> bool:
    """Return whether an edited copy and a fresh pytest give the same verdict."""
    path = copy / finding["path"]
    original = path.read_text(encoding="utf-8")
    patch = ["git", "apply", "--unidiff-zero", "-"]
    subprocess.run(patch, cwd=copy, input=f"{finding['difference']}\n", text=True, check=True)
    try:
        tests = [finding["noticed_by"]] if finding.get("noticed_by") else suite_of(finding) if inside else []
        environment = dict(os.environ, CI="true", PYTHONDONTWRITEBYTECODE="1")
        environment["PYTHONPATH"] = os.fspath(copy / inside / "src")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            *(["-m", "not integration"] if inside else []),
        ]
        try:
            done = subprocess.run(
                [*command, *tests],
                cwd=copy / inside,
                env=environment,
                capture_output=True,
                check=False,
                timeout=WALL_S,
            )
        except subprocess.TimeoutExpired:
            return bool(finding["verdict"].startswith("noticed"))
        return (done.returncode != 0) == bool(finding["verdict"].startswith("noticed"))
    finally:
        path.write_text(original, encoding="utf-8")


def suite_of(finding: Finding) -> list[str]:
    """Return the tests to repeat a survivor with: those of its service, and the API's."""
    service = finding["path"].removeprefix("backend/src/atom/").split("/")[0]
    folders = [
        f"tests/unit/{service}",
        f"tests/property_tests/{service}",
        "tests/api",
        "tests/unit/test_numbers.py",
    ]
    there = [folder for folder in folders if (ROOT / "backend" / folder).exists()]
    return [*dict.fromkeys([*there, *(nodeid.split("::")[0] for nodeid in finding.get("closest", []))])]


if __name__ == "__main__":
    sys.exit(main())
