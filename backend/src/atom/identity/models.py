"""Tables of identity: workspaces, their users and their API keys."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from atom.db.base import Base, ForeignId, PrimaryId
from atom.db.types import str_enum


class WorkspaceStatus(StrEnum):
    """Where a workspace stands with its subscription."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    TRIAL = "trial"
    EXPIRED = "expired"


class UserRole(StrEnum):
    """What a user is in the workspace."""

    SUPER_ADMIN = "super_admin"
    SECURITY_ADMIN = "security_admin"
    WORKSPACE_ADMIN = "workspace_admin"
    WORKFLOW_ADMIN = "workflow_admin"
    AUTOMATION_ADMIN = "automation_admin"
    INTEGRATION_ADMIN = "integration_admin"
    COMPLIANCE_ADMIN = "compliance_admin"
    TEAM_LEAD = "team_lead"
    MEMBER = "member"
    GUEST = "guest"


class ApiKeyScope(StrEnum):
    """What an API key may do; each scope includes the ones before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Workspace(Base):
    """The tenant: no row of one is visible to another."""

    __tablename__ = "workspaces"

    id: Mapped[PrimaryId]
    name: Mapped[str]
    status: Mapped[WorkspaceStatus] = mapped_column(
        str_enum(WorkspaceStatus, name="status"), default=WorkspaceStatus.ACTIVE
    )


class User(Base):
    """A person of a workspace; another workspace may know somebody of the same address."""

    __tablename__ = "users"
    UNIQUE_EMAIL = UniqueConstraint("workspace_id", "email")
    __table_args__ = (
        UNIQUE_EMAIL,
        CheckConstraint("hourly_cost_rate_minor >= 0", name="hourly_cost_rate"),
        Index(None, "workspace_id", "id"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    email: Mapped[str]
    role: Mapped[UserRole] = mapped_column(str_enum(UserRole, name="role"), default=UserRole.MEMBER)
    specialty: Mapped[str | None]
    hourly_cost_rate_minor: Mapped[int] = mapped_column(BigInteger, default=0)


class ApiKey(Base):
    """A credential of a workspace or of one of its people; of the secret only its SHA-256 is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (Index(None, "workspace_id", "created_at", "id"),)

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[ForeignId | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[ApiKeyScope] = mapped_column(str_enum(ApiKeyScope, name="scope"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class IdempotentRequest(Base):
    """A request that its sender named, and the answer that it gets whenever it is sent again."""

    __tablename__ = "idempotent_requests"
    __table_args__ = (
        CheckConstraint("(status IS NULL) = (body IS NULL)", name="answered"),
        Index(None, "workspace_id", "created_at"),
    )

    workspace_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    status: Mapped[int | None]
    body: Mapped[bytes | None]
