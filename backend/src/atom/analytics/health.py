"""How well an integration with another system works."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from atom.analytics.metrics import percent

ERROR_ABOVE_PERCENT: Final = 10


class HealthStatus(StrEnum):
    """Whether an integration can be relied on, best first."""

    READY = "ready"
    PARTIAL = "partial"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationHealth:
    """How many calls of an integration failed, and what that says about it."""

    n_calls: int
    n_errors: int

    @property
    def status(self) -> HealthStatus:
        """Ready without errors, in error when more than a tenth of the calls failed, else partial."""
        if 100 * self.n_errors > ERROR_ABOVE_PERCENT * self.n_calls:
            return HealthStatus.ERROR
        return HealthStatus.PARTIAL if self.n_errors else HealthStatus.READY

    @property
    def error_percent(self) -> float:
        """The share of calls that failed."""
        return percent(self.n_errors, self.n_calls)

    @property
    def uptime_percent(self) -> float:
        """The share of calls that did not fail."""
        return 100 - self.error_percent
