"""Counts the instructions that a test executes: the same on a busy machine as on an idle one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from msgspec.structs import replace

from atom_testinfra.core.errors import ComparisonError, SubjectError
from atom_testinfra.core.measurement import PinPolicy, RunPlan
from atom_testinfra.measuring.child import PLUGIN
from atom_testinfra.measuring.environment import child_environment
from atom_testinfra.storage.runs import save_plan

if TYPE_CHECKING:
    from pathlib import Path

    from atom_testinfra.core.measurement import RunHeader
    from atom_testinfra.core.session import SessionSpec
    from atom_testinfra.measuring.rerun import Tree

FEW, MANY = 5, 50
"""Examples of the two runs: what they differ by is the cost of 45 examples, and no start-up."""

_COUNT = re.compile(r"I\s+refs:\s+([\d,]+)")


def find_valgrind() -> str:
    """Return where valgrind is."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise ComparisonError("--exact needs valgrind, which is not installed", hint="apt install valgrind")
    return valgrind


class InstructionCounter:
    """Runs single tests under valgrind's cachegrind, 40 to 50 times slower than they are."""

    def __init__(self, spec: SessionSpec, header: RunHeader, folder: Path) -> None:
        self._spec = spec
        self._header = header
        self._folder = folder
        self._n_runs = 0
        self._valgrind = find_valgrind()

    def count(self, tree: Tree, nodeid: str) -> float:
        """Return the instructions that one more example costs, generating and Hypothesis's own included."""
        few, many = (self._count(tree, nodeid, n) for n in (FEW, MANY))
        return (many - few) / (MANY - FEW)

    def _count(self, tree: Tree, nodeid: str, n_examples: int) -> int:
        self._n_runs += 1
        plan_path = self._folder / f"counted-{self._n_runs}.plan"
        plan = RunPlan(
            path=os.fspath(self._folder / f"counted-{self._n_runs}.jsonl"),
            header=replace(self._header, max_examples=n_examples, pins=PinPolicy.OVERRIDE, n_workers=0),
            only=[nodeid],
            parent_pid=os.getpid(),
        )
        save_plan(plan, plan_path)
        command = [self._valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        command += [sys.executable, "-m", "pytest", "-p", PLUGIN, *self._spec.arguments]
        command += ["--testinfra-plan", os.fspath(plan_path)]
        environment = child_environment(os.environ, self._spec.profiles[self._header.profile]) | tree.env
        done = subprocess.run(  # noqa: S603 (the person's own test, without a shell)
            command,
            cwd=tree.rootdir,
            env=environment,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
        match = _COUNT.search(done.stderr)
        if done.returncode or match is None:
            lines = (done.stdout + done.stderr).strip().splitlines() or ["it printed nothing"]
            raise SubjectError(f"{nodeid!r} did not run under valgrind: {lines[-1]}")
        return int(match[1].replace(",", ""))
