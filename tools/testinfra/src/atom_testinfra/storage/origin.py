"""Asks git whose figures a baseline holds, and how old they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from atom_testinfra.core.errors import GitError
from atom_testinfra.core.origin import Origin, Remote, parse_remote
from atom_testinfra.storage.git import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from atom_testinfra.storage.project import Project


def load_origin(project: Project, commit: str | None) -> Origin:
    """Return what is known of a project and of its commit; without git that is the folder's name."""
    name, rootdir = project.root.resolve().name, _inside(project.rootdir, project.root)
    try:
        repository = Repository(project.root)
        head = repository.resolve("HEAD")
    except GitError:
        return Origin(project=name, rootdir=rootdir)
    remote = _remote(repository)
    folder = _inside(project.rootdir, repository.root)
    return Origin(
        project=name if remote is None else remote.name,
        head=head,
        n_commits_since=_count(repository, commit, head),
        rootdir=rootdir,
        files=None if remote is None or commit is None else remote.folder(commit, folder),
    )


def _remote(repository: Repository) -> Remote | None:
    address = repository.remote()
    return None if address is None else parse_remote(address)


def _count(repository: Repository, commit: str | None, head: str) -> int | None:
    if commit is None:
        return None
    try:
        return repository.count_commits(commit, head)
    except GitError:
        return None  # a commit of another repository, or before the beginning of a shallow clone


def _inside(folder: Path, root: Path) -> str:
    return os.path.relpath(folder.resolve(), root.resolve()).replace(os.sep, "/")
