"""A test has one id and one seed, whatever pytest was given and whatever pytest calls its root."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from tests.versions import since_hypothesis

from atom_testinfra.cli import main
from atom_testinfra.pytest_plugin.naming import Naming
from atom_testinfra.storage.runs import load_run
from atom_testinfra.storage.sessions import load_session

if TYPE_CHECKING:
    from atom_testinfra.core.records.measurement import Run

pytestmark = pytest.mark.usefixtures("warm")

TEST = """
from hypothesis import given, strategies as st

@given(st.integers())
def test_p(n):
    pass

class TestC:
    @given(st.integers())
    def test_m(self, n):
        pass

def test_plain():
    pass
"""
FOLDERS = ("services/api/tests", "libs/core/tests")
INI = "[pytest]\naddopts = --import-mode=importlib -p no:cacheprovider\n"
NAMES = ("test_p", "TestC::test_m", "test_plain")


def _expected(*folders: str) -> set[str]:
    return {f"{folder}/test_a.py::{name}" for folder, name in product(folders, NAMES)}


def _build(root: Path, *, table: str = "profiles = { local = { max_examples = 3 } }") -> Path:
    """Make a project with several configuration files of pytest, and test files of the same name."""
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
        (root / folder / "test_a.py").write_text(TEST)
        (root / folder).parent.joinpath("pytest.ini").write_text(INI)
    (root / "pytest.ini").write_text(INI)
    (root / "pyproject.toml").write_text(f"[tool.testinfra]\nrepeats = 1\n{table}\n")
    return root


@pytest.fixture(scope="module")
def monorepo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, and a symbolic link to it beside it."""
    root = _build(tmp_path_factory.mktemp("monorepo") / "real")
    (root.parent / "link").symlink_to(root, target_is_directory=True)
    return root


@pytest.fixture(scope="module")
def seeds(monorepo: Path) -> dict[str, str | None]:
    """The seed of each property, from one run at the root."""
    return _seeds(_record(monorepo, monorepo, "-c", "pytest.ini"))


def _record(root: Path, cwd: Path, *arguments: str) -> Run:
    """Run pytest in a folder and return what was recorded."""
    file = root / "run.jsonl"
    file.unlink(missing_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--testinfra-record={file}", *arguments],
        cwd=cwd,
        check=True,
        capture_output=True,
    )
    leftovers = [*root.glob("*.names")]
    assert leftovers == []
    return load_run(file)


def _seeds(run: Run) -> dict[str, str | None]:
    found = [record for record in run.measurements if record.hypothesis is not None]
    return {record.nodeid: record.hypothesis.seed for record in found if record.hypothesis is not None}


def _spell(folder: str, how: str, root: Path, cwd: Path) -> str:
    """Return the argument that names a folder, relative to where pytest is called, absolute, or by a link."""
    match how:
        case "relative":
            return os.path.relpath(root / folder, cwd)
        case "absolute":
            return os.fspath(root / folder)
        case _:
            return os.fspath(root.parent / "link" / folder)


@example(["services/api/tests", "libs/core"], "relative", ".", "-c services/api/pytest.ini")
@example(["libs/core/tests"], "link", ".", "")
@example(["libs/core/tests"], "relative", "libs/core", "--rootdir services")
@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.generate])  # each starts a pytest
@given(
    folders=st.lists(
        st.sampled_from(["services/api/tests", "libs/core/tests", "services/api", "libs/core"]),
        min_size=1,
        max_size=2,
        unique_by=lambda folder: folder.partition("/")[0],
    ),
    how=st.sampled_from(["relative", "absolute", "link"]),
    cwd=st.sampled_from([".", "services", "services/api/tests", "libs/core"]),
    root_option=st.sampled_from(
        ["", "--rootdir .", "--rootdir services", "-c pytest.ini", "-c services/api/pytest.ini"]
    ),
)
def test_an_id_follows_the_projects_root(
    monorepo: Path,
    seeds: dict[str, str | None],
    folders: list[str],
    how: str,
    cwd: str,
    root_option: str,
) -> None:
    """Neither the arguments nor pytest's rootdir decide how a test is named, or from which seed it runs."""
    at = monorepo / cwd
    option, _, value = root_option.partition(" ")
    options = [option, os.fspath(monorepo / value)] if option else []
    run = _record(monorepo, at, *options, *(_spell(folder, how, monorepo, at) for folder in folders))
    _assert_ids(run, folders, seeds)


@pytest.mark.integration
def test_an_id_in_a_worker_follows_the_projects_root(monorepo: Path, seeds: dict[str, str | None]) -> None:
    """The same with workers, whose rootdir is that of pytest as well."""
    pytest.importorskip("xdist")
    folders, at = ["services/api/tests", "libs/core"], monorepo / "libs"
    places = [_spell(folder, "absolute", monorepo, at) for folder in folders]
    run = _record(monorepo, at, "-c", os.fspath(monorepo / "services/api/pytest.ini"), *places, "-n2")
    _assert_ids(run, folders, seeds)


