"""Use cases of proposals: what an agent may not do yet, put to a person, decided once, carried out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from atom.agents.service import require_agent
from atom.governance import repository
from atom.governance.models import AgentProposal, ProposalStatus, ProposalType
from atom.identity.users import require_user
from atom.kit.errors import ConflictError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import Page, PageRequest

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock

NEXT = {
    ProposalStatus.PROPOSED: (
        ProposalStatus.APPROVED,
        ProposalStatus.REJECTED,
        ProposalStatus.CANCELLED,
    ),
    ProposalStatus.APPROVED: (ProposalStatus.EXECUTED, ProposalStatus.CANCELLED),
}
"""Where a proposal can go; what is not listed is final."""


class TrainingLookup(Protocol):
    """Knows the trainings, which stand above governance."""

    def __call__(self, session: Session, *, proposal_id: str) -> bool:
        """Whether a training was made from the proposal."""


def propose(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    agent_id: str,
    type: ProposalType,  # noqa: A002 - the column's name
    proposed_by: str | None = None,
) -> AgentProposal:
    """Put something to a person; without `proposed_by` the router did."""
    require_agent(session, workspace_id=workspace_id, agent_id=agent_id)
    if proposed_by is not None:
        require_user(session, workspace_id=workspace_id, user_id=proposed_by)
    proposal = AgentProposal(
        id=new_id(),
        agent_id=agent_id,
        type=type,
        status=ProposalStatus.PROPOSED,
        proposed_by=proposed_by,
        created_at=clock.now(),
    )
    session.add(proposal)
    session.flush()
    return proposal


def decide_proposal(
    session: Session, clock: Clock, *, workspace_id: str, proposal_id: str, user_id: str, is_approved: bool
) -> AgentProposal:
    """Approve or reject a proposal that is still open."""
    require_user(session, workspace_id=workspace_id, user_id=user_id)
    proposal = hold_proposal(session, workspace_id=workspace_id, proposal_id=proposal_id)
    move(session, clock, proposal, ProposalStatus.APPROVED if is_approved else ProposalStatus.REJECTED)
    proposal.approved_by = user_id if is_approved else None
    session.flush()
    return proposal


def cancel_proposal(
    session: Session, clock: Clock, has_training: TrainingLookup, *, workspace_id: str, proposal_id: str
) -> AgentProposal:
    """Cancel a proposal that was not carried out; if it has a training, cancel that instead."""
    proposal = hold_proposal(session, workspace_id=workspace_id, proposal_id=proposal_id)
    _require_no_training(session, has_training, proposal)
    return move(session, clock, proposal, ProposalStatus.CANCELLED)


def execute_proposal(
    session: Session, clock: Clock, has_training: TrainingLookup, *, workspace_id: str, proposal_id: str
) -> AgentProposal:
    """Note that an approved proposal was carried out; if it has a training, complete that instead."""
    proposal = hold_proposal(session, workspace_id=workspace_id, proposal_id=proposal_id)
    _require_no_training(session, has_training, proposal)
    return carry_out(session, clock, proposal)


def list_proposals(
    session: Session, *, workspace_id: str, agent_id: str | None = None, page: PageRequest | None = None
) -> Page[AgentProposal]:
    """Return the proposals of a workspace, of one agent if it is given, newest first."""
    return repository.newest_page(
        session, AgentProposal, workspace_id=workspace_id, agent_id=agent_id, page=page or PageRequest()
    )


def hold_proposal(session: Session, *, workspace_id: str, proposal_id: str) -> AgentProposal:
    """Return a proposal locked for other writers until the transaction ends."""
    proposal = repository.hold(session, AgentProposal, workspace_id=workspace_id, row_id=proposal_id)
    if proposal is None:
        raise NotFoundError("proposal", proposal_id)
    return proposal


def carry_out(session: Session, clock: Clock, proposal: AgentProposal) -> AgentProposal:
    """Move a held proposal to executed; what was blocked for it is resolved."""
    move(session, clock, proposal, ProposalStatus.EXECUTED)
    repository.resolve_triggers(session, proposal_id=proposal.id)
    return proposal


def move(session: Session, clock: Clock, proposal: AgentProposal, to: ProposalStatus) -> AgentProposal:
    """Move a held proposal to a status that follows its present one."""
    if to not in NEXT.get(proposal.status, ()):
        raise ConflictError(
            f"proposal {proposal.id!r} is {proposal.status.value!r} and cannot become {to.value!r}"
        )
    proposal.status = to
    proposal.changed_at = clock.now()
    session.flush()
    return proposal


def _require_no_training(session: Session, has_training: TrainingLookup, proposal: AgentProposal) -> None:
    """Raise for a proposal that its training moves: the two would contradict each other."""
    if proposal.type is ProposalType.TRAINING and has_training(session, proposal_id=proposal.id):
        raise ConflictError(
            f"proposal {proposal.id!r} has a training: complete that or call it off, and the proposal follows"
        )
