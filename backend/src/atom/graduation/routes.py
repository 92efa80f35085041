"""
Routes of graduation: how an agent stands, its exam, its trainings and supervised sessions, its promotion.

All that lifts an agent takes a key of scope admin, and one that speaks for the person who lets it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, status

from atom.agents.routes import Watcher
from atom.agents.service import get_agent
from atom.graduation import exam, service, supervision_sessions, training, training_sessions
from atom.graduation.exam import CaseResult, ReportedSandbox
from atom.graduation.schemas import (
    ComplianceRequest,
    ComplianceResponse,
    EstimateQuery,
    EstimateResponse,
    ExamRequest,
    ExamResponse,
    PerformanceRequest,
    PromotionRequest,
    PromotionResponse,
    RatingRequest,
    ReadinessQuery,
    ReadinessResponse,
    StepInRequest,
    SupervisedReadinessResponse,
    SupervisionQuery,
    SupervisionRequest,
    SupervisionResponse,
    TrainingQuery,
    TrainingRequest,
    TrainingResponse,
)
from atom.identity.access import Administering, DomainRouter, Reading, ShortReading
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import Id, PageAnswer, PageQuery

router = DomainRouter(prefix="/v1", tag="graduation")

CREATED = status.HTTP_201_CREATED


@router.get("/agents/{agent_id}/readiness", responses=problem_responses(404, 409))
def read_readiness(
    agent_id: Id, query: Annotated[ReadinessQuery, Query()], unit: Reading
) -> ReadinessResponse:
    """Say how far an agent meets the criteria of a rung by its episodes; 409 if there is no next rung."""
    found = service.assess_agent(
        unit.session, workspace_id=unit.workspace_id, agent_id=agent_id, target=query.target
    )
    return ReadinessResponse.model_validate(found)


@router.get("/agents/{agent_id}/supervised-readiness", responses=problem_responses(404, 409))
def read_supervised_readiness(
    agent_id: Id, query: Annotated[ReadinessQuery, Query()], unit: Reading
) -> SupervisedReadinessResponse:
    """Say how far an agent meets the criteria of a rung by its episodes and its supervised sessions."""
    found = service.assess_agent_with_supervision(
        unit.session, workspace_id=unit.workspace_id, agent_id=agent_id, target=query.target
    )
    return SupervisedReadinessResponse.model_validate(found)


@router.post("/agents/{agent_id}/exams", responses=problem_responses(*WITH_BODY, 404))
def grade_exam(agent_id: Id, request: ExamRequest, unit: Reading) -> ExamResponse:
    """Grade an exam over episodes of the agent; nothing is written."""
    cases = {case.episode_id: CaseResult(**case.model_dump()) for case in request.cases}
    found = service.hold_exam(
        unit.session,
        ReportedSandbox(cases),
        workspace_id=unit.workspace_id,
        agent_id=agent_id,
        episode_ids=[case.episode_id for case in request.cases],
    )
    return ExamResponse.model_validate(found)


@router.post("/compliance-grades", responses=problem_responses(*WITH_BODY))
def grade_compliance(request: ComplianceRequest, unit: Reading) -> ComplianceResponse:  # noqa: ARG001
    """Grade how well an agent kept its rules; nothing is written."""
    found = exam.grade_compliance(request.violations, n_actions=request.n_actions)
    return ComplianceResponse.model_validate(found)


@router.post(
    "/agents/{agent_id}/promotions", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404, 409)
)
def promote_agent(
    agent_id: Id, request: PromotionRequest, unit: Administering, watcher: Watcher
) -> PromotionResponse:
    """Move an agent that is ready to its next rung."""
    promotion = service.promote(
        unit.session,
        unit.clock,
        watcher,
        workspace_id=unit.workspace_id,
        agent_id=agent_id,
        **request.model_dump(),
    )
    return PromotionResponse.model_validate(promotion)


@router.get("/agents/{agent_id}/promotions", responses=problem_responses(404))
def list_promotions(
    agent_id: Id, query: Annotated[PageQuery, Query()], unit: ShortReading
) -> PageAnswer[PromotionResponse]:
    """List an agent's promotions, the latest first."""
    page = service.list_promotions(
        unit.session, workspace_id=unit.workspace_id, agent_id=agent_id, page=query.page
    )
    return PageAnswer.of(page, PromotionResponse.model_validate)


@router.get("/agents/{agent_id}/training-estimate", responses=problem_responses(404))
def estimate_training(
    agent_id: Id, query: Annotated[EstimateQuery, Query()], unit: Reading
) -> EstimateResponse:
    """Say how long the agent will train to become an intern."""
    agent = get_agent(unit.session, workspace_id=unit.workspace_id, agent_id=agent_id)
    found = training.estimate_training_time(confidence=agent.confidence, **query.model_dump())
    return EstimateResponse.model_validate(found)


