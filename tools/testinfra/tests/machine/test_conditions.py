"""Noise, load, governors, and what traces this process."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import pytest

from atom_testinfra.machine.conditions import (
    find_tracers,
    find_variables,
    measure_noise,
    read_governors,
    read_load,
)


def test_noise_is_measured_as_often_as_asked() -> None:
    """One figure for each calibration, and shares that are shares."""
    noise = measure_noise(5)
    assert len(noise.calibrations_s) == 5
    assert min(noise.calibrations_s) > 0
    assert 0 < noise.cpu_share < 1.5
    assert noise.steal is None or 0 <= noise.steal <= 1


def test_load_is_told_or_unknown() -> None:
    """The load is never negative; where the system does not tell it, it is unknown."""
    load = read_load()
    assert load is None or load >= 0


def test_governors_are_each_named_once(tmp_path: Path) -> None:
    """Eight cores with two governors have two."""
    for core in range(8):
        folder = tmp_path / f"cpu{core}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text("powersave\n" if core else "performance\n")
    (tmp_path / "cpuidle").mkdir()
    assert read_governors(tmp_path) == ["performance", "powersave"]


def test_no_governor_is_none(tmp_path: Path) -> None:
    """A virtual machine shows no folder."""
    assert read_governors(tmp_path / "nowhere") == []


def test_a_tracer_is_found_by_its_name() -> None:
    """What `sys.settrace` was given is named with its module."""

    def my_tracer(frame: FrameType, event: str, argument: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(my_tracer)
    try:
        tracers = find_tracers({})
    finally:
        sys.settrace(before)
    assert any("test_conditions" in tracer and "settrace" in tracer for tracer in tracers)


@pytest.mark.parametrize("name", ["COVERAGE_PROCESS_START", "HYPOTHESIS_INTERNAL_COVERAGE", "PYTHONDEVMODE"])
def test_variables_that_change_what_is_measured_are_found(name: str) -> None:
    """They are shown as they are set; for some of them an empty value is enough."""
    assert find_variables({name: "1", "PATH": "/bin"}) == [f"{name}=1"]
    assert find_variables({name: ""}) == [f"{name}="]
