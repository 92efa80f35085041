"""What a run with xdist's workers is made of: how many there are, and what they leave for each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def count_workers(config: pytest.Config) -> int:
    """Return the number of xdist workers; 0 for a serial run."""
    if getattr(config.option, "dist", "no") == "no":
        return 0
    return sum(_count_of(spec) for spec in getattr(config.option, "tx", None) or [])


def is_grouped(config: pytest.Config) -> bool:
    """Return whether xdist appends `@group` to the node ids of a group."""
    if getattr(config.option, "loadgroup", False):  # in a worker
        return True
    return bool(count_workers(config)) and config.option.dist == "loadgroup"


def without_group(nodeid: str) -> str:
    """Return the node id without the `@group` that xdist appended."""
    # No function's name holds an `@`; a folder's may, before the last `::`, and a parameter, before a `]`.
    group = nodeid.find("@", max(nodeid.rfind("::"), nodeid.rfind("]")) + 1)
    return nodeid if group < 0 else nodeid[:group]


def save_names(path: Path, names: list[str]) -> None:
    """Leave the ids of a worker's tests for the process that started it."""
    path.write_text(json.dumps(names), encoding="utf-8")


def take_names(path: Path) -> list[str] | None:
    """Return what a worker left, if it had to, and remove it."""
    try:
        names: list[str] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    path.unlink(missing_ok=True)
    return names


def names_path(run_file: Path, worker: str) -> Path:
    """Return where a worker leaves the ids of its tests."""
    return run_file.with_name(f"{run_file.name}.{worker}.names")


def _count_of(spec: str) -> int:
    """Return how many workers one `--tx` stands for, as xdist reads it: `3*popen` is three."""
    try:
        return max(int(spec[: spec.find("*")]), 0)
    except ValueError:
        return 1
