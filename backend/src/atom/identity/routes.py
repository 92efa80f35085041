"""Routes of identity: a workspace's API keys and users."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, status

from atom.identity import keys, users
from atom.identity.access import Administering, DomainRouter, Reading
from atom.identity.schemas import KeyRequest, KeyResponse, NewKeyResponse, UserRequest, UserResponse
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import Id, IdPageQuery, PageAnswer

router = DomainRouter(prefix="/v1")


@router.post(
    "/keys", status_code=status.HTTP_201_CREATED, tags=["keys"], responses=problem_responses(*WITH_BODY)
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
def list_keys(unit: Administering) -> list[KeyResponse]:
    """List the keys of the workspace, revoked ones too."""
    found = keys.list_keys(unit.session, workspace_id=unit.workspace_id)
    return [KeyResponse.model_validate(key) for key in found]


@router.delete("/keys/{key_id}", tags=["keys"], responses=problem_responses(404))
def revoke_key(key_id: Id, unit: Administering) -> KeyResponse:
    """Revoke a key; its row stays as history."""
    key = keys.revoke_key(unit.session, unit.clock, workspace_id=unit.workspace_id, key_id=key_id)
    return KeyResponse.model_validate(key)


@router.post(
    "/users",
    status_code=status.HTTP_201_CREATED,
    tags=["users"],
    responses=problem_responses(*WITH_BODY, 409),
)
def create_user(request: UserRequest, unit: Administering) -> UserResponse:
    """Write a user down, under an address that the workspace does not have yet."""
    user = users.create_user(unit.session, workspace_id=unit.workspace_id, **request.model_dump())
    return UserResponse.model_validate(user)


@router.get("/users", tags=["users"])
def list_users(query: Annotated[IdPageQuery, Query()], unit: Reading) -> PageAnswer[UserResponse]:
    """List the users of the workspace."""
    page = users.list_users(
        unit.session, workspace_id=unit.workspace_id, limit=query.limit, after=query.cursor
    )
    return PageAnswer.of(page, UserResponse.model_validate)


@router.get("/users/{user_id}", tags=["users"], responses=problem_responses(404))
def read_user(user_id: Id, unit: Reading) -> UserResponse:
    """Return a user."""
    user = users.get_user(unit.session, workspace_id=unit.workspace_id, user_id=user_id)
    return UserResponse.model_validate(user)
