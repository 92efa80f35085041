"""Which session was recorded last, also after the clock was wrong for a while."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from atom_testinfra.core.records.measurement import RunHeader

FUTURE_S = 3600.0
"""By how much the clocks of machines that share a folder may differ before a session is from the future."""


class RunFile(NamedTuple):
    """A run file, and its first line."""

    path: Path
    header: RunHeader


def in_order_of_recording(found: Mapping[str, Sequence[RunFile]]) -> list[str]:
    """
    Return the sessions, the one that was recorded last at the end.

    Runs of `testinfra measure` are numbered. A session without numbers, from a bare pytest run or an older
    version, comes after those whose files are older than its own. Sessions without numbers are sorted by
    their ids, which begin with the time; those from the future come first.
    """
    numbers = {name: max(file.header.sequence for file in files) for name, files in found.items()}
    numbered = [(_modified_at(files), numbers[name]) for name, files in found.items() if numbers[name]]
    from_the_future = find_from_the_future(found)

    def place(name: str) -> tuple[int, bool, bool, str]:
        if numbers[name]:
            return numbers[name], False, False, name
        modified_at = _modified_at(found[name])
        before = max((number for at, number in numbered if at <= modified_at), default=0)
        return before, True, name not in from_the_future, name

    return sorted(found, key=place)


def find_from_the_future(found: Mapping[str, Iterable[RunFile]]) -> dict[str, str]:
    """Return the sessions that are dated in the future, with their dates."""
    limit = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + FUTURE_S))
    started = {name: max(file.header.started_at for file in files) for name, files in found.items()}
    return {name: at for name, at in started.items() if at > limit}


def _modified_at(files: Iterable[RunFile]) -> int:
    times = [0]
    for file in files:
        with suppress(OSError):  # it was removed just now
            times.append(file.path.stat().st_mtime_ns)
    return max(times)
