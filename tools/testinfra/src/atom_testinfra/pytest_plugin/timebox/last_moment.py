"""What the interpreter takes after the last `atexit` handler, seen by an object that lives nearly as long."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from atom_testinfra.core.budgets.costs import Time
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.machine.run_queue import FILE, LONGEST

if TYPE_CHECKING:
    from pathlib import Path

NAME = "_testinfra_last_moment"
UNSEEN = 2.0
"""After the object is freed, Python frees the rest, which takes about as long again."""


class LastMoment:
    """
    Writes, when Python lets go of it, how long ago it was made.

    It is kept in `sys`, which Python empties after all other modules. They are gone by then, so it holds all
    that it needs.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._write, self._clock, self._cpu = os.write, Clocks.module.perf_counter, Clocks.process_cpu
        self._read = getattr(os, "pread", None)
        self._longest = LONGEST
        self._turns = _open_turns()
        self._began = self._clock(), self._cpu(), self._queued()

    def __del__(self) -> None:
        wall_s, cpu_s, queued_s = self._began
        taken = self._clock() - wall_s, self._cpu() - cpu_s, self._queued() - queued_s
        self._write(self._file, b"%.6f %.6f %.6f\n" % taken)

    def _queued(self) -> float:
        if self._turns is None or self._read is None:
            return 0.0
        return float(self._read(self._turns, self._longest, 0).split()[1]) / 1e9


def _open_turns() -> int | None:
    try:
        return os.open(FILE, os.O_RDONLY)
    except OSError:
        return None


def place(folder: Path, n_workers: int) -> None:
    """Arrange that the rest of the exit is timed; if there can be no file, it is not."""
    try:
        file = os.open(_path(folder, n_workers), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError:
        return  # the next run then uses the default
    setattr(sys, NAME, LastMoment(file))


def load(folder: Path, n_workers: int) -> Time | None:
    """Return what the last run with as many workers took after its last handler, on a quiet machine."""
    try:
        wall_s, cpu_s, queued_s = map(float, _path(folder, n_workers).read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return None
    if not (0.0 <= cpu_s < 1e6 and 0.0 <= wall_s < 1e6 and 0.0 <= queued_s < 1e6):
        return None
    return Time(cpu_s=UNSEEN * cpu_s, wait_s=UNSEEN * max(wall_s - cpu_s - queued_s, 0.0))


def _path(folder: Path, n_workers: int) -> Path:
    return folder / f"exit-{n_workers}"
