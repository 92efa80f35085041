"""The targets of the plan, and the verdicts that measurements give on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.costs.baseline import BudgetTier, Verdict
from atom_testinfra.core.figures import percent, seconds_beside

if TYPE_CHECKING:
    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.costs.baseline import Suite

TIER_KEYS: dict[tuple[BudgetTier, bool], str] = {
    ("fast", False): "fast_tier_under_10s",
    ("medium", False): "medium_tier_under_60s",
    ("slow", False): "slow_tier_under_100s",
    ("fast", True): "ci_fast_tier_under_3s",
    ("medium", True): "ci_medium_tier_under_15s",
    ("slow", True): "ci_slow_tier_under_25s",
}
"""The plan's names by tier and whether it is the one in CI."""

SUITE_KEY = "full_suite_under_5min"

NAMED_LIMITS_S = {
    "fast_tier_under_10s": 10.0,
    "medium_tier_under_60s": 60.0,
    "slow_tier_under_100s": 100.0,
    "ci_fast_tier_under_3s": 3.0,
    "ci_medium_tier_under_15s": 15.0,
    "ci_slow_tier_under_25s": 25.0,
    SUITE_KEY: 300.0,
}
"""What the names say; the limit in force may be another one."""

MISSES_TOLD = 10
"""How many tests a note names; the file has them all."""


class Miss(Struct, frozen=True, kw_only=True):
    """A test over its limit."""

    nodeid: str
    target: str
    """The target's title."""
    duration_s: float
    limit_s: float
    status: str
    """By how much it is over, and how many examples would meet the limit."""
    advice: str
    """Where its time goes, and what would help."""

    def __str__(self) -> str:
        took = seconds_beside(self.duration_s, self.limit_s)
        return f"{self.nodeid} takes {took}, {self.status}, {self.advice}"


class TargetResult(Struct, frozen=True, kw_only=True):
    """A target, what was measured of it, and the verdict."""

    key: str
    """Its name in `targets_verified`."""
    title: str
    limit_s: float
    tier: BudgetTier | None = None
    """`None` for the whole suite."""
    profile: str | None = None
    verdict: Verdict
    n_measured: int
    n_missed: int
    slowest_s: float | None = None
    """The slowest test of the tier, or the time of the suite."""
    reason: str | None = None
    """Why there is no verdict."""
    earlier: str | None = None
    """What of it an earlier session measured, in words."""
    misses: list[Miss] = []
    """The worst of those that miss, worst first."""

    def describe_misses(self) -> str:
        """Return in a sentence what misses the target, by how much, and what would help."""
        if self.tier is None and self.slowest_s is not None:
            excess = percent(self.slowest_s / self.limit_s - 1)
            took = seconds_beside(self.slowest_s, self.limit_s)
            return f"{self.key}: the suite takes {took}, {excess} over its {self.limit_s:g} s."
        told = "; ".join(map(str, self.misses))
        rest = self.n_missed - len(self.misses)
        more = f"; and {rest} more" if rest else ""
        return f"{self.key}: {self.n_missed} of {self.n_measured} miss it: {told}{more}."


def judge(n_measured: int, n_missed: int) -> Verdict:
    """Return true, false, "partial", or `None` where nothing was measured."""
    if n_measured == 0:
        return None
    if n_missed == 0:
        return True
    return False if n_missed == n_measured else "partial"


def tier_title(tier: BudgetTier, profile: str) -> str:
    """Return what the target of a tier is called in a report."""
    return f"{tier.capitalize()} tier, {profile}"


def suite_result(suite: Suite | None, targets: Targets) -> TargetResult:
    """Return the whole suite's result, from the last run of it that passed: another one has no time."""
    timed = None if suite is None else suite.timed
    wall_s = None if timed is None else timed.wall_s
    is_missed = wall_s is not None and wall_s >= targets.suite_s
    reason = "the suite was not timed" if suite is None else "the suite did not pass, so it has no time"
    is_earlier = timed is not None and (timed is not suite or timed.source is not None)
    return TargetResult(
        key=SUITE_KEY,
        title="Whole suite",
        limit_s=targets.suite_s,
        verdict=judge(int(timed is not None), int(is_missed)),
        n_measured=int(timed is not None),
        n_missed=int(is_missed),
        slowest_s=wall_s,
        reason=reason if timed is None else None,
        earlier=f"on {timed.started_at[:10]}" if timed is not None and is_earlier else None,
    )
