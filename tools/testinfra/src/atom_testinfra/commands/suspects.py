"""Runs suspects again, in turns with the base commit in a worktree, before they are called slower."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from msgspec.structs import replace

from atom_testinfra.core import figures
from atom_testinfra.core.changes.confirmation import (
    MOST_TURNS,
    choose_companions,
    confirm_suspects,
    forecast_run,
    n_companions,
)
from atom_testinfra.core.errors import (
    ComparisonError,
    GitError,
    InfraError,
    NothingMeasuredError,
    SubjectError,
)
from atom_testinfra.machine.fingerprint import read_provenance
from atom_testinfra.measuring.instructions import InstructionCounter
from atom_testinfra.measuring.rerun import Rerunner, Tree, base_tree
from atom_testinfra.measuring.stopping import signals_raise
from atom_testinfra.storage.run_writer import escape
from atom_testinfra.storage.session_specs import load_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.changes.comparison import Comparison, Side
    from atom_testinfra.core.records.measurement import Run
    from atom_testinfra.core.records.session import SessionSpec
    from atom_testinfra.storage.project import Project
    from atom_testinfra.storage.recordings import Recording


class Sides(NamedTuple):
    """What is compared. Of a baseline, only the runs that the comparison needs are in memory."""

    base: Recording
    new: Recording
    base_side: Side
    new_side: Side
    profile: str
    spec: SessionSpec | None = None
    """How the runs were made, where this command has made them."""


def look_again(
    project: Project, sides: Sides, comparison: Comparison, *, n_reruns: int | None, is_exact: bool
) -> Comparison:
    """
    Run the suspects again, where that is possible, and say where it is not.

    Each side runs at least `n_reruns` times; with `None` nothing is run again. With `is_exact` the
    instructions of the suspects are counted, too.
    """
    base, new, profile = sides.base, sides.new, sides.profile
    try:
        spec = sides.spec or _spec_of(project, new)
    except InfraError as exc:
        return comparison.with_note(f"Suspects were not run again: {exc}.")
    with ExitStack() as stack:
        stack.enter_context(signals_raise())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="testinfra-again-")))
        made = read_provenance(project.root, [*map(escape, sys.argv)], outputs=project.outputs)
        rerunner = Rerunner(spec, profile, folder, made, logs=project.runs)
        here = Tree(project.rootdir, {})
        there: Tree | None = None
        try:
            there = _base_tree(stack, project, base, folder)
            first = next(change for change in comparison.changes if change.ratio)
            probed = [change.nodeid for change in comparison.suspects or [first]]
            click.echo(f"checking that the base runs: {figures.plural(len(probed), 'test')}", err=True)
            rerunner.refuse_failing(there, probed)
        except (ComparisonError, GitError, SubjectError, NothingMeasuredError) as exc:
            reason = str(exc).splitlines()[0].rstrip(".:")
            comparison = comparison.with_note(f"Only NEW is run again, against the stored BASE: {reason}.")
            there = None
        if is_exact:
            comparison = _count_instructions(comparison, _counter(new, spec, profile, folder), here, there)
        if n_reruns is not None:
            click.echo(_announce(comparison, sides, n_reruns, is_base_run=there is not None), err=True)
            comparison = confirm_suspects(
                comparison,
                base=sides.base_side,
                run_base=None if there is None else _Turns(rerunner, there, "base"),
                run_new=_Turns(rerunner, here, "new"),
                profile=profile,
                n_runs=n_reruns,
            )
    return comparison


def _announce(comparison: Comparison, sides: Sides, n_runs: int, *, is_base_run: bool) -> str:
    """Return what is about to be run again, and for how long about."""
    n_suspects = len(comparison.suspects) + len(comparison.outside_suspects)
    n = n_companions(comparison, is_suite_open=is_base_run and comparison.is_suite_suspect)
    companions = choose_companions(comparison, n)
    what = figures.plural(len(comparison.suspects), "test")
    if n_suspects > len(comparison.suspects):
        what += f" and {n_suspects - len(comparison.suspects)} of the costs outside of the tests"
    beside = f", with {figures.plural(len(companions), 'test')} beside" if companions else ""
    turns = f"{n_runs} to {n_runs * MOST_TURNS} times" + (" on each side" if is_base_run else "")
    nodeids = {change.nodeid for change in comparison.suspects} | set(companions)
    runs = [run for run in sides.new.runs if run.header.profile == sides.profile]
    one_s = forecast_run(runs, nodeids)
    if one_s is None:
        return f"may be slower: {what}; running again{beside}, {turns}"
    least_s = one_s * n_runs * (2 if is_base_run else 1)
    lasts = f"about {figures.seconds(least_s, digits=2)} to {figures.seconds(least_s * MOST_TURNS, digits=2)}"
    return f"may be slower: {what}; running again{beside}, {turns}: {lasts}"


def _spec_of(project: Project, new: Recording) -> SessionSpec:
    """Return how NEW was measured, if the working tree is still what was measured."""
    if new.session_id is None:
        raise ComparisonError(f"{new.label!r} was not measured as a session of this working tree")
    now = read_provenance(project.root, [], outputs=project.outputs)
    made = new.runs[0].header.provenance
    if (made.commit, made.is_dirty, made.changes) != (now.commit, now.is_dirty, now.changes):
        raise ComparisonError(f"the working tree is no longer what {new.label!r} measured")
    return load_spec(project.runs, new.session_id)


def _base_tree(stack: ExitStack, project: Project, base: Recording, folder: Path) -> Tree:
    if base.commit is None:
        raise ComparisonError(f"the commit of {base.label!r} is unknown, or had changes on top")
    return stack.enter_context(base_tree(project, base.commit, folder))


class _Turns:
    """Runs suspects in one tree, once per call, saying so."""

    def __init__(self, rerunner: Rerunner, tree: Tree, side: str) -> None:
        self._rerunner = rerunner
        self._tree = tree
        self._side = side
        self._n = 0

    def __call__(self, nodeids: Sequence[str]) -> Run:
        self._n += 1
        click.echo(
            f"running {figures.plural(len(nodeids), 'test')} again: {self._side}, run {self._n}", err=True
        )
        return self._rerunner.run(self._tree, nodeids)


def _counter(new: Recording, spec: SessionSpec, profile: str, folder: Path) -> InstructionCounter:
    header = next(run.header for run in new.runs if run.header.profile == profile)
    return InstructionCounter(spec, header, folder)


def _count_instructions(
    comparison: Comparison, counter: InstructionCounter, here: Tree, there: Tree | None
) -> Comparison:
    if there is None:
        raise ComparisonError(
            "--exact needs the base commit to run, and it does not run here", hint=comparison.notes[-1]
        )
    counted = []
    for number, suspect in enumerate(comparison.suspects, 1):
        click.echo(
            f"counting instructions, {number} of {len(comparison.suspects)}: {suspect.nodeid}", err=True
        )
        try:
            before, after = counter.count((there, here), suspect.nodeid)
        except SubjectError as exc:
            comparison = comparison.with_note(f"Not counted: {str(exc).splitlines()[0]}.")
        else:
            counted.append(replace(suspect, instructions=(before, after)))
    return comparison.with_changes(counted)
