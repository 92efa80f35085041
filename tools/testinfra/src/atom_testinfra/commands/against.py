"""Measures a revision and the working tree in turns, on one machine, for `testinfra compare --against`."""

from __future__ import annotations

import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from atom_testinfra.core.changes.confirmation import take_turns
from atom_testinfra.core.errors import ConfigError, GitError, NothingMeasuredError
from atom_testinfra.core.records.repeats import MIN_BASE_RUNS
from atom_testinfra.core.records.session import SessionSpec
from atom_testinfra.machine.fingerprint import read_provenance
from atom_testinfra.measuring.rerun import Rerunner, Tree, base_tree
from atom_testinfra.storage.git import Repository
from atom_testinfra.storage.recordings import Recording
from atom_testinfra.storage.run_writer import escape

if TYPE_CHECKING:
    from atom_testinfra.core.records.measurement import Run
    from atom_testinfra.storage.project import Project

HERE = "the working tree"


def measure_in_turns(
    project: Project, revision: str, profile: str | None
) -> tuple[Recording, Recording, SessionSpec]:
    """
    Return five runs of the properties at a revision, five in the working tree, and how they were made.

    The sides take turns, so that whatever disturbs the machine disturbs both. Each tree runs once before,
    because the first run in a fresh checkout compiles and writes caches.

    Raises:
        NothingMeasuredError: There is no such revision here, or one of the sides has no property.
        SubjectError: The properties do not run on one of the sides.
    """
    commit = _resolve(project, revision)
    name = project.config.targets.local_profile if profile is None else profile
    spec = _spec(project, name)
    made = read_provenance(project.root, [*map(escape, sys.argv)], outputs=project.outputs)
    at_commit = replace(made, commit=commit, is_dirty=False, changes=None)
    base: list[Run] = []
    new: list[Run] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="testinfra-turns-")))
        there = stack.enter_context(base_tree(project, commit, folder))
        here = Tree(project.rootdir, {})
        sides = {
            "base": (Rerunner(spec, name, folder, at_commit, logs=project.runs, label="base"), there, base),
            "new": (Rerunner(spec, name, folder, made, logs=project.runs, label="new"), here, new),
        }
        for side, (rerunner, tree, _) in sides.items():
            click.echo(f"running the properties once, unmeasured: {side}", err=True)
            rerunner.run(tree, None)
        for side in take_turns(MIN_BASE_RUNS):
            rerunner, tree, runs = sides[side]
            click.echo(f"measuring {side}, run {len(runs) + 1} of {MIN_BASE_RUNS}", err=True)
            run = rerunner.run(tree, None)
            runs.append(replace(run, header=replace(run.header, repeat=len(runs))))
    return Recording(label=revision, runs=base), Recording(label=HERE, runs=new), spec


def _resolve(project: Project, revision: str) -> str:
    try:
        return Repository(project.root).resolve(revision)
    except GitError as exc:
        raise NothingMeasuredError(
            f"there is nothing to compare with: {exc}", hint=exc.hint or "name a revision that git knows"
        ) from None


def _spec(project: Project, profile: str) -> SessionSpec:
    config = project.config
    if profile not in config.profiles:
        raise ConfigError(f"there is no profile {profile!r}", hint=f"there are: {', '.join(config.profiles)}")
    return SessionSpec(
        session_id=f"turns-{secrets.token_hex(2)}",
        profiles={profile: config.profiles[profile]},
        repeats=1,
        pins=config.pins,
        seed_set=0,
        n_workers=0,
        arguments=list(config.paths),
        only_properties=True,
    )
