"""`testinfra plan` on a small suite."""

from __future__ import annotations

import json

import pytest
from tests.samples import make_baseline

from atom_testinfra.cli import main
from atom_testinfra.measuring import startup as measured
from atom_testinfra.pytest_plugin import startup as plugin
from atom_testinfra.storage.baseline import save_baseline
from atom_testinfra.storage.durations import save_durations

pytestmark = pytest.mark.integration

SUITE = """
    import pathlib, pytest

    @pytest.mark.parametrize("i", range(6))
    def test_it(i):
        pathlib.Path("ran").touch()
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, few_plugins: None) -> pytest.Pytester:
    pytester.makepyfile(test_a=SUITE)
    return pytester


def test_the_plan_names_what_it_measured(suite: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    """Start-up is measured, no test is run, and a budget that cannot be met is exit status 1."""
    pytest.importorskip("xdist")
    known = {f"test_a.py::test_it[{i}]": 30.0 for i in range(5)} | {"test_a.py::test_gone": 9.0}
    save_durations(suite.path / ".testinfra/durations.json", known)
    assert main(["plan", "--budget", "50s", "--workers", "3", "--machines", "1", "--json"]) == 1
    plan = json.loads(capsys.readouterr().out)
    assert (plan["n_tests"], plan["n_unknown"], plan["total_s"]) == (6, 1, 180.0)
    assert min(plan["startup"][name] for name in ("serial_s", "controller_s", "worker_s")) > 0
    assert [estimate["n_workers"] for estimate in plan["estimates"]] == [0, 3]
    assert not (suite.path / "ran").exists()
    assert main(["plan", "--budget", "50s", "--workers", "3", "--machines", "2"]) == 0
    assert "2 machines meet it" in capsys.readouterr().out


def test_a_baseline_that_was_changed_by_hand_gives_no_plan(
    suite: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    """`plan` refuses it, as `compare` does; the hint names the command that lists the changed figures."""
    path = suite.path / "performance_baseline.json"
    save_baseline(path, make_baseline(3))
    path.write_text(path.read_text(encoding="utf-8").replace('"duration_s":', '"duration_s":9', 1))
    assert main(["plan"]) == 2
    error = capsys.readouterr().err
    assert "'performance_baseline.json' was changed after it was written" in error
    assert "testinfra verify --check performance_baseline.json" in error


def test_without_durations_it_says_how_to_get_them(
    suite: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where more than a fifth of the durations would be guesses, there is no plan."""
    save_durations(suite.path / ".testinfra/durations.json", {"test_a.py::test_it[0]": 30.0})
    assert main(["plan"]) == 3
    error = capsys.readouterr().err
    assert "the duration of 5 of 6 tests is not known" in error
    assert "hint: run them once with workers: pytest -n 2 --dist=load --testinfra-schedule=on" in error


@pytest.mark.parametrize("arguments", [["--workers", "0"], ["--workers", "x"], ["--budget", "soon"]])
def test_what_cannot_be_read_is_refused(arguments: list[str]) -> None:
    """The exit status is that of wrong usage."""
    assert main(["plan", *arguments]) == 2


def test_the_command_and_the_plugin_use_the_same_file_names() -> None:
    """The process that waits may not import the plugin's layer, so it holds the names again."""
    assert (measured.FOLDER, measured.COLLECTED) == (plugin.FOLDER, plugin.COLLECTED)
    assert measured.CONTROLLER == plugin.CONTROLLER
    assert plugin.__name__ == measured.PLUGIN
