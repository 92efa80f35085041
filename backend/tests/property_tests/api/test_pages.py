"""Every list of the API: page by page it is the whole list, and a filter leaves what has its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from atom.analytics import service as analytics
from atom.analytics.vocabulary import MetricType, NewMetric
from atom.budgets import service as budgets
from atom.db.session import session_factory, unit_of_work
from atom.identity import users
from atom.identity.models import ApiKeyScope
from atom.kit.clock import ManualClock
from atom.ledger.models import Account
from tests.api.operations import OPERATIONS
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfWorkspace
from tests.property_tests.api.ids import TABLES, id_fields, with_fields
from tests.property_tests.api.world import World, fill, world_of

if TYPE_CHECKING:
    from schemathesis import Case

    from tests.property_tests.api.contract import Contract

WHOLE = 100
"""More than the rows of any list here, and no more than any list gives."""
OF_A_PAGE = {"limit", "cursor"}
GROUPS = tuple({"group": group, "window": "30d"} for group in ("workflow", "user", "step"))
QUERIES: Mapping[str, tuple[dict[str, Any], ...]] = {
    "count_events": GROUPS,
    "list_metric_points": ({"name": "Quilombo", "window": "30d"},),
}
"""Parameters of the query that say which list is meant, where the path does not."""
FIELD_OF = {("count_events", "workflow_id"): "member"}
"""The field of an item that a filter is about, where it has another name."""
HIDDEN = {("count_events", "group"), ("count_events", "window"), ("list_transactions", "account_id")} | {
    ("list_metric_points", "name"),
    ("list_metric_points", "window"),
}
"""Parameters that no field of an item shows."""


@contextmanager
def two_of_each(database: Database) -> Iterator[World]:
    """Give a world whose lists have two rows or more, and books with a balance that is wrong."""
    with world_of(database) as world, unit_of_work(session_factory(database.engine)) as session:
        where = OfWorkspace(workspace_id=world.mine.id)
        fill(session, world.mine, "Quilombo two")
        users.create_user(session, **where, email="second@example.org")
        for project_id in world.my_ids["projects"]:
            budgets.add_task(session, **where, project_id=project_id, title="second")
        point = NewMetric(name="Quilombo", type=MetricType.GAUGE, value=8.0)
        analytics.collect_metric(session, ManualClock(NOW), **where, metric=point)
        session.execute(update(Account).values(balance_minor=Account.balance_minor + 1))
        session.commit()
        yield world


def listings(contract: Contract) -> list[str]:
    """Return the operations that give a list by pages."""
    found = [name for name in OPERATIONS if ("query", "cursor") in contract.parameters(name)]
    assert len(found) > 20
    return found


def lists_of(world: World, contract: Contract) -> Iterator[tuple[str, Case[Any], list[Any]]]:
    """Give the name of each list, the request for all of it on one page, and its items; use each at once."""
    secret = world.mine.secrets[ApiKeyScope.ADMIN]
    for name in listings(contract):
        whole = contract.whole_cases[name]
        case = with_fields(whole, world.own(id_fields(whole)))
        for query in QUERIES.get(name, ({},)):
            case.query = {**_needed(contract, name, case.query), **query, "limit": WHOLE}
            everything = contract.send(case, secret).json()
            assert everything["next"] is None
            yield name, case, everything["items"]


@pytest.mark.parametrize("limit", [1, 2])
def test_pages_are_as_long_as_asked_for_and_make_the_list(
    database: Database, contract: Contract, limit: int
) -> None:
    """Each operation with a cursor gives, page by page, what it gives on one page; no page is empty."""
    n_pages = {}
    with two_of_each(database) as world:
        secret = world.mine.secrets[ApiKeyScope.ADMIN]
        for name, case, everything in lists_of(world, contract):
            pages: list[list[Any]] = []
            cursor = None
            while len(pages) <= len(everything):
                case.query = {**case.query, "limit": limit, "cursor": cursor}
                page = contract.send(case, secret).json()
                pages.append(page["items"])
                cursor = page["next"]
                if cursor is None:
                    break
            assert cursor is None, f"{name} does not end"
            assert max(map(len, pages)) <= limit, name
            assert all(pages) or pages == [[]], name
            in_order = pages[::-1] if name == "list_messages" else pages  # newest last
            assert [item for page in in_order for item in page] == everything, name
            n_pages[name] = len(pages)
    assert limit > 1 or {name for name, n in n_pages.items() if n == 1} <= {"list_promotions"}


def test_a_filter_leaves_what_has_its_value(database: Database, contract: Contract) -> None:
    """For each filter of each list, and each value that it takes, the items that have it are listed."""
    n_filters = 0
    with two_of_each(database) as world:
        secret = world.mine.secrets[ApiKeyScope.ADMIN]
        for name, case, everything in lists_of(world, contract):
            whole = case.query
            for parameter, schema in _filters(contract, name):
                field = FIELD_OF.get((name, parameter), parameter)
                if (name, parameter) in HIDDEN or whole.get("group", "workflow") != "workflow":
                    continue
                seen = [item[field] for item in everything if item[field] is not None]
                ids = world.my_ids.get(TABLES.get(parameter, ""), [])
                for value in dict.fromkeys((*seen, *ids, *schema.get("enum", ()), *_flags(schema))):
                    shown = str(value).lower() if isinstance(value, bool) else value
                    case.query = {**whole, parameter: shown}
                    found = contract.send(case, secret).json()["items"]
                    assert found == [item for item in everything if item[field] == value], (name, value)
                n_filters += 1
    assert n_filters > 10


def _needed(contract: Contract, name: str, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the required parameters of a list, with the values of a query."""
    return {key: query[key] for key, is_required, _ in _parameters(contract, name) if is_required}


def _filters(contract: Contract, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the parameters that narrow a list, with their schemas."""
    return [
        (key, schema)
        for key, is_required, schema in _parameters(contract, name)
        if not is_required and key not in OF_A_PAGE
    ]


def _parameters(contract: Contract, name: str) -> list[tuple[str, bool, dict[str, Any]]]:
    """Return the parameters of a query: name, whether one is needed, and the schema of a value."""
    (found,) = (operation for operation in contract.operations if operation.id == name)
    return [
        (each["name"], each["required"], _resolved(contract, each["schema"]))
        for each in found.definition.definition.raw.get("parameters", [])
        if each["in"] == "query"
    ]


def _resolved(contract: Contract, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without the null beside it, and without a reference."""
    for each in schema.get("anyOf", ()):
        if each.get("type") != "null":
            return _resolved(contract, each)
    if "$ref" in schema:
        resolved: dict[str, Any] = contract.schema.raw_schema["components"]["schemas"][
            schema["$ref"].rpartition("/")[2]
        ]
        return resolved
    return schema


def _flags(schema: Mapping[str, Any]) -> tuple[bool, ...]:
    return (True, False) if schema.get("type") == "boolean" else ()
