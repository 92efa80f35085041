"""Every query of graduation; where an id comes from outside, its agent has to be of the workspace."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import Select, bindparam, func, select, tuple_

from atom.agents.models import Agent
from atom.episodes.models import Episode, EpisodeStatus
from atom.graduation.models import Promotion, SupervisionSession, SupervisionStatus, TrainingSession
from atom.graduation.readiness import MEAN_PLACES, Record
from atom.graduation.supervision import SupervisedSession
from atom.kit.pagination import Cursor, Page, PageRequest

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.orm import InstrumentedAttribute, Session

    from atom.agents.maturity import AgentStatus

Owned = TypeVar("Owned", TrainingSession, SupervisionSession)

EPISODE_RECORD: Final = select(
    func.count(Episode.id),
    func.coalesce(func.sum(Episode.human_intervention_count), 0),
    func.avg(Episode.constitutional_score),
).where(
    Episode.agent_id == bindparam("agent"),
    Episode.status == EpisodeStatus.COMPLETED,
    Episode.maturity_at_time == bindparam("maturity"),
)
COMPLETED_SUPERVISIONS: Final = (
    select(SupervisionSession)
    .where(
        SupervisionSession.agent_id == bindparam("agent"),
        SupervisionSession.status == SupervisionStatus.COMPLETED,
    )
    .order_by(SupervisionSession.completed_at.desc(), SupervisionSession.id.desc())
)


def episode_record(session: Session, *, agent_id: str, maturity: AgentStatus) -> Record:
    """Return what the agent completed while it was of this maturity, summed up by the database."""
    parameters = {"agent": agent_id, "maturity": maturity}
    n_episodes, n_interventions, mean = session.execute(EPISODE_RECORD, parameters).one()
    return Record(
        n_episodes=n_episodes,
        n_interventions=n_interventions,
        constitutional_mean=None if mean is None else round(mean, MEAN_PLACES),
    )


def episodes_of(session: Session, *, agent_id: str, episode_ids: Collection[str]) -> set[str]:
    """Return which of the episodes are the agent's."""
    query = select(Episode.id).where(Episode.agent_id == agent_id, Episode.id.in_(episode_ids))
    return set(session.scalars(query))


def completed_supervisions(session: Session, *, agent_id: str) -> list[SupervisedSession]:
    """Return what counts of the agent's completed supervised sessions, newest first."""
    return [_counted(row) for row in session.scalars(COMPLETED_SUPERVISIONS, {"agent": agent_id})]


def promotions_page(session: Session, *, agent_id: str, page: PageRequest) -> Page[Promotion]:
    """Return the agent's promotions, newest first."""
    query = (
        select(Promotion)
        .where(Promotion.agent_id == agent_id)
        .order_by(Promotion.promoted_at.desc(), Promotion.id.desc())
    )
    if page.after is not None:
        query = query.where(
            tuple_(Promotion.promoted_at, Promotion.id) < tuple_(page.after.at, page.after.id)
        )
    rows = session.scalars(query.limit(page.limit + 1)).all()
    return Page.cut(rows, limit=page.limit, place=lambda row: Cursor(at=row.promoted_at, id=row.id))


def newest_page(
    session: Session,
    model: type[Owned],
    at: InstrumentedAttribute[datetime],
    *,
    workspace_id: str,
    page: PageRequest,
    **where: object,
) -> Page[Owned]:
    """Return a workspace's rows whose columns have these values, None for any, in the order of a time."""
    query = (
        select(model)
        .join(Agent, Agent.id == model.agent_id)
        .where(Agent.workspace_id == workspace_id)
        .order_by(at.desc(), model.id.desc())
    )
    for column, value in where.items():
        if value is not None:
            query = query.where(getattr(model, column) == value)
    if page.after is not None:
        query = query.where(tuple_(at, model.id) < tuple_(page.after.at, page.after.id))
    rows = session.scalars(query.limit(page.limit + 1)).all()
    return Page.cut(rows, limit=page.limit, place=lambda row: Cursor(at=getattr(row, at.key), id=row.id))


def has_training(session: Session, *, proposal_id: str) -> bool:
    """Whether a training was made from the proposal."""
    query = select(TrainingSession.id).where(TrainingSession.proposal_id == proposal_id)
    return session.scalar(query) is not None


def hold(session: Session, model: type[Owned], *, workspace_id: str, row_id: str) -> Owned | None:
    """Return a row as it is committed now, locked for other writers; None for another workspace's."""
    query: Select[Owned] = _hold(model)
    return session.scalar(query, {"workspace": workspace_id, "row": row_id})


@functools.cache
def _hold(model: type[Owned]) -> Select[Owned]:
    return (
        select(model)
        .join(Agent, Agent.id == model.agent_id)
        .where(Agent.workspace_id == bindparam("workspace"), model.id == bindparam("row"))
        .with_for_update(of=model)
        .execution_options(populate_existing=True)
    )


def _counted(row: SupervisionSession) -> SupervisedSession:
    assert row.supervisor_rating is not None
    assert row.duration_seconds is not None
    return SupervisedSession(
        rating=row.supervisor_rating,
        n_interventions=row.intervention_count,
        duration_seconds=row.duration_seconds,
    )
