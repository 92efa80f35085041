"""The reports of a workspace, computed at most every five minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom.analytics import service
from atom.analytics.cache import ReportCache

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.analytics.metrics import Window
    from atom.kit.clock import Clock


class CachedReports:
    """The service's reports from a cache: what is new shows when the report that was kept is too old."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._performances: ReportCache[service.Performance] = ReportCache(clock)
        self._overviews: ReportCache[service.Overview] = ReportCache(clock)

    def performance(
        self, session: Session, *, workspace_id: str, workflow_id: str, window: Window
    ) -> service.Performance:
        """Return how a workflow did in a window."""
        return self._performances.get_or_compute(
            (workspace_id, workflow_id, window),
            lambda: service.performance(
                session, self._clock, workspace_id=workspace_id, workflow_id=workflow_id, window=window
            ),
        )

    def overview(self, session: Session, *, workspace_id: str, window: Window) -> service.Overview:
        """Return how all workflows of a workspace did in a window."""
        return self._overviews.get_or_compute(
            (workspace_id, window),
            lambda: service.overview(session, self._clock, workspace_id=workspace_id, window=window),
        )
