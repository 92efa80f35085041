"""How disturbed this machine and this interpreter are right now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.machine.calibration import calibrate
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.machine.instruments import (
    MODE_VARIABLES,
    TRACER_VARIABLES,
    find_faketime,
    find_instruments,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

N_CALIBRATIONS = 1000
"""Most of a second of CPU: a host that is busy is not busy all the time."""


class Noise(Struct, frozen=True, kw_only=True):
    """What calibrating many times in a row showed."""

    calibrations_s: list[float]
    cpu_share: float
    """CPU over wall time."""
    steal: float | None
    """Part of the machine's time taken by its host; `None` where it is not told."""


def measure_noise(n_calibrations: int = N_CALIBRATIONS) -> Noise:
    """Calibrate many times in a row."""
    calibrate()
    ticks = _read_ticks()
    wall_s, cpu_s = Clocks.wall(), Clocks.process_cpu()
    calibrations_s = [calibrate() for _ in range(n_calibrations)]
    wall_s, cpu_s = Clocks.wall() - wall_s, Clocks.process_cpu() - cpu_s
    return Noise(calibrations_s=calibrations_s, cpu_share=cpu_s / wall_s, steal=_steal_since(ticks))


def read_load() -> float | None:
    """Return the load average over the last minute."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def read_governors(folder: Path = Path("/sys/devices/system/cpu")) -> list[str]:
    """Return the frequency governors of the cores, each once; none where the machine does not tell."""
    governors = set()
    for path in folder.glob("cpu[0-9]*/cpufreq/scaling_governor"):
        try:
            governors.add(path.read_text(encoding="ascii").strip())
        except (OSError, UnicodeDecodeError):
            continue
    return sorted(governors)


def find_tracers(environ: Mapping[str, str]) -> list[str]:
    """Return what traces Python code in this process."""
    return [*find_instruments(), *find_faketime(environ)]


def find_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the variables, as they are set, that change what would be measured under them."""
    return [f"{name}={environ[name]}" for name in (*TRACER_VARIABLES, *MODE_VARIABLES) if name in environ]


def _read_ticks() -> list[int] | None:
    """Return the machine's clock ticks by use: user, nice, system, idle, iowait, irq, softirq, steal."""
    try:
        first, *fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    except (OSError, ValueError):
        return None
    return [int(field) for field in fields[:8]] if first == "cpu" and len(fields) >= 8 else None


def _steal_since(before: list[int] | None) -> float | None:
    after = _read_ticks()
    if before is None or after is None:
        return None
    passed = sum(after) - sum(before)
    return (after[7] - before[7]) / passed if passed > 0 else 0.0
