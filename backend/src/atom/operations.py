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
from starlette.exceptions import HTTPException

from atom.db.session import connections_in_use
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
    gateway, in_use = request.app.state.gateway, connections_in_use(request.app.state.engine)
    assert isinstance(gateway, Gateway)
    reading, writing = gateway.reading_threads, gateway.writing_threads
    usage = resource.getrusage(resource.RUSAGE_SELF)
    gauges = {
        "atom_reading_requests": ("Threads that read.", reading.n_running),
        "atom_reading_requests_waiting": ("Requests that wait for one.", reading.n_waiting),
        "atom_writing_requests": ("Threads that write, or wait for their turn to.", writing.n_running),
        "atom_writing_requests_waiting": ("Requests that wait for one.", writing.n_waiting),
        "process_cpu_seconds": ("CPU time of this process.", usage.ru_utime + usage.ru_stime),
        "process_max_resident_bytes": ("The most memory it held.", usage.ru_maxrss * BYTES_PER_UNIT),
        "process_start_time_seconds": ("When it started, in seconds of the Unix clock.", STARTED_AT_S),
        "process_id": ("Its number: with several workers each answers for itself.", os.getpid()),
    }
    if in_use is not None:
        gauges["atom_database_connections"] = ("Connections to the database in use.", in_use)
    return gauges
