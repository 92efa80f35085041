"""Tables of budgets: projects and their tasks, spending categories and what is reserved in them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from atom.budgets.rules import BudgetStatus
from atom.db.base import Base, ForeignId, PrimaryId
from atom.db.types import str_enum
from atom.kit.money import MAX_AMOUNT_MINOR
from atom.kit.text import MAX_NAME

MAX_TOTAL_MINOR = 10**18
"""Above any sum of money, below the largest 64-bit integer: beyond it SQLite would turn to floats."""
MAX_MINUTES = 10_000_000
"""Some nineteen years on one task."""


class ReservationStatus(StrEnum):
    """What became of reserved money; all but the first are final."""

    HELD = "held"
    SETTLED = "settled"
    RELEASED = "released"


class Project(Base):
    """A project with a budget; burn and status are as of the last time they were computed."""

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint(f"budget_minor BETWEEN 0 AND {MAX_AMOUNT_MINOR}", name="budget_minor"),
        Index(None, "workspace_id", "created_at", "id"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    budget_minor: Mapped[int] = mapped_column(BigInteger)
    actual_burn_minor: Mapped[int] = mapped_column(BigInteger)
    budget_status: Mapped[BudgetStatus] = mapped_column(str_enum(BudgetStatus, name="budget_status"))
    created_at: Mapped[datetime]


class ProjectTask(Base):
    """Work on a project; minutes instead of hours, so that its cost is exact."""

    __tablename__ = "project_tasks"
    __table_args__ = (
        CheckConstraint(f"actual_minutes BETWEEN 0 AND {MAX_MINUTES}", name="actual_minutes"),
        Index(None, "project_id", "id"),
    )

    id: Mapped[PrimaryId]
    project_id: Mapped[ForeignId] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(MAX_NAME))
    assigned_to: Mapped[ForeignId | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), index=True
    )
    actual_minutes: Mapped[int] = mapped_column(BigInteger)


class SpendCategory(Base):
    """What a workspace spends money on: its limit, what is spent, what is reserved and not yet spent."""

    __tablename__ = "spend_categories"
    __table_args__ = (
        UniqueConstraint("workspace_id", "name"),
        UniqueConstraint("id", "workspace_id"),
        CheckConstraint(f"limit_minor BETWEEN 0 AND {MAX_AMOUNT_MINOR}", name="limit_minor"),
        CheckConstraint(f"spent_minor BETWEEN 0 AND {MAX_TOTAL_MINOR}", name="spent_minor"),
        CheckConstraint(f"reserved_minor BETWEEN 0 AND {MAX_TOTAL_MINOR}", name="reserved_minor"),
        CheckConstraint("reserved_minor <= limit_minor", name="reserved_within_limit"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    limit_minor: Mapped[int | None] = mapped_column(BigInteger)
    spent_minor: Mapped[int] = mapped_column(BigInteger)
    reserved_minor: Mapped[int] = mapped_column(BigInteger)
    is_paused: Mapped[bool]
    required_deal_stage: Mapped[str | None] = mapped_column(String(MAX_NAME))
    required_milestone: Mapped[str | None] = mapped_column(String(MAX_NAME))


class SpendReservation(Base):
    """Money set aside in a category until it is spent or given back."""

    __tablename__ = "spend_reservations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["category_id", "workspace_id"],
            ["spend_categories.id", "spend_categories.workspace_id"],
            ondelete="CASCADE",
        ),
        CheckConstraint(f"amount_minor BETWEEN 1 AND {MAX_AMOUNT_MINOR}", name="amount_minor"),
        CheckConstraint("spent_minor BETWEEN 0 AND amount_minor", name="spent_minor"),
        CheckConstraint("(status = 'settled') = (spent_minor IS NOT NULL)", name="settled"),
        CheckConstraint("(status = 'held') = (ended_at IS NULL)", name="ended"),
        Index(None, "category_id", "workspace_id"),
        Index(None, "workspace_id", "created_at", "id"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId]
    category_id: Mapped[ForeignId]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    spent_minor: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[ReservationStatus] = mapped_column(str_enum(ReservationStatus, name="status"))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
