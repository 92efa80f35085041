"""When a budget is at risk, and what a spending limit says to an amount."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_RATE_MINOR: Final = 5_000
"""What an hour costs of somebody whose rate is not known."""
MINUTES_PER_HOUR: Final = 60
AT_RISK_PERCENT: Final = 80
OVER_BUDGET_PERCENT: Final = 100


class BudgetStatus(StrEnum):
    """How much of a project's budget is burnt, best first."""

    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    OVER_BUDGET = "over_budget"


class Verdict(StrEnum):
    """What a spending limit says to an amount."""

    APPROVED = "approved"
    REJECTED = "rejected"
    PENDING = "pending"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """The limit of a category, and what is spent of it or promised; without a limit nothing else counts."""

    limit_minor: int | None
    committed_minor: int = 0
    is_paused: bool = False
    required_deal_stage: str | None = None
    required_milestone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendDecision:
    """A verdict and its reason."""

    verdict: Verdict
    reason: str

    @property
    def is_approved(self) -> bool:
        """Whether the amount may be spent."""
        return self.verdict is Verdict.APPROVED


def budget_status(*, burn_minor: int, budget_minor: int) -> BudgetStatus:
    """Return how a budget stands: at risk from 80 percent on, over from 100; no budget is never exceeded."""
    if budget_minor == 0:
        return BudgetStatus.ON_TRACK
    if 100 * burn_minor >= OVER_BUDGET_PERCENT * budget_minor:
        return BudgetStatus.OVER_BUDGET
    if 100 * burn_minor >= AT_RISK_PERCENT * budget_minor:
        return BudgetStatus.AT_RISK
    return BudgetStatus.ON_TRACK


def labour_cost_minor(minutes_by_rate: Iterable[tuple[int, int]]) -> int:
    """Return what work costs, from pairs of an hourly rate and minutes; half a minor unit is rounded up."""
    per_hour = sum((rate_minor or DEFAULT_RATE_MINOR) * minutes for rate_minor, minutes in minutes_by_rate)
    return (2 * per_hour + MINUTES_PER_HOUR) // (2 * MINUTES_PER_HOUR)


def judge(
    guardrail: Guardrail, amount_minor: int, *, deal_stage: str | None, milestones: Iterable[str]
) -> SpendDecision:
    """Return what the guardrail says to the amount; one that fits exactly is approved."""
    if guardrail.limit_minor is None:
        return SpendDecision(verdict=Verdict.APPROVED, reason="the category has no limit")
    if guardrail.is_paused:
        return SpendDecision(verdict=Verdict.PAUSED, reason="the category is paused")
    stage = guardrail.required_deal_stage
    if stage is not None and deal_stage != stage:
        return SpendDecision(verdict=Verdict.REJECTED, reason=f"the deal is not at stage {stage!r}")
    milestone = guardrail.required_milestone
    if milestone is not None and milestone not in set(milestones):
        return SpendDecision(verdict=Verdict.PENDING, reason=f"milestone {milestone!r} is not reached")
    if guardrail.committed_minor + amount_minor > guardrail.limit_minor:
        left = guardrail.limit_minor - guardrail.committed_minor
        return SpendDecision(verdict=Verdict.PAUSED, reason=f"{amount_minor} exceeds the {left} left")
    return SpendDecision(verdict=Verdict.APPROVED, reason="within the limit")
