"""Counts the instructions that a test executes: the same on a busy machine as on an idle one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import count, repeat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from atom_testinfra.core.errors import ComparisonError, SubjectError
from atom_testinfra.core.policies import PinPolicy, Steering
from atom_testinfra.core.records.measurement import RunPlan
from atom_testinfra.measuring.child import pytest_command
from atom_testinfra.measuring.environment import child_environment
from atom_testinfra.storage.runs import load_run
from atom_testinfra.storage.session_specs import save_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.records.measurement import RunHeader
    from atom_testinfra.core.records.session import SessionSpec
    from atom_testinfra.measuring.rerun import Tree

FEW, MANY = 5, 25
"""Examples that the runs are asked for: they differ by the cost of the further ones, and by no start-up."""

OPTIONS = ("--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")

_COUNT = re.compile(r"I\s+refs:\s+([\d,]+)")


def find_valgrind() -> str:
    """Return where valgrind is."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise ComparisonError("--exact needs valgrind, which is not installed", hint="apt install valgrind")
    return valgrind


class _Count(NamedTuple):
    """What a run executed, and for how many examples."""

    instructions: int
    n_examples: int


class InstructionCounter:
    """Runs single tests under valgrind's cachegrind, 40 to 50 times slower than they are."""

    def __init__(self, spec: SessionSpec, header: RunHeader, folder: Path) -> None:
        self._spec = spec
        self._header = header
        self._folder = folder
        self._numbers = count(1)
        self._running: set[subprocess.Popen[str]] = set()
        self._valgrind = find_valgrind()

    def count(self, trees: Sequence[Tree], nodeid: str) -> list[float]:
        """
        Return the instructions of one more example in each tree, generating and Hypothesis's own included.

        The runs are made side by side, one on each core: instructions are no fewer on a quiet machine. Each
        tree runs the test once before, uncounted, because the first run compiles and writes caches.

        Raises:
            SubjectError: the test did not run, or it runs as many examples whatever it is asked for.
        """
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for tree in trees:
                    self._run([], self._plan(FEW, nodeid, tree), tree, nodeid)
                few, many = (
                    pool.map(self._count, trees, repeat(nodeid), repeat(n_examples))
                    for n_examples in (FEW, MANY)
                )
                return [_each(nodeid, *counts) for counts in zip(few, many, strict=True)]
            except BaseException:  # whatever ends this ends the runs, which are of no more use
                pool.shutdown(wait=False, cancel_futures=True)
                for process in self._running.copy():
                    process.kill()
                raise

    def _count(self, tree: Tree, nodeid: str, n_examples: int) -> _Count:
        plan = self._plan(n_examples, nodeid, tree)
        output = self._run([self._valgrind, *OPTIONS], plan, tree, nodeid)
        match = _COUNT.search(output)
        if match is None:
            raise _not_run(nodeid, output)
        return _Count(int(match[1].replace(",", "")), _examples_in(Path(plan.path)))

    def _plan(self, n_examples: int, nodeid: str, tree: Tree) -> RunPlan:
        header = replace(
            self._header,
            max_examples=n_examples,
            pins=PinPolicy.OVERRIDE,
            steering=Steering.TOOL,
            n_workers=0,
        )
        path = self._folder / f"counted-{next(self._numbers)}.jsonl"
        return RunPlan(
            path=os.fspath(path),
            header=header,
            only=[nodeid],
            root=os.fspath(tree.rootdir.absolute()),
            parent_pid=os.getpid(),
        )

    def _run(self, under: Sequence[str], plan: RunPlan, tree: Tree, nodeid: str) -> str:
        """Run the test under a program and return all that was printed, its standard error last."""
        plan_path = Path(plan.path).with_suffix(".plan")
        save_plan(plan, plan_path)
        with subprocess.Popen(  # noqa: S603 (the person's own test, without a shell)
            [*under, *pytest_command(self._spec.arguments, plan_path)],
            cwd=tree.rootdir,
            env=child_environment(os.environ, self._spec.profiles[self._header.profile]) | tree.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as process:
            self._running.add(process)
            stdout, stderr = process.communicate()
            self._running.discard(process)
        if process.returncode:
            raise _not_run(nodeid, stdout)
        return stdout + stderr


def _not_run(nodeid: str, output: str) -> SubjectError:
    lines = output.strip().splitlines() or ["it printed nothing"]
    return SubjectError(f"{nodeid!r} did not run under valgrind: {lines[-1]}")


def _examples_in(path: Path) -> int:
    """Return how many valid examples were generated, as the run itself has recorded it."""
    subjects = (record.hypothesis for record in load_run(path).measurements)
    return sum(subject.n_valid for subject in subjects if subject is not None)


def _each(nodeid: str, few: _Count, many: _Count) -> float:
    n_more = many.n_examples - few.n_examples
    if n_more <= 0:
        raise SubjectError(
            f"{nodeid!r} runs {few.n_examples} examples when asked for {FEW}, {many.n_examples} for {MANY}"
        )
    return (many.instructions - few.instructions) / n_more
