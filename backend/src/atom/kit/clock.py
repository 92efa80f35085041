"""The time, as an argument: services take a clock, so that tests own it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)


def moved(moment: datetime, by: timedelta) -> datetime:
    """Return the moment that much later or earlier, or the end of the calendar if that lies before it."""
    try:
        return moment + by
    except OverflowError:
        return FIRST if by < timedelta(0) else LAST


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        """Return the time it was last set to."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move the time, backwards too, and return it."""
        self._now += by
        return self._now

    def set(self, to: datetime) -> None:
        """Move the time to a moment."""
        self._now = to.astimezone(UTC)
