"""
The service as `api.py` loads it: the product, and beside it a trivial FastAPI application to compare it with.

The trivial application has one GET and no middleware but FastAPI's own. Both are behind the same uvicorn with
the product's options, so that their requests differ in nothing but what the application does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from atom.app import create_app
from atom.server import options_of
from atom.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

TRIVIAL_PATH = "/trivial"


class Beside:
    """ASGI application that gives one path to the trivial application and everything else to the product."""

    def __init__(self, product: ASGIApp, trivial: ASGIApp) -> None:
        self._product = product
        self._trivial = trivial

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        is_trivial = scope["type"] == "http" and scope["path"] == TRIVIAL_PATH
        await (self._trivial if is_trivial else self._product)(scope, receive, send)


def trivial_application() -> FastAPI:
    """Return an application that answers a dictionary."""
    app = FastAPI()

    @app.get(TRIVIAL_PATH)
    async def read_trivial() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main() -> None:
    """Serve by the environment, as `atom serve --no-migrate --quiet` does."""
    settings = Settings.from_environment(os.environ)
    application = Beside(create_app(settings), trivial_application())
    uvicorn.run(application, **options_of(settings, is_quiet=True))


if __name__ == "__main__":
    main()
