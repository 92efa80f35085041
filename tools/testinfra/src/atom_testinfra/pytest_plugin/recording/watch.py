"""What was on while a test ran, and which test has left it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.machine.instruments import (
    GC_OFF,
    find_faketime,
    find_instruments,
    find_modes,
    is_collector_off,
)
from atom_testinfra.storage.run_writer import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atom_testinfra.pytest_plugin.costs import Record


class Watch:
    """
    Looks, before and after the call of each test, at what changes how long its code takes.

    What was on before the first test is the run's affair, and stands in the header of its file; but a worker
    has no file.
    """

    def __init__(self, name: Callable[[str], str], *, is_worker: bool) -> None:
        self._name = name
        self._lasting = find_faketime()
        self._modes = find_modes()
        self._from_the_start = [] if is_worker else find_instruments()
        self._left_on_by: dict[str, str] = {}
        """By instrument: the test after which it was on for the first time."""
        self._before: list[str] = []
        self._is_collector_off = False

    def begin(self) -> None:
        """Look before the call."""
        self._before, self._is_collector_off = find_instruments(), is_collector_off()

    def end(self) -> tuple[Record, list[str]]:
        """Return what was on, as part of a record, and what this means for the test, in sentences."""
        before = self._before
        instruments = [*self._lasting, *dict.fromkeys([*before, *find_instruments()])]
        is_collector_off_now = self._is_collector_off or is_collector_off()
        record: Record = {"instruments": instruments} if instruments else {}
        modes = [*self._modes, GC_OFF] if is_collector_off_now else self._modes
        if modes:
            record["modes"] = modes
        return record, [self._say(name, before) for name in instruments if name not in self._from_the_start]

    def leave(self, nodeid: str) -> None:
        """Remember who left on what is on after the teardown of a test."""
        found = find_instruments()
        if found or self._left_on_by:
            self._left_on_by = {name: self._left_on_by.get(name, nodeid) for name in found}

    def _say(self, name: str, before: Sequence[str]) -> str:
        if name in self._left_on_by:
            since = escape(self._name(self._left_on_by[name]))
            return f"{name} was on while it ran, as it has been since {since}"
        if name in before or name in self._lasting:
            return f"{name} was on while it ran"
        return f"it turned {name} on and left it on: part of its time was measured under that"
