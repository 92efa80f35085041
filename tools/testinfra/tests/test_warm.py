"""Runs that are forked from a process with pytest and Hypothesis in it are processes like any other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import PLUGINS_ONLY
from tests.warm import IS_POSSIBLE, STARTED_WITH, can_be_warm

COMMAND = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
SUITE = """
import os
import sys
from pathlib import Path

import beside
from hypothesis import settings
from hypothesis.internal.charmap import charmap_file

def test_process():
    assert settings._current_profile == os.environ["PROFILE"]
    assert (os.getppid(), os.getsid(0)) == ({parent}, os.getpid())
    assert "warm_server.py" in Path("/proc/self/cmdline").read_text()
    assert Path.cwd() == Path(__file__).parent
    assert Path(charmap_file()).is_relative_to(Path.cwd() / ".hypothesis")
    assert (os.environ["KEPT"], "HOME" in os.environ) == ("yes", False)
    assert not any(name.partition(".")[0] in ("tests", "warm_server") for name in sys.modules)
    print("wrong", file=sys.stderr)
    assert beside.VALUE == 2
"""


@pytest.mark.skipif(not IS_POSSIBLE, reason="forks are taken over as Linux does it")
def test_a_fork_is_a_child_with_a_place_an_environment_and_a_status(tmp_path: Path, warm: None) -> None:
    """Nothing of this process or of the server is in it, and its exit status arrives here."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project/test_a.py").write_text(SUITE.format(parent=os.getpid()))
    outside = STARTED_WITH | PLUGINS_ONLY | {"KEPT": "yes", "PYTHONPATH": os.fspath(tmp_path)}
    for value, status, words, profile in ((2, 0, "1 passed", "default"), (3, 1, "wrong", "ci")):
        environment = outside | ({"CI": "true"} if profile == "ci" else {}) | {"PROFILE": profile}
        # In two sizes, so that Python does not take bytecode of the same second for it.
        (tmp_path / "beside.py").write_text(f"VALUE = {value}{status * ' '}\n")
        done = subprocess.run(
            COMMAND,
            cwd=tmp_path / "project",
            env=environment,
            capture_output=True,
            text=True,
            start_new_session=True,
        )
        assert (done.returncode, words in done.stdout) == (status, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"PYTHONPATH": "elsewhere"}, True),
        ({"PYTHONDONTWRITEBYTECODE": "1"}, True),
        ({"CI": "false"}, True),
        ({"HYPOTHESIS_NO_PLUGINS": "1"}, False),
        ({"PYTHONHASHSEED": "1"}, False),
        ({"PYTHONDEVMODE": "1"}, False),
        ({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}, False),
    ],
)
def test_what_is_read_at_the_start_needs_a_real_start(change: dict[str, str], expected: bool) -> None:
    """Other plugins, hashes and modes of the interpreter are those of no process that forks."""
    environment = STARTED_WITH | PLUGINS_ONLY
    assert can_be_warm(COMMAND, environment | change) is expected
    assert can_be_warm([sys.executable, "-mpytest", "-q"], environment | change) is expected
    assert not can_be_warm([sys.executable, "-m", "atom_testinfra"], environment | change)
