"""What is on in this process and changes how long its code takes: tracers, profilers, slower modes."""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TRACER_VARIABLES = (
    "COVERAGE_PROCESS_START",
    "COVERAGE_PROCESS_CONFIG",
    "COV_CORE_SOURCE",
    "COV_CORE_CONFIG",
    "COV_CORE_DATAFILE",
    "PYDEVD_LOAD_VALUES_ASYNC",
    "PYCHARM_DEBUG",
    "BUNDLED_DEBUGPY_PATH",
    "DEBUGPY_RUNNING",
    "VSCODE_DEBUGPY_ADAPTER_ENDPOINTS",
    "HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY",
    "HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY_NOCOVER",
    "HYPOTHESIS_EXPERIMENTAL_OBSERVABILITY_CHOICES",
    "HYPOTHESIS_INTERNAL_COVERAGE",
    "LINE_PROFILE",
    "PYTHONTRACEMALLOC",
)
"""Variables by which something in a Python process watches the code that runs there."""

MODE_VARIABLES = (
    "PYTHONDEVMODE",
    "PYTHONMALLOC",
    "PYTHONMALLOCSTATS",
    "PYTHONASYNCIODEBUG",
    "PYTHONOPTIMIZE",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONVERBOSE",
    "PYTHONDUMPREFS",
    "PYTHONPERFSUPPORT",
    "PYTHON_PERF_JIT_SUPPORT",
    "PYTHON_LLTRACE",
    "PYTHON_JIT",
    "PYTHON_GIL",
    "MALLOC_CHECK_",
    "MALLOC_PERTURB_",
)
"""Variables that make an interpreter run the same code in another way: slower, checked, without `assert`."""

FAKETIME_FILES = ("~/.faketimerc", "/etc/faketimerc")
"""Where libfaketime looks for the time, in this order, where no variable names a file or the time itself."""

PRELOADED = ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES")
OTHER_SPEED = r"(^|\s)[xi]\s*[\d.]"
"""In what libfaketime is told: the time runs faster, slower, or a step further at each look."""

GC_OFF = "garbage collector off"
N_TOOLS = 6
"""Places for tools that `sys.monitoring` has."""
OF_HYPOTHESIS = "scrutineer"
"""Hypothesis's own tool there: for its observability, which is named itself, and for explaining a failure."""


def find_instruments() -> list[str]:
    """Return what watches the code that runs in this process, each with where it was found."""
    found = []
    if (tracer := sys.gettrace()) is not None:
        found.append(f"{_describe(tracer)} (sys.settrace)")
    elif (tracer := threading.gettrace()) is not None:
        found.append(f"{_describe(tracer)} (threading.settrace)")
    if (profiler := sys.getprofile()) is not None:
        found.append(f"{_describe(profiler)} (sys.setprofile)")
    elif (profiler := threading.getprofile()) is not None:
        found.append(f"{_describe(profiler)} (threading.setprofile)")
    if _get_tool is not None:
        names = map(_get_tool, range(N_TOOLS))
        found += [f"{name} (sys.monitoring)" for name in names if name not in {None, OF_HYPOTHESIS}]
    if _is_tracing_memory():
        found.append("tracemalloc")
    if (observability := sys.modules.get("hypothesis.internal.observability")) is not None and _is_observed(
        observability
    ):
        found.append("Hypothesis's observability")
    return found


def find_modes(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the modes of this process that stay as they are, in which the same code takes another time."""
    flags = sys.flags
    modes = [f"-O{'O' * (flags.optimize - 1)}"] if flags.optimize else []
    modes += ["-X dev"] if flags.dev_mode else []
    named = {"PYTHONOPTIMIZE", "PYTHONDEVMODE"}  # flags say what became of these
    return modes + [
        f"{name}={environ[name]}" for name in MODE_VARIABLES if environ.get(name) and name not in named
    ]


def find_faketime(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the library that lets this process's clocks run at another speed, if one was loaded for that."""
    is_loaded = any("faketime" in environ.get(name, "") for name in PRELOADED)
    is_faster = is_loaded and re.search(OTHER_SPEED, _faked_time(environ))
    return ["libfaketime at another speed"] if is_faster else []


def _faked_time(environ: Mapping[str, str]) -> str:
    """Return the time that libfaketime is told to show, from where it takes it."""
    if "FAKETIME" in environ:
        return environ["FAKETIME"]
    named = environ.get("FAKETIME_TIMESTAMP_FILE")
    for path in map(Path, FAKETIME_FILES if named is None else [named]):
        try:
            return path.expanduser().read_text(encoding="utf-8", errors="replace")
        except (OSError, RuntimeError):  # there is none, or no home
            continue
    return ""


def find_collector_modes(usual: tuple[int, ...]) -> list[str]:
    """
    Return in which mode garbage is collected: off, at other thresholds than usual, with debugging flags.

    What is usual is the suite's own choice; only what a test or a fixture makes of it is a mode.
    """
    thresholds = gc.get_threshold()
    modes = [GC_OFF] if not gc.isenabled() or thresholds[0] == 0 else []
    if not modes and thresholds != usual:
        modes.append(f"garbage collector at thresholds {', '.join(map(str, thresholds))}")
    if flags := gc.get_debug():
        modes.append(f"garbage collector with debugging flags {flags}")
    return modes


def _memory_tracer() -> Callable[[], bool]:
    try:
        from _tracemalloc import is_tracing  # the module `tracemalloc` has to be imported first
    except ImportError:  # not in every implementation
        return lambda: False
    tracing: Callable[[], bool] = is_tracing
    return tracing


def _is_observed(observability: Any) -> bool:
    ask = getattr(observability, "observability_enabled", None)
    return bool(getattr(observability, "TESTCASE_CALLBACKS", ())) if ask is None else bool(ask())


def _describe(tracer: object) -> str:
    kind = type(tracer)
    name = getattr(tracer, "__qualname__", kind.__qualname__)
    return f"{getattr(tracer, '__module__', None) or kind.__module__}.{name}"


_is_tracing_memory = _memory_tracer()
_get_tool: Callable[[int], str | None] | None = getattr(getattr(sys, "monitoring", None), "get_tool", None)
"""From Python 3.12 on."""
