"""When an alert has something to say."""

from __future__ import annotations

import pytest

from atom.analytics.alerts import AlertChange, judge


@pytest.mark.parametrize(
    ("latest", "is_firing", "change"),
    [
        (5.01, False, AlertChange.FIRED),
        (5.01, True, None),
        (5.0, False, None),
        (5.0, True, AlertChange.RESOLVED),
        (4.99, False, None),
        (4.99, True, AlertChange.RESOLVED),
    ],
)
def test_an_alert_fires_above_its_threshold_and_ends_at_it(
    latest: float, is_firing: bool, change: AlertChange | None
) -> None:
    """Once each way: what was said already is not said again."""
    assert judge(latest=latest, threshold=5.0, is_firing=is_firing) is change
