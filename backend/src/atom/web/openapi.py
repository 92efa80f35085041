"""The OpenAPI document: names that stay, links, and problems as what they are, `application/problem+json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from atom.web.links import add_links
from atom.web.problems import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.routing import APIRoute


SECURITY_SCHEMES = {
    "ApiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "`Authorization: Bearer atom_...`, a workspace's API key",
    }
}
NEEDS_KEY: list[dict[str, list[str]]] = [{"ApiKey": []}]
"""The security of an operation that takes a key."""


def operation_id(route: APIRoute) -> str:
    """Return the name of the route's function: it outlives a change of the path."""
    return route.name


def complete_openapi(app: FastAPI) -> None:
    """Let the app's document define the problem that its responses refer to, and link its operations."""
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        document = made_by_fastapi()
        document["components"]["schemas"].update(_problem_schemas())
        document["components"]["securitySchemes"] = SECURITY_SCHEMES
        add_links(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way


def _problem_schemas() -> dict[str, Any]:
    _, schema = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    found: dict[str, Any] = schema["$defs"]
    return found
