"""Every table: importing this module completes the metadata."""

from __future__ import annotations

from atom.agents import models as agents
from atom.analytics import models as analytics
from atom.budgets import models as budgets
from atom.chat import models as chat
from atom.db.base import Base
from atom.episodes import models as episodes
from atom.governance import models as governance
from atom.graduation import models as graduation
from atom.identity import models as identity
from atom.ledger import models as ledger
from atom.workflows import models as workflows

__all__ = [
    "METADATA",
    "agents",
    "analytics",
    "budgets",
    "chat",
    "episodes",
    "governance",
    "graduation",
    "identity",
    "ledger",
    "workflows",
]

METADATA = Base.metadata
