"""Who is assessed, by what, and for whom a promotion is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from atom.agents.maturity import AgentStatus
from atom.agents.models import Agent
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.graduation import service, supervision_sessions
from atom.graduation.exam import ReportedSandbox
from atom.graduation.models import Promotion, SupervisionSession
from atom.graduation.supervision import SupervisionGate
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, InvalidError, NotFoundError
from atom.kit.pagination import PageRequest
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant


def decisions() -> DecisionCache:
    return DecisionCache(GovernanceCache(ManualClock(NOW)))


def practise(session: Session, tenant: Tenant, n_episodes: int, maturity: str = "student") -> None:
    factories.add_episodes(
        session,
        [
            {
                "workspace_id": tenant.workspace_id,
                "agent_id": tenant.agent_id,
                "maturity_at_time": AgentStatus(maturity),
                "human_intervention_count": 0,
                "constitutional_score": 1.0,
            }
        ]
        * n_episodes,
    )


def supervise(session: Session, clock: ManualClock, tenant: Tenant, rating: int | None) -> None:
    watched = supervision_sessions.start_supervision(
        session, clock, **tenant.agent, supervisor_id=tenant.user_id
    )
    clock.advance(timedelta(hours=1))
    if rating is not None:
        supervision_sessions.complete_supervision(
            session,
            clock,
            decisions(),
            workspace_id=tenant.workspace_id,
            supervision_id=watched.id,
            rating=rating,
        )


@pytest.mark.parametrize("target", [AgentStatus.STUDENT, AgentStatus.PAUSED, AgentStatus.DEPRECATED])
def test_only_a_rung_above_the_lowest_is_assessed(database: Database, target: AgentStatus) -> None:
    """Anything else is refused by its field."""
    with database.session() as session:
        tenant = factories.tenant(session)
        with pytest.raises(InvalidError) as caught:
            service.assess_agent(session, **tenant.agent, target=target)
        assert caught.value.field == "target"


def test_supervision_is_a_part_of_the_assessment(database: Database) -> None:
    """Only completed sessions of the agent count, and a missed gate keeps it from being ready."""
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant, stranger = (factories.tenant(session, status="student") for _ in range(2))
        practise(session, tenant, 10)
        for rating in (4, 4, 4, None):
            supervise(session, clock, tenant, rating)
        supervise(session, clock, stranger, 5)
        found = service.assess_agent_with_supervision(session, **tenant.agent)
        assert found.readiness == service.assess_agent(session, **tenant.agent)
        assert found.readiness.is_ready
        assert found.supervision.n_sessions == 3
        assert found.supervision.missed_gates == (SupervisionGate.HIGH_RATED_SESSIONS,)
        assert not found.is_ready
        assert found.score == pytest.approx(0.7 * 100 + 0.3 * 95)
        supervise(session, clock, tenant, 4)
        assert service.assess_agent_with_supervision(session, **tenant.agent).is_ready
        harder = service.assess_agent_with_supervision(session, **tenant.agent, target=AgentStatus.AUTONOMOUS)
        assert harder.readiness.target is AgentStatus.AUTONOMOUS
        assert not harder.is_ready


def test_the_newest_sessions_make_the_trend(database: Database) -> None:
    """Five good ones after five bad ones are an improvement."""
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant = factories.tenant(session, status="student")
        for rating in [2] * 5 + [4] * 5:
            supervise(session, clock, tenant, rating)
        assert service.assess_agent_with_supervision(session, **tenant.agent).supervision.trend == "improving"


@pytest.mark.parametrize(
    "use",
    [
        lambda session, **agent: service.assess_agent(session, **agent),
        lambda session, **agent: service.assess_agent_with_supervision(session, **agent),
        lambda session, **agent: service.list_promotions(session, **agent),
        lambda session, **agent: service.hold_exam(session, ReportedSandbox({}), **agent, episode_ids=[]),
    ],
)
def test_another_workspaces_agent_is_not_there(database: Database, use: Callable[..., object]) -> None:
    """Every use of a foreign agent ends as that of an unknown one."""
    with database.session() as session:
        tenant, stranger = factories.tenant(session), factories.tenant(session, status="student")
        with pytest.raises(NotFoundError, match=stranger.agent_id):
            use(session, workspace_id=tenant.workspace_id, agent_id=stranger.agent_id)


def test_a_promotion_stays_inside_its_workspace(database: Database) -> None:
    """A foreign agent or promoter is not there, and nothing is written."""
    with database.session() as session:
        tenant, stranger = (factories.tenant(session, status="student") for _ in range(2))
        for place in (tenant, stranger):
            practise(session, place, 10)
        for agent_id, user_id in [
            (stranger.agent_id, tenant.user_id),
            (tenant.agent_id, stranger.user_id),
        ]:
            with pytest.raises(NotFoundError):
                service.promote(
                    session,
                    ManualClock(NOW),
                    decisions(),
                    workspace_id=tenant.workspace_id,
                    agent_id=agent_id,
                    target=AgentStatus.INTERN,
                    promoted_by=user_id,
                )
        session.expire_all()
        assert session.query(Promotion).count() == 0
        assert {agent.status for agent in session.query(Agent)} == {AgentStatus.STUDENT}


def test_promotions_are_listed_newest_first_page_by_page(database: Database) -> None:
    """All of one agent, none of another."""
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant = factories.tenant(session, status="student")
        colleague = Tenant(
            workspace_id=tenant.workspace_id,
            user_id=tenant.user_id,
            agent_id=factories.extra_agent(session, tenant.workspace_id, status="student"),
        )
        for who, maturity, target in [
            (tenant, "student", "intern"),
            (colleague, "student", "intern"),
            (tenant, "intern", "supervised"),
        ]:
            practise(session, who, 25, maturity)
            service.promote(
                session,
                clock,
                decisions(),
                **who.agent,
                target=AgentStatus(target),
                promoted_by=tenant.user_id,
            )
            clock.advance(timedelta(days=1))
        first = service.list_promotions(session, **tenant.agent, page=PageRequest(limit=1))
        rest = service.list_promotions(session, **tenant.agent, page=PageRequest(limit=1, after=first.next))
        assert [row.to_status for row in (*first.items, *rest.items)] == ["supervised", "intern"]
        assert rest.next is None
        assert len(service.list_promotions(session, **tenant.agent).items) == 2


def test_supervision_needs_its_own_agent_supervisor_and_a_note(database: Database) -> None:
    """Anything else is refused, and the row stays as it was."""
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant, stranger = factories.tenant(session), factories.tenant(session)
        for agent_id, supervisor_id in [
            (stranger.agent_id, tenant.user_id),
            (tenant.agent_id, stranger.user_id),
        ]:
            with pytest.raises(NotFoundError):
                supervision_sessions.start_supervision(
                    session,
                    clock,
                    workspace_id=tenant.workspace_id,
                    agent_id=agent_id,
                    supervisor_id=supervisor_id,
                )
        assert session.query(SupervisionSession).count() == 0
        watched = supervision_sessions.start_supervision(
            session, clock, **tenant.agent, supervisor_id=tenant.user_id
        )
        where = {"workspace_id": tenant.workspace_id, "supervision_id": watched.id}
        pause = supervision_sessions.Intervention.PAUSE
        for note in (" ", "x" * 2_001):
            with pytest.raises(InvalidError) as caught:
                supervision_sessions.intervene(session, clock, **where, intervention=pause, note=note)
            assert caught.value.field == "note"
        with pytest.raises(InvalidError):
            supervision_sessions.complete_supervision(session, clock, decisions(), **where, rating=6)
        session.expire_all()
        assert (watched.status, watched.interventions, watched.supervisor_rating) == ("running", [], None)
        supervision_sessions.intervene(session, clock, **where, intervention=pause, note="x" * 2_000)
        assert watched.intervention_count == 1


def test_a_clock_that_steps_back_ends_no_session_before_its_start(database: Database) -> None:
    """The duration is then zero."""
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant = factories.tenant(session)
        watched = supervision_sessions.start_supervision(
            session, clock, **tenant.agent, supervisor_id=tenant.user_id
        )
        clock.advance(timedelta(seconds=-1))
        supervision_sessions.fail_supervision(
            session, clock, workspace_id=tenant.workspace_id, supervision_id=watched.id
        )
        assert watched.duration_seconds == 0.0


def test_a_promotion_needs_the_record_of_today(database: Database) -> None:
    """Who is told to promote twice is refused the second time."""
    with database.session() as session:
        tenant = factories.tenant(session, status="student")
        practise(session, tenant, 10)
        promote = partial(
            service.promote, **tenant.agent, target=AgentStatus.INTERN, promoted_by=tenant.user_id
        )
        promote(session, ManualClock(NOW), decisions())
        with pytest.raises(ConflictError, match="not its next rung"):
            promote(session, ManualClock(NOW), decisions())
        assert session.query(Promotion).count() == 1


def test_a_session_ended_meanwhile_is_over(database: Database) -> None:
    """The held row is read anew, although the session knows an older state of it."""
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant = factories.tenant(session)
        watched = supervision_sessions.start_supervision(
            session, clock, **tenant.agent, supervisor_id=tenant.user_id
        )
        ended = {"status": "failed", "completed_at": NOW, "duration_seconds": 0.0}
        session.connection().execute(update(SupervisionSession).values(**ended))
        with pytest.raises(ConflictError, match="failed"):
            supervision_sessions.fail_supervision(
                session, clock, workspace_id=tenant.workspace_id, supervision_id=watched.id
            )


def test_promotions_of_one_moment_are_on_one_page_each(database: Database) -> None:
    """Where times are equal, the id orders them, and no page repeats or drops one."""
    with database.session() as session:
        tenant = factories.tenant(session, status="student")
        written = []
        for maturity, target in [
            ("student", "intern"),
            ("intern", "supervised"),
            ("supervised", "autonomous"),
        ]:
            practise(session, tenant, 50, maturity)
            promotion = service.promote(
                session,
                ManualClock(NOW),
                decisions(),
                **tenant.agent,
                target=AgentStatus(target),
                promoted_by=tenant.user_id,
            )
            written.append(promotion.id)
        seen: list[str] = []
        page = PageRequest(limit=1)
        for _ in written:
            found = service.list_promotions(session, **tenant.agent, page=page)
            seen += [row.id for row in found.items]
            page = PageRequest(limit=1, after=found.next)
        assert seen == sorted(written, reverse=True)
