"""Links of the OpenAPI document: an answer that names a thing leads to the operations on that thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """The operation that makes a thing, where its answer has the id, and which ids its own path has."""

    operation: str
    pointer: str = "/id"
    path: tuple[str, ...] = ()


MAKERS: Final[Mapping[str, Maker]] = {
    "account_id": Maker(operation="open_account"),
    "agent_id": Maker(operation="register_agent"),
    "approval_id": Maker(operation="request_approval"),
    "chat_id": Maker(operation="create_chat"),
    "claim_id": Maker(operation="claim_steps", pointer="/items/0/claim_id"),
    "entry_id": Maker(operation="route_trigger", pointer="/queue_entry_id"),
    "episode_id": Maker(operation="create_episode"),
    "execution_id": Maker(operation="start_execution"),
    "key_id": Maker(operation="create_key"),
    "project_id": Maker(operation="create_project"),
    "proposal_id": Maker(operation="propose"),
    "reservation_id": Maker(operation="reserve_spending", pointer="/reservation/id"),
    "rule_id": Maker(operation="add_alert_rule"),
    "run_id": Maker(operation="start_workflow"),
    "supervision_id": Maker(operation="start_supervision"),
    "task_id": Maker(operation="add_task", path=("project_id",)),
    "training_id": Maker(operation="schedule_training"),
    "transaction_id": Maker(operation="post_transaction", pointer="/transaction_id"),
    "user_id": Maker(operation="create_user"),
}
"""By the name of the parameter that takes the id in a path."""


def add_links(document: dict[str, Any]) -> None:
    """Add to each answer that names a new thing a link to every operation whose path takes its id."""
    operations = dict(_operations(document))
    for name, operation in operations.items():
        for parameter in _path_parameters(operation):
            maker = MAKERS[parameter]
            parameters = {parameter: f"$response.body#{maker.pointer}"}
            parameters |= {each: f"$request.path.{each}" for each in maker.path}
            links = _success(operations[maker.operation]).setdefault("links", {})
            links[name] = {"operationId": name, "parameters": parameters}


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for methods in document["paths"].values():
        for operation in methods.values():
            yield operation["operationId"], operation


def _path_parameters(operation: Mapping[str, Any]) -> list[str]:
    return [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]


def _success(operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer that an operation gives when it has made something new."""
    found: dict[str, Any] = operation["responses"].get("201") or operation["responses"]["200"]
    return found
