"""Clocks that no test can patch."""

from __future__ import annotations

import sys
import time
from types import ModuleType


def _pristine_time() -> ModuleType:
    """
    Return a second instance of the module `time`, which nobody else has a reference to.

    Libraries that freeze the time replace the functions of `time` and every module attribute that refers to
    one of them. The functions of another instance are other objects, so they are not found and not replaced,
    and they are the machine's even where something froze the time before this module was imported.
    """
    spec = time.__spec__
    module = ModuleType("time")
    module.__dict__.update(vars(time))
    if spec.origin == "built-in" and sys.implementation.name == "cpython":
        loader = spec.loader
        created = None if loader is None else loader.create_module(spec)
        if loader is not None and created is not None:
            loader.exec_module(created)
            return created
    return module


class Clocks:
    """
    Monotonic clocks: wall, CPU of the process, CPU of the thread.

    They are held in a class, not in the module: libraries that freeze the time replace every module attribute
    in sight.
    """

    module = _pristine_time()
    """All of `time`, for libraries whose own figures go into a record."""
    wall = staticmethod(module.perf_counter)
    wall_ns = staticmethod(module.perf_counter_ns)
    process_cpu = staticmethod(module.process_time)
    process_cpu_ns = staticmethod(module.process_time_ns)
    thread_cpu = staticmethod(module.thread_time)


def other_threads_cpu() -> float:
    """Return the CPU seconds of all threads of this process except the calling one."""
    seconds: float = Clocks.process_cpu() - Clocks.thread_cpu()
    return seconds
