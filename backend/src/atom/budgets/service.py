"""Projects and what they burn; spending limits, and money reserved under them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atom.budgets import repository
from atom.budgets.models import MAX_MINUTES, MAX_TOTAL_MINOR, ReservationStatus
from atom.budgets.rows import Category, ProjectBudget, Reservation, Task
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
from atom.kit.pagination import DEFAULT_LIMIT, Cursor, KeyPage, Page, PageRequest
from atom.kit.text import checked_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock


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
    repository.add_project(session, workspace_id, project)
    return project


def get_project(session: Session, *, workspace_id: str, project_id: str) -> ProjectBudget:
    """Return a project of the workspace."""
    project = repository.get_project(session, workspace_id, project_id)
    if project is None:
        raise NotFoundError("project", project_id)
    return project


def has_project(session: Session, *, workspace_id: str, project_id: str) -> bool:
    """Whether the workspace has the project."""
    return repository.get_project(session, workspace_id, project_id) is not None


def list_projects(
    session: Session, *, workspace_id: str, page: PageRequest | None = None
) -> Page[ProjectBudget]:
    """Return the workspace's projects, the newest first."""
    page = page or PageRequest()
    found = repository.list_projects(session, workspace_id, page)
    return Page.cut(found, limit=page.limit, place=lambda one: Cursor(at=one.created_at, id=one.id))


def add_task(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    title: str,
    assigned_to: str | None = None,
    actual_minutes: int = 0,
) -> Task:
    """Write a task of a project, for a user of the same workspace or nobody."""
    _require_minutes(actual_minutes, smallest=0)
    get_project(session, workspace_id=workspace_id, project_id=project_id)
    if assigned_to is not None:
        require_user(session, workspace_id=workspace_id, user_id=assigned_to)
    task = Task(
        id=new_id(),
        project_id=project_id,
        title=checked_text(title, field="title"),
        assigned_to=assigned_to,
        actual_minutes=actual_minutes,
    )
    repository.add_task(session, task)
    return task


def list_tasks(
    session: Session, *, workspace_id: str, project_id: str, limit: int, after: str | None = None
) -> KeyPage[Task]:
    """Return the tasks of a project of the workspace in the order of their ids."""
    get_project(session, workspace_id=workspace_id, project_id=project_id)
    tasks = repository.list_tasks(session, project_id, limit=limit + 1, after=after)
    return KeyPage.cut(tasks, limit=limit, key=lambda task: task.id)


def log_work(session: Session, *, workspace_id: str, project_id: str, task_id: str, minutes: int) -> Task:
    """Add to the minutes worked on a task."""
    _require_minutes(minutes, smallest=1)
    get_project(session, workspace_id=workspace_id, project_id=project_id)
    is_added = repository.add_minutes(session, project_id, task_id, minutes)
    task = repository.get_task(session, project_id, task_id)
    if task is None:
        raise NotFoundError("task", task_id)
    if not is_added:
        raise ConflictError(
            f"the task has {task.actual_minutes} minutes; with {minutes} more it exceeds {MAX_MINUTES}"
        )
    return task


def refresh_burn(session: Session, *, workspace_id: str, project_id: str) -> ProjectBudget:
    """Compute what a project has burnt, work and expenses, and write it with the status of its budget."""
    project = get_project(session, workspace_id=workspace_id, project_id=project_id)
    labour_minor = labour_cost_minor(repository.minutes_by_rate(session, project_id))
    burn_minor = labour_minor + repository.net_expense_minor(session, workspace_id, project_id)
    if abs(burn_minor) > MAX_TOTAL_MINOR:
        raise ConflictError(f"the project has burnt {burn_minor}, beyond the limit of {MAX_TOTAL_MINOR}")
    status = budget_status(burn_minor=burn_minor, budget_minor=project.budget_minor)
    burnt = replace(project, actual_burn_minor=burn_minor, status=status)
    repository.update_project(session, burnt, "actual_burn_minor", "status")
    return burnt


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
        raise ConflictError(f"limit_minor is {limit_minor}, less than the {row.reserved_minor} reserved")
    changes: dict[str, Any] = {
        "limit_minor": limit_minor,
        "required_deal_stage": required_deal_stage,
        "required_milestone": required_milestone,
        "is_paused": False,
    }
    repository.update_category(session, row.id, **changes)
    return replace(row, **changes)


def resume_category(session: Session, *, workspace_id: str, category: str) -> Category:
    """End the pause of a category."""
    row = get_category(session, workspace_id=workspace_id, category=category)
    repository.update_category(session, row.id, is_paused=False)
    return replace(row, is_paused=False)


def get_category(session: Session, *, workspace_id: str, category: str) -> Category:
    """Return a category of the workspace."""
    found = repository.get_category(session, workspace_id, category)
    if found is None:
        raise NotFoundError("spending category", category)
    return found


def list_categories(
    session: Session,
    *,
    workspace_id: str,
    name: str | None = None,
    limit: int = DEFAULT_LIMIT,
    after: str | None = None,
) -> KeyPage[Category]:
    """Return the workspace's categories by name, or the one of a name."""
    if name is not None:
        one = repository.get_category(session, workspace_id, name)
        return KeyPage(items=() if one is None else (one,))
    found = repository.list_categories(session, workspace_id, limit=limit + 1, after=after)
    return KeyPage.cut(found, limit=limit, key=lambda category: category.name)


