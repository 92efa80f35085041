"""
Whether verdicts of `testinfra mutate` are right: `make bench-mutate-truth`.

Verdicts are drawn and repeated the slow way: the patch is applied to a copy, and a fresh pytest runs. A
noticed mutant has to fail the test that noticed it, alone or among the others, whose leavings it may read; a
survivor, or one that no test reaches, has to pass all tests, up to pytest's last line: a process that ends
itself with status 0 has not passed. Properties have the seeds that the tool gives them, and the constants
that Hypothesis takes from the unchanged product; nothing else of what the tool does to them.

The product is as it was in programs that a test starts. The tool names those tests; verdicts that differ
because one of them alone fails are counted apart.

Subjects are the small suites in `subjects/mutate`: what tests share, objects of every make, what Hypothesis
can do, threads and processes, loops, and code that Python calls by itself. Drawn are verdicts at random, and
of each class that is easily wrong. Answers are kept in `.testinfra/truth`, so that a call goes on where the
last one stopped; an edit of the suite or of its product drops them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from evidence import ROOT, save, table

Finding = dict[str, Any]
SAME, DIFFERS, IN_A_PROGRAM = "repeated", "DIFFERS", "noticed in a program that a test starts"
STARTING = " started other programs"
FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)
PASSED = re.compile(r"^\d+ passed\b.* in [\d.]+s", re.MULTILINE)
"""The last line of pytest -q."""
NO_COPY = shutil.ignore_patterns(".venv*", ".testinfra", "__pycache__", ".hypothesis", ".git", "*.sqlite3*")
WALL_S, SMALL_WALL_S = 900.0, 90.0
"""What a repeated run may take: of the backend, and of a small suite, whose tests take a few seconds."""
LATE_CPU_S, LATE_WALL_S = 5, 60.0
"""What a repeated run may take that should run out of time: the tests take less than one CPU second."""
SUBJECTS = ROOT / "benchmarks/subjects/mutate"
SUITES = ("shared", "objects", "engine", "processes", "loops", "odd")
FOLDER = ROOT / ".testinfra/truth"
RANDOM = "at random"
HARD = ("not reached", "at module level", "out of time", "survived")


def main() -> int:
    """Ask, repeat, report; 1 if less than 99 % of the verdicts of a class are repeated."""
    parser = argparse.ArgumentParser(description="Repeat verdicts by editing files.")
    parser.add_argument("--sample", type=int, default=200, help="mutants of each suite to ask about")
    parser.add_argument("--random", type=int, default=200, help="verdicts to repeat, of all")
    parser.add_argument("--each", type=int, default=50, help="verdicts to repeat of each hard class")
    parser.add_argument(
        "--runs", type=int, default=100_000, help="repeat at most N now; the next call goes on"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    parser.add_argument("--suite", choices=[*SUITES, "backend"], help="only one suite, or the backend")
    parser.add_argument("paths", nargs="*", help="with --suite: files of its product; all if none is given")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    suites = [Suite(name, arguments) for name in ([arguments.suite] if arguments.suite else SUITES)]
    drawn = draw(suites, arguments)
    n_left = arguments.runs
    for number, (kind, suite, finding) in enumerate(drawn, start=1):
        if n_left and suite.answer(finding) is None:
            n_left -= 1
            suite.repeat(finding)
            verdict = f"{finding['verdict']} {suite.answer(finding)}"
            sys.stderr.write(f"{number} of {len(drawn)}: {suite.name}, {kind}: {verdict}\n")
    known = [(kind, suite, one) for kind, suite, one in drawn if suite.answer(one) is not None]
    elsewhere = Counter(kind for kind, suite, one in known if suite.answer(one) == IN_A_PROGRAM)
    taken = Counter(kind for kind, suite, one in known if suite.answer(one) != IN_A_PROGRAM)
    agreed = Counter(kind for kind, suite, one in known if suite.answer(one) == SAME)
    text = report(known, taken, agreed, elsewhere, n_missing=len(drawn) - len(known))
    if arguments.keep:
        command = " ".join(["python", "benchmarks/mutate_truth.py", *sys.argv[1:]])
        figures = {"taken": taken, "agreed": agreed, "in a program": elsewhere, "seed": arguments.seed}
        save("mutate_truth" + (f"_{arguments.suite}" if arguments.suite else ""), command, figures, text)
    else:
        sys.stdout.write(f"{text}\n")
    return int(any(agreed[kind] < 0.99 * n for kind, n in taken.items()))


class Suite:
    """A suite, what the tool says about it, and what a fresh pytest says in an edited copy."""

    def __init__(self, name: str, arguments: argparse.Namespace) -> None:
        self.name = name
        self._is_backend = name == "backend"
        self._root = ROOT if self._is_backend else SUBJECTS / name
        self._inside = "backend" if self._is_backend else ""
        self.findings = self._ask(arguments)
        self._state = self._digest()
        self._path = FOLDER / f"{name}.jsonl"
        self._answers: dict[str, str] = {}
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            known = json.loads(line)
            if known["state"] == self._state:
                self._answers[known["key"]] = known["answer"]

    def answer(self, finding: Finding) -> str | None:
        """Return what a fresh pytest said of a verdict, `None` where it was not asked."""
        return self._answers.get(self._key(finding))

    def repeat(self, finding: Finding) -> None:
        """Ask a fresh pytest, and keep its answer."""
        answer = self._answers[self._key(finding)] = self._compare(finding)
        line = {"state": self._state, "key": self._key(finding), "answer": answer}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    @staticmethod
    def _key(finding: Finding) -> str:
        return f"{finding['id']} {finding['verdict']} {finding.get('noticed_by')}"

    def _digest(self) -> str:
        files = sorted(path for place in ("src", "tests") for path in (self._root / place).rglob("*.py"))
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]

    def _ask(self, arguments: argparse.Namespace) -> list[Finding]:
        command = [sys.executable, "-m", "atom_testinfra", "mutate", "--json", *arguments.paths]
        command += ["--sample", str(arguments.sample), "--seed", str(arguments.seed)]
        command += ["--profile", "ci"] if self._is_backend else ["-n", "1"]
        done = subprocess.run(command, cwd=self._root, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.returncode)
        said = json.loads(done.stdout)
        self._starting = {
            nodeid
            for remark in said["remarks"]
            if STARTING in remark
            for nodeid in remark.partition(": ")[2].split(", ")
        }
        findings: list[Finding] = said["findings"]
        return findings

    def _compare(self, finding: Finding) -> str:
        with tempfile.TemporaryDirectory(prefix="mutate-truth-") as name:
            copy = Path(name) / "copy"
            shutil.copytree(self._root / self._inside, copy / self._inside, ignore=NO_COPY)
            patch = ["git", "apply", "--unidiff-zero", "-"]
            subprocess.run(patch, cwd=copy, input=f"{finding['difference']}\n", text=True, check=True)
            is_failed, tests = self._fails(finding, copy / self._inside)
        if is_failed == is_noticed(finding):
            return SAME
        return IN_A_PROGRAM if tests and tests <= self._starting else DIFFERS

    def _fails(self, finding: Finding, folder: Path) -> tuple[bool, set[str]]:
        """Return whether a fresh pytest fails in a folder, and the tests that failed."""
        alone = [finding["noticed_by"]] if finding.get("noticed_by") else []
        is_failed, tests = self._run(finding, folder, alone)
        if alone and not is_failed and not self._is_backend:
            is_failed, tests = self._run(finding, folder, [])
        return is_failed, tests

    def _run(self, finding: Finding, folder: Path, tests: list[str]) -> tuple[bool, set[str]]:
        """Return whether these tests, or all, do not pass to pytest's last line, and those that failed."""
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0")
        environment.pop("CI", None)  # Hypothesis takes no seed there
        if self._is_backend:
            environment["CI"] = "true"
        environment["UNCHANGED"] = os.pathsep.join([str(folder), str(self._root / self._inside)])
        environment["PYTHONPATH"] = os.pathsep.join([str(folder / "src"), str(Path(__file__).parent)])
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["-p", "mutate_truth_plugin"]
        if self._is_backend:
            command += ["-m", "not integration"]
            tests = tests or tests_of(finding)
        is_late = kind_of_verdict(finding) == "out of time"

        def limit() -> None:
            if is_late:
                resource.setrlimit(resource.RLIMIT_CPU, (LATE_CPU_S, LATE_CPU_S))

        try:
            done = subprocess.run(
                [*command, *tests],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=LATE_WALL_S if is_late else WALL_S if self._is_backend else SMALL_WALL_S,
                preexec_fn=limit,
            )
        except subprocess.TimeoutExpired:
            return True, set()
        has_passed = done.returncode == 0 and PASSED.search(done.stdout) is not None
        return not has_passed, set(FAILED.findall(done.stdout))


