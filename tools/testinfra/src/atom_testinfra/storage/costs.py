"""Read and keep what the examples of each test cost: `.testinfra/costs.json`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock, Timeout

from atom_testinfra.core.budgets.costs import Costs, from_baseline
from atom_testinfra.core.errors import CostsError, InfraError
from atom_testinfra.storage.atomic import replace_file
from atom_testinfra.storage.baseline import load_baseline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDER = ".testinfra"
FILE = "costs.json"
WAIT_S = 10.0

_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Costs)


def costs_path(root: Path) -> Path:
    """Return where the costs of a project's tests are kept."""
    return root / FOLDER / FILE


def load_costs(path: Path) -> Costs | None:
    """
    Return what is kept, or `None` where nothing is.

    Raises:
        CostsError: The file cannot be read, or is not one that this version wrote.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CostsError(f"cannot read {os.fspath(path)!r}: {exc.strerror or exc}") from exc
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise CostsError(
            f"{os.fspath(path)!r} does not hold costs of tests: {exc}",
            hint="remove it: the next run writes it",
        ) from exc


def update_costs(path: Path, update: Callable[[Costs], Costs]) -> None:
    """
    Replace what is kept by what `update` makes of it; others who write it wait.

    Raises:
        CostsError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ignore = path.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=WAIT_S):
            try:
                kept = load_costs(path) or Costs()
            except CostsError:
                kept = Costs()  # whoever planned this run has said so
            replace_file(path, [_encoder.encode(update(kept))])
    except Timeout as exc:
        raise CostsError(f"another process has been writing {os.fspath(path)!r} for {WAIT_S:g} s") from exc
    except OSError as exc:
        raise CostsError(f"cannot write {os.fspath(path)!r}: {exc.strerror or exc}") from exc


def baseline_costs(path: Path, profile: str) -> Costs:
    """
    Return what a baseline predicts, by the profile named, else by the first of each property.

    Raises:
        CostsError: There is a baseline, and it cannot be read.
    """
    if not path.exists():
        return Costs()
    try:
        baseline = load_baseline(path)
    except InfraError as exc:
        raise CostsError(str(exc), hint=exc.hint) from exc
    properties = {}
    for nodeid, subject in baseline.properties.items():
        measured = subject.profiles.get(profile) or next(iter(subject.profiles.values()))
        cost = from_baseline(measured)
        if cost is not None:
            properties[nodeid] = cost
    return Costs(properties=properties)
