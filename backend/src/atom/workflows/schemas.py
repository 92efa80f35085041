"""Requests and responses of workflows: definitions, executions, claims of workers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from atom.kit.text import MAX_NAME
from atom.web.schemas import (
    MAX_INTEGER,
    NOT_BLANK,
    WHOLE,
    Answer,
    JsonObject,
    Name,
    PageQuery,
    Request,
)
from atom.workflows.graph import MAX_STEPS
from atom.workflows.states import ExecutionStatus, StepStatus

MAX_ERROR = 2_000
MAX_CLAIMS = 20
Version = Annotated[int, Field(ge=1, le=MAX_INTEGER), WHOLE]
LeaseS = Annotated[int, Field(ge=1, le=3_600, examples=[60]), WHOLE]
StepName = Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=NOT_BLANK)]


class ReferenceBody(Request):
    """Where an input comes from: a step's output or, without a step, the execution's inputs."""

    key: str = Field(max_length=MAX_NAME)
    step: StepName | None = None


class StepBody(Request):
    """One piece of work."""

    id: StepName = Field(examples=["fetch"])
    action: StepName = Field(examples=["http.get"])
    inputs: dict[str, ReferenceBody] = Field(default_factory=dict, max_length=100)


class ConditionBody(Request):
    """What the source's output has to say."""

    key: str = Field(max_length=MAX_NAME)
    equals: str | bool | int | None


class ConnectionBody(Request):
    """The target waits for the source and, with a condition, runs only if that holds."""

    source: StepName
    target: StepName
    condition: ConditionBody | None = None


class WorkflowRequest(Request):
    """A workflow to define."""

    workflow_id: Name = Field(examples=["month-end"])
    steps: list[StepBody] = Field(min_length=1, max_length=MAX_STEPS)
    connections: list[ConnectionBody] = Field(default_factory=list, max_length=10 * MAX_STEPS)


class WorkflowQuery(Request):
    """Which workflow to return."""

    workflow_id: Name
    version: int | None = Field(None, ge=1, le=MAX_INTEGER, description="by default the newest")


class WorkflowResponse(Answer):
    """A version of a workflow."""

    workflow_id: str
    version: int
    definition: dict[str, Any]
    created_at: datetime


class StartRequest(Request):
    """A workflow to run."""

    workflow_id: Name = Field(examples=["month-end"])
    version: Version | None = Field(None, description="by default the newest")
    inputs: JsonObject = Field(default_factory=dict)


class WorkflowExecutionQuery(PageQuery):
    """Which executions to list, and which part of them."""

    workflow_id: Name | None = None
    status: ExecutionStatus | None = None


class WorkflowExecutionResponse(Answer):
    """A run of a workflow."""

    id: str
    workflow_id: str
    status: ExecutionStatus
    version: int = Field(description="grows by one with every change of the execution")
    inputs: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class WorkflowStepResponse(Answer):
    """A step of a run."""

    step_id: str
    sequence_order: int
    status: StepStatus
    retry_count: int
    not_before: datetime | None
    started_at: datetime | None
    duration_ms: int | None
    output: dict[str, Any]
    error: str | None


class ResumeRequest(Request):
    """What a paused execution was missing."""

    inputs: JsonObject = Field(default_factory=dict)


class ClaimRequest(Request):
    """What a worker can take on."""

    worker: Name = Field(examples=["worker-1"])
    limit: Annotated[int, Field(ge=1, le=MAX_CLAIMS), WHOLE] = 1
    lease_s: LeaseS = 60


class ClaimResponse(Answer):
    """A step that the worker has to run, and until when it is the worker's."""

    claim_id: str = Field(validation_alias="id")
    execution_id: str
    workflow_id: str
    step_id: str
    action: str
    inputs: dict[str, Any]
    attempt: int
    lease_until: datetime


class RenewRequest(Request):
    """How long a worker wants to keep its step."""

    lease_s: LeaseS = 60


class RenewResponse(Answer):
    """Until when the step is the worker's."""

    lease_until: datetime


class OutputRequest(Request):
    """What a step returned."""

    output: JsonObject = Field(default_factory=dict)


class FailureRequest(Request):
    """Why a step failed."""

    error: str = Field(min_length=1, max_length=MAX_ERROR, pattern=NOT_BLANK)
