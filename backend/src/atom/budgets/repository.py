"""Every query of budgets, each statement built once; each names the workspace, none commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    String,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from atom.budgets.models import (
    MAX_MINUTES,
    MAX_TOTAL_MINOR,
    Project,
    ProjectTask,
    ReservationStatus,
    SpendCategory,
    SpendReservation,
)
from atom.budgets.rows import Category, ProjectBudget, Reservation, Task
from atom.db.direct import fetch
from atom.db.rows import RowsOf
from atom.db.statements import rows_changed, table_of, upsert
from atom.db.sums import whole_sum
from atom.db.types import UtcDateTime
from atom.identity.models import User
from atom.ledger.models import Account, JournalEntry, Transaction, TransactionStatus
from atom.ledger.postings import DEFAULT_CURRENCY, AccountType, Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Table
    from sqlalchemy.orm import Session

    from atom.kit.pagination import PageRequest

Projects = table_of(Project)
Tasks = table_of(ProjectTask)
Categories = table_of(SpendCategory)
Reservations = table_of(SpendReservation)
Users = table_of(User)
Transactions = table_of(Transaction)
Entries = table_of(JournalEntry)
Accounts = table_of(Account)

PROJECT = RowsOf(ProjectBudget, Projects, status="budget_status")
TASK = RowsOf(Task, Tasks)
CATEGORY = RowsOf(Category, Categories)

ADD_PROJECT: Final = insert(Projects)
GET_PROJECT: Final = select(*PROJECT.columns).where(
    Projects.c.id == bindparam("project"), Projects.c.workspace_id == bindparam("workspace")
)
LIST_PROJECTS: Final = (
    select(*PROJECT.columns)
    .where(Projects.c.workspace_id == bindparam("workspace"))
    .order_by(Projects.c.created_at.desc(), Projects.c.id.desc())
    .limit(bindparam("limit"))
)
LIST_PROJECTS_AFTER: Final = LIST_PROJECTS.where(
    tuple_(Projects.c.created_at, Projects.c.id)
    < tuple_(bindparam("at", type_=UtcDateTime()), bindparam("after", type_=String()))
)
UPDATE_PROJECT: Final = update(Projects).where(Projects.c.id == bindparam("project"))
ADD_TASK: Final = insert(Tasks)
LIST_TASKS: Final = (
    select(*TASK.columns)
    .where(Tasks.c.project_id == bindparam("project"))
    .order_by(Tasks.c.id)
    .limit(bindparam("limit"))
)
LIST_TASKS_AFTER: Final = LIST_TASKS.where(Tasks.c.id > bindparam("after"))
GET_TASK: Final = select(*TASK.columns).where(
    Tasks.c.id == bindparam("task"), Tasks.c.project_id == bindparam("project")
)
ADD_MINUTES: Final = (
    update(Tasks)
    .where(
        Tasks.c.id == bindparam("task"),
        Tasks.c.project_id == bindparam("project"),
        Tasks.c.actual_minutes + bindparam("minutes") <= MAX_MINUTES,
    )
    .values(actual_minutes=Tasks.c.actual_minutes + bindparam("minutes"))
)
RATE: Final = func.coalesce(Users.c.hourly_cost_rate_minor, 0).label("rate")
MINUTES_BY_RATE: Final = (
    select(RATE, whole_sum(Tasks.c.actual_minutes))
    .outerjoin_from(Tasks, Users, Users.c.id == Tasks.c.assigned_to)
    .where(Tasks.c.project_id == bindparam("project"))
    .group_by(Users.c.hourly_cost_rate_minor)
)
SIGNED_AMOUNT: Final = case(
    (Entries.c.side == Side.DEBIT, Entries.c.amount_minor), else_=-Entries.c.amount_minor
)
NET_EXPENSE: Final = (
    select(whole_sum(SIGNED_AMOUNT))
    .select_from(Transactions)
    .join(Entries, Entries.c.transaction_id == Transactions.c.id)
    .join(Accounts, Accounts.c.id == Entries.c.account_id)
    .where(
        Transactions.c.workspace_id == bindparam("workspace"),
        Transactions.c.project_id == bindparam("project"),
        Transactions.c.status == TransactionStatus.POSTED,
        Transactions.c.currency == DEFAULT_CURRENCY,
        Accounts.c.type == AccountType.EXPENSE,
    )
)
GET_CATEGORY: Final = select(*CATEGORY.columns).where(
    Categories.c.workspace_id == bindparam("workspace"), Categories.c.name == bindparam("category")
)
GET_CATEGORY_FOR_UPDATE: Final = GET_CATEGORY.with_for_update()
LIST_CATEGORIES: Final = (
    select(*CATEGORY.columns)
    .where(Categories.c.workspace_id == bindparam("workspace"))
    .order_by(Categories.c.name)
    .limit(bindparam("limit"))
)
LIST_CATEGORIES_AFTER: Final = LIST_CATEGORIES.where(Categories.c.name > bindparam("after"))
UPDATE_CATEGORY: Final = update(Categories).where(Categories.c.id == bindparam("category"))
TAKE: Final = (
    update(Categories)
    .where(
        Categories.c.id == bindparam("category"),
        or_(
            Categories.c.limit_minor.is_(None),
            and_(
                Categories.c.is_paused.is_(False),
                Categories.c.spent_minor + Categories.c.reserved_minor + bindparam("amount")
                <= Categories.c.limit_minor,
            ),
        ),
    )
    .values(reserved_minor=Categories.c.reserved_minor + bindparam("amount"))
)
SPEND: Final = (
    update(Categories)
    .where(
        Categories.c.id == bindparam("category"),
        Categories.c.spent_minor + bindparam("spent") <= MAX_TOTAL_MINOR,
    )
    .values(
        spent_minor=Categories.c.spent_minor + bindparam("spent"),
        reserved_minor=Categories.c.reserved_minor - bindparam("given_back"),
    )
)
ADD_RESERVATION: Final = insert(Reservations)
RESERVATION: Final = RowsOf(Reservation, Reservations, category=Categories.c.name)
RESERVATIONS: Final = (
    select(*RESERVATION.columns)
    .join_from(Reservations, Categories, Categories.c.id == Reservations.c.category_id)
    .where(Reservations.c.workspace_id == bindparam("workspace"))
)
GET_RESERVATION: Final = RESERVATIONS.where(Reservations.c.id == bindparam("reservation"))
END_RESERVATION: Final = update(Reservations).where(
    Reservations.c.id == bindparam("reservation"), Reservations.c.status == ReservationStatus.HELD
)


def add_project(session: Session, workspace_id: str, project: ProjectBudget) -> None:
    """Write a project."""
    session.connection().execute(ADD_PROJECT, {"workspace_id": workspace_id, **PROJECT.values(project)})


def get_project(session: Session, workspace_id: str, project_id: str) -> ProjectBudget | None:
    """Return a project of the workspace."""
    parameters = {"project": project_id, "workspace": workspace_id}
    return PROJECT.one(fetch(session.connection(), GET_PROJECT, parameters))


def list_projects(session: Session, workspace_id: str, page: PageRequest) -> list[ProjectBudget]:
    """Return projects of the workspace, the newest first: one more than a page holds, if there is one."""
    values: dict[str, Any] = {"workspace": workspace_id, "limit": page.limit + 1}
    if page.after is None:
        return PROJECT.all(fetch(session.connection(), LIST_PROJECTS, values))
    values |= {"at": page.after.at, "after": page.after.id}
    return PROJECT.all(fetch(session.connection(), LIST_PROJECTS_AFTER, values))


def update_project(session: Session, project: ProjectBudget, *names: str) -> None:
    """Write some fields of a project."""
    session.connection().execute(UPDATE_PROJECT, {"project": project.id, **PROJECT.changes(project, names)})


def add_task(session: Session, task: Task) -> None:
    """Write a task of a project."""
    session.connection().execute(ADD_TASK, TASK.values(task))


def get_task(session: Session, project_id: str, task_id: str) -> Task | None:
    """Return a task of the project."""
    return TASK.one(fetch(session.connection(), GET_TASK, {"task": task_id, "project": project_id}))


def list_tasks(session: Session, project_id: str, *, limit: int, after: str | None) -> list[Task]:
    """Return tasks of a project in the order of their ids."""
    statement = LIST_TASKS if after is None else LIST_TASKS_AFTER
    parameters = {"project": project_id, "limit": limit, "after": after}
    return TASK.all(fetch(session.connection(), statement, parameters))


def add_minutes(session: Session, project_id: str, task_id: str, minutes: int) -> bool:
    """Add to the minutes of a task; return whether the project has it, and the task has room for them."""
    return (
        rows_changed(session, ADD_MINUTES, {"task": task_id, "project": project_id, "minutes": minutes}) == 1
    )


def minutes_by_rate(session: Session, project_id: str) -> list[tuple[int, int]]:
    """Return the minutes worked on a project at each hourly rate; the rate of nobody is 0."""
    return [
        (rate, minutes)
        for rate, minutes in session.connection().execute(MINUTES_BY_RATE, {"project": project_id})
    ]


def net_expense_minor(session: Session, workspace_id: str, project_id: str) -> int:
    """
    Return what the ledger says a project cost: its posted debits of expense accounts less the credits.

    A bill counts when it is booked and not once more when it is paid; its reversal takes it back. Budgets are
    kept in the default currency; other currencies are not converted and do not count.
    """
    parameters = {"workspace": workspace_id, "project": project_id}
    return session.connection().scalars(NET_EXPENSE, parameters).one()


def ensure_category(session: Session, workspace_id: str, name: str) -> None:
    """Write the category without a limit, unless the workspace has it."""
    values = {
        "workspace_id": workspace_id,
        "name": name,
        "spent_minor": 0,
        "reserved_minor": 0,
        "is_paused": False,
    }
    session.connection().execute(_ensure_category(session), values)


def get_category(
    session: Session, workspace_id: str, name: str, *, for_update: bool = False
) -> Category | None:
    """Return a category of the workspace; `for_update` keeps others from it until the transaction ends."""
    statement = GET_CATEGORY_FOR_UPDATE if for_update else GET_CATEGORY
    parameters = {"workspace": workspace_id, "category": name}
    return CATEGORY.one(fetch(session.connection(), statement, parameters))


def list_categories(session: Session, workspace_id: str, *, limit: int, after: str | None) -> list[Category]:
    """Return categories of the workspace by name."""
    statement = LIST_CATEGORIES if after is None else LIST_CATEGORIES_AFTER
    parameters = {"workspace": workspace_id, "limit": limit, "after": after}
    return CATEGORY.all(fetch(session.connection(), statement, parameters))


def update_category(session: Session, category_id: str, **values: Any) -> None:
    """Change a category."""
    session.connection().execute(UPDATE_CATEGORY, {"category": category_id, **values})


def take(session: Session, category_id: str, amount_minor: int) -> bool:
    """Reserve an amount if, at this moment, it fits; return whether it did."""
    return rows_changed(session, TAKE, {"category": category_id, "amount": amount_minor}) == 1


def spend(session: Session, category_id: str, *, spent_minor: int, reserved_minor: int = 0) -> bool:
    """Count money as spent, and money as no longer reserved; return False if the total would be too large."""
    parameters = {"category": category_id, "spent": spent_minor, "given_back": reserved_minor}
    return rows_changed(session, SPEND, parameters) == 1


def add_reservation(session: Session, workspace_id: str, reservation: Reservation) -> None:
    """Write a reservation."""
    values = RESERVATION.values(reservation)
    session.connection().execute(ADD_RESERVATION, {"workspace_id": workspace_id, **values})


def get_reservation(session: Session, workspace_id: str, reservation_id: str) -> Reservation | None:
    """Return a reservation of the workspace."""
    parameters = {"reservation": reservation_id, "workspace": workspace_id}
    return RESERVATION.one(fetch(session.connection(), GET_RESERVATION, parameters))


def list_reservations(
    session: Session,
    workspace_id: str,
    page: PageRequest,
    *,
    category: str | None,
    status: ReservationStatus | None,
) -> list[Reservation]:
    """Return reservations of the workspace, the newest first: one more than a page holds, if there is one."""
    query = RESERVATIONS.order_by(Reservations.c.created_at.desc(), Reservations.c.id.desc())
    if category is not None:
        query = query.where(Categories.c.name == category)
    if status is not None:
        query = query.where(Reservations.c.status == status)
    if page.after is not None:
        place = tuple_(Reservations.c.created_at, Reservations.c.id)
        query = query.where(place < tuple_(page.after.at, page.after.id))
    return RESERVATION.all(
        session.connection().execute(query.limit(page.limit + 1), {"workspace": workspace_id})
    )


def end_reservation(session: Session, ended: Reservation) -> bool:
    """End a reservation if it is held; return whether it was."""
    values = RESERVATION.changes(ended, ("status", "spent_minor", "ended_at"))
    return rows_changed(session, END_RESERVATION, {"reservation": ended.id, **values}) == 1


@upsert
def _ensure_category(insert: Callable[[Table], Any]) -> Any:
    return insert(Categories).on_conflict_do_nothing(index_elements=["workspace_id", "name"])
