"""Every query of budgets, each statement built once; each names the workspace, none commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Row,
    String,
    and_,
    bindparam,
    case,
    cast,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from atom.budgets.models import Project, ProjectTask, ReservationStatus, SpendCategory, SpendReservation
from atom.db.statements import rows_changed, table_of, upsert
from atom.db.types import UtcDateTime
from atom.identity.models import User
from atom.ledger.models import Account, JournalEntry, Transaction, TransactionStatus
from atom.ledger.postings import DEFAULT_CURRENCY, AccountType, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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

ADD_PROJECT: Final = insert(Projects)
GET_PROJECT: Final = select(Projects).where(
    Projects.c.id == bindparam("project"), Projects.c.workspace_id == bindparam("workspace")
)
LIST_PROJECTS: Final = (
    select(Projects)
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
ADD_MINUTES: Final = (
    update(Tasks)
    .where(Tasks.c.id == bindparam("task"), Tasks.c.project_id == bindparam("project"))
    .values(actual_minutes=Tasks.c.actual_minutes + bindparam("minutes"))
)
RATE: Final = func.coalesce(Users.c.hourly_cost_rate_minor, 0).label("rate")
MINUTES_BY_RATE: Final = (
    select(RATE, cast(func.sum(Tasks.c.actual_minutes), BigInteger))
    .outerjoin_from(Tasks, Users, Users.c.id == Tasks.c.assigned_to)
    .where(Tasks.c.project_id == bindparam("project"))
    .group_by(Users.c.hourly_cost_rate_minor)
)
SIGNED_AMOUNT: Final = case(
    (Entries.c.side == Side.DEBIT, Entries.c.amount_minor), else_=-Entries.c.amount_minor
)
NET_EXPENSE: Final = (
    select(cast(func.coalesce(func.sum(SIGNED_AMOUNT), 0), BigInteger))
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
GET_CATEGORY: Final = select(Categories).where(
    Categories.c.workspace_id == bindparam("workspace"), Categories.c.name == bindparam("category")
)
GET_CATEGORY_FOR_UPDATE: Final = GET_CATEGORY.with_for_update()
LIST_CATEGORIES: Final = (
    select(Categories).where(Categories.c.workspace_id == bindparam("workspace")).order_by(Categories.c.name)
)
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
    .where(Categories.c.id == bindparam("category"))
    .values(
        spent_minor=Categories.c.spent_minor + bindparam("spent"),
        reserved_minor=Categories.c.reserved_minor - bindparam("given_back"),
    )
)
ADD_RESERVATION: Final = insert(Reservations)
GET_RESERVATION: Final = select(Reservations).where(
    Reservations.c.id == bindparam("reservation"), Reservations.c.workspace_id == bindparam("workspace")
)
END_RESERVATION: Final = update(Reservations).where(
    Reservations.c.id == bindparam("reservation"), Reservations.c.status == ReservationStatus.HELD
)


def add_project(session: Session, values: Mapping[str, Any]) -> None:
    """Write a project."""
    session.connection().execute(ADD_PROJECT, dict(values))


def get_project(session: Session, workspace_id: str, project_id: str) -> Row[Any] | None:
    """Return a project of the workspace."""
    return (
        session.connection()
        .execute(GET_PROJECT, {"project": project_id, "workspace": workspace_id})
        .one_or_none()
    )


def list_projects(session: Session, workspace_id: str, page: PageRequest) -> list[Row[Any]]:
    """Return projects of the workspace, the newest first: one more than a page holds, if there is one."""
    values: dict[str, Any] = {"workspace": workspace_id, "limit": page.limit + 1}
    if page.after is None:
        return list(session.connection().execute(LIST_PROJECTS, values))
    values |= {"at": page.after.at, "after": page.after.id}
    return list(session.connection().execute(LIST_PROJECTS_AFTER, values))


def update_project(session: Session, project_id: str, **values: Any) -> None:
    """Change a project."""
    session.connection().execute(UPDATE_PROJECT, {"project": project_id, **values})


def add_task(session: Session, values: Mapping[str, Any]) -> None:
    """Write a task of a project."""
    session.connection().execute(ADD_TASK, dict(values))


def add_minutes(session: Session, project_id: str, task_id: str, minutes: int) -> bool:
    """Add to the minutes of a task; return whether the project has it."""
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
    return int(
        session.connection().scalars(NET_EXPENSE, {"workspace": workspace_id, "project": project_id}).one()
    )


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
) -> Row[Any] | None:
    """Return a category of the workspace; `for_update` keeps others from it until the transaction ends."""
    statement = GET_CATEGORY_FOR_UPDATE if for_update else GET_CATEGORY
    return (
        session.connection().execute(statement, {"workspace": workspace_id, "category": name}).one_or_none()
    )


def list_categories(session: Session, workspace_id: str) -> list[Row[Any]]:
    """Return the workspace's categories by name."""
    return list(session.connection().execute(LIST_CATEGORIES, {"workspace": workspace_id}))


def update_category(session: Session, category_id: str, **values: Any) -> None:
    """Change a category."""
    session.connection().execute(UPDATE_CATEGORY, {"category": category_id, **values})


def take(session: Session, category_id: str, amount_minor: int) -> bool:
    """Reserve an amount if, at this moment, it fits; return whether it did."""
    return rows_changed(session, TAKE, {"category": category_id, "amount": amount_minor}) == 1


def spend(session: Session, category_id: str, *, spent_minor: int, reserved_minor: int = 0) -> None:
    """Count money as spent and, with it, money as no longer reserved."""
    parameters = {"category": category_id, "spent": spent_minor, "given_back": reserved_minor}
    session.connection().execute(SPEND, parameters)


def add_reservation(session: Session, values: Mapping[str, Any]) -> None:
    """Write a reservation."""
    session.connection().execute(ADD_RESERVATION, dict(values))


def get_reservation(session: Session, workspace_id: str, reservation_id: str) -> Row[Any] | None:
    """Return a reservation of the workspace."""
    parameters = {"reservation": reservation_id, "workspace": workspace_id}
    return session.connection().execute(GET_RESERVATION, parameters).one_or_none()


def end_reservation(session: Session, reservation_id: str, **values: Any) -> bool:
    """Change a reservation that is held; return whether it was."""
    return rows_changed(session, END_RESERVATION, {"reservation": reservation_id, **values}) == 1


@upsert
def _ensure_category(insert: Callable[[Table], Any]) -> Any:
    return insert(Categories).on_conflict_do_nothing(index_elements=["workspace_id", "name"])
