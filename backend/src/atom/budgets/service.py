"""Projects and what they burn; spending limits, and money reserved under them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atom.budgets import repository
from atom.budgets.models import MAX_MINUTES, ReservationStatus
from atom.budgets.rules import (
    BudgetStatus,
    Guardrail,
    SpendDecision,
    Verdict,
    budget_status,
    judge,
    labour_cost_minor,
)
from atom.identity.users import require_user
from atom.kit.errors import ConflictError, InvalidError, NotFoundError, StaleVersionError
from atom.kit.ids import new_id
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.kit.pagination import Cursor, Page, PageRequest
from atom.kit.text import checked_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock


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
class Category:
    """A spending category and how it stands; without a limit everything is approved."""

    name: str
    limit_minor: int | None
    spent_minor: int
    reserved_minor: int
    is_paused: bool
    required_deal_stage: str | None
    required_milestone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Money set aside in a category."""

    id: str
    amount_minor: int
    spent_minor: int | None
    status: ReservationStatus
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveResult:
    """What the guardrail said and, if it approved, the reservation."""

    decision: SpendDecision
    reservation: Reservation | None = None


def create_project(
    session: Session, clock: Clock, *, workspace_id: str, name: str, budget_minor: int
) -> ProjectBudget:
    """Write a project that has burnt nothing."""
    _require_amount(budget_minor, field="budget_minor", smallest=0)
    project = ProjectBudget(
        id=new_id(),
        name=checked_text(name, field="name"),
        budget_minor=budget_minor,
        actual_burn_minor=0,
        status=BudgetStatus.ON_TRACK,
        created_at=clock.now(),
    )
    values = {
        "id": project.id,
        "workspace_id": workspace_id,
        "name": project.name,
        "budget_minor": budget_minor,
        "actual_burn_minor": project.actual_burn_minor,
        "budget_status": project.status,
        "created_at": project.created_at,
    }
    repository.add_project(session, values)
    return project


def get_project(session: Session, *, workspace_id: str, project_id: str) -> ProjectBudget:
    """Return a project of the workspace."""
    return _project(_found_project(session, workspace_id, project_id))


def list_projects(
    session: Session, *, workspace_id: str, page: PageRequest | None = None
) -> Page[ProjectBudget]:
    """Return the workspace's projects, the newest first."""
    page = page or PageRequest()
    rows = repository.list_projects(session, workspace_id, page)
    found = [_project(row) for row in rows]
    return Page.cut(found, limit=page.limit, place=lambda one: Cursor(at=one.created_at, id=one.id))


def add_task(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    title: str,
    assigned_to: str | None = None,
    actual_minutes: int = 0,
) -> str:
    """Write a task of a project, for a user of the same workspace or nobody, and return its id."""
    _require_minutes(actual_minutes, smallest=0)
    _found_project(session, workspace_id, project_id)
    if assigned_to is not None:
        require_user(session, workspace_id=workspace_id, user_id=assigned_to)
    values = {
        "id": new_id(),
        "project_id": project_id,
        "title": checked_text(title, field="title"),
        "assigned_to": assigned_to,
        "actual_minutes": actual_minutes,
    }
    repository.add_task(session, values)
    return str(values["id"])


def log_work(session: Session, *, workspace_id: str, project_id: str, task_id: str, minutes: int) -> None:
    """Add to the minutes worked on a task."""
    _require_minutes(minutes, smallest=1)
    _found_project(session, workspace_id, project_id)
    if not repository.add_minutes(session, project_id, task_id, minutes):
        raise NotFoundError("task", task_id)


def refresh_burn(session: Session, *, workspace_id: str, project_id: str) -> ProjectBudget:
    """Compute what a project has burnt, work and expenses, and write it with the status of its budget."""
    project = _found_project(session, workspace_id, project_id)
    labour_minor = labour_cost_minor(repository.minutes_by_rate(session, project_id))
    burn_minor = labour_minor + repository.net_expense_minor(session, workspace_id, project_id)
    status = budget_status(burn_minor=burn_minor, budget_minor=project.budget_minor)
    repository.update_project(session, project_id, actual_burn_minor=burn_minor, budget_status=status)
    return replace(_project(project), actual_burn_minor=burn_minor, status=status)