def check(
    session: Session,
    *,
    workspace_id: str,
    category: str,
    amount_minor: int,
    deal_stage: str | None = None,
    milestones: Iterable[str] = (),
) -> SpendDecision:
    """Say whether an amount may be spent, without spending it; one over the limit pauses the category."""
    _require_amount(amount_minor, field="amount_minor", smallest=1)
    row = repository.get_category(session, workspace_id, checked_text(category, field="category"))
    if row is None:
        return judge(Guardrail(limit_minor=None), amount_minor, deal_stage=deal_stage, milestones=milestones)
    return _decide(session, row, amount_minor, deal_stage=deal_stage, milestones=milestones)


def record(session: Session, *, workspace_id: str, category: str, amount_minor: int) -> Category:
    """Count money that was spent, reserved or not, within the limit or not: it is gone."""
    _require_amount(amount_minor, field="amount_minor", smallest=1)
    row = _ensured_category(session, workspace_id, category)
    _spend(session, row.id, spent_minor=amount_minor)
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
    if row.reserved_minor + amount_minor > MAX_TOTAL_MINOR:
        raise ConflictError(
            f"{row.reserved_minor} are reserved; with {amount_minor} more they exceed {MAX_TOTAL_MINOR}"
        )
    if not repository.take(session, row.id, amount_minor):
        raise StaleVersionError(f"somebody else spends from {category!r} at this moment; try again")
    reservation = Reservation(
        id=new_id(),
        category_id=row.id,
        category=row.name,
        amount_minor=amount_minor,
        spent_minor=None,
        status=ReservationStatus.HELD,
        created_at=clock.now(),
        ended_at=None,
    )
    repository.add_reservation(session, workspace_id, reservation)
    return ReserveResult(decision=decision, reservation=reservation)


def get_reservation(session: Session, *, workspace_id: str, reservation_id: str) -> Reservation:
    """Return a reservation of the workspace."""
    reservation = repository.get_reservation(session, workspace_id, reservation_id)
    if reservation is None:
        raise NotFoundError("reservation", reservation_id)
    return reservation


def list_reservations(
    session: Session,
    *,
    workspace_id: str,
    page: PageRequest | None = None,
    category: str | None = None,
    status: ReservationStatus | None = None,
) -> Page[Reservation]:
    """Return the workspace's reservations, the newest first."""
    page = page or PageRequest()
    found = repository.list_reservations(session, workspace_id, page, category=category, status=status)
    return Page.cut(found, limit=page.limit, place=lambda one: Cursor(at=one.created_at, id=one.id))


def settle(
    session: Session, clock: Clock, *, workspace_id: str, reservation_id: str, spent_minor: int
) -> Reservation:
    """Spend the reserved amount or less; the rest is free again."""
    row = get_reservation(session, workspace_id=workspace_id, reservation_id=reservation_id)
    if not 0 <= spent_minor <= row.amount_minor:
        raise InvalidError(
            f"spent_minor is {spent_minor}, expected 0 to the {row.amount_minor} reserved",
            field="spent_minor",
        )
    return _end(session, clock, row, ReservationStatus.SETTLED, spent_minor=spent_minor)


def release(session: Session, clock: Clock, *, workspace_id: str, reservation_id: str) -> Reservation:
    """Release the reserved amount."""
    row = get_reservation(session, workspace_id=workspace_id, reservation_id=reservation_id)
    return _end(session, clock, row, ReservationStatus.RELEASED, spent_minor=None)


def _end(
    session: Session,
    clock: Clock,
    reservation: Reservation,
    status: ReservationStatus,
    *,
    spent_minor: int | None,
) -> Reservation:
    ended = replace(reservation, status=status, spent_minor=spent_minor, ended_at=clock.now())
    if not repository.end_reservation(session, ended):
        raise ConflictError("the reservation was settled or released before")
    _spend(
        session,
        reservation.category_id,
        spent_minor=spent_minor or 0,
        reserved_minor=reservation.amount_minor,
    )
    return ended


def _spend(session: Session, category_id: str, *, spent_minor: int, reserved_minor: int = 0) -> None:
    if not repository.spend(session, category_id, spent_minor=spent_minor, reserved_minor=reserved_minor):
        raise ConflictError(
            f"with {spent_minor} more the category has spent beyond the limit of {MAX_TOTAL_MINOR}"
        )


def _decide(
    session: Session,
    row: Category,
    amount_minor: int,
    *,
    deal_stage: str | None,
    milestones: Iterable[str],
) -> SpendDecision:
    decision = judge(row.guardrail, amount_minor, deal_stage=deal_stage, milestones=milestones)
    if decision.verdict is Verdict.PAUSED and not row.is_paused:
        repository.update_category(session, row.id, is_paused=True)
    return decision


def _require_amount(amount_minor: int, *, field: str, smallest: int) -> None:
    if not smallest <= amount_minor <= MAX_AMOUNT_MINOR:
        raise InvalidError(
            f"{field} is {amount_minor}, expected {smallest} to {MAX_AMOUNT_MINOR}", field=field
        )


def _require_minutes(minutes: int, *, smallest: int) -> None:
    if not smallest <= minutes <= MAX_MINUTES:
        raise InvalidError(f"minutes is {minutes}, expected {smallest} to {MAX_MINUTES}", field="minutes")


def _ensured_category(
    session: Session, workspace_id: str, category: str, *, for_update: bool = False
) -> Category:
    name = checked_text(category, field="category")
    repository.ensure_category(session, workspace_id, name)
    row = repository.get_category(session, workspace_id, name, for_update=for_update)
    if row is None:
        raise NotFoundError("spending category", name)
    return row