@router.post("/trainings", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404, 409))
def schedule_training(request: TrainingRequest, unit: Administering) -> TrainingResponse:
    """Schedule the training that was proposed, once; it approves the proposal if nobody has yet."""
    found = training_sessions.approve_training(
        unit.session, unit.clock, workspace_id=unit.workspace_id, **request.model_dump()
    )
    return TrainingResponse.model_validate(found)


@router.get("/trainings")
def list_trainings(
    query: Annotated[TrainingQuery, Query()], unit: ShortReading
) -> PageAnswer[TrainingResponse]:
    """List trainings, the one that was scheduled last first."""
    page = training_sessions.list_trainings(
        unit.session,
        workspace_id=unit.workspace_id,
        agent_id=query.agent_id,
        status=query.status,
        page=query.page,
    )
    return PageAnswer.of(page, TrainingResponse.model_validate)


@router.post("/trainings/{training_id}/start", responses=problem_responses(404, 409))
def start_training(training_id: Id, unit: Administering) -> TrainingResponse:
    """Begin a scheduled training."""
    found = training_sessions.start_training(
        unit.session, workspace_id=unit.workspace_id, training_id=training_id
    )
    return TrainingResponse.model_validate(found)


@router.post("/trainings/{training_id}/completion", responses=problem_responses(*WITH_BODY, 404, 409))
def complete_training(
    training_id: Id, request: PerformanceRequest, unit: Administering, watcher: Watcher
) -> TrainingResponse:
    """End a training with a performance, which raises the agent's confidence and may promote a student."""
    found = training_sessions.complete_training(
        unit.session,
        unit.clock,
        watcher,
        workspace_id=unit.workspace_id,
        training_id=training_id,
        performance_score=request.performance_score,
    )
    return TrainingResponse.model_validate(found)


@router.post("/trainings/{training_id}/cancellation", responses=problem_responses(404, 409))
def cancel_training(training_id: Id, unit: Administering) -> TrainingResponse:
    """Cancel a training and its proposal."""
    found = training_sessions.cancel_training(
        unit.session, unit.clock, workspace_id=unit.workspace_id, training_id=training_id
    )
    return TrainingResponse.model_validate(found)


@router.post("/trainings/{training_id}/failure", responses=problem_responses(404, 409))
def fail_training(training_id: Id, unit: Administering) -> TrainingResponse:
    """Note that a running training failed, and its proposal with it."""
    found = training_sessions.fail_training(
        unit.session, unit.clock, workspace_id=unit.workspace_id, training_id=training_id
    )
    return TrainingResponse.model_validate(found)


@router.post(
    "/agents/{agent_id}/supervisions", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404)
)
def start_supervision(agent_id: Id, request: SupervisionRequest, unit: Administering) -> SupervisionResponse:
    """Begin to watch a run of the agent."""
    found = supervision_sessions.start_supervision(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        agent_id=agent_id,
        supervisor_id=request.supervisor_id,
    )
    return SupervisionResponse.model_validate(found)


@router.get("/supervisions")
def list_supervisions(
    query: Annotated[SupervisionQuery, Query()], unit: ShortReading
) -> PageAnswer[SupervisionResponse]:
    """List supervised sessions, the one that began last first."""
    page = supervision_sessions.list_supervisions(
        unit.session,
        workspace_id=unit.workspace_id,
        agent_id=query.agent_id,
        status=query.status,
        page=query.page,
    )
    return PageAnswer.of(page, SupervisionResponse.model_validate)


@router.post(
    "/supervisions/{supervision_id}/interventions", responses=problem_responses(*WITH_BODY, 404, 409)
)
def step_in(supervision_id: Id, request: StepInRequest, unit: Administering) -> SupervisionResponse:
    """Intervene in a running session; a termination ends it, a pause or a correction does not."""
    found = supervision_sessions.intervene(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        supervision_id=supervision_id,
        **request.model_dump(),
    )
    return SupervisionResponse.model_validate(found)


@router.post("/supervisions/{supervision_id}/completion", responses=problem_responses(*WITH_BODY, 404, 409))
def complete_supervision(
    supervision_id: Id, request: RatingRequest, unit: Administering, watcher: Watcher
) -> SupervisionResponse:
    """End a running session with a rating, which changes the agent's confidence and perhaps its maturity."""
    found = supervision_sessions.complete_supervision(
        unit.session,
        unit.clock,
        watcher,
        workspace_id=unit.workspace_id,
        supervision_id=supervision_id,
        rating=request.rating,
    )
    return SupervisionResponse.model_validate(found)


@router.post("/supervisions/{supervision_id}/failure", responses=problem_responses(404, 409))
def fail_supervision(supervision_id: Id, unit: Administering) -> SupervisionResponse:
    """Note that the watched run failed; the agent's confidence stays."""
    found = supervision_sessions.fail_supervision(
        unit.session, unit.clock, workspace_id=unit.workspace_id, supervision_id=supervision_id
    )
    return SupervisionResponse.model_validate(found)
