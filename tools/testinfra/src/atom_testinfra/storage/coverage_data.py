"""Merge coverage.py's data files, where coverage.py is installed."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from atom_testinfra.core.errors import ShardError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def merge_coverage(paths: Sequence[Path], target: Path) -> None:
    """
    Write one data file with what all of them say was executed.

    Raises:
        ShardError: coverage.py is not installed, or a file is not one of its data files.
    """
    try:
        coverage: Any = import_module("coverage")
    except ImportError as exc:
        raise ShardError(
            "the shards have coverage data, and coverage.py is not installed", hint="pip install coverage"
        ) from exc
    target.unlink(missing_ok=True)
    merged = coverage.CoverageData(basename=os.fspath(target))
    for path in paths:
        part = coverage.CoverageData(basename=os.fspath(path))
        try:
            part.read()
            merged.update(part)
        except coverage.exceptions.CoverageException as exc:
            raise ShardError(f"cannot merge {os.fspath(path)!r}: {exc}") from exc
    merged.write()
