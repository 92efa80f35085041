"""Shards on disk: each in a folder of its own, beside the reports that belong to it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from atom_testinfra.core.errors import ShardError
from atom_testinfra.core.scheduling.shards import Shard
from atom_testinfra.storage.atomic import replace_file
from atom_testinfra.storage.folders import prepare_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from atom_testinfra.core.scheduling.shards import ShardKind, ShardNumber

SHARD_FILE = "shard.json"


def shard_folder(folder: Path, kind: ShardKind, number: ShardNumber) -> Path:
    """Return the folder of one shard."""
    return folder / f"{kind}-{number.index}-of-{number.n_shards}"


def begin_shard(folder: Path) -> None:
    """
    Make the folder of a shard, and remove what an earlier run of it has left: a killed run leaves nothing.

    Raises:
        ShardError: It cannot be written.
    """
    try:
        prepare_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        (folder / SHARD_FILE).unlink(missing_ok=True)
    except OSError as exc:
        raise _cannot("write", folder, exc) from exc


def save_shard(folder: Path, shard: Shard) -> Path:
    """
    Write what a shard ran, and return the file.

    Raises:
        ShardError: It cannot be written.
    """
    path = folder / SHARD_FILE
    try:
        replace_file(path, [msgspec.json.format(msgspec.json.encode(shard), indent=1), b"\n"])
    except (OSError, UnicodeEncodeError) as exc:
        raise _cannot("write", path, exc) from exc
    return path


def load_shards(places: Iterable[Path]) -> list[tuple[Path, Shard]]:
    """
    Return the shards in files and folders, at any depth, each with its file; a file that is named twice once.

    Raises:
        ShardError: A place has none, or one cannot be read.
    """
    files: dict[Path, None] = {}
    for place in places:
        found = [place] if place.is_file() else sorted(place.rglob(SHARD_FILE))
        if not found:
            raise ShardError(
                f"there is no {SHARD_FILE} in {os.fspath(place)!r}",
                hint="name the folders that the jobs with --testinfra-shard or --shard wrote",
            )
        files |= dict.fromkeys(path.resolve() for path in found)
    return [(path, _load(path)) for path in files]


def _load(path: Path) -> Shard:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Shard)
    except OSError as exc:
        raise _cannot("read", path, exc) from exc
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ShardError(f"{os.fspath(path)!r} is not a shard: {exc}", hint="run that shard again") from exc


def _cannot(verb: str, path: Path, exc: Exception) -> ShardError:
    reason = exc.strerror if isinstance(exc, OSError) else None
    return ShardError(f"cannot {verb} {os.fspath(path)!r}: {reason or exc}")
