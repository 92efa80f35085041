"""Tests that are asked about mutants run in one process, and to numbers of their own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from atom_testinfra.mutation.asking.taking import TakenSession


def test_options_that_steer_a_run_are_taken_back() -> None:
    """Neither workers nor a time that the project's settings give reach a process that asks."""
    option = SimpleNamespace(numprocesses=2, dist="load", tx=["popen"], testinfra_time="90s")
    config: Any = SimpleNamespace(option=option)
    TakenSession(None).pytest_cmdline_main(config)
    assert vars(option) == {"numprocesses": None, "dist": "no", "tx": [], "testinfra_time": "none"}
