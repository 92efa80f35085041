"""When an alert fires, and when it is over."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How bad it is when the alert fires, least first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class AlertChange(StrEnum):
    """What somebody has to be told."""

    FIRED = "fired"
    RESOLVED = "resolved"


def judge(*, latest: float, threshold: float, is_firing: bool) -> AlertChange | None:
    """Return what the latest value changes: an alert fires once above its threshold and ends at or below."""
    is_above = latest > threshold
    if is_above == is_firing:
        return None
    return AlertChange.FIRED if is_above else AlertChange.RESOLVED
