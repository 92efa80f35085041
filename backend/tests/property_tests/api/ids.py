"""
Ids in requests: which fields hold one, and which table each is of.

Without Schemathesis, which takes long to import: a test imports only what the fixture `contract` has made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atom.web.schemas import ID_PATTERN

if TYPE_CHECKING:
    from schemathesis import Case

NOBODY = "00000000-0000-4000-8000-000000000000"
"""An id that no row has."""
TABLES = {
    "account_id": "ledger_accounts",
    "agent_id": "agent_registry",
    "assigned_to": "users",
    "approval_id": "hitl_actions",
    "chat_id": "chat_sessions",
    "claim_id": "claims",
    "credit_account_id": "ledger_accounts",
    "debit_account_id": "ledger_accounts",
    "entry_id": "supervised_queue",
    "episode_id": "episodes",
    "episode_ids": "episodes",
    "execution_id": "agent_executions",
    "key_id": "api_keys",
    "project_id": "projects",
    "promoted_by": "users",
    "proposal_id": "agent_proposals",
    "proposed_by": "users",
    "reservation_id": "spend_reservations",
    "rule_id": "alert_rules",
    "run_id": "workflow_executions",
    "source_account_id": "ledger_accounts",
    "supervision_id": "supervision_sessions",
    "supervisor_id": "users",
    "target_account_id": "ledger_accounts",
    "task_id": "project_tasks",
    "training_id": "training_sessions",
    "transaction_id": "ledger_transactions",
    "user_id": "users",
}
"""The table whose ids a field or a parameter takes."""


def id_fields(case: Case[Any]) -> list[str]:
    """Return the names of the fields of a request that hold ids, each once, in order."""
    found: dict[str, None] = {}
    for part in (case.path_parameters, case.query, case.body):
        _note_ids("", part, found)
    return list(found)


def _note_ids(name: str, value: Any, found: dict[str, None]) -> None:
    if isinstance(value, dict):
        for key, each in value.items():
            _note_ids(key, each, found)
    elif isinstance(value, list):
        for each in value:
            _note_ids(name, each, found)
    elif name in TABLES and re.fullmatch(ID_PATTERN, str(value)):
        found[name] = None


def with_fields(case: Case[Any], ids: Mapping[str, str]) -> Case[Any]:
    """Return a copy of a request with these ids in the fields of these names, and without a cursor."""

    def put(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: put(key, each) for key, each in value.items() if key != "cursor"}
        if isinstance(value, list):
            return [put(name, each) for each in value]
        return ids.get(name, value) if re.fullmatch(ID_PATTERN, str(value)) else value

    changed: Case[Any] = case.operation.Case(
        path_parameters=put("", case.path_parameters),
        query=put("", case.query),
        body=put("", case.body),
        media_type=case.media_type,
    )
    return changed
