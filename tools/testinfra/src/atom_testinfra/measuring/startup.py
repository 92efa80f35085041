"""Time what comes before the first test: pytest's start and the collection, without workers and with one."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from atom_testinfra.core.errors import NothingMeasuredError, SubjectError
from atom_testinfra.core.scheduling.plan import StartUp
from atom_testinfra.measuring.child import Child

if TYPE_CHECKING:
    from collections.abc import Sequence

PLUGIN = "atom_testinfra.pytest_plugin.startup"
FOLDER, COLLECTED, CONTROLLER = "TESTINFRA_STARTUP", "collected.json", "controller.json"
"""As in `pytest_plugin.startup`, which is a layer above; a test holds them together."""
LOOK_S = 0.2
LOG_LINES = 20


class _Found(Struct, kw_only=True):
    cpu_s: float
    nodeids: list[str] = []


def time_startup(arguments: Sequence[str], folder: Path) -> tuple[list[str], StartUp]:
    """
    Return the tests that pytest collects with these arguments, and the CPU time before the first one.

    Raises:
        SubjectError: pytest could not collect; the message holds the end of its output.
        NothingMeasuredError: No test was selected.
    """
    has_xdist = find_spec("xdist") is not None
    serial, _ = _collect([*arguments, *(["-n0"] if has_xdist else [])], folder)
    if not serial.nodeids:
        raise NothingMeasuredError(
            "no test was selected by pytest's arguments", hint="run pytest with the same arguments"
        )
    if not has_xdist:
        return serial.nodeids, StartUp(serial_s=serial.cpu_s, controller_s=None, worker_s=None)
    worker, controller = _collect([*arguments, "-n1"], folder)
    return serial.nodeids, StartUp(
        serial_s=serial.cpu_s, controller_s=controller.cpu_s, worker_s=worker.cpu_s
    )


def _collect(arguments: list[str], folder: Path) -> tuple[_Found, _Found]:
    """Return what the process that collected says, and what the process that was started says."""
    with tempfile.TemporaryDirectory() as name:
        found, log = Path(name), Path(name, "log")
        child = Child(
            ["-p", PLUGIN, "-p", "no:cacheprovider", *arguments],
            plan=None,
            folder=folder,
            environment=os.environ | {FOLDER: name},
            log=log,
        )
        try:
            while child.wait(LOOK_S) is None:
                pass
        finally:
            child.stop()
        try:
            return _read(found / COLLECTED), _read(found / CONTROLLER)
        except FileNotFoundError as exc:
            tail = "\n".join(
                log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LOG_LINES:]
            )
            raise SubjectError(f"pytest could not collect the tests:\n{tail}") from exc


def _read(path: Path) -> _Found:
    return msgspec.json.decode(path.read_bytes(), type=_Found)
