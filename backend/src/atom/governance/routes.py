"""
Routes of governance: what an agent may do, and what people decide for it.

Whoever runs an agent holds a key that writes; answering for a person takes a key of scope admin, so that no
agent approves what it asked for itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Query, Request, status

from atom.governance import approvals, feedback, proposals, service, supervised_queue, triggers
from atom.governance.decision_cache import DecisionCache
from atom.governance.feedback import Reaction
from atom.governance.proposals import TrainingLookup
from atom.governance.schemas import (
    AccessResponse,
    AgentPageQuery,
    AnswerRequest,
    ApprovalRequest,
    ApprovalResponse,
    AttemptRequest,
    BatchQuery,
    BlockedTriggerResponse,
    DecisionQuery,
    DecisionResponse,
    EnforcementResponse,
    ExpiryRequest,
    FeedbackRequest,
    FeedbackResponse,
    ProposalRequest,
    ProposalResponse,
    QueueEntryResponse,
    RoutedResponse,
    TriggerRequest,
)
from atom.governance.triggers import Trigger
from atom.identity.access import Administering, DomainRouter, Reading, ShortReading, Writing
from atom.kit.pagination import KeyPage
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import CountResponse, Id, ItemsAnswer, KeyQuery, PageAnswer

router = DomainRouter(prefix="/v1", tag="governance")

CREATED = status.HTTP_201_CREATED
AgentPage = Annotated[AgentPageQuery, Query()]


async def _decisions(request: Request) -> DecisionCache:
    decisions: DecisionCache = request.app.state.decisions
    return decisions


async def _has_training(request: Request) -> TrainingLookup:
    has_training: TrainingLookup = request.app.state.has_training
    return has_training


Decisions = Annotated[DecisionCache, Depends(_decisions)]
HasTraining = Annotated[TrainingLookup, Depends(_has_training)]


@router.get("/agents/{agent_id}/decision")
def decide(
    agent_id: Id, query: Annotated[DecisionQuery, Query()], unit: ShortReading, decisions: Decisions
) -> DecisionResponse:
    """Say whether an agent may take an action; an answer may be a minute old. Asking changes nothing."""
    decision = service.can_perform(
        unit.session, decisions, workspace_id=unit.workspace_id, agent_id=agent_id, **query.model_dump()
    )
    return DecisionResponse.model_validate(decision)


@router.post("/agents/{agent_id}/attempts", responses=problem_responses(*WITH_BODY))
def enforce(agent_id: Id, request: AttemptRequest, unit: Reading) -> EnforcementResponse:
    """Decide about the agent's attempt by its current state; an unknown agent is blocked."""
    found = service.enforce(
        unit.session, workspace_id=unit.workspace_id, agent_id=agent_id, **request.model_dump()
    )
    return EnforcementResponse.model_validate(found)


@router.get("/agents/{agent_id}/capabilities", responses=problem_responses(404))
def list_capabilities(
    agent_id: Id, query: Annotated[KeyQuery, Query()], unit: ShortReading
) -> PageAnswer[str]:
    """List the known actions that the agent may take, by name."""
    found = service.list_capabilities(unit.session, workspace_id=unit.workspace_id, agent_id=agent_id)
    page = KeyPage.within(found, limit=query.limit, after=query.after, key=str)
    return PageAnswer.of_names(page, str)


@router.get("/agents/{agent_id}/users/{user_id}/access", responses=problem_responses(404))
def read_data_access(agent_id: Id, user_id: Id, unit: ShortReading) -> AccessResponse:
    """Say whether a user may see the agent's data, by their role or their specialty."""
    may = service.may_access_data(
        unit.session, workspace_id=unit.workspace_id, agent_id=agent_id, user_id=user_id
    )
    return AccessResponse(may_access=may)


