"""What a figure is worth knowing about: machine, interpreter, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from atom_testinfra.core.measurement import Machine, Provenance

DISTRIBUTIONS = ("atom-testinfra", "hypothesis", "pytest", "pytest-xdist")
GIT_TIMEOUT_S = 10.0


def read_provenance(folder: Path, command: list[str]) -> Provenance:
    """Return where the figures of a run of `command` in `folder` come from."""
    commit = _git(folder, "rev-parse", "HEAD")
    changes = None if commit is None else _git(folder, "status", "--porcelain", "--untracked-files=no")
    return Provenance(
        commit=commit,
        is_dirty=None if changes is None else bool(changes),
        command=command,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=read_versions(),
        machine=read_machine(),
    )


def read_machine() -> Machine:
    """Return the kind of machine this is; nothing in it names a host or a person."""
    return Machine(
        system=platform.system(),
        arch=platform.machine(),
        cpu=_cpu_model(),
        n_cpus=os.cpu_count() or 1,
        memory_mb=_memory_mb(),
    )


def read_versions() -> dict[str, str]:
    """Return the installed distributions that shape a measurement, with their versions."""
    versions = {}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _cpu_model() -> str:
    if sys.platform == "linux":
        try:
            with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    key, _, value = line.partition(":")
                    if key.strip() in {"model name", "Model", "Hardware"} and value.strip():
                        return value.strip()
        except OSError:
            pass  # not every Linux shows it; the architecture below is what is left to say
    return platform.processor() or platform.machine()


def _memory_mb() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (AttributeError, ValueError, OSError):
        return 0


def _git(folder: Path, *arguments: str) -> str | None:
    """Return git's answer, or `None` where there is no git or no repository."""
    try:
        done = subprocess.run(  # noqa: S603 (no shell, and the arguments are ours)
            ["git", "-C", os.fspath(folder), *arguments],  # noqa: S607 (whichever git the person uses)
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
