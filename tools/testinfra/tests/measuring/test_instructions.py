"""Counting the instructions of single tests, with a stand-in for valgrind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.made_runs import make_run

from atom_testinfra.core.config import Profile
from atom_testinfra.core.errors import SubjectError
from atom_testinfra.core.measurement import PinPolicy
from atom_testinfra.core.session import SessionSpec
from atom_testinfra.measuring.instructions import InstructionCounter
from atom_testinfra.measuring.rerun import Tree

VALGRIND = """#!{python}
import json, os, sys
plan = json.load(open(sys.argv[sys.argv.index("--testinfra-plan") + 1]))
assert plan["only"] == ["test_a.py::test_one"]
n = plan["header"]["max_examples"]
print(f"==7== I   refs:      {{1_000_000 + n * int(os.environ['EACH']):,}}", file=sys.stderr)
sys.exit(int(os.environ["STATUS"]))
"""


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstructionCounter:
    """A counter whose valgrind says how many instructions an example has, and how it ended."""
    program = tmp_path / "valgrind"
    program.write_text(VALGRIND.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    spec = SessionSpec(
        session_id="s",
        profiles={"local": Profile(max_examples=200)},
        repeats=1,
        pins=PinPolicy.RESPECT,
        seed_set=0,
        n_workers=0,
        arguments=[],
    )
    return InstructionCounter(spec, make_run([]).header, tmp_path)


def test_start_up_cancels_out(counter: InstructionCounter, tmp_path: Path) -> None:
    """What remains is the instructions of an example, in each tree in the order of the trees."""
    trees = [Tree(tmp_path, {"EACH": each, "STATUS": "0"}) for each in ("700", "900")]
    assert counter.count(trees, "test_a.py::test_one") == [700.0, 900.0]


def test_a_run_that_fails_has_no_count(counter: InstructionCounter, tmp_path: Path) -> None:
    """A wrapper that swallows the exit status would compare failures."""
    trees = [Tree(tmp_path, {"EACH": "700", "STATUS": status}) for status in ("0", "1")]
    with pytest.raises(SubjectError, match="did not run under valgrind"):
        counter.count(trees, "test_a.py::test_one")