def draw(suites: list[Suite], arguments: argparse.Namespace) -> list[tuple[str, Suite, Finding]]:
    """Return verdicts at random, then further ones of each class that is easily wrong."""
    chance = random.Random(arguments.seed)
    decided = [
        (suite, finding)
        for suite in suites
        for finding in suite.findings
        if finding["verdict"] != "not asked" and not finding.get("is_hidden")
    ]
    chance.shuffle(decided)
    drawn = [(RANDOM, suite, finding) for suite, finding in decided[: arguments.random]]
    others = decided[arguments.random :]
    for hard in HARD:
        fitting = [(suite, finding) for suite, finding in others if hard in classes_of(finding)]
        drawn += [(hard, suite, finding) for suite, finding in fitting[: arguments.each]]
        used = {id(finding) for _, _, finding in drawn}
        others = [(suite, finding) for suite, finding in others if id(finding) not in used]
    chance.shuffle(drawn)  # so that a part of them is of all classes
    return drawn


def classes_of(finding: Finding) -> set[str]:
    """Return the hard classes that a finding is in."""
    found = {kind_of_verdict(finding)}
    return found if finding["function"] else found | {"at module level"}


def kind_of_verdict(finding: Finding) -> str:
    """Return a verdict without how it was noticed."""
    verdict: str = finding["verdict"]
    return "out of time" if verdict.endswith("out of time") else verdict.partition(" by ")[0]


