"""Find every place in the OpenAPI document where a request may hold JSON of any shape, or text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Place = tuple[str | int, ...]
IsWanted = Callable[[dict[str, Any]], bool]

SHAPED = {"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf"}


def is_free(schema: dict[str, Any]) -> bool:
    """Whether a schema allows any JSON, or any object."""
    if schema.get("type") == "object":
        others = schema.get("additionalProperties", "properties" not in schema)
        return others is True and "patternProperties" not in schema
    return not SHAPED & schema.keys()


def is_text(schema: dict[str, Any]) -> bool:
    """Whether a schema allows a string."""
    return schema.get("type") == "string"


def places(
    document: dict[str, Any], schema: dict[str, Any], is_wanted: IsWanted, place: Place = ()
) -> Iterator[Place]:
    """Go through the places of a schema, and of the schemas that it contains, whose own schema is wanted."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from places(document, document["components"]["schemas"][name], is_wanted, place)
        return
    if is_wanted(schema):
        yield place
    inner = [(place, each) for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ())]
    inner += [((*place, name), each) for name, each in schema.get("properties", {}).items()]
    inner += [((*place, "any"), each) for each in schema.get("patternProperties", {}).values()]
    if isinstance(schema.get("additionalProperties"), dict):
        inner.append(((*place, "any"), schema["additionalProperties"]))
    if "items" in schema:
        inner.append(((*place, 0), schema["items"]))
    for where, each in inner:
        yield from places(document, each, is_wanted, where)


def nested(depth: int) -> dict[str, Any]:
    """Return an object of that many levels, one or more."""
    value: Any = 1
    for _ in range(depth - 1):
        value = [value]
    return {"a": value}


def put(body: Any, place: Place, value: Any) -> Any:
    """Return a body that has the value at that place; missing parents of the place are made."""
    if not place:
        return value
    step, *rest = place
    if isinstance(step, int):
        first, *others = body or [None]
        return [put(first, tuple(rest), value), *others]
    return {**(body or {}), step: put((body or {}).get(step), tuple(rest), value)}
