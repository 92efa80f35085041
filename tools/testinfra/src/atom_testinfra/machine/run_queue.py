"""How long this thread was ready to run while others had the CPU: what a busy machine adds to a wall time."""

from __future__ import annotations

import os
from typing import NamedTuple

FILE = "/proc/thread-self/schedstat"
"""On Linux: nanoseconds on a CPU, nanoseconds ready and waiting for one, and the number of turns."""
LONGEST = 128


class Turns(NamedTuple):
    """What a thread got of the CPUs since it began."""

    ran_s: float
    queued_s: float
    """Ready to run, and waiting for others."""


class System:
    """What is asked of the system; in a class, because libraries that fake it replace module attributes."""

    open = staticmethod(os.open)
    read = staticmethod(os.pread) if hasattr(os, "pread") else None
    close = staticmethod(os.close)


def read_turns() -> Turns | None:
    """Return what the calling thread got, or `None` if the system does not report it."""
    if System.read is None:
        return None
    try:
        file = System.open(FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        return parse_turns(System.read(file, LONGEST, 0))
    except OSError:
        return None
    finally:
        System.close(file)


def queued_s() -> float | None:
    """Return the seconds that the calling thread was ready and did not run, if the system reports it."""
    turns = read_turns()
    return None if turns is None else turns.queued_s


def parse_turns(text: bytes) -> Turns | None:
    """Return what a line of `schedstat` says; a kernel that does not count writes zeros."""
    fields = text.split()
    if len(fields) != 3 or not all(field.isdigit() for field in fields) or not int(fields[2]):
        return None
    return Turns(int(fields[0]) / 1e9, int(fields[1]) / 1e9)
