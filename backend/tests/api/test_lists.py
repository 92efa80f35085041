"""A page of a list costs as much as it is long: the database reads it in the order of an index."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from atom.db.session import read_only, short_reader
from tests.api.operations import committed
from tests.database import Database
from tests.http import Api, Workspace
from tests.listening import listening

LISTS = sorted(
    path
    for operation in committed()
    for name, method, path in [operation.split()]
    if name.startswith("list_") and method == "GET" and "{" not in path
)
WHOLE_LEDGER = "/v1/ledger/discrepancies"
"""The one list that is computed: every entry of the workspace counts."""
SORTED = {"/v1/approvals", "/v1/blocked-triggers", "/v1/executions", "/v1/proposals", "/v1/queue"} | {
    "/v1/supervisions",
    "/v1/trainings",
}
"""Lists of what belongs to an agent: those of a whole workspace are found by its agents, and sorted."""
QUERIES: dict[str, Callable[[Workspace], dict[str, str]]] = {
    "/v1/analytics/metrics/points": lambda _: {"name": "load"},
    "/v1/chats": lambda workspace: {"user_id": workspace.user_id},
    "/v1/episodes": lambda workspace: {"agent_id": workspace.agent_id},
}
WHOLE = re.compile(r"^SCAN|USE TEMP B-TREE FOR ORDER BY")


@pytest.mark.parametrize("path", sorted({*LISTS} - SORTED - {WHOLE_LEDGER}))
def test_a_list_is_read_in_the_order_of_an_index(api: Api, database: Database, path: str) -> None:
    """No list but those of all agents reads or sorts more rows than its page has."""
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL plans by what it knows of the rows, and here there are none")
    workspace = api.workspace()
    query = QUERIES[path](workspace) if path in QUERIES else None
    sent: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    with ExitStack() as stack:
        for engine in (api.engine, read_only(api.engine), short_reader(api.engine)):
            assert engine is not None
            stack.enter_context(listening(engine, "before_cursor_execute", note))
        api.caller(workspace).ok("GET", path, query=query)
    pages = [(statement, parameters) for statement, parameters in sent if "ORDER BY" in statement]
    assert pages
    with database.engine.connect() as connection:
        for statement, parameters in pages:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert [step.detail for step in plan if WHOLE.search(step.detail)] == []