def _assert_ids(run: Run, folders: list[str], seeds: dict[str, str | None]) -> None:
    wanted = _expected(*(f"{folder.removesuffix('/tests')}/tests" for folder in folders))
    assert run.collected is not None
    assert {*run.collected.nodeids} == wanted
    assert {record.nodeid for record in run.measurements} == wanted
    assert {record.path for record in run.measurements} == {nodeid.partition("::")[0] for nodeid in wanted}
    found = _seeds(run)
    assert found == {nodeid: seed for nodeid, seed in seeds.items() if nodeid in found}
    assert len(found) == 2 * len(folders)


@pytest.mark.parametrize("workers", [[], pytest.param(["-n2"], marks=pytest.mark.integration)])
def test_two_tests_of_one_id_to_pytest_are_two(monorepo: Path, workers: list[str]) -> None:
    """pytest names a file outside its rootdir as if the argument were the root: `::test_p` for both files."""
    files = [f"{folder}/test_a.py" for folder in FOLDERS]
    elsewhere = monorepo / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    if workers:
        pytest.importorskip("xdist")
    run = _record(monorepo, monorepo, "--rootdir", os.fspath(elsewhere), *files, *workers)
    assert {record.nodeid for record in run.measurements} == _expected(*FOLDERS)


class TestMeasure:
    """`testinfra measure` goes by the same root, and so do `--resume` and `--explain`."""

    @pytest.fixture(autouse=True)
    def _project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _build(tmp_path / "project")
        monkeypatch.chdir(tmp_path / "project")

    def test_parts_of_the_suite_are_told_apart(self) -> None:
        """Measured one after the other, files of one name are different tests with different seeds."""
        runs = []
        for folder in FOLDERS:
            assert main(["measure", "--profile", "local", "--", folder]) == 0
            runs += load_session(Path(".testinfra/runs"))
        assert [{record.nodeid for record in run.measurements} for run in runs] == [
            _expected(folder) for folder in FOLDERS
        ]
        assert len({seed for run in runs for seed in _seeds(run).values()}) == 4

    @since_hypothesis("6.94")
    def test_only_what_was_named_is_explained(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--explain` takes an id as the table shows it."""
        nodeid = f"{FOLDERS[1]}/test_a.py::test_p"
        assert main(["measure", "--json", "--explain", nodeid]) == 0
        assert f'"nodeid":"{nodeid}"' in capsys.readouterr().out


def test_the_configured_rootdir_is_the_root(tmp_path: Path) -> None:
    """With `rootdir` in the settings ids begin below that folder, also in a run by hand above it."""
    root = _build(tmp_path / "project", table='rootdir = "services"')
    for cwd in (root, root / "services/api"):
        run = _record(root, cwd, os.fspath(root / "services"))
        assert {record.nodeid for record in run.measurements} == _expected("api/tests")


def test_without_settings_pytests_rootdir_is_the_root(tmp_path: Path) -> None:
    """A run by hand in a project without a table is named as pytest names it."""
    root = _build(tmp_path / "project")
    (root / "pyproject.toml").unlink()
    run = _record(root, root, "services/api/tests")
    assert {record.nodeid for record in run.measurements} == _expected("tests")


def test_settings_that_cannot_be_read_stop_a_recorded_run(tmp_path: Path) -> None:
    """A broken pyproject.toml that mentions testinfra is an error: without it the ids would be others."""
    (tmp_path / "pyproject.toml").write_text("[tool.testinfra\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/pytest.ini").write_text(INI)
    (tmp_path / "sub/test_a.py").write_text(TEST)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--testinfra-record=run.jsonl", "test_a.py"],
        cwd=tmp_path / "sub",
        capture_output=True,
        text=True,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"cannot read {os.fspath(tmp_path / 'pyproject.toml')!r}" in done.stderr


class _CountingNaming(Naming):
    """Counts how often a path is made relative to the root."""

    n_located = 0

    def locate(self, path: Path) -> str:
        self.n_located += 1
        return super().locate(path)


@pytest.mark.parametrize(("root", "prefix"), [(".", ""), ("sub", "../")])
def test_a_file_is_located_once_however_many_tests_it_has(
    pytester: pytest.Pytester, root: str, prefix: str
) -> None:
    """Naming every test by its file's path took 26,000 instructions a test: 0.5 % of 300 trivial tests."""
    items = pytester.getitems(
        """
        import pytest

        @pytest.mark.parametrize("n", range(50))
        def test_many(n):
            pass
        """
    )
    naming = _CountingNaming(items[0].config, os.fspath(pytester.path / root))
    naming.learn(items)
    named = naming.names(items, [item.nodeid for item in items])
    assert named == [f"{prefix}{item.nodeid}" for item in items] == list(map(naming.name, items))
    assert naming.n_located == 2  # once to see whether ids differ, once to name tests
