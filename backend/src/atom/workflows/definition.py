"""A workflow as a JSON document and back; the document comes from outside, so every field is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atom.kit.errors import InvalidError
from atom.workflows.graph import Condition, Connection, Reference, Step, Workflow

if TYPE_CHECKING:
    from collections.abc import Mapping


def render_workflow(workflow: Workflow) -> dict[str, Any]:
    """Return the document that `parse_workflow` reads."""
    return {
        "steps": [
            {
                "id": step.id,
                "action": step.action,
                "inputs": {
                    name: {"key": reference.key, "step": reference.step}
                    for name, reference in step.inputs.items()
                },
            }
            for step in workflow.steps
        ],
        "connections": [
            {
                "source": connection.source,
                "target": connection.target,
                "condition": None
                if connection.condition is None
                else {"key": connection.condition.key, "equals": connection.condition.equals},
            }
            for connection in workflow.connections
        ],
    }


def parse_workflow(document: object) -> Workflow:
    """Return the workflow that a document describes."""
    fields = _object(document, "workflow", required={"steps"}, optional={"connections"})
    return Workflow(
        steps=tuple(
            _step(item, f"steps[{place}]") for place, item in enumerate(_list(fields["steps"], "steps"))
        ),
        connections=tuple(
            _connection(item, f"connections[{place}]")
            for place, item in enumerate(_list(fields.get("connections", []), "connections"))
        ),
    )


def _step(item: object, path: str) -> Step:
    fields = _object(item, path, required={"id", "action"}, optional={"inputs"})
    inputs = fields.get("inputs", {})
    if not isinstance(inputs, dict):
        raise InvalidError(f"{path}.inputs is not an object", field=f"{path}.inputs")
    return Step(
        id=_text(fields["id"], f"{path}.id"),
        action=_text(fields["action"], f"{path}.action"),
        inputs={name: _reference(value, f"{path}.inputs.{name}") for name, value in inputs.items()},
    )


def _reference(item: object, path: str) -> Reference:
    fields = _object(item, path, required={"key"}, optional={"step"})
    step = fields.get("step")
    return Reference(
        key=_text(fields["key"], f"{path}.key"), step=None if step is None else _text(step, f"{path}.step")
    )


def _connection(item: object, path: str) -> Connection:
    fields = _object(item, path, required={"source", "target"}, optional={"condition"})
    condition = fields.get("condition")
    return Connection(
        source=_text(fields["source"], f"{path}.source"),
        target=_text(fields["target"], f"{path}.target"),
        condition=None if condition is None else _condition(condition, f"{path}.condition"),
    )


def _condition(item: object, path: str) -> Condition:
    fields = _object(item, path, required={"key", "equals"}, optional=set())
    equals = fields["equals"]
    if equals is not None and not isinstance(equals, str | int):
        raise InvalidError(
            f"{path}.equals is not text, a whole number, true, false or null", field=f"{path}.equals"
        )
    return Condition(key=_text(fields["key"], f"{path}.key"), equals=equals)


def _object(item: object, path: str, *, required: set[str], optional: set[str]) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise InvalidError(f"{path} is not an object", field=path)
    for name in sorted(required - item.keys()):
        raise InvalidError(f"{path} has no {name!r}", field=f"{path}.{name}")
    for name in sorted(item.keys() - required - optional, key=str):
        raise InvalidError(f"{path} has an unknown field {name!r}", field=f"{path}.{name}")
    return item


def _list(item: object, path: str) -> list[object]:
    if not isinstance(item, list):
        raise InvalidError(f"{path} is not a list", field=path)
    return item


def _text(item: object, path: str) -> str:
    if not isinstance(item, str):
        raise InvalidError(f"{path} is not text", field=path)
    return item
