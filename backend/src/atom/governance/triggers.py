"""Use cases of triggers: something wants an agent to run; it does, or what stopped it is written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atom.agents.maturity import known_confidence
from atom.agents.service import get_agent
from atom.governance import proposals, repository, supervised_queue
from atom.governance.models import BlockedTrigger, ProposalType
from atom.governance.routing import Route, Routing, TriggerSource, route
from atom.identity.users import require_user
from atom.kit.ids import new_id
from atom.kit.pagination import Page, PageRequest
from atom.kit.text import check_json

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.agents.rows import AgentProfile
    from atom.kit.clock import Clock

PROPOSED_INSTEAD = {
    Route.TRAINING_PROPOSAL: ProposalType.TRAINING,
    Route.ACTION_PROPOSAL: ProposalType.ACTION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What wants an agent to run, and for whom."""

    source: TriggerSource
    user_id: str
    """Who supervises the run, where it has to be."""
    context: dict[str, Any]
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """Where a trigger went, and the rows that stand for one that did not run."""

    routing: Routing
    blocked_trigger_id: str | None = None
    proposal_id: str | None = None
    queue_entry_id: str | None = None


def route_trigger(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    agent_id: str,
    trigger: Trigger,
    is_supervisor_available: bool,
) -> Routed:
    """Decide whether the agent runs now; if not, leave exactly one queue entry or blocked trigger."""
    check_json(trigger.context, field="context")
    agent = get_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    require_user(session, workspace_id=workspace_id, user_id=trigger.user_id)
    routing = route(agent.status, trigger.source, is_supervisor_available=is_supervisor_available)
    if routing.executes:
        return Routed(routing=routing)
    if routing.route is Route.SUPERVISED_QUEUE:
        entry = supervised_queue.enqueue(
            session,
            clock,
            workspace_id=workspace_id,
            agent_id=agent_id,
            user_id=trigger.user_id,
            source=trigger.source,
            context=trigger.context,
            priority=trigger.priority,
        )
        return Routed(routing=routing, queue_entry_id=entry.id)
    proposed = PROPOSED_INSTEAD.get(routing.route)
    proposal_id = (
        proposals.propose(session, clock, workspace_id=workspace_id, agent_id=agent_id, type=proposed).id
        if proposed is not None
        else None
    )
    blocked = _block(session, clock, agent, trigger, routing, proposal_id)
    return Routed(routing=routing, blocked_trigger_id=blocked.id, proposal_id=proposal_id)


def list_blocked_triggers(
    session: Session, *, workspace_id: str, agent_id: str | None = None, page: PageRequest | None = None
) -> Page[BlockedTrigger]:
    """Return the blocked triggers of a workspace, of one agent if it is given, newest first."""
    return repository.newest_page(
        session, BlockedTrigger, workspace_id=workspace_id, agent_id=agent_id, page=page or PageRequest()
    )


def _block(
    session: Session,
    clock: Clock,
    agent: AgentProfile,
    trigger: Trigger,
    routing: Routing,
    proposal_id: str | None,
) -> BlockedTrigger:
    blocked = BlockedTrigger(
        id=new_id(),
        agent_id=agent.id,
        maturity_at_block=agent.status,
        confidence_at_block=known_confidence(agent.confidence),
        trigger_source=trigger.source,
        trigger_context=trigger.context,
        routing_decision=routing.route,
        reason=routing.reason,
        proposal_id=proposal_id,
        is_resolved=False,
        created_at=clock.now(),
    )
    session.add(blocked)
    session.flush()
    return blocked
