"""What git says of a baseline's commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

from atom_testinfra.core.config import Config
from atom_testinfra.storage.origin import load_origin
from atom_testinfra.storage.project import Project


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


def test_a_project_in_a_repository(tmp_path: Path) -> None:
    """The remote names the project, and the commits since the measurement are counted."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", "git@github.com:owner/name.git")
    measured = commit(tmp_path)
    commit(tmp_path)
    head = commit(tmp_path)
    (tmp_path / "backend").mkdir()
    origin = load_origin(Project(root=tmp_path, config=Config(rootdir="backend")), measured)

    assert (origin.project, origin.head, origin.n_commits_since) == ("owner/name", head, 2)
    assert origin.rootdir == "backend"
    assert origin.files == f"https://github.com/owner/name/blob/{measured}/backend"


def test_a_commit_of_another_branch_has_no_distance(tmp_path: Path) -> None:
    """A number of commits would say that it is an earlier state of the same history."""
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "other")
    measured = commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "y")
    project = Project(root=tmp_path, config=Config())

    assert load_origin(project, measured).n_commits_since is None
    assert load_origin(project, "f" * 40).n_commits_since is None
    assert load_origin(project, None).n_commits_since is None


def test_without_a_repository_the_folder_names_the_project(tmp_path: Path) -> None:
    """Nothing is said that git would have to know."""
    origin = load_origin(Project(root=tmp_path, config=Config()), "f" * 40)

    assert origin.project == tmp_path.name
    assert (origin.head, origin.n_commits_since, origin.files) == (None, None, None)
