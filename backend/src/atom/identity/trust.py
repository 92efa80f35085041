"""
Who may act for whom: the rules of docs/explanation/trust.md, in this one place.

A route that takes a body or a query declares in its schema for whom the request acts and whether it lifts an
agent. `DomainRouter` asks here before the handler runs, so that no route can forget to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom.identity.models import ApiKeyScope
from atom.kit.errors import ForbiddenError
from atom.web.schemas import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atom.identity.keys import Caller


def require_trust(caller: Caller, arguments: Iterable[object]) -> None:
    """Raise ForbiddenError unless the caller may do what these arguments of a handler ask for."""
    for request in arguments:
        if isinstance(request, Request):
            for user_id in request.acts_for():
                require_voice(caller, user_id)
            if request.lifts():
                caller.require(ApiKeyScope.ADMIN)


def require_voice(caller: Caller, user_id: str) -> None:
    """Raise ForbiddenError unless the caller speaks for a person."""
    if not speaks_for(caller, user_id):
        raise ForbiddenError(
            f"the key does not speak for user {user_id!r}: use a key of that person,"
            " or one of scope 'admin' that belongs to nobody"
        )


def speaks_for(caller: Caller, user_id: str) -> bool:
    """Whether what the caller says counts as said by a person: its own, or anybody for the operator's key."""
    if caller.user_id is not None:
        return caller.user_id == user_id
    return caller.scope is ApiKeyScope.ADMIN


def viewer_id(caller: Caller, named: str | None) -> str | None:
    """
    Return the person for whom data is shown, None for the workspace itself.

    A person's key shows what that person may see. Another key may narrow its view to that of a person.
    """
    if caller.user_id is None:
        return named
    if named is not None:
        require_voice(caller, named)
    return caller.user_id