@router.post("/agents/{agent_id}/feedback", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404))
def submit_feedback(
    agent_id: Id, request: FeedbackRequest, unit: Writing, decisions: Decisions
) -> FeedbackResponse:
    """Store a user's feedback on the agent; a correction lowers its confidence."""
    written = feedback.submit_feedback(
        unit.session,
        unit.clock,
        decisions,
        workspace_id=unit.workspace_id,
        agent_id=agent_id,
        user_id=request.user_id,
        reaction=Reaction(**request.model_dump(exclude={"user_id"})),
    )
    return FeedbackResponse.model_validate(written)


@router.post(
    "/agents/{agent_id}/approvals", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404)
)
def request_approval(agent_id: Id, request: ApprovalRequest, unit: Writing) -> ApprovalResponse:
    """Ask a person whether the agent may take an action."""
    action = approvals.request_approval(
        unit.session, unit.clock, workspace_id=unit.workspace_id, agent_id=agent_id, **request.model_dump()
    )
    return ApprovalResponse.model_validate(action)


@router.get("/approvals")
def list_approvals(query: AgentPage, unit: ShortReading) -> PageAnswer[ApprovalResponse]:
    """List the questions to people, newest first."""
    page = approvals.list_approvals(
        unit.session, workspace_id=unit.workspace_id, agent_id=query.agent_id, page=query.page
    )
    return PageAnswer.of(page, ApprovalResponse.model_validate)


@router.post("/approvals/{approval_id}/decision", responses=problem_responses(*WITH_BODY, 404, 409))
def decide_approval(approval_id: Id, request: AnswerRequest, unit: Administering) -> ApprovalResponse:
    """Answer a question that is still open; the answer is final."""
    action = approvals.decide_approval(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        action_id=approval_id,
        **request.model_dump(),
    )
    return ApprovalResponse.model_validate(action)


@router.post("/approvals/expiry", responses=problem_responses(*WITH_BODY))
def expire_approvals(request: ExpiryRequest, unit: Administering) -> CountResponse:
    """Close the questions that have been open for that long."""
    n = approvals.expire_approvals(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        older_than=timedelta(seconds=request.older_than_s),
    )
    return CountResponse(n=n)


@router.post("/agents/{agent_id}/triggers", responses=problem_responses(*WITH_BODY, 404))
def route_trigger(agent_id: Id, request: TriggerRequest, unit: Writing) -> RoutedResponse:
    """Decide whether the agent runs now; if not, a queue entry or a blocked trigger is stored."""
    routed = triggers.route_trigger(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        agent_id=agent_id,
        trigger=Trigger(**request.model_dump(exclude={"is_supervisor_available"})),
        is_supervisor_available=request.is_supervisor_available,
    )
    return RoutedResponse.model_validate(routed)


@router.get("/blocked-triggers")
def list_blocked_triggers(query: AgentPage, unit: ShortReading) -> PageAnswer[BlockedTriggerResponse]:
    """List the triggers whose agent did not run, newest first."""
    page = triggers.list_blocked_triggers(
        unit.session, workspace_id=unit.workspace_id, agent_id=query.agent_id, page=query.page
    )
    return PageAnswer.of(page, BlockedTriggerResponse.model_validate)


@router.post(
    "/agents/{agent_id}/proposals", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404)
)
def propose(agent_id: Id, request: ProposalRequest, unit: Writing) -> ProposalResponse:
    """Propose to a person something that the agent may not do yet."""
    proposal = proposals.propose(
        unit.session, unit.clock, workspace_id=unit.workspace_id, agent_id=agent_id, **request.model_dump()
    )
    return ProposalResponse.model_validate(proposal)


@router.get("/proposals")
def list_proposals(query: AgentPage, unit: ShortReading) -> PageAnswer[ProposalResponse]:
    """List proposals, newest first."""
    page = proposals.list_proposals(
        unit.session, workspace_id=unit.workspace_id, agent_id=query.agent_id, page=query.page
    )
    return PageAnswer.of(page, ProposalResponse.model_validate)