def is_noticed(finding: Finding) -> bool:
    """Return whether some test noticed."""
    return bool(finding["verdict"].startswith("noticed"))


def report(
    known: list[tuple[str, Suite, Finding]],
    taken: Counter[str],
    agreed: Counter[str],
    elsewhere: Counter[str],
    *,
    n_missing: int,
) -> str:
    """Return the counts, and every verdict that was not repeated."""
    kinds = (RANDOM, *HARD)
    rows = [[kind, str(taken[kind]), str(agreed[kind]), str(elsewhere[kind])] for kind in kinds]
    verdicts = Counter(kind_of_verdict(one) for _, _, one in known)
    suites = Counter(suite.name for _, suite, _ in known)
    parts = [
        table(["drawn", "repeated", "the same", "in a program, counted apart"], rows),
        (
            f"All: {agreed.total()} of {taken.total()} are the same. Verdicts: {spoken(verdicts)}. "
            f"Suites: {spoken(suites)}."
        ),
    ]
    if n_missing:
        parts.append(f"{n_missing} are still to be repeated.")
    for _, suite, one in known:
        if suite.answer(one) == DIFFERS:
            words = f"{one['verdict']}, {one.get('noticed_by')}"
            parts.append(f"{suite.name}: `{one['id']}` {words}\n\n```diff\n{one['difference']}\n```")
    return "\n\n".join(parts)


def spoken(counts: Counter[str]) -> str:
    """Return counts in a sentence."""
    return ", ".join(f"{n} {name}" for name, n in counts.most_common())


def tests_of(finding: Finding) -> list[str]:
    """Return the tests of the backend to repeat a survivor with: those of its domain, and the API's."""
    domain = finding["path"].removeprefix("backend/src/atom/").split("/")[0]
    folders = [
        f"tests/unit/{domain}",
        f"tests/property_tests/{domain}",
        "tests/api",
        "tests/unit/test_numbers.py",
    ]
    there = [folder for folder in folders if (ROOT / "backend" / folder).exists()]
    return [*dict.fromkeys([*there, *(nodeid.split("::")[0] for nodeid in finding.get("closest", []))])]


if __name__ == "__main__":
    sys.exit(main())
