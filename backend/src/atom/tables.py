"""Every table: importing this module completes the metadata."""

from __future__ import annotations

from atom.agents import models as agents
from atom.db.base import Base
from atom.identity import models as identity

__all__ = ["METADATA", "agents", "identity"]

METADATA = Base.metadata
