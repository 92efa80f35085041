"""`testinfra doctor`: what it prints and returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atom_testinfra.cli import main
from atom_testinfra.core.advice.diagnosis import Observation
from atom_testinfra.machine import conditions, fingerprint
from atom_testinfra.machine.conditions import Noise
from atom_testinfra.machine.instruments import MODE_VARIABLES, TRACER_VARIABLES
from atom_testinfra.measuring.environment import CI_VARIABLES

MEASURE_NOISE = conditions.measure_noise
QUIET = Noise(calibrations_s=[0.001, 0.001, 0.001], cpu_share=1.0, steal=0.0)
"""What a machine without other work shows; looking at the one below takes a second of CPU."""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, and an environment without anything to find."""
    (tmp_path / "pyproject.toml").write_text("[tool.testinfra]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(conditions, "measure_noise", lambda: QUIET)
    for name in (*CI_VARIABLES, *TRACER_VARIABLES, *MODE_VARIABLES, "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    """What `--json` says, by check; of the versions the last."""
    document = json.loads(capsys.readouterr().out)
    return {finding["check"]: finding for finding in document["findings"]}


def test_json_is_one_document_with_the_observation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was found, and what was seen on this machine, under the observation's own names."""
    monkeypatch.setattr(conditions, "measure_noise", MEASURE_NOISE)
    status = main(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert set(document["observation"]) == set(Observation.__struct_fields__)
    assert document["observation"]["calibrations_s"] != QUIET.calibrations_s
    assert status == int(document["is_spoilt"])


def test_a_tracer_fails_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1, the reason, and the advice, within 80 columns."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--cov=package")
    assert main(["doctor"]) == 1
    output = capsys.readouterr().out
    assert "Do not measure now:" in output
    assert "pytest-cov (PYTEST_ADDOPTS)" in output
    assert "measure without it" in output
    assert max(map(len, output.splitlines())) <= 80


def test_off_a_terminal_nothing_is_wrapped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log and a pipe have no width; an advice is one line there."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("PYTEST_ADDOPTS", "--cov=package")
    main(["doctor"])
    assert max(map(len, capsys.readouterr().out.splitlines())) > 130


@pytest.mark.parametrize("name", [*TRACER_VARIABLES, *MODE_VARIABLES])
def test_a_variable_that_changes_what_is_measured_is_told(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured runs do without it, so nothing is spoilt by it; a bare pytest run is under it."""
    monkeypatch.setenv(name, "1")
    main(["doctor", "--json"])
    found = findings(capsys)["environment"]
    assert (found["level"], f"{name}=1" in found["message"]) == ("notice", True)
    assert "runs the tests without that" in found["advice"]


def test_the_project_is_looked_at(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """pytest's settings, the environment and the test files all show in the findings."""
    (project / "pytest.ini").write_text("[pytest]\naddopts = -n auto --cov=package\n")
    (project / "test_a.py").write_text("@settings(max_examples=9)\ndef test(): ...\n")
    monkeypatch.setenv("CI", "false")
    assert main(["doctor", "--json"]) == 1
    found = findings(capsys)
    assert "-n auto in pytest.ini" in found["xdist"]["message"]
    assert "pytest-cov (pytest.ini)" in found["tracing"]["message"]
    assert "test_a.py:1" in found["pins"]["message"]
    assert "CI=false" in found["ci"]["message"]


def test_the_machine_is_looked_at(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Noise, share of a core, load, steal, governors, interpreter modes: each comes out as it was seen."""
    noise = Noise(calibrations_s=[0.001, 0.002, 0.003], cpu_share=0.5, steal=0.2)
    monkeypatch.setattr(conditions, "measure_noise", lambda: noise)
    monkeypatch.setattr(conditions, "read_load", lambda: 7.5)
    monkeypatch.setattr(conditions, "read_governors", lambda: ["powersave"])
    monkeypatch.setattr(fingerprint, "read_versions", lambda: {"hypothesis": "5.0.0"})
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    (project / "test_b.py").write_text("settings.load_profile('quick')\n")
    (project / "test_c.py").write_text("def test(:\n")
    assert main(["doctor", "--json"]) == 1
    found = findings(capsys)
    assert "costs 2.00 ms of CPU" in found["noise"]["message"]
    assert "got 50 % of a core; load 7.5 on" in found["contention"]["message"]
    assert "20.0 %" in found["steal"]["message"]
    assert "powersave" in found["governor"]["message"]
    assert "PYTHONDEVMODE=1" in found["environment"]["message"]
    assert "test_b.py:1" in found["profiles"]["message"]
    assert "test_c.py" in found["sources"]["message"]
    assert found["versions"]["message"] == "pytest is not installed here"


def test_the_workers_of_the_settings_are_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`workers` of the table, which `testinfra measure` takes."""
    (project / "pyproject.toml").write_text("[tool.testinfra]\nworkers = 2\n")
    (project / "pytest.ini").write_text("[pytest]\naddopts = -n auto\n")
    main(["doctor", "--json"])
    assert "takes the 2 workers of [tool.testinfra]" in findings(capsys)["xdist"]["advice"]


def test_coverage_turned_off_again_is_no_tracer(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--no-cov` beside `--cov` leaves no tracer to warn about."""
    (project / "pytest.ini").write_text("[pytest]\naddopts = --cov=package --no-cov\n")
    main(["doctor", "--json"])
    assert "pytest-cov" not in findings(capsys)["tracing"]["message"]
