"""A service that splits bills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

bills: dict[str, int] = {}


async def add(request: Request) -> JSONResponse:
    """Add an amount to a bill."""
    body = await request.json()
    if not isinstance(body.get("amount"), int) or body["amount"] < 0:
        return JSONResponse({"error": "an amount is a whole number of cents"}, 422)
    name = request.path_params["name"]
    bills[name] = bills.get(name, 0) + body["amount"]
    return JSONResponse({"total": bills[name]}, 201)


def read(request: Request) -> JSONResponse:
    """Return a bill; it is read in a thread."""
    name = request.path_params["name"]
    if name not in bills:
        return JSONResponse({"error": "no such bill"}, 404)
    return JSONResponse({"total": bills[name]})


app = Starlette(
    routes=[
        Route("/bills/{name}", add, methods=["POST"]),
        Route("/bills/{name}", read, methods=["GET"]),
    ]
)
