"""Requests and responses of budgets: projects, spending categories, reservations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from atom.budgets.models import MAX_MINUTES, ReservationStatus
from atom.budgets.rules import BudgetStatus, Verdict
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.web.schemas import WHOLE, AmountMinor, Answer, Id, KeyQuery, Name, PageQuery, Request

LimitMinor = Annotated[int, Field(ge=0, le=MAX_AMOUNT_MINOR, examples=[500_000]), WHOLE]
Minutes = Annotated[int, Field(ge=0, le=MAX_MINUTES), WHOLE]
CATEGORY = Field(examples=["travel"])
MAX_MILESTONES = 100


class ProjectRequest(Request):
    """A project to begin."""

    name: Name = Field(examples=["Relaunch"])
    budget_minor: LimitMinor


class ProjectResponse(Answer):
    """A project, what it had burnt when that was last computed, and how its budget stood then."""

    id: str
    name: str
    budget_minor: int
    actual_burn_minor: int
    status: BudgetStatus
    created_at: datetime


class TaskRequest(Request):
    """Work on a project."""

    title: Name
    assigned_to: Id | None = Field(None, description="the user whose hourly rate counts")
    actual_minutes: Minutes = 0


class TaskResponse(Answer):
    """Work on a project."""

    id: str
    title: str
    assigned_to: str | None
    actual_minutes: int


class WorkRequest(Request):
    """Minutes that were worked."""

    minutes: Annotated[int, Field(ge=1, le=MAX_MINUTES), WHOLE]


class LimitRequest(Request):
    """The guardrail of a spending category; null means no limit."""

    category: Name = CATEGORY
    limit_minor: LimitMinor | None
    required_deal_stage: Name | None = None
    required_milestone: Name | None = None


class CategoryRequest(Request):
    """A spending category."""

    category: Name = CATEGORY


class CategoryQuery(KeyQuery):
    """Which spending categories to list, and which part of them."""

    name: Name | None = Field(None, description="only the category of this name")


class CategoryResponse(Answer):
    """A spending category and how it stands."""

    name: str
    limit_minor: int | None
    spent_minor: int
    reserved_minor: int
    is_paused: bool
    required_deal_stage: str | None
    required_milestone: str | None


class SpendRequest(Request):
    """Money to spend from a category."""

    category: Name = CATEGORY
    amount_minor: AmountMinor


class PlannedSpendRequest(SpendRequest):
    """Money to spend, and where the deal stands that it is for."""

    deal_stage: Name | None = None
    milestones: list[Name] = Field(default_factory=list, max_length=MAX_MILESTONES)


class SpendDecisionResponse(Answer):
    """What the guardrail says."""

    verdict: Verdict
    reason: str


class ReservationResponse(Answer):
    """Money set aside in a category."""

    id: str
    category: str
    amount_minor: int
    spent_minor: int | None
    status: ReservationStatus
    created_at: datetime
    ended_at: datetime | None


class ReserveResponse(Answer):
    """What the guardrail said and, if it approved, the reservation."""

    decision: SpendDecisionResponse
    reservation: ReservationResponse | None


class SettleRequest(Request):
    """How much of the reserved money was spent."""

    spent_minor: LimitMinor


class ReservationQuery(PageQuery):
    """Which reservations to list, and which part of them."""

    category: Name | None = Field(None, description="only reservations in this category")
    status: ReservationStatus | None = None
