"""Every list of the API, read page by page: no page is too long, and together they are the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atom.identity.models import ApiKeyScope
from tests.api.operations import OPERATIONS
from tests.database import Database
from tests.property_tests.api.ids import id_fields, with_fields
from tests.property_tests.api.world import world_of

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract


@pytest.mark.parametrize("limit", [1, 2])
def test_pages_are_as_long_as_asked_for_and_make_the_list(
    database: Database, contract: Contract, limit: int
) -> None:
    """Each operation with a cursor gives, page by page, what it gives on one page; no page is empty."""
    listings = [name for name in OPERATIONS if ("query", "cursor") in contract.parameters(name)]
    assert len(listings) > 20
    n_pages = []
    with world_of(database) as world:
        secret = world.mine.secrets[ApiKeyScope.ADMIN]
        for name in listings:
            whole = contract.whole_cases[name]
            case = with_fields(whole, world.own(id_fields(whole)))
            for query in QUERIES.get(name, ({},)):
                case.query = {**kept(case.query), **query, "limit": WHOLE}
                everything = contract.send(case, secret).json()
                assert everything["next"] is None
                pages: list[list[Any]] = []
                cursor = None
                while len(pages) <= len(everything["items"]):
                    case.query = {**case.query, "limit": limit, "cursor": cursor}
                    page = contract.send(case, secret).json()
                    pages.append(page["items"])
                    cursor = page["next"]
                    if cursor is None:
                        break
                assert cursor is None, f"{name} does not end"
                assert max(map(len, pages)) <= limit, name
                assert all(pages) or pages == [[]], name
                in_order = (
                    pages[::-1] if name == "list_messages" else pages
                )  # its next page has what is older
                assert [item for page in in_order for item in page] == everything["items"], name
                n_pages.append(len(pages))
    assert sum(n > 1 for n in n_pages) >= 5 // limit


WHOLE = 100
"""More than the rows of any list here, and no more than any list gives."""
QUERIES: dict[str, tuple[dict[str, Any], ...]] = {
    "count_events": tuple({"group": group, "window": "30d"} for group in ("workflow", "user", "step")),
    "list_metric_points": ({"name": "Quilombo", "window": "30d"},),
}


def kept(query: dict[str, Any]) -> dict[str, Any]:
    """Return the ids of a query, which say whose list is meant, without what narrows it."""
    return {name: value for name, value in query.items() if name.endswith("_id") and name != "workflow_id"}
