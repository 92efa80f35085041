"""Requests and responses of the agent registry."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from atom.agents.maturity import AgentStatus, Impact
from atom.web.schemas import Answer, Flag, JsonObject, Name, Request


class AgentRequest(Request):
    """What an agent says about itself; its class is its identity."""

    name: Name = Field(examples=["Clerk"])
    category: Name = Field(examples=["finance"])
    module_path: Name = Field(examples=["agents.clerk"])
    class_name: Name = Field(examples=["Clerk"])
    version: Name = "1.0.0"
    configuration: JsonObject = Field(default_factory=dict)


class AgentResponse(Answer):
    """An agent, and how far it is trusted."""

    id: str
    name: str
    category: str
    module_path: str
    class_name: str
    version: str
    configuration: dict[str, Any]
    status: AgentStatus
    confidence: float | None


class OutcomeRequest(Request):
    """How something that the agent did turned out."""

    is_success: Flag
    impact: Impact = Impact.LOW

    def lifts(self) -> bool:
        """A success raises the agent's confidence; a failure anybody may report who runs it."""
        return self.is_success
