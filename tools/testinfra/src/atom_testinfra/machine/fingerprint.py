"""What a figure is worth knowing about: machine, interpreter, versions, commit."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atom_testinfra.core.records.measurement import Provenance

DISTRIBUTIONS = ("atom-testinfra", "hypothesis", "pytest", "pytest-xdist")
GIT_TIMEOUT_S = 10.0
PLACE_ENDINGS = ("DIR", "DIRECTORY", "DIRECTORIES", "FILE", "PREFIX", "TREE")
"""Of all names in `core.git_environment.PLACES`, without its import; a test holds them together."""
IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}


def read_provenance(folder: Path, command: list[str], *, outputs: Iterable[str] = ()) -> Provenance:
    """Return where the figures of a run of `command` in `folder` come from; see `describe_provenance`."""
    import msgspec

    from atom_testinfra.core.records.measurement import Provenance

    made = describe_provenance(folder, command, versions=read_versions(), outputs=outputs)
    return msgspec.convert(made, Provenance)


def describe_provenance(
    folder: Path, command: list[str], *, versions: dict[str, str], outputs: Iterable[str] = ()
) -> dict[str, Any]:
    """
    Return the same as plain data, for a process under measurement that imports no more than it has to.

    Args:
        folder: where git is asked for the commit.
        command: that measures.
        versions: of what takes part, by distribution.
        outputs: globs, relative to the folder, of files that do not affect the measurement.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    changes = None if commit is None else _read_changes(folder, outputs)
    version = ".".join(str(part) for part in sys.version_info[:3])
    return {
        "commit": commit,
        "is_dirty": None if changes is None else bool(changes),
        "changes": hashlib.sha256(changes.encode()).hexdigest()[:12] if changes else None,
        "command": command,
        "python": f"{IMPLEMENTATIONS.get(sys.implementation.name, sys.implementation.name)} {version}",
        "versions": versions,
        "machine": describe_machine(),
    }


def _read_changes(folder: Path, outputs: Iterable[str]) -> str | None:
    """Return what differs from the commit in files that git knows, as text."""
    places = [":/", *(f":(exclude,glob){pattern}" for pattern in outputs)]
    # A person's own git settings must not change the text, or leave out what lies outside of the folder.
    plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-relative", "--binary")
    return _git(folder, "diff", *plain, "HEAD", "--", *places)


def describe_machine() -> dict[str, Any]:
    """Return the kind of machine this is as plain data; nothing in it names a host or a person."""
    system, arch = _system_and_arch()
    return {
        "system": system,
        "arch": arch,
        "cpu": _cpu_model() or arch,
        "n_cpus": os.cpu_count() or 1,
        "memory_mb": _memory_mb(),
    }


def read_versions() -> dict[str, str]:
    """Return the installed distributions that shape a measurement, with their versions."""
    versions = {}
    for name in DISTRIBUTIONS:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        # The whole of the metadata is a mail message; its parser costs more than all else here together.
        match = re.search(r"^Version: (\S+)", distribution.read_text("METADATA") or "", re.MULTILINE)
        versions[name] = match[1] if match else distribution.version
    return versions


def _system_and_arch() -> tuple[str, str]:
    if hasattr(os, "uname"):
        names = os.uname()
        return names.sysname, names.machine
    import platform

    return platform.system(), platform.machine()


def _cpu_model() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        import platform

        return platform.processor() or None
    for line in text.splitlines():  # compiling a pattern for it takes 0.8 million instructions
        name, _, value = line.partition(":")
        if name.rstrip() in {"model name", "Model", "Hardware"} and value.strip():
            return value.strip()
    return None


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
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=GIT_TIMEOUT_S,
            env=_git_environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def _git_environment() -> dict[str, str] | None:
    """Return git's environment; `None` for this process's own, which most often names no place."""
    if not any(name.startswith("GIT_") and name.endswith(PLACE_ENDINGS) for name in os.environ):
        return None
    from atom_testinfra.core.git_environment import without_places

    return without_places(os.environ)


def count_cpus() -> int:
    """Return how many CPUs this process may use, of those that the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
