"""Writing what was collected."""

from __future__ import annotations

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from atom.analytics.collector import Collector
from atom.analytics.vocabulary import EventStatus, EventType, MetricType, NewEvent, NewMetric
from atom.kit.clock import ManualClock
from atom.tables import analytics
from tests import factories
from tests.database import Database

METRIC = NewMetric(name="load", type=MetricType.GAUGE, value=1)
EVENT = NewEvent(
    event_id="e", workflow_id="w", execution_id="x", type=EventType.STARTED, status=EventStatus.RUNNING
)


def test_what_cannot_be_written_is_kept(database: Database, clock: ManualClock) -> None:
    """A flush that fails loses nothing; the next one writes it, once."""
    with database.sessions() as sessions:
        with sessions.begin() as session:
            (own,) = factories.workspace_ids(session, 1)
        makers: list[sessionmaker[Session]] = [failing(sessions), sessions]
        collector = Collector(Switched(makers), clock)  # type: ignore[arg-type]
        collector.collect_metric(own, METRIC)
        collector.record_event(own, EVENT)
        with pytest.raises(OperationalError):
            collector.flush()
        assert (len(collector.metrics), len(collector.events)) == (1, 1)
        collector.flush()
        collector.flush()
        assert (len(collector.metrics), len(collector.events)) == (0, 0)
        with sessions() as session:
            for table in (analytics.MetricPoint, analytics.WorkflowEvent):
                assert session.scalar(select(func.count()).select_from(table)) == 1


def test_items_of_a_deleted_workspace_do_not_hold_up_the_others(
    database: Database, clock: ManualClock
) -> None:
    """What belongs to no workspace is left out, the rest is written."""
    with database.sessions() as sessions:
        with sessions.begin() as session:
            (own,) = factories.workspace_ids(session, 1)
        collector = Collector(sessions, clock)
        for workspace_id in ("gone", own):
            collector.collect_metric(workspace_id, METRIC)
            collector.record_event(workspace_id, EVENT)
        collector.flush()
        with sessions() as session:
            assert session.scalars(select(analytics.MetricPoint.workspace_id)).all() == [own]
            assert session.scalars(select(analytics.WorkflowEvent.workspace_id)).all() == [own]


class Switched:
    """Sessions from one maker after the other, the last one for good."""

    def __init__(self, makers: list[sessionmaker[Session]]) -> None:
        self.makers = makers

    def begin(self) -> object:
        return (self.makers.pop(0) if len(self.makers) > 1 else self.makers[0]).begin()


def failing(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """A maker of sessions that cannot commit."""
    maker = sessionmaker(sessions.kw["bind"])

    def refuse(_session: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk full"))

    event.listen(maker, "before_commit", refuse)
    return maker
