"""Collecting without waiting for the database: what arrives is kept in memory and written in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from atom.analytics import queries, repository
from atom.analytics.buffers import EVENT_CAPACITY, METRIC_CAPACITY, BoundedBuffer
from atom.analytics.service import event_values, point_values
from atom.db.session import unit_of_work

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker

    from atom.analytics.vocabulary import NewEvent, NewMetric
    from atom.kit.clock import Clock

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival(Generic[Item]):
    """Something to be written: whose it is, and when it came."""

    workspace_id: str
    item: Item
    arrived_at: datetime


class Collector:
    """
    Takes in metrics and events, and writes them when `flush` is called.

    Beyond its capacities the oldest are lost, and so are those of a workspace that no longer exists.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        clock: Clock,
        *,
        metric_capacity: int = METRIC_CAPACITY,
        event_capacity: int = EVENT_CAPACITY,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self.metrics: BoundedBuffer[Arrival[NewMetric]] = BoundedBuffer(metric_capacity)
        self.events: BoundedBuffer[Arrival[NewEvent]] = BoundedBuffer(event_capacity)

    def collect_metric(self, workspace_id: str, metric: NewMetric) -> None:
        """Keep a measured value for the next flush."""
        self.metrics.append(Arrival(workspace_id=workspace_id, item=metric, arrived_at=self._clock.now()))

    def record_event(self, workspace_id: str, event: NewEvent) -> None:
        """Keep an event for the next flush."""
        self.events.append(Arrival(workspace_id=workspace_id, item=event, arrived_at=self._clock.now()))

    def flush(self) -> None:
        """Write all that is kept in one transaction; when that fails, it is kept for the next time."""
        with (
            self.metrics.draining() as metrics,
            self.events.draining() as events,
            unit_of_work(self._sessions) as session,
        ):
            senders = {metric.workspace_id for metric in metrics} | {event.workspace_id for event in events}
            known = queries.existing_workspaces(session, senders)
            repository.add_points(
                session,
                [
                    point_values(arrival.workspace_id, arrival.item, arrived_at=arrival.arrived_at)
                    for arrival in metrics
                    if arrival.workspace_id in known
                ],
            )
            repository.add_events(
                session,
                [
                    event_values(arrival.workspace_id, arrival.item, arrived_at=arrival.arrived_at)
                    for arrival in events
                    if arrival.workspace_id in known
                ],
            )
