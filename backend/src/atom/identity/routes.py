"""Routes of identity: a workspace's API keys and users."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Query, status

from atom.identity import export, keys, users, workspaces
from atom.identity.access import Administering, DomainRouter, ShortReading
from atom.identity.models import WorkspaceStatus
from atom.identity.schemas import (
    ExportResponse,
    KeyListQuery,
    KeyRequest,
    KeyResponse,
    NewKeyResponse,
    RotationRequest,
    UserChangeRequest,
    UserRequest,
    UserResponse,
    WorkspaceRequest,
    WorkspaceResponse,
)
from atom.identity.users import UserChange
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import Id, IdPageQuery, PageAnswer

router = DomainRouter(prefix="/v1")


@router.post(
    "/keys",
    status_code=status.HTTP_201_CREATED,
    tags=["keys"],
    responses=problem_responses(404, 409, *WITH_BODY),
)
def create_key(request: KeyRequest, unit: Administering) -> NewKeyResponse:
    """Make a key; its secret is in this answer and nowhere else."""
    made = keys.create_key(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        name=request.name,
        scope=request.scope,
        user_id=request.user_id,
        expires_at=request.expires_at,
    )
    return NewKeyResponse(**KeyResponse.model_validate(made.key).model_dump(), secret=made.secret)


@router.get("/keys", tags=["keys"])
def list_keys(query: Annotated[KeyListQuery, Query()], unit: Administering) -> PageAnswer[KeyResponse]:
    """List the keys of the workspace, or those of a person, the newest first, revoked ones too."""
    unit.uses.write(unit.session)
    page = keys.list_keys(
        unit.session, workspace_id=unit.workspace_id, user_id=query.user_id, page=query.page
    )
    return PageAnswer.of(page, KeyResponse.model_validate)


@router.delete("/keys/{key_id}", tags=["keys"], responses=problem_responses(404))
def revoke_key(key_id: Id, unit: Administering) -> KeyResponse:
    """Revoke a key; its row stays as history."""
    key = keys.revoke_key(unit.session, unit.clock, workspace_id=unit.workspace_id, key_id=key_id)
    return KeyResponse.model_validate(key)


@router.post(
    "/keys/{key_id}/rotation",
    status_code=status.HTTP_201_CREATED,
    tags=["keys"],
    responses=problem_responses(*WITH_BODY, 404, 409),
)
def rotate_key(key_id: Id, request: RotationRequest, unit: Administering) -> NewKeyResponse:
    """Replace a key by a new one; the old one stays valid for an overlap."""
    made = keys.rotate_key(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        key_id=key_id,
        overlap=timedelta(seconds=request.overlap_s),
    )
    return NewKeyResponse(**KeyResponse.model_validate(made.key).model_dump(), secret=made.secret)


@router.post(
    "/users",
    status_code=status.HTTP_201_CREATED,
    tags=["users"],
    responses=problem_responses(*WITH_BODY, 409),
)
def create_user(request: UserRequest, unit: Administering) -> UserResponse:
    """Add a user, with an address that the workspace does not have yet."""
    user = users.create_user(unit.session, workspace_id=unit.workspace_id, **request.model_dump())
    return UserResponse.model_validate(user)


@router.get("/users", tags=["users"])
def list_users(query: Annotated[IdPageQuery, Query()], unit: ShortReading) -> PageAnswer[UserResponse]:
    """List the users of the workspace."""
    page = users.list_users(
        unit.session, workspace_id=unit.workspace_id, limit=query.limit, after=query.cursor
    )
    return PageAnswer.of(page, UserResponse.model_validate)


@router.get("/users/{user_id}", tags=["users"], responses=problem_responses(404))
def read_user(user_id: Id, unit: ShortReading) -> UserResponse:
    """Return a user."""
    user = users.get_user(unit.session, workspace_id=unit.workspace_id, user_id=user_id)
    return UserResponse.model_validate(user)


@router.patch("/users/{user_id}", tags=["users"], responses=problem_responses(*WITH_BODY, 404, 409))
def update_user(user_id: Id, request: UserChangeRequest, unit: Administering) -> UserResponse:
    """Change a user; a field that is not sent stays as it is, and null removes the specialty."""
    given = request.model_dump(exclude_unset=True)
    change = UserChange(**given, forgets_specialty="specialty" in given and given["specialty"] is None)
    user = users.update_user(unit.session, workspace_id=unit.workspace_id, user_id=user_id, change=change)
    return UserResponse.model_validate(user)


@router.post("/users/{user_id}/anonymisation", tags=["users"], responses=problem_responses(404))
def anonymise_user(user_id: Id, unit: Administering) -> UserResponse:
    """Remove a user's personal data and revoke their keys; what they did stays, under an anonymous id."""
    user = users.anonymise_user(unit.session, unit.clock, workspace_id=unit.workspace_id, user_id=user_id)
    return UserResponse.model_validate(user)


@router.get("/users/{user_id}/export", tags=["users"], responses=problem_responses(404))
def export_user(user_id: Id, unit: Administering) -> ExportResponse:
    """Return all that the workspace holds about a user: every row that names them."""
    found = export.export_user(unit.session, workspace_id=unit.workspace_id, user_id=user_id)
    return ExportResponse.model_validate(found)


@router.get("/workspace", tags=["workspace"])
def read_workspace(unit: ShortReading) -> WorkspaceResponse:
    """Return the workspace that the key belongs to."""
    found = workspaces.get_workspace(unit.session, workspace_id=unit.workspace_id)
    return WorkspaceResponse.model_validate(found)


@router.patch("/workspace", tags=["workspace"], responses=problem_responses(*WITH_BODY))
def rename_workspace(request: WorkspaceRequest, unit: Administering) -> WorkspaceResponse:
    """Give the workspace another name."""
    found = workspaces.rename_workspace(unit.session, workspace_id=unit.workspace_id, name=request.name)
    return WorkspaceResponse.model_validate(found)


@router.post("/workspace/suspension", tags=["workspace"])
def suspend_workspace(unit: Administering) -> WorkspaceResponse:
    """Suspend the workspace: all its keys are refused, this one too, until `atom workspaces resume`."""
    found = workspaces.set_status(
        unit.session, workspace_id=unit.workspace_id, status=WorkspaceStatus.SUSPENDED
    )
    return WorkspaceResponse.model_validate(found)
