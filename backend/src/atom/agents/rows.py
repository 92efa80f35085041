"""What is read of an agent where nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atom.agents.maturity import AgentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """An agent: what it says about itself, and how far it is trusted."""

    id: str
    name: str
    category: str
    module_path: str
    class_name: str
    version: str
    configuration: dict[str, Any]
    status: AgentStatus
    confidence: float | None
