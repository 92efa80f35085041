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
    """The content of `durations.json`: how long tests and shared fixtures took on this machine."""

    schema: Literal["atom-testinfra/durations"] = "atom-testinfra/durations"
    schema_version: Literal[1] = 1
    seconds: dict[str, Seconds]
    """
    By node id: set-up, call and teardown of the last run in which the test did not fail, without the fixtures
    that serve more than one test.
    """
    fixtures_s: dict[str, Seconds] = {}
    """By node id of a module or class: its fixtures, each time that a worker sets them up."""


def load_durations(path: Path) -> DurationsFile:
    """
    Return what the file knows; nothing where there is no file.

    Raises:
        ScheduleError: It cannot be read, or it is not a file of durations.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=DurationsFile)
    except FileNotFoundError:
        return DurationsFile(seconds={})
    except OSError as exc:
        raise ScheduleError(f"cannot read {os.fspath(path)!r}: {exc.strerror or exc}") from exc
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ScheduleError(
            f"{os.fspath(path)!r} does not hold durations: {exc}",
            hint="remove it; the next run with workers writes it again",
        ) from exc


def save_durations(path: Path, seen: Mapping[str, float], fixtures_s: Mapping[str, float] = {}) -> None:
    """
    Write the file with what was seen now, and keep what it holds of other tests and scopes.

    A scope that now takes no time for fixtures has none any more.

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
            known = DurationsFile(seconds={})  # whoever reads it says so; there is nothing in it to keep
        document = DurationsFile(
            seconds=_bring_up_to_date(known.seconds, seen),
            fixtures_s={
                scope: s for scope, s in _bring_up_to_date(known.fixtures_s, fixtures_s).items() if s
            },
        )
        replace_file(target, [msgspec.json.format(msgspec.json.encode(document), indent=1), b"\n"])


def _bring_up_to_date(known: dict[str, float], seen: Mapping[str, float]) -> dict[str, float]:
    """Return the newest last, and of the oldest only as many as are kept."""
    merged = {nodeid: s for nodeid, s in known.items() if nodeid not in seen}
    merged |= {nodeid: round(s, 6) for nodeid, s in seen.items()}
    return dict(islice(merged.items(), max(0, len(merged) - MOST_TESTS), None))
