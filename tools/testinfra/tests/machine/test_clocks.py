"""The clocks are the machine's, whatever is done to the module `time`."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from atom_testinfra.machine.clocks import Clocks

NAMES = (
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "process_time_ns",
    "thread_time",
    "monotonic",
    "time",
)


@pytest.mark.parametrize("name", NAMES)
def test_no_clock_is_found_through_the_module_time(name: str) -> None:
    """A library that replaces whatever refers to a function of `time` does not find ours."""
    assert getattr(Clocks.module, name) is not getattr(time, name)


def test_the_clocks_tell_the_machines_time() -> None:
    """They count from the same zero, so their readings can be put beside those of `time`."""
    readings = [time.perf_counter(), Clocks.wall(), time.perf_counter()]
    assert readings == sorted(readings)
    readings = [time.process_time(), Clocks.process_cpu(), time.process_time()]
    assert readings == sorted(readings)


def test_the_clocks_are_right_where_time_was_frozen_before_they_were_imported() -> None:
    """The first conftest may have replaced the functions of `time` already."""
    script = """
import time
real = time.perf_counter
for name in ("perf_counter", "perf_counter_ns", "process_time", "process_time_ns", "thread_time"):
    setattr(time, name, lambda: 0)
from atom_testinfra.machine.clocks import Clocks
assert real() <= Clocks.wall() <= real()
assert Clocks.wall_ns() > 0 and Clocks.process_cpu_ns() > 0
assert Clocks.process_cpu() > 0 and Clocks.thread_cpu() > 0
"""
    subprocess.run([sys.executable, "-c", script], check=True)
