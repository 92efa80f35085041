"""What every table shares: one metadata, names for its constraints, a text primary key."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from sqlalchemy import MetaData, String
from sqlalchemy.orm import DeclarativeBase, mapped_column

from atom.db.types import UtcDateTime
from atom.kit.ids import ID_LENGTH, new_id

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names the constraints, so that a migration can drop one on either database."""

PrimaryId = Annotated[str, mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)]
ForeignId = Annotated[str, mapped_column(String(ID_LENGTH))]


class Base(DeclarativeBase):
    """Base of all models."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {datetime: UtcDateTime()}  # noqa: RUF012 - read once by SQLAlchemy
