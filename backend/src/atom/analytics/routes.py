"""Routes of analytics: what comes in, and the reports made of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request, status

from atom.analytics import service
from atom.analytics.metrics import Counters
from atom.analytics.reports import CachedReports
from atom.analytics.schemas import (
    AlertRuleRequest,
    AlertRuleResponse,
    CountersQuery,
    EventsRequest,
    GroupCountersResponse,
    IngestedResponse,
    IntegrationCallRequest,
    IntegrationResponse,
    MetricQuery,
    MetricRequest,
    NotificationResponse,
    OverviewResponse,
    PerformanceQuery,
    PerformanceResponse,
    PointQuery,
    PointResponse,
    SummaryResponse,
    WindowQuery,
)
from atom.analytics.vocabulary import NewEvent, NewMetric
from atom.identity.access import Administering, DomainRouter, Reading, ShortReading, Writing
from atom.kit.pagination import Cursor, KeyPage, Page
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import Id, ItemsAnswer, KeyQuery, PageAnswer

router = DomainRouter(prefix="/v1/analytics", tag="analytics")


async def _reports(request: Request) -> CachedReports:
    reports: CachedReports = request.app.state.reports
    return reports


Reports = Annotated[CachedReports, Depends(_reports)]


@router.post("/events", responses=problem_responses(*WITH_BODY))
def ingest_events(request: EventsRequest, unit: Writing) -> IngestedResponse:
    """Add events; an event whose `event_id` is known is ignored."""
    n_new = service.record_events(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        events=[NewEvent(**event.model_dump()) for event in request.events],
    )
    return IngestedResponse(n_new=n_new)


@router.post("/metrics", status_code=status.HTTP_201_CREATED, responses=problem_responses(*WITH_BODY))
def collect_metric(request: MetricRequest, unit: Writing) -> PointResponse:
    """Add a measured value."""
    point = service.collect_metric(
        unit.session, unit.clock, workspace_id=unit.workspace_id, metric=NewMetric(**request.model_dump())
    )
    return PointResponse.model_validate(point)


@router.get("/metrics/points")
def list_metric_points(
    query: Annotated[PointQuery, Query()], unit: ShortReading
) -> PageAnswer[PointResponse]:
    """List the values of a metric in a window, the latest first."""
    found = service.metric_points(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        name=query.name,
        window=query.window,
        limit=query.limit + 1,
        after=query.page.after,
    )
    page = Page.cut(found, limit=query.limit, place=lambda point: Cursor(at=point.recorded_at, id=point.id))
    return PageAnswer.of(page, PointResponse.model_validate)


@router.get("/metrics/summary")
def summarize_metric(query: Annotated[MetricQuery, Query()], unit: Reading) -> SummaryResponse:
    """Return the figures of a metric's values in a window."""
    found = service.metric_summary(
        unit.session, unit.clock, workspace_id=unit.workspace_id, **query.model_dump()
    )
    return SummaryResponse.model_validate(found)


@router.get("/performance")
def read_performance(
    query: Annotated[PerformanceQuery, Query()], unit: Reading, reports: Reports
) -> PerformanceResponse:
    """Return how a workflow did in a window, as computed at most five minutes ago."""
    found = reports.performance(unit.session, workspace_id=unit.workspace_id, **query.model_dump())
    return PerformanceResponse.model_validate(found)


@router.get("/overview")
def read_overview(
    query: Annotated[WindowQuery, Query()], unit: Reading, reports: Reports
) -> OverviewResponse:
    """Return how all workflows did in a window, as computed at most five minutes ago."""
    found = reports.overview(unit.session, workspace_id=unit.workspace_id, window=query.window)
    return OverviewResponse.model_validate(found)


@router.get("/counters")
def count_events(
    query: Annotated[CountersQuery, Query()], unit: Reading
) -> PageAnswer[GroupCountersResponse]:
    """List the counters of each workflow, user or step in a window, by name; events without one come last."""
    found = service.counters_by(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        window=query.window,
        group=query.group,
        workflow_id=query.workflow_id,
    )
    named = KeyPage.within(
        ((name, counters) for name, counters in found.items() if name is not None),
        limit=query.limit,
        after=query.after,
        key=lambda item: item[0],
    )
    page: KeyPage[tuple[str | None, Counters]] = KeyPage(items=named.items, next=named.next)
    if None in found and named.next is None:
        if len(named.items) < query.limit:
            page = KeyPage(items=(*named.items, (None, found[None])))
        else:
            page = KeyPage(items=named.items, next=named.items[-1][0])
    return PageAnswer.of_names(
        page,
        lambda item: GroupCountersResponse.model_validate({"member": item[0], "counters": item[1]}),
    )


@router.post(
    "/alert-rules",
    status_code=status.HTTP_201_CREATED,
    responses=problem_responses(*WITH_BODY, 409),
)
def add_alert_rule(request: AlertRuleRequest, unit: Writing) -> AlertRuleResponse:
    """Add an alert rule, with a name that the workspace does not have yet."""
    rule = service.add_alert_rule(unit.session, workspace_id=unit.workspace_id, **request.model_dump())
    return AlertRuleResponse.model_validate(rule)


@router.get("/alert-rules")
def list_alert_rules(
    query: Annotated[KeyQuery, Query()], unit: ShortReading
) -> PageAnswer[AlertRuleResponse]:
    """List the alert rules by name, each with the time since when it has been firing."""
    found = service.list_alert_rules(unit.session, workspace_id=unit.workspace_id)
    page = KeyPage.within(found, limit=query.limit, after=query.after, key=lambda rule: rule.name)
    return PageAnswer.of_names(page, AlertRuleResponse.model_validate)


@router.delete(
    "/alert-rules/{rule_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problem_responses(404)
)
def delete_alert_rule(rule_id: Id, unit: Administering) -> None:
    """Delete an alert rule and its alerts."""
    service.delete_alert_rule(unit.session, workspace_id=unit.workspace_id, rule_id=rule_id)


@router.post("/alert-evaluation")
def evaluate_alerts(unit: Writing) -> ItemsAnswer[NotificationResponse]:
    """Check the latest values against the rules, and return what has changed since the last time."""
    found = service.evaluate_alerts(unit.session, unit.clock, workspace_id=unit.workspace_id)
    return ItemsAnswer(items=[NotificationResponse.model_validate(change) for change in found])


@router.post(
    "/integration-calls",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(*WITH_BODY),
)
def record_integration_call(request: IntegrationCallRequest, unit: Writing) -> None:
    """Count one call of another system."""
    service.record_integration_call(
        unit.session, unit.clock, workspace_id=unit.workspace_id, **request.model_dump()
    )


@router.get("/integrations")
def list_integrations(
    query: Annotated[KeyQuery, Query()], unit: ShortReading
) -> PageAnswer[IntegrationResponse]:
    """List how well each integration works, by name."""
    found = service.integrations(unit.session, workspace_id=unit.workspace_id)
    page = KeyPage.within(found, limit=query.limit, after=query.after, key=lambda row: row.name)
    return PageAnswer.of_names(page, IntegrationResponse.model_validate)
