"""Serving: the application in uvicorn, with a bound on everything that a client could take."""

from __future__ import annotations

import logging
import os
import resource
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn

from atom.app import create_app
from atom.kit.errors import InvalidError
from atom.settings import Settings
from atom.web.guard import ConnectionLimits, GuardedProtocol
from atom.web.logs import log_config

if TYPE_CHECKING:
    from fastapi import FastAPI

BACKLOG = 128
"""How many connections the system holds until they are taken; that many may be taken at once."""
FILES_PER_DATABASE_CONNECTION = 3
OTHER_FILES = 64
WORKER_TIMEOUT_S = 60
"""After how long a worker that says nothing is replaced: a busy machine takes seconds to start one."""

logger = logging.getLogger(__name__)


def application() -> FastAPI:
    """Return the application by the environment: what each of several worker processes calls."""
    return create_app(Settings.from_environment(os.environ))


def serve(settings: Settings, *, is_quiet: bool) -> None:
    """Serve until told to stop; requests that are being worked on then are answered first."""
    options = options_of(settings, is_quiet=is_quiet)
    if settings.workers > 1:
        uvicorn.run("atom.server:application", factory=True, workers=settings.workers, **options)
    else:
        uvicorn.run(create_app(settings), **options)


def options_of(settings: Settings, *, is_quiet: bool) -> dict[str, Any]:
    """Return the keyword arguments of `uvicorn.run`."""
    limits = ConnectionLimits(
        max_connections=_connections_that_fit(settings),
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        read_timeout_s=settings.read_timeout_s,
    )
    return {
        "host": settings.host,
        "port": settings.port,
        "http": partial(GuardedProtocol, limits=limits),
        "ws": "none",
        "backlog": BACKLOG,
        "timeout_keep_alive": settings.keep_alive_s,
        "timeout_graceful_shutdown": settings.stop_timeout_s,
        "timeout_worker_healthcheck": WORKER_TIMEOUT_S,
        "access_log": False,
        "server_header": False,
        "log_config": log_config(form=settings.log_format, is_quiet=is_quiet),
    }


def _connections_that_fit(settings: Settings) -> int:
    """Return how many connections there can be, after asking the system for the open files they take."""
    reserved = BACKLOG + OTHER_FILES + FILES_PER_DATABASE_CONNECTION * settings.database_connections
    needed = settings.max_connections + reserved
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        soft = needed
    if soft == resource.RLIM_INFINITY or soft >= settings.max_connections + reserved:
        return settings.max_connections
    if soft <= reserved:
        raise InvalidError(
            f"the system allows {soft} open files, {reserved} are needed beside the connections; "
            "raise the limit (`ulimit -n`, LimitNOFILE=), or lower ATOM_THREADS",
            field="ATOM_MAX_CONNECTIONS",
        )
    return soft - reserved
