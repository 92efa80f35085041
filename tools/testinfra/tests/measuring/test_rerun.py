"""Running a test again: here, and in a second tree with another commit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.git_repository import git

from atom_testinfra.core.config import Profile
from atom_testinfra.core.errors import SubjectError
from atom_testinfra.core.policies import PinPolicy
from atom_testinfra.core.records.session import SessionSpec
from atom_testinfra.core.vocabulary import Outcome
from atom_testinfra.machine.fingerprint import read_provenance
from atom_testinfra.measuring.rerun import Rerunner, Tree, base_tree
from atom_testinfra.storage.project import load_project

pytestmark = pytest.mark.usefixtures("warm")

SUITE = """
from hypothesis import given, strategies as st
import product

@given(st.integers())
def test_one(x):
    assert product.VERSION == {version}

@given(st.integers())
def test_two(x):
    pass
"""

ENDING = """
import os
from hypothesis import given, strategies as st

@given(st.integers())
def test_a(x):
    pass

@given(st.integers())
def test_b(x):
    os._exit(3)

@given(st.integers())
def test_c(x):
    pass
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits; the tests of each pass with its own product only."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    git(tmp_path, "init", "-q", str(root))
    (root / "pyproject.toml").write_text("[tool.testinfra]\n[tool.pytest.ini_options]\ntestpaths = ['.']\n")
    (root / ".gitignore").write_text("__pycache__\n.hypothesis\n")
    for version in (1, 2):
        (root / "src" / "product.py").write_text(f"VERSION = {version}\n")
        (root / "test_it.py").write_text(SUITE.format(version=version))
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", f"version {version}")
    return root


def rerunner(project: Path, folder: Path) -> Rerunner:
    spec = SessionSpec(
        session_id="s",
        profiles={"local": Profile(max_examples=12)},
        repeats=5,
        pins=PinPolicy.RESPECT,
        seed_set=0,
        n_workers=0,
        arguments=["-p", "no:cacheprovider"],
    )
    return Rerunner(spec, "local", folder, read_provenance(project, []))


def test_each_tree_runs_its_own_commit(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package installed in place is on the import path; the base's copy of it goes before."""
    monkeypatch.syspath_prepend(project / "src")
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))
    again = rerunner(project, tmp_path)
    with base_tree(load_project(project), git(project, "rev-parse", "HEAD~1"), tmp_path) as there:
        before = again.run(there, ["test_it.py::test_one"])
    after = again.run(Tree(project, {}), ["test_it.py::test_one"])
    for run in (before, after):
        (record,) = run.measurements
        assert (record.nodeid, record.outcome) == ("test_it.py::test_one", Outcome.PASSED)
        assert record.hypothesis is not None
        assert record.hypothesis.effective == 12


def test_a_product_from_the_other_tree_is_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the import path cannot be overridden both sides would be the same code, and that is said."""
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))
    again = rerunner(project, tmp_path)
    with (
        base_tree(load_project(project), git(project, "rev-parse", "HEAD"), tmp_path) as there,
        pytest.raises(SubjectError, match="'product' was imported from the working tree"),
    ):
        again.run(there, ["test_it.py::test_one"])


def test_a_base_whose_tests_fail_there_is_refused(project: Path, tmp_path: Path) -> None:
    """The base commit's test finds another product on its path: its further runs would say nothing."""
    again = rerunner(project, tmp_path)
    nodeids = ["test_it.py::test_two", "test_it.py::test_one"]
    with (
        base_tree(load_project(project), git(project, "rev-parse", "HEAD~1"), tmp_path) as there,
        pytest.raises(SubjectError, match=r"'test_it\.py::test_one' does not pass there \(failed: "),
    ):
        again.refuse_failing(Tree(there.rootdir, {"PYTHONPATH": str(project / "src")}), nodeids)


def test_a_test_that_ends_pytest_takes_no_other_along(project: Path, tmp_path: Path) -> None:
    """What ran before it is in an earlier part of the same run."""
    (project / "test_it.py").write_text(ENDING)
    run = rerunner(project, tmp_path).run(Tree(project, {}), [f"test_it.py::test_{n}" for n in "abc"])
    outcomes = {record.nodeid[-1]: record.outcome for record in run.measurements}
    assert outcomes == {"a": Outcome.PASSED, "b": Outcome.CRASHED, "c": Outcome.PASSED}
