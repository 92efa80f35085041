"""Routes of identity: a workspace's API keys, for its admins."""

from __future__ import annotations

from fastapi import APIRouter, status

from atom.identity import keys
from atom.identity.access import Administering
from atom.identity.schemas import KeyRequest, KeyResponse, NewKeyResponse
from atom.web.problems import problem_responses

router = APIRouter(prefix="/v1/keys", tags=["keys"], responses=problem_responses(401, 403, 503))


@router.post("", status_code=status.HTTP_201_CREATED, responses=problem_responses(413, 422))
def create_key(request: KeyRequest, unit: Administering) -> NewKeyResponse:
    """Make a key; its secret is in this answer and nowhere else."""
    made = keys.create_key(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        name=request.name,
        scope=request.scope,
        expires_at=request.expires_at,
    )
    return NewKeyResponse(**KeyResponse.model_validate(made.key).model_dump(), secret=made.secret)


@router.get("")
def list_keys(unit: Administering) -> list[KeyResponse]:
    """List the keys of the workspace, revoked ones too."""
    found = keys.list_keys(unit.session, workspace_id=unit.workspace_id)
    return [KeyResponse.model_validate(key) for key in found]


@router.delete("/{key_id}", responses=problem_responses(404, 422))
def revoke_key(key_id: str, unit: Administering) -> KeyResponse:
    """Revoke a key; its row stays as history."""
    key = keys.revoke_key(unit.session, unit.clock, workspace_id=unit.workspace_id, key_id=key_id)
    return KeyResponse.model_validate(key)
