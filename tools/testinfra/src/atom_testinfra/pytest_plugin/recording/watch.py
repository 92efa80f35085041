"""What was on while a test ran, and which test has left it on."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from atom_testinfra.machine.instruments import (
    find_collector_modes,
    find_faketime,
    find_instruments,
    find_modes,
)
from atom_testinfra.storage.run_writer import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atom_testinfra.pytest_plugin.costs import Record


class Watch:
    """
    Looks, around the call of each test and when its body begins, at what changes how long its code takes.

    What was on before the first test is the run's affair, and stands in the header of its file; but a worker
    has no file.
    """

    def __init__(self, name: Callable[[str], str], *, is_worker: bool, is_explained: bool) -> None:
        self._name = name
        self._is_explained = is_explained
        self._lasting = find_faketime()
        self._modes = find_modes()
        self._from_the_start = [] if is_worker else find_instruments()
        self._left_on_by: dict[str, str] = {}
        """By instrument: the test after which it was on for the first time."""
        self._before: list[str] = []
        self._usual_thresholds = gc.get_threshold()
        self._collector: list[str] = []

    def begin(self) -> None:
        """Note which instruments and modes are on before the call."""
        self._before, self._collector = find_instruments(), find_collector_modes(self._usual_thresholds)

    def look_inside(self) -> None:
        """
        Look when the body begins, because a decorator or another plugin's hook may be on for the call only.

        What Hypothesis turns on for a test case does not count. A run that explains is observed by the tool.
        """
        if self._is_explained:
            return
        found = [name for name in find_instruments() if not name.startswith("hypothesis.")]
        self._before = [*dict.fromkeys([*self._before, *found])]
        self._collector += find_collector_modes(self._usual_thresholds)

    def end(self) -> tuple[Record, list[str]]:
        """Return what was on, as part of a record, and what this means for the test, in sentences."""
        before = self._before
        instruments = [*self._lasting, *dict.fromkeys([*before, *find_instruments()])]
        record: Record = {"instruments": instruments} if instruments else {}
        collector = dict.fromkeys([*self._collector, *find_collector_modes(self._usual_thresholds)])
        if modes := [*self._modes, *collector]:
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
