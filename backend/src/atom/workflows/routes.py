"""Routes of workflows: define them, run them, and run their steps as a worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Query, status

from atom.identity.access import Administering, DomainRouter, ShortReading, Writing
from atom.kit.pagination import KeyPage
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import Id, ItemsAnswer, KeyQuery, PageAnswer, PlaceQuery
from atom.workflows import claims, definitions, service
from atom.workflows.definition import parse_workflow
from atom.workflows.schemas import (
    ClaimRequest,
    ClaimResponse,
    FailureRequest,
    OutputRequest,
    RenewRequest,
    RenewResponse,
    ResumeRequest,
    StartRequest,
    WorkflowExecutionQuery,
    WorkflowExecutionResponse,
    WorkflowQuery,
    WorkflowRequest,
    WorkflowResponse,
    WorkflowStepResponse,
)

router = DomainRouter(prefix="/v1", tag="workflows")

CREATED = status.HTTP_201_CREATED


@router.post("/workflows", status_code=CREATED, responses=problem_responses(*WITH_BODY))
def define_workflow(request: WorkflowRequest, unit: Administering) -> WorkflowResponse:
    """Write the next version of a workflow; if it equals the newest version, that version is returned."""
    definition = definitions.define(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        workflow_id=request.workflow_id,
        workflow=parse_workflow(request.model_dump(exclude={"workflow_id"})),
    )
    return WorkflowResponse.model_validate(definition)


@router.get("/workflows")
def list_workflows(query: Annotated[KeyQuery, Query()], unit: ShortReading) -> PageAnswer[WorkflowResponse]:
    """List the newest version of each workflow, by name."""
    page = definitions.list_definitions(
        unit.session, workspace_id=unit.workspace_id, limit=query.limit, after=query.after
    )
    return PageAnswer.of_names(page, WorkflowResponse.model_validate)


@router.get("/workflow-version", responses=problem_responses(404))
def read_workflow(query: Annotated[WorkflowQuery, Query()], unit: ShortReading) -> WorkflowResponse:
    """Return a version of a workflow."""
    definition = definitions.get_definition(
        unit.session, workspace_id=unit.workspace_id, **query.model_dump()
    )
    return WorkflowResponse.model_validate(definition)


@router.post("/workflow-executions", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404))
def start_workflow(request: StartRequest, unit: Writing) -> WorkflowExecutionResponse:
    """Start a workflow; workers may then claim its steps."""
    scope = {"workspace_id": unit.workspace_id}
    workflow = definitions.get_workflow(
        unit.session, workflow_id=request.workflow_id, version=request.version, **scope
    )
    created = service.create_execution(
        unit.session,
        unit.clock,
        workflow_id=request.workflow_id,
        workflow=workflow,
        inputs=request.inputs,
        **scope,
    )
    begun = service.begin(unit.session, unit.clock, execution_id=created.id, **scope)
    return WorkflowExecutionResponse.model_validate(begun)


@router.get("/workflow-executions")
def list_workflow_executions(
    query: Annotated[WorkflowExecutionQuery, Query()], unit: ShortReading
) -> PageAnswer[WorkflowExecutionResponse]:
    """List runs of workflows, the newest first."""
    page = service.list_executions(
        unit.session,
        workspace_id=unit.workspace_id,
        page=query.page,
        workflow_id=query.workflow_id,
        status=query.status,
    )
    return PageAnswer.of(page, WorkflowExecutionResponse.model_validate)


@router.get("/workflow-executions/{run_id}", responses=problem_responses(404))
def read_workflow_execution(run_id: Id, unit: ShortReading) -> WorkflowExecutionResponse:
    """Return a run of a workflow."""
    found = service.get_execution(unit.session, workspace_id=unit.workspace_id, execution_id=run_id)
    return WorkflowExecutionResponse.model_validate(found)


@router.get("/workflow-executions/{run_id}/steps", responses=problem_responses(404))
def list_workflow_steps(
    run_id: Id, query: Annotated[PlaceQuery, Query()], unit: ShortReading
) -> PageAnswer[WorkflowStepResponse]:
    """List the steps of a run, in an order in which they could run one by one."""
    found = service.get_steps(unit.session, workspace_id=unit.workspace_id, execution_id=run_id)
    rest = [step for step in found if query.cursor is None or step.sequence_order > query.cursor]
    page = KeyPage.cut(rest, limit=query.limit, key=lambda step: str(step.sequence_order))
    return PageAnswer.of(page, WorkflowStepResponse.model_validate)


@router.post("/workflow-executions/{run_id}/pause", responses=problem_responses(404, 409))
def pause_workflow(run_id: Id, unit: Writing) -> WorkflowExecutionResponse:
    """Pause a run: no further step starts, and steps that are running may still report."""
    found = service.pause(unit.session, unit.clock, workspace_id=unit.workspace_id, execution_id=run_id)
    return WorkflowExecutionResponse.model_validate(found)


@router.post("/workflow-executions/{run_id}/resumption", responses=problem_responses(*WITH_BODY, 404, 409))
def resume_workflow(run_id: Id, request: ResumeRequest, unit: Writing) -> WorkflowExecutionResponse:
    """Resume a paused run, with further inputs."""
    found = service.resume(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        execution_id=run_id,
        inputs=request.inputs,
    )
    return WorkflowExecutionResponse.model_validate(found)


@router.post("/workflow-executions/{run_id}/cancellation", responses=problem_responses(404, 409))
def cancel_workflow(run_id: Id, unit: Writing) -> WorkflowExecutionResponse:
    """Cancel a run; later reports of its steps are refused."""
    found = service.cancel(unit.session, unit.clock, workspace_id=unit.workspace_id, execution_id=run_id)
    return WorkflowExecutionResponse.model_validate(found)


@router.post("/workflow-claims", responses=problem_responses(*WITH_BODY))
def claim_steps(request: ClaimRequest, unit: Writing) -> ItemsAnswer[ClaimResponse]:
    """Claim the next steps; a step that is not reported or renewed in time goes to another worker."""
    found = claims.claim_steps(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        worker=request.worker,
        limit=request.limit,
        lease=timedelta(seconds=request.lease_s),
    )
    return ItemsAnswer(items=[ClaimResponse.model_validate(claim) for claim in found])


@router.post("/workflow-claims/{claim_id}/renewal", responses=problem_responses(*WITH_BODY, 409))
def renew_claim(claim_id: Id, request: RenewRequest, unit: Writing) -> RenewResponse:
    """Keep a claimed step for longer; 409 if the claim was lost."""
    until = claims.renew(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        claim_id=claim_id,
        lease=timedelta(seconds=request.lease_s),
    )
    return RenewResponse(lease_until=until)


@router.post("/workflow-claims/{claim_id}/completion", responses=problem_responses(*WITH_BODY, 409))
def complete_claim(claim_id: Id, request: OutputRequest, unit: Writing) -> WorkflowExecutionResponse:
    """Report what a claimed step returned; 409 if the claim was lost."""
    found = claims.complete(
        unit.session, unit.clock, workspace_id=unit.workspace_id, claim_id=claim_id, output=request.output
    )
    return WorkflowExecutionResponse.model_validate(found)


@router.post("/workflow-claims/{claim_id}/failure", responses=problem_responses(*WITH_BODY, 409))
def fail_claim(claim_id: Id, request: FailureRequest, unit: Writing) -> WorkflowExecutionResponse:
    """Report that a claimed step failed; it is tried again, at most three times."""
    found = claims.fail(
        unit.session, unit.clock, workspace_id=unit.workspace_id, claim_id=claim_id, error=request.error
    )
    return WorkflowExecutionResponse.model_validate(found)