def set_limit(
    session: Session,
    *,
    workspace_id: str,
    category: str,
    limit_minor: int | None,
    required_deal_stage: str | None = None,
    required_milestone: str | None = None,
) -> Category:
    """Set the guardrail of a category, and end its pause; what is reserved has to fit."""
    if limit_minor is not None:
        _require_amount(limit_minor, field="limit_minor", smallest=0)
    for field, text in (
        ("required_deal_stage", required_deal_stage),
        ("required_milestone", required_milestone),
    ):
        if text is not None:
            checked_text(text, field=field)
    row = _ensured_category(session, workspace_id, category, for_update=True)
    if limit_minor is not None and limit_minor < row.reserved_minor:
        raise ConflictError(f"{row.reserved_minor} are reserved, more than a limit of {limit_minor}")
    changes: dict[str, Any] = {
        "limit_minor": limit_minor,
        "required_deal_stage": required_deal_stage,
        "required_milestone": required_milestone,
        "is_paused": False,
    }
    repository.update_category(session, row.id, **changes)
    return replace(_category(row), **changes)


def resume_category(session: Session, *, workspace_id: str, category: str) -> Category:
    """End the pause of a category."""
    row = _found_category(session, workspace_id, category)
    repository.update_category(session, row.id, is_paused=False)
    return replace(_category(row), is_paused=False)


def get_category(session: Session, *, workspace_id: str, category: str) -> Category:
    """Return a category of the workspace."""
    return _category(_found_category(session, workspace_id, category))


def list_categories(session: Session, *, workspace_id: str) -> tuple[Category, ...]:
    """Return the workspace's categories by name."""
    return tuple(_category(row) for row in repository.list_categories(session, workspace_id))


def check(
    session: Session,
    *,
    workspace_id: str,
    category: str,
    amount_minor: int,
    deal_stage: str | None = None,
    milestones: Iterable[str] = (),
) -> SpendDecision:
    """Say whether an amount may be spent; nothing is spent, but one beyond the limit pauses the category."""
    _require_amount(amount_minor, field="amount_minor", smallest=1)
    row = repository.get_category(session, workspace_id, checked_text(category, field="category"))
    if row is None:
        return judge(Guardrail(limit_minor=None), amount_minor, deal_stage=deal_stage, milestones=milestones)
    return _decide(session, row, amount_minor, deal_stage=deal_stage, milestones=milestones)


def record(session: Session, *, workspace_id: str, category: str, amount_minor: int) -> Category:
    """Count money that was spent, reserved or not, within the limit or not: it is gone."""
    _require_amount(amount_minor, field="amount_minor", smallest=1)
    row = _ensured_category(session, workspace_id, category)
    repository.spend(session, row.id, spent_minor=amount_minor)
    return get_category(session, workspace_id=workspace_id, category=row.name)


def reserve(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    category: str,
    amount_minor: int,
    deal_stage: str | None = None,
    milestones: Iterable[str] = (),
) -> ReserveResult:
    """Set an amount aside if the guardrail approves; of two that fit only alone one is approved."""
    _require_amount(amount_minor, field="amount_minor", smallest=1)
    row = _ensured_category(session, workspace_id, category, for_update=True)
    decision = _decide(session, row, amount_minor, deal_stage=deal_stage, milestones=milestones)
    if not decision.is_approved:
        return ReserveResult(decision=decision)
    if not repository.take(session, row.id, amount_minor):
        raise StaleVersionError(f"somebody else spends from {category!r} at this moment; try again")
    reservation = Reservation(
        id=new_id(),
        amount_minor=amount_minor,
        spent_minor=None,
        status=ReservationStatus.HELD,
        created_at=clock.now(),
        ended_at=None,
    )
    values = {
        "id": reservation.id,
        "workspace_id": workspace_id,
        "category_id": row.id,
        "amount_minor": amount_minor,
        "status": reservation.status,
        "created_at": reservation.created_at,
    }
    repository.add_reservation(session, values)
    return ReserveResult(decision=decision, reservation=reservation)


