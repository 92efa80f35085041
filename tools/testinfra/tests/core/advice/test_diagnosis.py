"""What the doctor makes of what it saw."""

from __future__ import annotations

import pytest
from hypothesis import _settings
from msgspec.structs import replace

from atom_testinfra.core.advice.diagnosis import CI_IF_TRUE, Level, Observation, Pinned, diagnose

WELL = Observation(
    calibrations_s=[0.001, 0.00101, 0.00099, 0.00102, 0.00098],
    cpu_share=0.99,
    steal=0.0,
    load=0.1,
    n_cpus=2,
    governors=["performance"],
    ci_variables=[],
    tracers=[],
    variables=[],
    option_sources={"pytest.ini": ["-ra", "--strict-markers"]},
    n_workers=0,
    pins=[],
    profile_loads=[],
    unreadable=[],
    versions={"python": "3.11.7", "hypothesis": "6.150.1", "pytest": "8.4.2"},
)


def levels(seen: Observation) -> dict[str, Level]:
    """The worst level of each check."""
    order = list(Level)
    found: dict[str, Level] = {}
    for finding in diagnose(seen).findings:
        found[finding.check] = max(finding.level, found.get(finding.check, Level.OK), key=order.index)
    return found


def test_a_healthy_machine_has_nothing_to_advise() -> None:
    """Every check says that it is well, and none is silent."""
    diagnosis = diagnose(WELL)
    assert not diagnosis.is_spoilt
    assert {finding.level for finding in diagnosis.findings} == {Level.OK}
    assert {finding.check for finding in diagnosis.findings} == {
        "noise", "contention", "steal", "governor", "tracing", "ci", "xdist", "pins", "versions",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "check", "level"),
    [
        ({"calibrations_s": [0.001, 0.0011, 0.0009, 0.001, 0.00108]}, "noise", Level.NOTICE),
        ({"calibrations_s": [0.001, 0.002, 0.0005, 0.0015, 0.0008]}, "noise", Level.SPOILS),
        ({"cpu_share": 0.4, "load": 7.0}, "contention", Level.NOTICE),
        ({"steal": 0.05}, "steal", Level.NOTICE),
        ({"steal": 0.3}, "steal", Level.SPOILS),
        ({"governors": ["performance", "powersave"]}, "governor", Level.NOTICE),
        ({"ci_variables": ["CI=false"]}, "ci", Level.NOTICE),
        ({"tracers": ["coverage.tracer (sys.settrace)"]}, "tracing", Level.SPOILS),
        ({"variables": ["PYTHONDEVMODE=1"]}, "environment", Level.NOTICE),
        ({"option_sources": {"pytest.ini": ["-n", "auto"]}}, "xdist", Level.NOTICE),
        ({"option_sources": {"PYTEST_ADDOPTS": ["-n4"]}}, "xdist", Level.NOTICE),
        ({"option_sources": {"tox.ini": ["--tx", "2*popen", "--dist", "load"]}}, "xdist", Level.NOTICE),
        ({"option_sources": {"tox.ini": ["--dist=loadscope"]}}, "xdist", Level.OK),
        ({"option_sources": {"tox.ini": ["-n", "0"]}}, "xdist", Level.OK),
        ({"pins": [Pinned(path="test_a.py", line=3, max_examples=30)]}, "pins", Level.NOTICE),
        ({"profile_loads": ["test_a.py:7"]}, "profiles", Level.NOTICE),
        ({"unreadable": ["test_b.py"]}, "sources", Level.NOTICE),
        ({"versions": {**WELL.versions, "hypothesis": "6.55.0"}}, "versions", Level.SPOILS),
        ({"versions": {**WELL.versions, "hypothesis": "6.131.3"}}, "versions", Level.NOTICE),
        ({"versions": {**WELL.versions, "hypothesis": "7.0.0rc1"}}, "versions", Level.NOTICE),
        ({"versions": {**WELL.versions, "pytest": "8"}}, "versions", Level.NOTICE),
        ({"versions": {**WELL.versions, "pytest": "9"}}, "versions", Level.OK),
        ({"versions": {"python": "3.11.7", "pytest": "8.4.2"}}, "versions", Level.SPOILS),
    ],
)
def test_each_trouble_is_found_and_comes_with_advice(
    change: dict[str, object], check: str, level: Level
) -> None:
    """Its level decides the exit status; whatever is not well says what to do."""
    seen = replace(WELL, **change)
    assert levels(seen)[check] is level
    diagnosis = diagnose(seen)
    assert diagnosis.is_spoilt is (level is Level.SPOILS)
    assert all(
        (finding.advice is not None) is (finding.level is not Level.OK) for finding in diagnosis.findings
    )


def test_what_the_machine_does_not_tell_is_not_judged() -> None:
    """No /proc, no cpufreq: no finding, neither good nor bad."""
    seen = replace(WELL, steal=None, load=None, governors=[])
    assert not {"steal", "governor"} & set(levels(seen))


@pytest.mark.parametrize("options", [["-ra"], ["-n", "auto"]], ids=["serial", "parallel"])
@pytest.mark.parametrize(
    ("n_workers", "said"),
    [
        (0, "`testinfra measure` runs serially"),
        (1, "`testinfra measure` takes the 1 worker of [tool.testinfra]"),
        (2, "`testinfra measure` takes the 2 workers of [tool.testinfra]"),
    ],
)
def test_measure_has_the_workers_of_the_settings(options: list[str], n_workers: int, said: str) -> None:
    """Whatever pytest's options say, a measured run has the workers of the settings, or none."""
    seen = replace(WELL, option_sources={"pytest.ini": options}, n_workers=n_workers)
    (finding,) = [f for f in diagnose(seen).findings if f.check == "xdist"]
    assert said in (finding.advice or finding.message)


@pytest.mark.parametrize(
    ("variable", "is_ci"), [("CI=false", True), ("GITHUB_ACTIONS=1", False), ("GITHUB_ACTIONS=true", True)]
)
def test_only_what_hypothesis_takes_for_ci_is_said_to_load_its_profile(variable: str, is_ci: bool) -> None:
    """The variables that count are those by which Hypothesis itself decides."""
    name, _, value = variable.partition("=")
    known = _settings._CI_VARS
    assert is_ci is (known[name] is None or known[name] == value)
    (finding,) = [f for f in diagnose(replace(WELL, ci_variables=[variable])).findings if f.check == "ci"]
    assert ("Hypothesis's `ci` profile" in str(finding.advice)) is is_ci


def test_a_name_that_hypothesis_knows_only_with_a_value_is_known_here() -> None:
    """The list is that of the installed Hypothesis."""
    assert {name for name, value in _settings._CI_VARS.items() if value is not None} == CI_IF_TRUE


def test_a_slow_machine_has_readable_figures() -> None:
    """No exponent, also where the work takes seconds and the load is in the hundreds."""
    seen = replace(WELL, calibrations_s=[1.25, 1.26, 1.25], load=123.0, cpu_share=0.2)
    messages = " ".join(finding.message for finding in diagnose(seen).findings)
    assert "the same work costs 1.25 s of CPU" in messages
    assert "load 123 on" in messages


def test_many_places_are_counted() -> None:
    """The first three by name, the rest by number."""
    pins = [Pinned(path="test_a.py", line=n, max_examples=30) for n in range(1, 11)]
    (finding,) = [f for f in diagnose(replace(WELL, pins=pins)).findings if f.check == "pins"]
    assert "test_a.py:1, test_a.py:2, test_a.py:3 and 7 more" in finding.message
