"""`/metrics`: the figures of this process, for Prometheus; who asks shows the token of the settings."""

from __future__ import annotations

import os
import resource
import secrets
import sys
import time
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import QueuePool
from starlette.exceptions import HTTPException

from atom.identity.access import Gateway
from atom.kit.errors import UnauthenticatedError
from atom.web.metrics import CONTENT_TYPE, RequestMetrics

router = APIRouter()

STARTED_AT_S = time.time()
BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024


@router.get("/metrics", include_in_schema=False)
async def read_metrics(request: Request) -> Response:
    """Return the figures; 404 if the settings name no token."""
    expected = request.app.state.metrics_token
    if expected is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    given = request.headers.get("authorization", "")
    if not secrets.compare_digest(given.encode(), f"Bearer {expected}".encode()):
        raise UnauthenticatedError("the token of ATOM_METRICS_TOKEN is needed: `Authorization: Bearer ...`")
    metrics: RequestMetrics = request.app.state.metrics
    return PlainTextResponse(metrics.render(_gauges(request)), media_type=CONTENT_TYPE)


def _gauges(request: Request) -> dict[str, tuple[str, float]]:
    """Return what this process holds now, by name: meaning and value."""
    gateway, pool = request.app.state.gateway, request.app.state.engine.pool
    assert isinstance(gateway, Gateway)
    reading, writing = gateway.reading_threads.statistics(), gateway.writing_threads.statistics()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    gauges = {
        "atom_reading_requests": ("Threads that read.", reading.borrowed_tokens),
        "atom_reading_requests_waiting": ("Requests that wait for one.", reading.tasks_waiting),
        "atom_writing_requests": ("Threads that write, or wait for their turn to.", writing.borrowed_tokens),
        "atom_writing_requests_waiting": ("Requests that wait for one.", writing.tasks_waiting),
        "process_cpu_seconds": ("CPU time of this process.", usage.ru_utime + usage.ru_stime),
        "process_max_resident_bytes": ("The most memory it held.", usage.ru_maxrss * BYTES_PER_UNIT),
        "process_start_time_seconds": ("When it started, in seconds of the Unix clock.", STARTED_AT_S),
        "process_id": ("Its number: with several workers each answers for itself.", os.getpid()),
    }
    if isinstance(pool, QueuePool):
        gauges["atom_database_connections"] = ("Connections to the database in use.", pool.checkedout())
    return gauges
