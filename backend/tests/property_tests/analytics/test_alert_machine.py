"""Alerts of two workspaces under any sequence of measurements and evaluations, against a model."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from atom.analytics import service
from atom.analytics.alerts import AlertChange, Severity
from atom.analytics.rows import Rule
from atom.analytics.vocabulary import MetricType, NewMetric
from atom.kit.clock import ManualClock
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.property_tests.conftest import scaled

places = st.sampled_from((0, 0, 1))
"""Two workspaces: what happens in one must not be seen in the other."""


@dataclass
class Place:
    """A workspace as it should be: its rule, and the value that was measured last."""

    workspace_id: str
    rule: Rule
    latest: float | None = None


class AlertMachine(RuleBasedStateMachine):
    """
    Invariant 10: an alert fires once when the latest value exceeds its threshold, resolves once when the
    latest value no longer does, and may then fire again.

    Two workspaces measure the same metric, each with a rule of its own.
    """

    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.session = self.undo.enter_context(self.database.session())
        self.clock = ManualClock(NOW)
        self.places: list[Place] = []

    def teardown(self) -> None:
        self.undo.close()

    @initialize(thresholds=st.tuples(*[st.sampled_from((5.0, -1.0))] * 2))
    def add_rules(self, thresholds: tuple[float, ...]) -> None:
        ids = factories.workspace_ids(self.session, 2)
        for workspace_id, threshold in zip(ids, thresholds, strict=True):
            added = service.add_alert_rule(
                self.session,
                workspace_id=workspace_id,
                name="hot",
                metric="heat",
                threshold=threshold,
                severity=Severity.HIGH,
            )
            self.places.append(Place(workspace_id, added))

    @rule(number=places, value=st.sampled_from((-1.0, 5.0, 5.000001, 9.0)), age_ms=st.integers(0, 2))
    def measure(self, number: int, value: float, age_ms: int) -> None:
        now = self.clock.advance(timedelta(seconds=1))
        place = self.places[number]
        metric = NewMetric(
            name="heat",
            type=MetricType.GAUGE,
            value=value,
            recorded_at=now - timedelta(milliseconds=age_ms),
        )
        service.collect_metric(self.session, self.clock, workspace_id=place.workspace_id, metric=metric)
        place.latest = value

    @rule(number=places)
    def evaluate(self, number: int) -> None:
        place = self.places[number]
        told = service.evaluate_alerts(self.session, self.clock, workspace_id=place.workspace_id)
        if place.latest is None:
            assert told == ()
            return
        exceeds = place.latest > place.rule.threshold
        if exceeds is (place.rule.firing_since is not None):
            assert told == ()
            return
        change = AlertChange.FIRED if exceeds else AlertChange.RESOLVED
        assert told == (service.Notification(rule=place.rule, change=change, value=place.latest),)
        place.rule = replace(place.rule, firing_since=self.clock.now() if exceeds else None)
        again = service.evaluate_alerts(self.session, self.clock, workspace_id=place.workspace_id)
        assert again == ()

    @invariant()
    def rules_agree(self) -> None:
        for place in self.places:
            assert service.list_alert_rules(self.session, workspace_id=place.workspace_id) == (place.rule,)


@pytest.fixture(autouse=True, scope="module")
def _machine_database(database: Database) -> None:
    AlertMachine.database = database


@pytest.mark.invariant(10)
class TestAlerts(AlertMachine.TestCase):  # type: ignore[valid-type,misc]  # a class that Hypothesis makes
    """Runs the machine."""

    settings = settings(scaled(0.25), stateful_step_count=15)
