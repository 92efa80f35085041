"""Where a figure comes from: the commit, and what differed from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.git_repository import git

from atom_testinfra.core.git_environment import PLACES
from atom_testinfra.core.records.measurement import Provenance
from atom_testinfra.machine import fingerprint
from atom_testinfra.machine.fingerprint import read_provenance


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a folder of a repository, committed."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git(tmp_path, "init", "-q")
    folder = tmp_path / "project"
    (folder / "docs" / "deep").mkdir(parents=True)
    for name in ("code.py", "baseline.json", "docs/deep/a.md"):
        (folder / name).write_text("0\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    return folder


def read(project: Path) -> Provenance:
    return read_provenance(project, [], outputs=["baseline.json", "docs/**/*.md"])


def test_a_clean_tree_has_no_changes(project: Path) -> None:
    """What git does not know of is none."""
    (project / "new.py").write_text("1\n")
    made = read(project)
    assert (made.is_dirty, made.changes) == (False, None)
    assert made.commit is not None


def test_what_the_tool_writes_is_no_change(project: Path) -> None:
    """Else nothing could be run again once a baseline and the documents were written."""
    for name in ("baseline.json", "docs/deep/a.md"):
        (project / name).write_text("1\n")
    assert read(project).is_dirty is False


@pytest.mark.parametrize("name", ["project/code.py", "beside.py"])
def test_two_different_edits_are_told_apart(project: Path, name: str) -> None:
    """Both are dirty; in a monorepo the product may lie beside the project."""
    path = project.parent / name
    path.write_text("1\n")
    git(project, "add", "--intent-to-add", str(path))
    first = read(project)
    path.write_text("2\n")
    second = read(project)
    assert first.is_dirty is second.is_dirty is True
    assert None not in {first.changes, second.changes}
    assert first.changes != second.changes
    path.write_text("1\n")
    assert read(project).changes == first.changes


@pytest.mark.parametrize(
    ("name", "value"),
    [("diff.relative", "true"), ("diff.external", "true"), ("color.ui", "always")],
)
def test_a_persons_settings_hide_no_change_and_make_none(project: Path, name: str, value: str) -> None:
    """What lies beside the project is a change; what git does not know of is none."""
    (project / "new.py").write_text("1\n")
    git(project, "config", name, value)
    assert read(project).is_dirty is False
    path = project.parent / "beside.py"
    path.write_text("1\n")
    git(project, "add", "--intent-to-add", str(path))
    changed = read(project)
    assert changed.is_dirty is True
    git(project, "config", "--unset", name)
    assert read(project).changes == changed.changes


def test_in_a_hook_of_another_repository_the_commit_is_the_folders_own(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git tells a hook where its repository and index are, and would take that for every folder."""
    expected = read(project)
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    git(other, "commit", "-q", "--allow-empty", "-m", "elsewhere")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert read(project) == expected


def test_every_name_of_a_place_is_noticed() -> None:
    """By its ending, before what knows them all is imported."""
    assert [name for name in PLACES if not name.endswith(fingerprint.PLACE_ENDINGS)] == []
    assert len(PLACES) == 10


def test_the_measured_process_imports_little_for_it() -> None:
    """What a suite would pay for is imported where it is needed."""
    code = "import sys, atom_testinfra.machine.fingerprint; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = done.stdout.split()
    assert "atom_testinfra.machine.fingerprint" in loaded
    assert [name for name in loaded if name.startswith(("atom_testinfra.core", "msgspec"))] == []


def test_without_git_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git, commit and changes are unknown, and the tree does not count as clean."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    made = read(tmp_path)
    assert (made.commit, made.is_dirty, made.changes) == (None, None, None)
