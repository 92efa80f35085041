"""Reports that are expensive to compute, kept for five minutes."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from atom.kit.clock import Clock

Report = TypeVar("Report")

TIME_TO_LIVE: Final = timedelta(seconds=300)
MAX_REPORTS: Final = 1_000


class ReportCache(Generic[Report]):
    """Immutable reports by key, each for `time_to_live`; beyond `max_reports` the one computed first goes."""

    def __init__(
        self, clock: Clock, *, time_to_live: timedelta = TIME_TO_LIVE, max_reports: int = MAX_REPORTS
    ) -> None:
        self._clock = clock
        self._time_to_live = time_to_live
        self._max_reports = max_reports
        self._reports: OrderedDict[Hashable, tuple[datetime, Report]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._reports)

    def get_or_compute(self, key: Hashable, compute: Callable[[], Report]) -> Report:
        """Return the report under the key if it is young enough, else compute and keep it."""
        now = self._clock.now()
        with self._lock:
            found = self._reports.get(key)
        # A report from the future was kept before the clock was set back: its age is unknown.
        if found is not None and timedelta(0) <= now - found[0] <= self._time_to_live:
            return found[1]
        report = compute()
        with self._lock:
            self._reports[key] = (now, report)
            self._reports.move_to_end(key)
            while len(self._reports) > self._max_reports:
                self._reports.popitem(last=False)
        return report
