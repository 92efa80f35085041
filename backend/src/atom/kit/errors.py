"""What can go wrong while the backend does what it was asked: one tree, each with its HTTP status."""

from __future__ import annotations

from typing import ClassVar


class AtomError(Exception):
    """The backend could not do it."""

    status_code: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidError(AtomError):
    """A value breaks a rule; `field` names it."""

    status_code = 422
    title = "Invalid value"

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class UnauthenticatedError(AtomError):
    """The caller did not show who they are."""

    status_code = 401
    title = "Not authenticated"


class ForbiddenError(AtomError):
    """The caller is known and may not do this."""

    status_code = 403
    title = "Forbidden"


class NotFoundError(AtomError):
    """No such thing, or none that the caller may know of."""

    status_code = 404
    title = "Not found"

    def __init__(self, kind: str, id_: str) -> None:
        super().__init__(f"no {kind} {id_!r}")
        self.kind = kind
        self.id = id_


class ConflictError(AtomError):
    """The request is fine, the present state refuses it."""

    status_code = 409
    title = "Conflict"


class StaleVersionError(ConflictError):
    """Somebody else changed the row since the caller read it."""

    title = "Changed by somebody else"


class UnavailableError(AtomError):
    """Something the backend needs does not answer; trying again later may work."""

    status_code = 503
    title = "Unavailable"
