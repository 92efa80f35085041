"""How long each test took on this machine: a small file that runs with workers keep up to date."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from atom_testinfra.core.errors import ScheduleError
from atom_testinfra.storage.atomic import replace_file, writing
from atom_testinfra.storage.folders import prepare_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_TESTS = 200_000
"""How many tests are kept, those that ran last: others are gone, or belong to another branch."""

Seconds = Annotated[float, Meta(ge=0.0, le=1e9)]


class DurationsFile(Struct, frozen=True, kw_only=True):
    """The whole file."""

    schema: Literal["atom-testinfra/durations"] = "atom-testinfra/durations"
    schema_version: Literal[1] = 1
    seconds: dict[str, Seconds]
    """By node id: set-up, call and teardown of the last run in which the test did not fail."""


def load_durations(path: Path) -> dict[str, float]:
    """
    Return the seconds of each test that the file knows; none where there is no file.

    Raises:
        ScheduleError: It cannot be read, or it is not a file of durations.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=DurationsFile).seconds
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise ScheduleError(f"cannot read {os.fspath(path)!r}: {exc.strerror or exc}") from exc
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ScheduleError(
            f"{os.fspath(path)!r} does not hold durations: {exc}",
            hint="remove it; the next run with workers writes it again",
        ) from exc


def save_durations(path: Path, seen: Mapping[str, float]) -> None:
    """
    Write the file with what was seen now, and keep what it holds of other tests.

    Raises:
        InfraError: It cannot be written.
    """
    if not seen:
        return
    prepare_folder(path.parent)
    with writing(path) as target:
        try:
            known = load_durations(target)
        except ScheduleError:
            known = {}  # whoever reads it says so; there is nothing in it to keep
        for nodeid, seconds in seen.items():
            known.pop(nodeid, None)
            known[nodeid] = round(seconds, 6)
        kept = dict(islice(known.items(), max(0, len(known) - MOST_TESTS), None))
        document = msgspec.json.encode(DurationsFile(seconds=kept))
        replace_file(target, [msgspec.json.format(document, indent=1), b"\n"])
