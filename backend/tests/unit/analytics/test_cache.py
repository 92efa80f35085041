"""Reports that are kept."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from atom.analytics.cache import ReportCache
from atom.analytics.metrics import Window
from atom.analytics.reports import CachedReports
from atom.analytics.service import Overview, Performance, record_events
from atom.analytics.vocabulary import EventStatus, EventType, NewEvent
from atom.kit.clock import ManualClock
from tests import factories
from tests.database import Database
from tests.factories import NOW


@pytest.mark.parametrize(("age", "is_kept"), [(300, True), (301, False), (0, True), (-1, False)])
def test_report_is_kept_for_300_seconds(clock: ManualClock, age: int, is_kept: bool) -> None:
    """300 seconds are not too old, one more is, and so is a report of the future."""
    cache: ReportCache[str] = ReportCache(clock)
    cache.get_or_compute("key", lambda: "old")
    clock.advance(timedelta(seconds=age))
    assert cache.get_or_compute("key", lambda: "new") == ("old" if is_kept else "new")


def test_cache_keeps_a_thousand_reports(clock: ManualClock) -> None:
    """Beyond a thousand the report that was made first goes."""
    cache: ReportCache[str] = ReportCache(clock)
    for number in range(1_001):
        cache.get_or_compute(number, lambda: "old")
    assert len(cache) == 1_000
    assert cache.get_or_compute(1, lambda: "new") == "old"
    assert cache.get_or_compute(0, lambda: "new") == "new"


def test_report_made_again_is_the_newest(clock: ManualClock) -> None:
    """What is made anew is not the next to go."""
    cache: ReportCache[str] = ReportCache(clock, time_to_live=timedelta(seconds=10), max_reports=2)
    cache.get_or_compute("a", lambda: "old")
    clock.advance(timedelta(seconds=5))
    cache.get_or_compute("b", lambda: "old")
    clock.advance(timedelta(seconds=6))
    cache.get_or_compute("a", lambda: "new")
    cache.get_or_compute("c", lambda: "new")
    assert cache.get_or_compute("a", lambda: "other") == "new"


def test_cached_reports_show_news_after_five_minutes(database: Database, clock: ManualClock) -> None:
    """Reports are kept apart by workspace, workflow and window, and made anew when they are too old."""
    with database.session() as session:
        own, other = factories.workspace_ids(session, 2)
        reports = CachedReports(clock)

        def counts() -> list[int]:
            asked: list[Performance | Overview] = [
                reports.performance(session, workspace_id=own, workflow_id="w", window=Window.HOUR),
                reports.performance(session, workspace_id=own, workflow_id="w", window=Window.DAY),
                reports.performance(session, workspace_id=own, workflow_id="v", window=Window.DAY),
                reports.performance(session, workspace_id=other, workflow_id="w", window=Window.DAY),
                reports.overview(session, workspace_id=own, window=Window.HOUR),
                reports.overview(session, workspace_id=own, window=Window.DAY),
                reports.overview(session, workspace_id=other, window=Window.DAY),
            ]
            return [report.counters.n_events for report in asked]

        assert counts() == [0] * 7
        event = NewEvent(
            event_id="e",
            workflow_id="w",
            execution_id="x",
            type=EventType.STARTED,
            status=EventStatus.RUNNING,
            occurred_at=clock.now() - timedelta(hours=2),
        )
        record_events(session, clock, workspace_id=own, events=[event])
        assert counts() == [0] * 7
        clock.advance(timedelta(seconds=301))
        assert counts() == [0, 1, 0, 0, 0, 1, 0]


def test_a_report_says_when_it_was_computed(database: Database, clock: ManualClock) -> None:
    """A report that was kept has the moment of its computation, a new one has its own."""
    reports = CachedReports(clock)
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        asked: list[datetime] = []
        for minutes in (0, 4, 4):
            clock.advance(timedelta(minutes=minutes))
            whole = reports.overview(session, workspace_id=own, window=Window.HOUR)
            one = reports.performance(session, workspace_id=own, workflow_id="w", window=Window.HOUR)
            assert whole.computed_at == one.computed_at
            asked.append(whole.computed_at)
    assert asked == [NOW, NOW, NOW + timedelta(minutes=8)]
