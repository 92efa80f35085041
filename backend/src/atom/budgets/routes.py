"""Routes of budgets: projects and what they burn; spending limits, and money reserved under them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, status

from atom.budgets import service
from atom.budgets.schemas import (
    CategoryQuery,
    CategoryRequest,
    CategoryResponse,
    LimitRequest,
    PlannedSpendRequest,
    ProjectRequest,
    ProjectResponse,
    ReservationQuery,
    ReservationResponse,
    ReserveResponse,
    SettleRequest,
    SpendDecisionResponse,
    SpendRequest,
    TaskRequest,
    TaskResponse,
    WorkRequest,
)
from atom.identity.access import Administering, DomainRouter, ShortReading, Writing
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import Id, IdPageQuery, PageAnswer, PageQuery

router = DomainRouter(prefix="/v1", tag="budgets")

CREATED = status.HTTP_201_CREATED


@router.post("/projects", status_code=CREATED, responses=problem_responses(*WITH_BODY))
def create_project(request: ProjectRequest, unit: Administering) -> ProjectResponse:
    """Create a project with its budget; nothing of it is spent yet."""
    project = service.create_project(
        unit.session, unit.clock, workspace_id=unit.workspace_id, **request.model_dump()
    )
    return ProjectResponse.model_validate(project)


@router.get("/projects")
def list_projects(query: Annotated[PageQuery, Query()], unit: ShortReading) -> PageAnswer[ProjectResponse]:
    """List the projects, the newest first, each as it was when its burn was last computed."""
    page = service.list_projects(unit.session, workspace_id=unit.workspace_id, page=query.page)
    return PageAnswer.of(page, ProjectResponse.model_validate)


@router.get("/projects/{project_id}", responses=problem_responses(404))
def read_project(project_id: Id, unit: ShortReading) -> ProjectResponse:
    """Return a project as it was when its burn was last computed."""
    project = service.get_project(unit.session, workspace_id=unit.workspace_id, project_id=project_id)
    return ProjectResponse.model_validate(project)


@router.post("/projects/{project_id}/burn", responses=problem_responses(404, 409))
def compute_burn(project_id: Id, unit: Writing) -> ProjectResponse:
    """Compute what a project has burnt, work and expenses, and how its budget stands."""
    project = service.refresh_burn(unit.session, workspace_id=unit.workspace_id, project_id=project_id)
    return ProjectResponse.model_validate(project)


@router.post(
    "/projects/{project_id}/tasks", status_code=CREATED, responses=problem_responses(*WITH_BODY, 404)
)
def add_task(project_id: Id, request: TaskRequest, unit: Writing) -> TaskResponse:
    """Add a task to a project, for a user of the workspace or nobody."""
    task = service.add_task(
        unit.session, workspace_id=unit.workspace_id, project_id=project_id, **request.model_dump()
    )
    return TaskResponse.model_validate(task)


@router.get("/projects/{project_id}/tasks", responses=problem_responses(404))
def list_tasks(
    project_id: Id, query: Annotated[IdPageQuery, Query()], unit: ShortReading
) -> PageAnswer[TaskResponse]:
    """List the tasks of a project."""
    page = service.list_tasks(
        unit.session,
        workspace_id=unit.workspace_id,
        project_id=project_id,
        limit=query.limit,
        after=query.cursor,
    )
    return PageAnswer.of(page, TaskResponse.model_validate)


@router.post("/projects/{project_id}/tasks/{task_id}/work", responses=problem_responses(*WITH_BODY, 404, 409))
def log_work(project_id: Id, task_id: Id, request: WorkRequest, unit: Writing) -> TaskResponse:
    """Add to the minutes worked on a task."""
    task = service.log_work(
        unit.session,
        workspace_id=unit.workspace_id,
        project_id=project_id,
        task_id=task_id,
        minutes=request.minutes,
    )
    return TaskResponse.model_validate(task)


@router.post("/spending/limits", responses=problem_responses(*WITH_BODY, 409))
def set_limit(request: LimitRequest, unit: Administering) -> CategoryResponse:
    """Set the limit of a category and end its pause; what is reserved has to fit into the limit."""
    category = service.set_limit(unit.session, workspace_id=unit.workspace_id, **request.model_dump())
    return CategoryResponse.model_validate(category)


@router.post("/spending/resumption", responses=problem_responses(*WITH_BODY, 404))
def resume_category(request: CategoryRequest, unit: Administering) -> CategoryResponse:
    """End the pause of a category."""
    category = service.resume_category(unit.session, workspace_id=unit.workspace_id, **request.model_dump())
    return CategoryResponse.model_validate(category)


@router.get("/spending/categories")
def list_categories(
    query: Annotated[CategoryQuery, Query()], unit: ShortReading
) -> PageAnswer[CategoryResponse]:
    """List the spending categories by name, or the one that is named."""
    page = service.list_categories(
        unit.session,
        workspace_id=unit.workspace_id,
        name=query.name,
        limit=query.limit,
        after=query.after,
    )
    return PageAnswer.of_names(page, CategoryResponse.model_validate)


@router.post("/spending/checks", responses=problem_responses(*WITH_BODY))
def check_spending(request: PlannedSpendRequest, unit: Writing) -> SpendDecisionResponse:
    """Say whether an amount may be spent, without spending it; one over the limit pauses the category."""
    decision = service.check(unit.session, workspace_id=unit.workspace_id, **request.model_dump())
    return SpendDecisionResponse.model_validate(decision)


@router.post("/spending/records", responses=problem_responses(*WITH_BODY, 409))
def record_spending(request: SpendRequest, unit: Writing) -> CategoryResponse:
    """Record money that was spent, within the limit or not."""
    category = service.record(unit.session, workspace_id=unit.workspace_id, **request.model_dump())
    return CategoryResponse.model_validate(category)


@router.post("/spending/reservations", responses=problem_responses(*WITH_BODY, 409))
def reserve_spending(request: PlannedSpendRequest, unit: Writing) -> ReserveResponse:
    """Reserve an amount if the limit allows it; the verdict says whether it did."""
    found = service.reserve(unit.session, unit.clock, workspace_id=unit.workspace_id, **request.model_dump())
    return ReserveResponse.model_validate(found)


@router.get("/spending/reservations")
def list_reservations(
    query: Annotated[ReservationQuery, Query()], unit: ShortReading
) -> PageAnswer[ReservationResponse]:
    """List reservations, the newest first."""
    page = service.list_reservations(
        unit.session,
        workspace_id=unit.workspace_id,
        page=query.page,
        category=query.category,
        status=query.status,
    )
    return PageAnswer.of(page, ReservationResponse.model_validate)


@router.get("/spending/reservations/{reservation_id}", responses=problem_responses(404))
def read_reservation(reservation_id: Id, unit: ShortReading) -> ReservationResponse:
    """Return a reservation."""
    found = service.get_reservation(
        unit.session, workspace_id=unit.workspace_id, reservation_id=reservation_id
    )
    return ReservationResponse.model_validate(found)


@router.post(
    "/spending/reservations/{reservation_id}/settlement", responses=problem_responses(*WITH_BODY, 404, 409)
)
def settle_reservation(reservation_id: Id, request: SettleRequest, unit: Writing) -> ReservationResponse:
    """Spend the reserved amount or less; the rest is free again."""
    found = service.settle(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        reservation_id=reservation_id,
        spent_minor=request.spent_minor,
    )
    return ReservationResponse.model_validate(found)


@router.post("/spending/reservations/{reservation_id}/release", responses=problem_responses(404, 409))
def release_reservation(reservation_id: Id, unit: Writing) -> ReservationResponse:
    """Release the reserved amount."""
    found = service.release(
        unit.session, unit.clock, workspace_id=unit.workspace_id, reservation_id=reservation_id
    )
    return ReservationResponse.model_validate(found)