@router.post("/proposals/{proposal_id}/decision", responses=problem_responses(*WITH_BODY, 404, 409))
def decide_proposal(proposal_id: Id, request: AnswerRequest, unit: Administering) -> ProposalResponse:
    """Approve or reject a proposal that is still open."""
    proposal = proposals.decide_proposal(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        proposal_id=proposal_id,
        **request.model_dump(),
    )
    return ProposalResponse.model_validate(proposal)


@router.post("/proposals/{proposal_id}/cancellation", responses=problem_responses(404, 409))
def cancel_proposal(proposal_id: Id, unit: Administering, has_training: HasTraining) -> ProposalResponse:
    """Cancel a proposal that was not carried out; if it has a training, cancel that instead."""
    proposal = proposals.cancel_proposal(
        unit.session, unit.clock, has_training, workspace_id=unit.workspace_id, proposal_id=proposal_id
    )
    return ProposalResponse.model_validate(proposal)


@router.post("/proposals/{proposal_id}/execution", responses=problem_responses(404, 409))
def execute_proposal(proposal_id: Id, unit: Administering, has_training: HasTraining) -> ProposalResponse:
    """Note that an approved proposal was carried out, which resolves what was blocked for it."""
    proposal = proposals.execute_proposal(
        unit.session, unit.clock, has_training, workspace_id=unit.workspace_id, proposal_id=proposal_id
    )
    return ProposalResponse.model_validate(proposal)


@router.get("/queue")
def list_queue(query: AgentPage, unit: ShortReading) -> PageAnswer[QueueEntryResponse]:
    """List the runs that wait, or waited, for their supervisor, newest first."""
    page = supervised_queue.list_entries(
        unit.session, workspace_id=unit.workspace_id, agent_id=query.agent_id, page=query.page
    )
    return PageAnswer.of(page, QueueEntryResponse.model_validate)


@router.post("/queue/batch")
def claim_batch(query: Annotated[BatchQuery, Query()], unit: Writing) -> ItemsAnswer[QueueEntryResponse]:
    """Start the next runs, the highest priority first, then the oldest."""
    entries = supervised_queue.claim_batch(
        unit.session, unit.clock, workspace_id=unit.workspace_id, limit=query.limit
    )
    return ItemsAnswer(items=[QueueEntryResponse.model_validate(entry) for entry in entries])


@router.post("/queue/{entry_id}/completion", responses=problem_responses(404, 409))
def complete_queue_entry(entry_id: Id, unit: Writing) -> QueueEntryResponse:
    """Note that a started run ended well."""
    entry = supervised_queue.complete_entry(unit.session, workspace_id=unit.workspace_id, entry_id=entry_id)
    return QueueEntryResponse.model_validate(entry)


@router.post("/queue/{entry_id}/failure", responses=problem_responses(404, 409))
def fail_queue_entry(entry_id: Id, unit: Writing) -> QueueEntryResponse:
    """Note that a started run failed: it waits again while attempts are left."""
    entry = supervised_queue.fail_entry(unit.session, workspace_id=unit.workspace_id, entry_id=entry_id)
    return QueueEntryResponse.model_validate(entry)


@router.post("/queue/{entry_id}/cancellation", responses=problem_responses(404, 409))
def cancel_queue_entry(entry_id: Id, unit: Writing) -> QueueEntryResponse:
    """Take a waiting run out of the queue."""
    entry = supervised_queue.cancel_entry(unit.session, workspace_id=unit.workspace_id, entry_id=entry_id)
    return QueueEntryResponse.model_validate(entry)


@router.post("/queue/expiry")
def cancel_expired_queue_entries(unit: Writing) -> CountResponse:
    """Cancel the waiting runs whose time is over."""
    n = supervised_queue.cancel_expired_entries(unit.session, unit.clock, workspace_id=unit.workspace_id)
    return CountResponse(n=n)
