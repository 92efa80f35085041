"""What becomes of a trigger: run, run supervised, wait, or turn into a proposal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from atom.agents.maturity import AgentStatus


class TriggerSource(StrEnum):
    """What wants the agent to run."""

    MANUAL = "manual"
    DATA_SYNC = "data_sync"
    WORKFLOW_ENGINE = "workflow_engine"
    AI_COORDINATOR = "ai_coordinator"


class Route(StrEnum):
    """Where a trigger goes."""

    RUN = "run"
    SUPERVISED_RUN = "supervised_run"
    SUPERVISED_QUEUE = "supervised_queue"
    TRAINING_PROPOSAL = "training_proposal"
    ACTION_PROPOSAL = "action_proposal"
    REFUSED = "refused"


EXECUTING = frozenset({Route.RUN, Route.SUPERVISED_RUN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Where one trigger goes, and why."""

    route: Route
    reason: str
    warning: str | None = None

    @property
    def executes(self) -> bool:
        """Whether the agent runs now."""
        return self.route in EXECUTING


def route(status: AgentStatus, source: TriggerSource, *, is_supervisor_available: bool) -> Routing:
    """
    Return where a trigger goes.

    A person's own trigger always runs. Otherwise the status alone decides: the confidence band would let a
    paused agent run on its old merits, and outside the ladder nothing is allowed.
    """
    name = status.value
    if source is TriggerSource.MANUAL:
        return Routing(
            route=Route.RUN,
            reason="a person asked for it",
            warning=f"the agent is {name!r}, and its maturity was not looked at",
        )
    match status:
        case AgentStatus.STUDENT:
            return Routing(route=Route.TRAINING_PROPOSAL, reason=f"{name!r} trains before it runs")
        case AgentStatus.INTERN:
            return Routing(route=Route.ACTION_PROPOSAL, reason=f"{name!r} proposes, a person decides")
        case AgentStatus.SUPERVISED if is_supervisor_available:
            return Routing(route=Route.SUPERVISED_RUN, reason=f"{name!r} runs under its supervisor")
        case AgentStatus.SUPERVISED:
            return Routing(route=Route.SUPERVISED_QUEUE, reason=f"{name!r} waits for its supervisor")
        case AgentStatus.AUTONOMOUS:
            return Routing(route=Route.RUN, reason=f"{name!r} runs by itself")
        case _:
            return Routing(route=Route.REFUSED, reason=f"{name!r} is outside the ladder")


SUPERVISABLE = tuple(
    status
    for status in AgentStatus
    if route(status, TriggerSource.WORKFLOW_ENGINE, is_supervisor_available=True).executes
)
"""The agents that run, though no person asked for it, once a supervisor is there."""