def settle(
    session: Session, clock: Clock, *, workspace_id: str, reservation_id: str, spent_minor: int
) -> Reservation:
    """Spend what was reserved, or less; the rest is free again."""
    row = _found_reservation(session, workspace_id, reservation_id)
    if not 0 <= spent_minor <= row.amount_minor:
        raise InvalidError(
            f"{spent_minor} is not within the {row.amount_minor} reserved", field="spent_minor"
        )
    return _end(session, clock, row, ReservationStatus.SETTLED, spent_minor=spent_minor)


def release(session: Session, clock: Clock, *, workspace_id: str, reservation_id: str) -> Reservation:
    """Give back what was reserved."""
    row = _found_reservation(session, workspace_id, reservation_id)
    return _end(session, clock, row, ReservationStatus.RELEASED, spent_minor=None)


def _end(
    session: Session, clock: Clock, row: Row[Any], status: ReservationStatus, *, spent_minor: int | None
) -> Reservation:
    ended = replace(_reservation(row), status=status, spent_minor=spent_minor, ended_at=clock.now())
    if not repository.end_reservation(
        session, row.id, status=status, spent_minor=spent_minor, ended_at=ended.ended_at
    ):
        raise ConflictError("the reservation was settled or released before")
    repository.spend(session, row.category_id, spent_minor=spent_minor or 0, reserved_minor=row.amount_minor)
    return ended


def _decide(
    session: Session,
    row: Row[Any],
    amount_minor: int,
    *,
    deal_stage: str | None,
    milestones: Iterable[str],
) -> SpendDecision:
    guardrail = Guardrail(
        limit_minor=row.limit_minor,
        committed_minor=row.spent_minor + row.reserved_minor,
        is_paused=row.is_paused,
        required_deal_stage=row.required_deal_stage,
        required_milestone=row.required_milestone,
    )
    decision = judge(guardrail, amount_minor, deal_stage=deal_stage, milestones=milestones)
    if decision.verdict is Verdict.PAUSED and not row.is_paused:
        repository.update_category(session, row.id, is_paused=True)
    return decision


def _require_amount(amount_minor: int, *, field: str, smallest: int) -> None:
    if not smallest <= amount_minor <= MAX_AMOUNT_MINOR:
        raise InvalidError(f"{amount_minor} is not within {smallest} to {MAX_AMOUNT_MINOR}", field=field)


def _require_minutes(minutes: int, *, smallest: int) -> None:
    if not smallest <= minutes <= MAX_MINUTES:
        raise InvalidError(f"{minutes} is not within {smallest} to {MAX_MINUTES}", field="minutes")


def _found_project(session: Session, workspace_id: str, project_id: str) -> Row[Any]:
    row = repository.get_project(session, workspace_id, project_id)
    if row is None:
        raise NotFoundError("project", project_id)
    return row


def _found_category(session: Session, workspace_id: str, category: str) -> Row[Any]:
    row = repository.get_category(session, workspace_id, category)
    if row is None:
        raise NotFoundError("spending category", category)
    return row


def _ensured_category(
    session: Session, workspace_id: str, category: str, *, for_update: bool = False
) -> Row[Any]:
    name = checked_text(category, field="category")
    repository.ensure_category(session, workspace_id, name)
    row = repository.get_category(session, workspace_id, name, for_update=for_update)
    if row is None:
        raise NotFoundError("spending category", name)
    return row


def _found_reservation(session: Session, workspace_id: str, reservation_id: str) -> Row[Any]:
    row = repository.get_reservation(session, workspace_id, reservation_id)
    if row is None:
        raise NotFoundError("reservation", reservation_id)
    return row


def _project(row: Row[Any]) -> ProjectBudget:
    return ProjectBudget(
        id=row.id,
        name=row.name,
        budget_minor=row.budget_minor,
        actual_burn_minor=row.actual_burn_minor,
        status=row.budget_status,
        created_at=row.created_at,
    )


def _category(row: Row[Any]) -> Category:
    return Category(
        name=row.name,
        limit_minor=row.limit_minor,
        spent_minor=row.spent_minor,
        reserved_minor=row.reserved_minor,
        is_paused=row.is_paused,
        required_deal_stage=row.required_deal_stage,
        required_milestone=row.required_milestone,
    )


def _reservation(row: Row[Any]) -> Reservation:
    return Reservation(
        id=row.id,
        amount_minor=row.amount_minor,
        spent_minor=row.spent_minor,
        status=row.status,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
