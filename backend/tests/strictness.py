"""Refuse on every Python what newer ones warn about, so that a run on any one of them notices a relapse."""

from __future__ import annotations

import sqlite3
import sys
import warnings
from datetime import date, datetime

from atom.db.sqlite import EmbeddedConnection

WARNS_BY_ITSELF = (3, 13)
"""From this version on, `sqlite3` itself warns about a connection that nobody closed."""


def refuse_untyped_moments() -> None:
    """
    Make sqlite3 refuse a date or datetime that reaches it as it is.

    The adapters of sqlite3 are deprecated since Python 3.12. They also write a moment differently from the
    columns' type, so that a comparison with a column is wrong. A type of SQLAlchemy has to make it text.
    """
    for kind in (date, datetime):
        sqlite3.register_adapter(kind, _refuse)


def warn_of_open_connections() -> None:
    """Make Python warn when a connection of the product is dropped while it is open, as Python 3.13 does."""
    if sys.version_info < WARNS_BY_ITSELF:
        EmbeddedConnection.__del__ = _warn_if_open  # type: ignore[attr-defined]


def _refuse(value: date) -> str:
    hint = "give the parameter a type, as in `bindparam('day', type_=Date())`"
    msg = f"{value!r} reaches sqlite3 as it is; {hint}"
    raise TypeError(msg)


def _warn_if_open(connection: EmbeddedConnection) -> None:
    try:
        _ = connection.total_changes
    except sqlite3.ProgrammingError:  # "Cannot operate on a closed database."
        return
    warnings.warn(f"unclosed database in {connection!r}", ResourceWarning, stacklevel=2, source=connection)
