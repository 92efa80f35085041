"""How long this process has been running, its own start included."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from atom_testinfra.machine.clocks import Clocks

STAT = Path("/proc/self/stat")
STARTED_AT = 22
"""Number of the field of `/proc/PID/stat` that holds the start, in ticks since the machine started."""


def process_age_s() -> float:
    """Return the wall seconds since the process began, or its CPU time where the system does not tell."""
    cpu_s: float = Clocks.process_cpu()
    if sys.platform != "linux":
        return cpu_s
    try:
        fields = STAT.read_text(encoding="utf-8").rpartition(")")[2].split()
        started_s = int(fields[STARTED_AT - 3]) / os.sysconf("SC_CLK_TCK")
        age_s: float = Clocks.module.clock_gettime(Clocks.module.CLOCK_BOOTTIME) - started_s
    except (OSError, ValueError, IndexError):
        return cpu_s
    return max(age_s, cpu_s)
