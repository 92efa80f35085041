"""What budgets read and write: a project, a task, a spending category, a reservation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atom.budgets.rules import BudgetStatus, Guardrail

if TYPE_CHECKING:
    from datetime import datetime

    from atom.budgets.models import ReservationStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectBudget:
    """A project, what it burnt when that was last computed, and how its budget stood then."""

    id: str
    name: str
    budget_minor: int
    actual_burn_minor: int
    status: BudgetStatus
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work on a project."""

    id: str
    project_id: str
    title: str
    assigned_to: str | None
    actual_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A spending category and how it stands; without a limit everything is approved."""

    id: str
    name: str
    limit_minor: int | None
    spent_minor: int
    reserved_minor: int
    is_paused: bool
    required_deal_stage: str | None
    required_milestone: str | None

    @property
    def guardrail(self) -> Guardrail:
        """What an amount is judged by."""
        return Guardrail(
            limit_minor=self.limit_minor,
            committed_minor=self.spent_minor + self.reserved_minor,
            is_paused=self.is_paused,
            required_deal_stage=self.required_deal_stage,
            required_milestone=self.required_milestone,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Money set aside in a category."""

    id: str
    category_id: str
    category: str
    amount_minor: int
    spent_minor: int | None
    status: ReservationStatus
    created_at: datetime
    ended_at: datetime | None
