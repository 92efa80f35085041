"""Runs a few tests again: in the working tree, and in a second tree with the base commit."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

import atom_testinfra
from atom_testinfra.core.errors import SubjectError
from atom_testinfra.core.vocabulary import Outcome
from atom_testinfra.measuring.session import Session
from atom_testinfra.storage.git import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.records.measurement import Measurement, Provenance, Run
    from atom_testinfra.core.records.session import SessionSpec
    from atom_testinfra.storage.project import Project

ORIGINS_PLUGIN = "atom_testinfra.pytest_plugin.origins"


class Tree:
    """A working tree in which tests can be run."""

    def __init__(self, rootdir: Path, env: dict[str, str], origins: Path | None = None) -> None:
        self.rootdir = rootdir
        self.env = env
        self.origins = origins
        """Where a run writes which modules came out of another tree."""

    def refuse_foreign_modules(self) -> None:
        """Raise when the last run imported the product from the tree that it is compared with."""
        if self.origins is None:
            return
        if not self.origins.exists():
            raise SubjectError("pytest did not say where its modules came from")
        foreign = json.loads(self.origins.read_bytes())
        if foreign:
            raise SubjectError(
                f"{foreign[0]!r} was imported from the working tree, not from the base commit",
                hint="is it installed in a way that PYTHONPATH does not override?",
            )


class Rerunner:
    """Runs chosen tests once per call, as a session ran them, each time in a process of its own."""

    def __init__(
        self,
        spec: SessionSpec,
        profile: str,
        folder: Path,
        provenance: Provenance,
        *,
        logs: Path | None = None,
        label: str = "again",
    ) -> None:
        self._spec = spec
        self._profile = profile
        self._folder = folder
        self._provenance = provenance
        self._logs = logs
        self._label = label
        self._n_runs = 0

    def run(self, tree: Tree, nodeids: Sequence[str] | None) -> Run:
        """Run these tests, or all, and return all records, also of a run that a test has cut in two."""
        self._n_runs += 1
        profile = self._spec.profiles[self._profile]
        arguments = self._spec.arguments
        if tree.origins is not None:
            arguments = ["-p", ORIGINS_PLUGIN, *arguments]
        spec = replace(
            self._spec,
            session_id=f"{self._label}-{self._n_runs}",
            time_budget_s=None,
            arguments=arguments,
            profiles={self._profile: replace(profile, env=profile.env | tree.env, repeats=1)},
            only=None if nodeids is None else list(nodeids),
        )
        session = Session(
            spec,
            folder=tree.rootdir,
            runs=self._folder,
            provenance=self._provenance,
            observer=_Silent(),
            logs=self._logs,
        )
        session.run()
        tree.refuse_foreign_modules()
        parts = session.runs
        return replace(parts[-1], measurements=[record for part in parts for record in part.measurements])

    def refuse_failing(self, tree: Tree, nodeids: Sequence[str]) -> None:
        """
        Raise unless these tests pass in a tree.

        A new checkout has no files that git does not know of: settings, data, compiled extensions.
        """
        for record in self.run(tree, nodeids).measurements:
            if record.outcome is not Outcome.PASSED:
                reason = f": {record.reason}" if record.reason else ""
                raise SubjectError(f"{record.nodeid!r} does not pass there ({record.outcome}{reason})")


@contextmanager
def base_tree(project: Project, commit: str, folder: Path) -> Iterator[Tree]:
    """Check the base commit out beside the working tree and make its packages the ones that are imported."""
    repository = Repository(project.root)
    root = repository.root.resolve()
    with repository.worktree(commit) as checkout:
        rootdir = checkout / project.rootdir.resolve().relative_to(root)
        if not rootdir.is_dir():
            raise SubjectError(f"commit {commit[:12]} has no folder {project.config.rootdir!r}")
        origins = folder / "origins.json"
        env = {
            "PYTHONPATH": os.pathsep.join(_mapped_path(root, checkout)),
            "TESTINFRA_ORIGINS": os.fspath(origins),
            "TESTINFRA_FOREIGN_ROOT": os.fspath(root),
        }
        yield Tree(rootdir, env, origins)


def _mapped_path(root: Path, checkout: Path) -> Iterator[str]:
    """
    Yield the places of the checkout that stand for those of the working tree on the import path.

    Packages installed in place are on it with their folder of the working tree; the same folder of the
    checkout goes before it. The tool itself stays the one that runs.
    """
    tool = Path(atom_testinfra.__file__).resolve().parent.parent
    environment = Path(sys.prefix).resolve()
    for entry in sys.path:
        place = Path(entry).resolve()
        if place.is_relative_to(root) and not place.is_relative_to(environment) and place != tool:
            yield os.fspath(checkout / place.relative_to(root))
    if "PYTHONPATH" in os.environ:
        yield os.environ["PYTHONPATH"]


class _Silent:
    """An observer of runs that are too short to be watched."""

    def begin(self, repeat: int, profile: str) -> None: ...

    def collected(self, nodeids: list[str]) -> None: ...

    def measured(self, record: Measurement) -> None: ...

    def tick(self) -> None: ...
