"""From the measurement to the baseline, where a clock or what is measured was disturbed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.cli import main
from atom_testinfra.storage.baseline import load_baseline
from atom_testinfra.storage.sessions import list_sessions, load_session

if TYPE_CHECKING:
    from atom_testinfra.core.records.measurement import Run

pytestmark = pytest.mark.integration

FREEZER = Path(__file__).parents[1].joinpath("pytest_plugin/recording/freezer.py").read_text(encoding="utf-8")
SETTINGS = """
[tool.testinfra]
repeats = 1
profiles = { local = { max_examples = 12 } }
"""
COUNTS = """
    from hypothesis import given, strategies as st

    def count(n):
        total = 0
        for i in range(300):
            total += i
        return total

    @given(st.integers())
    def test_counts(n):
        count(n)
"""


class Project:
    """A small project, and the commands in it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys
        (root / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")

    def write(self, **modules: str) -> None:
        """Write modules."""
        for name, text in modules.items():
            (self.root / f"{name}.py").write_text(dedent(text), encoding="utf-8")

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run a command and return all that it printed."""
        self._capsys.readouterr()
        returned = main([*arguments])
        printed = "\n".join(self._capsys.readouterr())
        assert returned == status, printed
        return printed

    def latest(self) -> Run:
        """Return the run of the latest session."""
        (run,) = load_session(self.root / ".testinfra" / "runs")
        return run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    """An empty project, outside of CI."""
    monkeypatch.chdir(tmp_path)
    for name in ("CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    return Project(tmp_path, capsys)


@pytest.mark.parametrize("how", ["with ticking(15.0):\n        yield", "frozen().start()\n    yield"])
def test_a_suite_that_changes_the_time_gets_a_baseline_that_can_be_read(project: Project, how: str) -> None:
    """The parts of a cost add up to no more than its duration, also if a fixture leaves the clock changed."""
    (project.root / "freezer.py").write_text(FREEZER, encoding="utf-8")
    module = f"""
import time
import pytest
from freezer import frozen, ticking
from hypothesis import given, strategies as st

@pytest.fixture(autouse=True)
def now():
    {how}

@given(st.lists(st.integers(), min_size=5))
def test_expires(n):
    time.time()
    sum(range(50_000))
"""
    project.write(test_a=module)
    project.run("measure", "--profile", "local")
    project.run("verify", "--no-suite")
    project.run("verify", "--check")
    baseline = load_baseline(project.root / "performance_baseline.json")
    cost = baseline.properties["test_a.py::test_expires"].profiles["local"]
    parts_s = (cost.body_us + cost.generate_us + cost.engine_us) * cost.n_examples / 1e6
    assert 0.3 * cost.duration_s < parts_s <= 1.01 * cost.duration_s
    assert cost.body_us > 0 < cost.generate_us
    assert cost.engine_us > 0


def test_observability_in_the_environment_changes_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The variable is removed with a note; if a conftest turns it on, the records say so and are refused."""
    project.write(test_a=COUNTS)
    monkeypatch.setenv("HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY", "1")
    printed = project.run("measure", "--profile", "local")
    assert "the tests run without HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY" in printed
    main(["doctor", "--json"])  # its status is about the machine, which may be busy
    assert "HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY=1" in capsys.readouterr().out
    (record,) = project.latest().measurements
    assert (record.instruments, record.problems) == ([], [])
    project.write(
        conftest="""
        from hypothesis.internal import observability
        observability.TESTCASE_CALLBACKS.append(lambda observation: None)
        """
    )
    project.run("measure", "--profile", "local")
    run = project.latest()
    assert (run.header.is_traced, run.measurements[0].instruments) == (True, ["Hypothesis's observability"])
    printed = project.run("verify", "--no-suite", status=2)
    assert "was made under coverage, a profiler or a debugger" in printed


def test_a_tracer_that_another_test_left_on_keeps_its_successors_out(project: Project) -> None:
    """Later tests are measured and reported as traced; earlier ones get their figures."""
    project.write(
        test_a=COUNTS,
        test_b="""
        import sys
        from hypothesis import given, strategies as st

        def trace(frame, event, argument):
            return trace

        @given(st.integers())
        def test_starts(n):
            sys.settrace(trace)
        """,
        test_c=COUNTS,
    )
    printed = re.sub(r"\s+", " ", project.run("measure", "--profile", "local"))
    assert (
        "test_b.trace (sys.settrace) was on while it ran, as it has been since test_b.py::test_starts"
        in printed
    )
    project.run("verify", "--no-suite")
    baseline = load_baseline(project.root / "performance_baseline.json")
    assert [*baseline.properties] == ["test_a.py::test_counts"]
    assert {entry.nodeid for entry in baseline.excluded} == {
        "test_b.py::test_starts",
        "test_c.py::test_counts",
    }


def test_a_session_of_a_clock_that_was_ahead_is_not_the_latest_for_ever(project: Project) -> None:
    """The session that was recorded later is used, and a note names the one from the future."""
    project.write(test_a=COUNTS)
    project.run("measure", "--profile", "local")
    folder = project.root / ".testinfra" / "runs"
    for path in [*folder.iterdir()]:
        if path.name.startswith("2"):  # a session's file: let it be of the year 2099
            text = path.read_text(encoding="utf-8")
            path.unlink()
            (folder / f"2099{path.name[4:]}").write_text(
                re.sub(r"20\d\d(?=\d{4}T|-\d\d-\d\dT)", "2099", text)
            )
    project.run("measure", "--profile", "local")
    latest = list_sessions(folder).latest()
    assert not latest.startswith("2099")
    printed = project.run("verify", "--no-suite")
    assert "says that it was recorded in the future" in printed
    baseline: dict[str, Any] = json.loads((project.root / "performance_baseline.json").read_bytes())
    assert all(name.startswith(latest) for name in baseline["provenance"]["runs"])
