"""Where a request may say JSON of any shape: found in the OpenAPI document, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Place = tuple[str | int, ...]

SHAPED = {"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf"}


def free_places(document: dict[str, Any], schema: dict[str, Any], place: Place = ()) -> Iterator[Place]:
    """Go through the places of a schema whose value may be any JSON, or any object."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from free_places(document, document["components"]["schemas"][name], place)
        return
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from free_places(document, choice, place)
    if not SHAPED & schema.keys():
        yield place
    elif schema.get("type") == "object":
        yield from _places_in_object(document, schema, place)
    elif schema.get("type") == "array":
        yield from free_places(document, schema.get("items", {}), (*place, 0))


def _places_in_object(document: dict[str, Any], schema: dict[str, Any], place: Place) -> Iterator[Place]:
    for name, field in schema.get("properties", {}).items():
        yield from free_places(document, field, (*place, name))
    patterns = schema.get("patternProperties", {})
    for values in patterns.values():
        yield from free_places(document, values, (*place, "any"))
    others = schema.get("additionalProperties", not patterns and "properties" not in schema)
    if others is True:
        yield place
    elif isinstance(others, dict):
        yield from free_places(document, others, (*place, "any"))


def nested(depth: int) -> dict[str, Any]:
    """Return an object of that many levels, one or more."""
    value: Any = 1
    for _ in range(depth - 1):
        value = [value]
    return {"a": value}


def put(body: Any, place: Place, value: Any) -> Any:
    """Return a body that has the value at that place; what leads there is made if it is not there."""
    if not place:
        return value
    step, *rest = place
    if isinstance(step, int):
        first, *others = body or [None]
        return [put(first, tuple(rest), value), *others]
    return {**(body or {}), step: put((body or {}).get(step), tuple(rest), value)}
