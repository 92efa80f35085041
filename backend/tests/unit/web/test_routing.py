"""The index of routes answers as the router would alone."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.routing import Match, Route

from atom.web.routing import RouteIndex
from tests.http import Api


def indexed(api: Api) -> tuple[RouteIndex, list[Route]]:
    router: Any = api.app.router
    index: RouteIndex = router.middleware_stack
    return index, [route for route in router.routes if isinstance(route, Route)]


def test_every_route_is_found_as_the_router_finds_it(api: Api) -> None:
    """Of each documented path and method, the index names the route that comes first in the router."""
    index, routes = indexed(api)
    assert len(routes) > 100
    for route in routes:
        for method in route.methods or ():
            scope = {"type": "http", "method": method, "path": route.path.replace("{", "").replace("}", "")}
            first = next(each for each in routes if each.matches(scope)[0] is Match.FULL)
            found = index.find(scope)
            assert found is not None
            assert found[0] is first


@pytest.mark.parametrize("path", ["", "/", "//", "/v1", "/v1/nowhere", "/v1/chats/", "/v1/chats/a/b/c/d"])
def test_what_the_index_does_not_know_is_the_routers(api: Api, path: str) -> None:
    """There is no route for it, and the router says so."""
    index, _ = indexed(api)
    assert index.find({"type": "http", "method": "GET", "path": path}) is None


def test_a_path_below_a_root_is_found(api: Api) -> None:
    """A proxy may put the service below a path of its own."""
    index, _ = indexed(api)
    scope = {"type": "http", "method": "GET", "path": "/below/v1/chats", "root_path": "/below"}
    found = index.find(scope)
    assert found is not None
    assert found[0].path == "/v1/chats"
