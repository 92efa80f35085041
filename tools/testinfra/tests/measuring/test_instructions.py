"""Counting the instructions of single tests, with a stand-in for valgrind."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.made_runs import make_record, make_run

from atom_testinfra.core.config import Profile
from atom_testinfra.core.errors import SubjectError
from atom_testinfra.core.policies import PinPolicy, Steering
from atom_testinfra.core.records.session import SessionSpec
from atom_testinfra.measuring.instructions import InstructionCounter
from atom_testinfra.measuring.rerun import Tree
from atom_testinfra.storage.runs import save_run

VALGRIND = """#!{python} -IS
import json, os, sys
option = "--testinfra-plan="
(path,) = [word.removeprefix(option) for word in sys.argv if word.startswith(option)]
plan = json.load(open(path))
assert plan["only"] == ["test_a.py::test_one"]
header = plan["header"]
assert (header["pins"], header["steering"]) == ("override", "tool")
n = min(header["max_examples"], int(os.environ["MOST"]))
with open({run!r}) as run, open(plan["path"], "w") as copy:
    copy.write(run.read().replace('"n_valid":200', f'"n_valid":{{n}}'))
print(f"==7== I   refs:      {{1_000_000 + n * int(os.environ['EACH']):,}}", file=sys.stderr)
sys.exit(int(os.environ["STATUS"]))
"""

PROPERTY = """
from hypothesis import given, strategies as st
@given(st.integers())
def test_one(n): assert sum(range(n % 100)) >= 0
"""


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: None) -> InstructionCounter:
    """A counter whose valgrind says how many instructions an example has, and how it ended."""
    program = tmp_path / "valgrind"
    run = make_run([make_record("test_a.py::test_one")])
    save_run(run, tmp_path / "run.jsonl")
    program.write_text(VALGRIND.format(python=sys.executable, run=str(tmp_path / "run.jsonl")))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "test_a.py").write_text(PROPERTY)
    spec = SessionSpec(
        session_id="s",
        profiles={"local": Profile(max_examples=200, steering=Steering.SUITE)},
        repeats=1,
        pins=PinPolicy.RESPECT,
        seed_set=0,
        n_workers=0,
        arguments=[],
    )
    return InstructionCounter(spec, replace(run.header, steering=Steering.SUITE), tmp_path)


def tree(folder: Path, *, each: int = 700, most: int = 1000, status: int = 0) -> Tree:
    """A tree in which an example has this many instructions, and a limited number of examples exists."""
    return Tree(folder, {"EACH": str(each), "MOST": str(most), "STATUS": str(status)})


def test_start_up_cancels_out(counter: InstructionCounter, tmp_path: Path) -> None:
    """What remains is the instructions of an example, in each tree in the order of the trees."""
    trees = [tree(tmp_path, each=700), tree(tmp_path, each=900)]
    assert counter.count(trees, "test_a.py::test_one") == [700.0, 900.0]


def test_the_slope_is_over_the_examples_that_ran(counter: InstructionCounter, tmp_path: Path) -> None:
    """A space of seven examples ends before the 25 that were asked for."""
    assert counter.count([tree(tmp_path, most=7)], "test_a.py::test_one") == [700.0]


def test_a_number_that_does_not_change_has_no_count(counter: InstructionCounter, tmp_path: Path) -> None:
    """The difference of two runs of the same three examples is start-up."""
    with pytest.raises(SubjectError, match="runs 3 examples when asked for 5, 3 for 25"):
        counter.count([tree(tmp_path, most=3)], "test_a.py::test_one")


def test_a_run_that_fails_has_no_count(counter: InstructionCounter, tmp_path: Path) -> None:
    """A wrapper that swallows the exit status would compare failures."""
    with pytest.raises(SubjectError, match="did not run under valgrind"):
        counter.count([tree(tmp_path), tree(tmp_path, status=1)], "test_a.py::test_one")


RUNS_WHAT_IT_IS_GIVEN = """#!{python}
import os, sys
command = [word for word in sys.argv[1:] if not word.startswith(("--tool", "--cache"))]
print("==7== I   refs:      1,000,000", file=sys.stderr, flush=True)
os.execv(command[0], command)
"""


def in_a_project(folder: Path) -> Tree:
    """A project of settings that name no path for its tests, and say what a test file is called."""
    project = folder / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[tool.pytest.ini_options]\npython_files = 'check_*.py'\n")
    (project / "check_a.py").write_text(PROPERTY)
    return Tree(project, {})


def a_counter(plans: Path) -> InstructionCounter:
    """A counter that keeps its plans in a folder, for a session that was given no path."""
    plans.mkdir()
    spec = SessionSpec(
        session_id="s",
        profiles={"local": Profile(max_examples=200)},
        repeats=1,
        pins=PinPolicy.RESPECT,
        seed_set=0,
        n_workers=0,
        arguments=[],
    )
    return InstructionCounter(spec, make_run([]).header, plans)


@pytest.mark.integration
def test_a_plan_outside_of_the_project_is_no_path_of_a_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest finds the project's settings and its tests, and the number of examples is the plan's."""
    program = tmp_path / "bin" / "valgrind"
    program.parent.mkdir()
    program.write_text(RUNS_WHAT_IT_IS_GIVEN.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    assert a_counter(tmp_path / "plans").count([in_a_project(tmp_path)], "check_a.py::test_one") == [0.0]


@pytest.mark.nightly
@pytest.mark.skipif(
    shutil.which("valgrind") is None and "TESTINFRA_REQUIRE_VALGRIND" not in os.environ,
    reason="valgrind is not installed",
)
def test_valgrind_counts_the_same_twice(tmp_path: Path) -> None:
    """An example of a small property executes tens of thousands of instructions, within 1 % each time."""
    tree = in_a_project(tmp_path)
    first, again = a_counter(tmp_path / "plans").count([tree, tree], "check_a.py::test_one")
    assert 10_000 < first < 10_000_000
    assert again == pytest.approx(first, rel=0.01)
