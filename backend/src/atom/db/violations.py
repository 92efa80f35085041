"""Which rule of the schema refused a row: the two databases say it in different places."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import psycopg
from sqlalchemy import CheckConstraint, UniqueConstraint

if TYPE_CHECKING:
    from sqlalchemy.exc import IntegrityError

Rule: TypeAlias = CheckConstraint | UniqueConstraint | str
"""A constraint of a table, or the name of a trigger."""


def violates(error: IntegrityError, rule: Rule) -> bool:
    """Whether the database reported this constraint, or the trigger of this name."""
    name = rule if isinstance(rule, str) else rule.name
    if isinstance(error.orig, psycopg.Error):
        return error.orig.diag.constraint_name == name
    reported = str(error.orig).rpartition(": ")[2]
    if isinstance(rule, UniqueConstraint):  # SQLite names its columns instead
        return reported == ", ".join(f"{column.table.name}.{column.name}" for column in rule.columns)
    return reported == name
