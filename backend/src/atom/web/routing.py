"""Finding a request's route by the shape of its path: asking each route in turn takes longer than a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Match, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

Shape = tuple[str, int, str]
"""Method, number of segments, and the second one: `/v1/chats/{chat_id}` begins alike with few others."""


class RouteIndex:
    """
    The middleware around a router that hands a request to its route, if the index has it.

    The router itself sees every other request: it knows what to answer when there is no route.
    """

    def __init__(self, router: ASGIApp, *, routes: Sequence[BaseRoute]) -> None:
        self._router = router
        self._routes: dict[Shape, list[Route]] = {}
        for route in routes:
            if isinstance(route, Route):
                for method in route.methods or ():
                    self._routes.setdefault(_shape(method, route.path), []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on to its route, as the router would."""
        found = self.find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._router(scope, receive, send)
        else:
            route, values = found
            scope.update(values)
            await route.handle(scope, receive, send)

    def find(self, scope: Scope) -> tuple[Route, Scope] | None:
        """Return the first route that is the request's, and what it adds to the scope."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        for route in self._routes.get(_shape(scope["method"], path), ()):
            match, values = route.matches(scope)
            if match is Match.FULL:
                return route, values
        return None


def _shape(method: str, path: str) -> Shape:
    segments = path.split("/", 3)
    return method, path.count("/"), segments[2] if len(segments) > 2 else ""
