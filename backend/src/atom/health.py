"""`/health`: whether the service can do its work."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import text

from atom.db import migrate
from atom.web.problems import problem_responses

router = APIRouter(tags=["health"], responses=problem_responses(500, 503))


class HealthResponse(BaseModel):
    """The service answers, and its database too."""

    status: str
    database: str
    migration: str


@router.get("/health")
def read_health(request: Request) -> HealthResponse:
    """Ask the database; 503 when it does not answer or stands at another migration."""
    engine = request.app.state.engine
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    migrate.require_head(engine)
    return HealthResponse(status="ok", database=engine.dialect.name, migration=migrate.head())
