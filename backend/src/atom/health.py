"""`/live` and `/ready`: whether the process answers, and whether it can do its work. Neither takes a key."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from atom.db import migrate
from atom.identity.access import Gateway
from atom.web.openapi import operation_id
from atom.web.problems import problem_responses

router = APIRouter(
    tags=["health"], generate_unique_id_function=operation_id, responses=problem_responses(500, 503)
)


class LiveResponse(BaseModel):
    """The process answers."""

    status: str


class ReadyResponse(BaseModel):
    """The service answers, and its database too."""

    status: str
    database: str
    migration: str


@router.get("/live")
async def read_live() -> LiveResponse:
    """Answer without using the database; restart the process if this fails."""
    return LiveResponse(status="ok")


@router.get("/ready")
async def read_ready(request: Request) -> ReadyResponse:
    """Read from the database; 503 while it does not answer or its tables have another version."""
    engine, gateway = request.app.state.engine, request.app.state.gateway
    assert isinstance(gateway, Gateway)
    await gateway.read(migrate.require_head, is_short=True)
    return ReadyResponse(status="ok", database=engine.dialect.name, migration=migrate.head())


@router.get("/health")
async def read_health(request: Request) -> ReadyResponse:
    """Answer what `/ready` answers, under an older name."""
    return await read_ready(request)
