"""The documented numbers of budgets."""

from __future__ import annotations

import pytest

from atom.budgets.rules import BudgetStatus, Guardrail, Verdict, budget_status, judge, labour_cost_minor


@pytest.mark.parametrize(
    ("burn_minor", "budget_minor", "status"),
    [
        (0, 1_000, BudgetStatus.ON_TRACK),
        (799, 1_000, BudgetStatus.ON_TRACK),
        (800, 1_000, BudgetStatus.AT_RISK),
        (999, 1_000, BudgetStatus.AT_RISK),
        (1_000, 1_000, BudgetStatus.OVER_BUDGET),
        (-5, 1_000, BudgetStatus.ON_TRACK),
        (0, 0, BudgetStatus.ON_TRACK),
        (10**9, 0, BudgetStatus.ON_TRACK),
        (4, 5, BudgetStatus.AT_RISK),
        (8 * 10**14 - 1, 10**15, BudgetStatus.ON_TRACK),
    ],
)
def test_a_project_is_at_risk_from_80_percent_and_over_budget_from_100(
    burn_minor: int, budget_minor: int, status: BudgetStatus
) -> None:
    """At risk from exactly 80 percent, over from exactly 100; a project without a budget is on track."""
    assert budget_status(burn_minor=burn_minor, budget_minor=budget_minor) is status


@pytest.mark.parametrize(
    ("pairs", "cost_minor"),
    [
        ([], 0),
        ([(0, 60)], 5_000),
        ([(7_500, 60)], 7_500),
        ([(7_500, 30), (0, 90)], 11_250),
        ([(1, 29)], 0),
        ([(1, 30)], 1),
        ([(1, 20), (1, 10)], 1),
        ([(1, 89)], 1),
    ],
)
def test_labour_costs_the_hourly_rate_rounded_half_up(pairs: list[tuple[int, int]], cost_minor: int) -> None:
    """An hour costs its rate or 50.00; the sum is rounded, half a cent up."""
    assert labour_cost_minor(pairs) == cost_minor


@pytest.mark.parametrize(
    ("amount_minor", "verdict"), [(40, Verdict.APPROVED), (41, Verdict.PAUSED), (1, Verdict.APPROVED)]
)
def test_amount_that_fits_exactly_is_approved(amount_minor: int, verdict: Verdict) -> None:
    """Equality passes; one more pauses, and the reason says how much is left."""
    guardrail = Guardrail(limit_minor=100, committed_minor=60)
    decision = judge(guardrail, amount_minor, deal_stage=None, milestones=())
    assert decision.verdict is verdict
    assert decision.reason == ("41 exceeds the 40 left" if amount_minor == 41 else "within the limit")


def test_reasons_name_what_is_missing() -> None:
    """A rejection names the stage, a pending decision the milestone."""
    guardrail = Guardrail(limit_minor=100, required_deal_stage="won", required_milestone="signed")
    rejected = judge(guardrail, 1, deal_stage="lost", milestones=())
    pending = judge(guardrail, 1, deal_stage="won", milestones=["sent"])
    assert (rejected.verdict, rejected.reason) == (Verdict.REJECTED, "the deal is not at stage 'won'")
    assert (pending.verdict, pending.reason) == (Verdict.PENDING, "milestone 'signed' is not reached")
    assert not rejected.is_approved
    assert judge(guardrail, 1, deal_stage="won", milestones=["signed"]).is_approved
