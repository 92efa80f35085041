"""Maturity is earned: by episodes, an exam, training and supervision, one rung at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, Integer, String, bindparam, cast, func, insert, literal, select
from sqlalchemy.orm import Session

from atom.agents import service as registry
from atom.agents.maturity import AgentStatus
from atom.agents.models import Agent
from atom.episodes.models import EpisodeStatus
from atom.governance import proposals
from atom.governance import service as governance
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.models import AgentProposal, BlockedTrigger, ProposalStatus, ProposalType
from atom.governance.routing import TriggerSource
from atom.governance.triggers import Trigger, route_trigger
from atom.graduation import service, supervision_sessions, training_sessions
from atom.graduation.exam import CaseResult, Severity, grade_compliance
from atom.graduation.models import Promotion, SupervisionStatus
from atom.graduation.readiness import Advice, Criterion, Record, assess
from atom.graduation.supervision import (
    SupervisedSession,
    SupervisionGate,
    Trend,
    assess_supervision,
    supervision_boost,
    trend,
)
from atom.graduation.supervision_sessions import MAX_INTERVENTIONS, Intervention
from atom.graduation.training import training_boost
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import EPISODES, NOW
from tests.keywords import OfWorkspace
from tests.property_tests.conftest import scaled
from tests.property_tests.graduation import strategies as grad
from tests.property_tests.graduation.strategies import CRITERIA, RUNGS, TARGETS

STUDENT, INTERN, SUPERVISED, AUTONOMOUS = RUNGS
FLOORS = {INTERN: 0.5, SUPERVISED: 0.7, AUTONOMOUS: 0.9}


NUMBERS = select(literal(2).label("number")).cte(recursive=True)
NUMBERS = NUMBERS.union_all(
    select(NUMBERS.c.number + 1).where(NUMBERS.c.number < bindparam("n_episodes", type_=Integer))
)
COPIED: dict[str, ColumnElement[Any]] = {
    "id": cast(NUMBERS.c.number, String),
    "human_intervention_count": literal(0),
}


def copied_columns() -> list[ColumnElement[Any]]:
    return [COPIED.get(column.name, column) for column in EPISODES.c]


COPY_FIRST = insert(EPISODES).from_select(
    [column.name for column in EPISODES.c],
    select(*copied_columns())
    .join_from(EPISODES, NUMBERS, NUMBERS.c.number <= bindparam("n_episodes", type_=Integer))
    .where(EPISODES.c.id == "1"),
)


def new_decisions(session: Session) -> DecisionCache:
    decisions = DecisionCache(GovernanceCache(ManualClock(NOW)))
    decisions.attach(session)
    return decisions


def count(session: Session, model: type) -> int:
    return session.scalars(select(func.count()).select_from(model)).one()


def live_through(session: Session, tenant: factories.Tenant, record: Record, maturity: AgentStatus) -> None:
    """Write completed episodes that sum up to the record: one, and copies of it without interventions."""
    if not record.n_episodes:
        return
    first = {
        "id": "1",
        **tenant.agent,
        "maturity_at_time": maturity,
        "human_intervention_count": record.n_interventions,
        "constitutional_score": record.constitutional_mean,
    }
    factories.add_episodes(session, [first])
    session.connection().execute(COPY_FIRST, {"n_episodes": record.n_episodes})


@pytest.mark.invariant(45)
@given(
    target=grad.targets,
    record=grad.records,
    more=st.integers(0, 20),
    better=st.floats(0, 1),
)
def test_the_score_rewards_what_it_should(
    target: AgentStatus, record: Record, more: int, better: float
) -> None:
    """
    Invariant 45: the readiness score is from 0 to 100; more episodes at the same intervention rate or a
    higher constitutional mean never lower it, and more interventions never raise it.
    """
    score = assess(record, target).score
    assert 0 <= score <= 100
    assume(record.n_episodes)
    longer = replace(
        record,
        n_episodes=record.n_episodes * (more + 1),
        n_interventions=record.n_interventions * (more + 1),
    )
    assert assess(longer, target).score >= score - 1e-9
    worse = replace(record, n_interventions=record.n_interventions + more)
    assert assess(worse, target).score <= score + 1e-9
    cleaner = replace(record, constitutional_mean=max(better, record.constitutional_score))
    assert assess(cleaner, target).score >= score - 1e-9


@pytest.mark.invariant(46)
@given(target=grad.targets, record=grad.records)
@example(target=INTERN, record=Record(n_episodes=10, n_interventions=5, constitutional_mean=0.70))
@example(target=SUPERVISED, record=Record(n_episodes=25, n_interventions=5, constitutional_mean=0.85))
@example(target=AUTONOMOUS, record=Record(n_episodes=50, n_interventions=0, constitutional_mean=0.95))
@example(target=INTERN, record=Record(n_episodes=0, n_interventions=0, constitutional_mean=None))
def test_ready_is_to_miss_no_criterion(target: AgentStatus, record: Record) -> None:
    """
    Invariant 46: an agent is ready exactly if it meets all three criteria, and its gaps are exactly the
    criteria that it misses; a value equal to the limit passes.
    """
    readiness = assess(record, target)
    min_episodes, max_rate, min_mean = CRITERIA[target]
    rate = record.n_interventions / record.n_episodes if record.n_episodes else 1.0
    mean = record.constitutional_mean or 0.0
    missed = {
        Criterion.EPISODES: (record.n_episodes, min_episodes, record.n_episodes < min_episodes),
        Criterion.INTERVENTION_RATE: (rate, max_rate, rate > max_rate),
        Criterion.CONSTITUTIONAL_SCORE: (mean, min_mean, mean < min_mean),
    }
    expected = {name: (found, needed) for name, (found, needed, is_missed) in missed.items() if is_missed}
    assert {gap.criterion: (gap.found, gap.needed) for gap in readiness.gaps} == expected
    assert readiness.is_ready == (not expected)
    assert (readiness.advice is Advice.PROMOTE) == readiness.is_ready


others = st.lists(
    st.sampled_from(tuple(product(AgentStatus, EpisodeStatus, ("own", "colleague")))), max_size=5
)


@pytest.mark.invariant(46, 47)
@given(
    status=st.sampled_from(RUNGS),
    record=grad.records,
    noise=others,
)
@example(status=STUDENT, record=Record(n_episodes=15, n_interventions=0, constitutional_mean=0.70), noise=[])
@example(
    status=STUDENT,
    record=Record(n_episodes=9, n_interventions=0, constitutional_mean=1.0),
    noise=[
        (STUDENT, EpisodeStatus.ACTIVE, "own"),
        (INTERN, EpisodeStatus.COMPLETED, "own"),
        (STUDENT, EpisodeStatus.COMPLETED, "colleague"),
    ],
)
def test_only_completed_episodes_at_the_present_maturity_count(
    database: Database,
    status: AgentStatus,
    record: Record,
    noise: list[tuple[AgentStatus, EpisodeStatus, str]],
) -> None:
    """
    Invariants 46, 47: only an agent's own completed episodes at its present
    maturity count; an agent that is ready for one level of maturity is ready
    for every lower one, and by default it is assessed for the next one.
    """
    if not record.n_episodes:
        record = Record(n_episodes=0, n_interventions=0, constitutional_mean=None)
    if record.constitutional_mean is not None:
        record = replace(record, constitutional_mean=round(record.constitutional_mean, 9))
    with factories.with_people(database) as (session, people):
        tenant, colleague = people.tenant, people.colleague
        grad.set_standing(session, tenant.agent_id, status)
        live_through(session, tenant, record, status)
        factories.add_episodes(
            session,
            [
                {
                    "workspace_id": tenant.workspace_id,
                    "agent_id": tenant.agent_id if whose == "own" else colleague,
                    "maturity_at_time": maturity,
                    "status": state,
                    "archived_at": NOW if state is EpisodeStatus.ARCHIVED else None,
                    "human_intervention_count": 3,
                    "constitutional_score": 0.0,
                }
                for maturity, state, whose in noise
                if (maturity, state, whose) != (status, EpisodeStatus.COMPLETED, "own")
            ],
        )
        ready = []
        for target in TARGETS:
            readiness = service.assess_agent(session, **tenant.agent, target=target)
            assert readiness.record == record
            ready.append(readiness.is_ready)
        assert ready == [assess(record, target).is_ready for target in TARGETS]
        assert ready == sorted(ready, reverse=True)
        following = RUNGS[RUNGS.index(status) + 1] if status is not AUTONOMOUS else None
        if following is None:
            with pytest.raises(ConflictError):
                service.assess_agent(session, **tenant.agent)
        else:
            assert service.assess_agent(session, **tenant.agent).target is following


@pytest.mark.invariant(47)
@given(record=grad.records, easy=grad.targets, strict=grad.targets)
def test_a_stricter_target_is_not_easier(record: Record, easy: AgentStatus, strict: AgentStatus) -> None:
    """Invariant 47: a record that is ready for one level of maturity is also ready for every lower one."""
    assume(TARGETS.index(easy) <= TARGETS.index(strict))
    assert assess(record, easy).is_ready or not assess(record, strict).is_ready


class Replays:
    """A sandbox whose result for each episode the test has chosen."""

    def __init__(self, outcomes: dict[str, tuple[bool, int]]) -> None:
        self.outcomes = outcomes

    def replay(self, episode_id: str) -> CaseResult:
        passed, n_interventions = self.outcomes[episode_id]
        return CaseResult(episode_id=episode_id, passed_sandbox=passed, n_interventions=n_interventions)


@pytest.mark.invariant(48)
@given(outcomes=st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=6), has_foreign=st.booleans())
@example(outcomes=[], has_foreign=False)
@example(outcomes=[(True, 0)], has_foreign=False)
@example(outcomes=[(True, 1), (True, 0)], has_foreign=False)
def test_an_exam_is_passed_by_passing_every_case(
    database: Database, outcomes: list[tuple[bool, int]], has_foreign: bool
) -> None:
    """
    Invariant 48: an exam is passed exactly if it has cases and every case passes;
    its score is the percentage of cases that passed.
    """
    with factories.with_people(database) as (session, people):
        tenant, stranger = people.tenant, people.stranger
        ids = [f"episode-{number}" for number in range(len(outcomes))]
        factories.add_episodes(
            session,
            [
                {"id": id_, "workspace_id": who.workspace_id, "agent_id": who.agent_id}
                for who, own in ((tenant, ids), (stranger, ["foreign"]))
                for id_ in own
            ],
        )
        sandbox = Replays(dict(zip(ids, outcomes, strict=True)) | {"foreign": (True, 0)})
        if has_foreign:
            with pytest.raises(NotFoundError, match="foreign"):
                service.hold_exam(session, sandbox, **tenant.agent, episode_ids=[*ids, "foreign"])
        result = service.hold_exam(session, sandbox, **tenant.agent, episode_ids=ids)
    passes = [passed and n_interventions == 0 for passed, n_interventions in outcomes]
    assert [case.episode_id for case in result.cases] == ids
    assert result.is_passed == (passes != [] and False not in passes)
    assert result.score_percent * max(1, len(passes)) == pytest.approx(100 * passes.count(True))
    assert result.n_passed == passes.count(True)


@pytest.mark.invariant(48)
@given(found=st.lists(grad.severities, max_size=6), added=grad.severities, n_actions=st.integers(0, 12))
def test_a_violation_never_helps(found: list[Severity], added: Severity, n_actions: int) -> None:
    """
    Invariant 48: the compliance score is from 0 to 1, another violation never raises it, and the result is
    compliant exactly if no violation is critical.
    """
    before = grade_compliance(found, n_actions=n_actions)
    after = grade_compliance([*found, added], n_actions=n_actions)
    assert 0 <= after.score <= before.score <= 1
    assert before.is_compliant == (Severity.CRITICAL not in found)
    assert after.is_compliant == (before.is_compliant and added is not Severity.CRITICAL)
    if n_actions == 0 or not found:
        assert before.score == 1
    if before.score > 0 and n_actions:
        assert after.score < before.score
        assert grade_compliance(found, n_actions=n_actions + 1).score >= before.score


@pytest.mark.invariant(49)
@given(
    status=st.sampled_from(list(AgentStatus)),
    target=st.sampled_from(list(AgentStatus)),
    is_ready=st.booleans(),
    confidence=st.none() | st.sampled_from([0.0, 0.3, 0.5, 0.65, 0.7, 0.85, 0.9, 1.0]),
)
@example(status=STUDENT, target=INTERN, is_ready=True, confidence=0.3)
@example(status=INTERN, target=SUPERVISED, is_ready=True, confidence=None)
@example(status=SUPERVISED, target=AUTONOMOUS, is_ready=True, confidence=0.7)
@example(status=SUPERVISED, target=AUTONOMOUS, is_ready=True, confidence=1.0)
@example(status=SUPERVISED, target=AUTONOMOUS, is_ready=False, confidence=0.95)
@example(status=STUDENT, target=SUPERVISED, is_ready=True, confidence=0.3)
@example(status=STUDENT, target=INTERN, is_ready=False, confidence=0.3)
def test_a_promotion_is_one_rung_and_lasts(
    database: Database, status: AgentStatus, target: AgentStatus, is_ready: bool, confidence: float | None
) -> None:
    """
    Invariant 49: an agent is promoted only to the next level of maturity and only if it is ready; the
    promotion is recorded, takes effect at once, and a success after it does not demote the agent.
    """
    clock = ManualClock(NOW)
    with factories.with_people(database) as (session, people):
        decisions = new_decisions(session)
        tenant = people.tenant
        grad.set_standing(session, tenant.agent_id, status, confidence=confidence)
        n_episodes = 50 if is_ready else 9
        record = Record(n_episodes=n_episodes, n_interventions=0, constitutional_mean=1.0)
        live_through(session, tenant, record, status)
        session.commit()
        governance.can_perform(session, decisions, **tenant.agent, action="delete")

        def promote() -> Promotion:
            return service.promote(
                session, clock, decisions, **tenant.agent, target=target, promoted_by=tenant.user_id
            )

        is_next = status in RUNGS[:3] and target is RUNGS[RUNGS.index(status) + 1]
        if not (is_next and is_ready):
            with pytest.raises(ConflictError, match="episodes" if is_next else "not its next rung"):
                promote()
            session.expire_all()
            agent = session.get_one(Agent, tenant.agent_id)
            assert (agent.status, agent.confidence) == (status, confidence)
            assert count(session, Promotion) == 0
            return
        promoted = promote()
        session.commit()
        session.expire_all()
        agent = session.get_one(Agent, tenant.agent_id)
        before = 0.5 if confidence is None else confidence
        assert (agent.status, agent.confidence) == (target, max(before, FLOORS[target]))
        assert session.scalars(select(Promotion)).one() is promoted
        assert (promoted.agent_id, promoted.promoted_by) == (tenant.agent_id, tenant.user_id)
        assert (promoted.from_status, promoted.to_status) == (status, target)
        assert (promoted.confidence_before, promoted.confidence_after) == (before, agent.confidence)
        assert (promoted.n_episodes, promoted.intervention_rate) == (50, 0.0)
        assert (promoted.constitutional_score, promoted.score) == (1.0, 100.0)
        assert promoted.promoted_at == NOW
        allowed = governance.can_perform(session, decisions, **tenant.agent, action="delete").is_allowed
        assert allowed == (target is AUTONOMOUS)
        registry.record_outcome(session, decisions, **tenant.agent, is_success=True)
        assert RUNGS.index(agent.status) >= RUNGS.index(target)


@pytest.mark.invariant(50)
@given(one=grad.performances, other=grad.performances, rating=grad.ratings, n=grad.few, more=grad.few)
def test_boosts_are_bounded_and_just(one: float, other: float, rating: int, n: int, more: int) -> None:
    """
    Invariant 50: a training raises confidence by 0.05 to 0.20, never less for a better performance; a
    supervised session raises it by 0 to 0.1, never less for a better rating or more for more interventions.
    """
    worse, better = sorted((one, other))
    assert 0.05 <= training_boost(worse) <= training_boost(better) <= 0.20
    boost = supervision_boost(rating=rating, n_interventions=n)
    assert 0 <= boost <= 0.1
    assert supervision_boost(rating=rating, n_interventions=n + more) <= boost
    assert supervision_boost(rating=min(5, rating + 1), n_interventions=n) >= boost


@pytest.mark.invariant(50)
@settings(scaled(0.2))
@given(
    n_before=st.sampled_from((0, MAX_INTERVENTIONS - 2, MAX_INTERVENTIONS - 1, MAX_INTERVENTIONS)),
    deeds=st.lists(st.sampled_from(Intervention), min_size=1, max_size=3),
)
@example(n_before=MAX_INTERVENTIONS - 1, deeds=[Intervention.PAUSE, Intervention.PAUSE])
@example(n_before=MAX_INTERVENTIONS, deeds=[Intervention.TERMINATE])
def test_a_session_has_room_for_so_many_interventions(
    database: Database, n_before: int, deeds: list[Intervention]
) -> None:
    """
    Invariant 50: a session keeps no more interventions than its limit, one too many leaves its row untouched,
    and a termination is always taken.
    """
    with factories.with_people(database) as (session, people):
        where = OfWorkspace(workspace_id=people.tenant.workspace_id)
        watched = supervision_sessions.start_supervision(
            session,
            ManualClock(NOW),
            **where,
            agent_id=people.tenant.agent_id,
            supervisor_id=people.tenant.user_id,
        )
        noted = [{"type": "pause", "note": "n", "at": NOW.isoformat()}] * n_before
        watched.interventions, watched.intervention_count = noted, n_before
        session.flush()
        n = n_before
        for deed in deeds:
            step_in = partial(
                supervision_sessions.intervene,
                session,
                ManualClock(NOW),
                **where,
                supervision_id=watched.id,
                intervention=deed,
                note="n",
            )
            is_over = watched.status is not SupervisionStatus.RUNNING
            if is_over or (n >= MAX_INTERVENTIONS and deed is not Intervention.TERMINATE):
                with pytest.raises(ConflictError):
                    step_in()
            else:
                step_in()
                n += 1
            session.expire_all()
            assert len(watched.interventions) == watched.intervention_count == n
            is_ended = is_over or deed is Intervention.TERMINATE
            assert watched.status is (
                SupervisionStatus.INTERRUPTED if is_ended else SupervisionStatus.RUNNING
            )


@pytest.mark.invariant(50)
@given(
    status=st.sampled_from(list(AgentStatus)),
    percent=st.sampled_from([0, 30, 44, 45, 46, 49, 79, 80, 81, 89, 95, 100]),
    performance=grad.performances,
)
@example(status=STUDENT, percent=45, performance=0.0)
@example(status=STUDENT, percent=44, performance=0.29)
@example(status=INTERN, percent=95, performance=1.0)
def test_a_training_pays_once(
    database: Database, status: AgentStatus, percent: int, performance: float
) -> None:
    """
    Invariant 50: completing a training raises confidence once, makes a student that reaches 0.5 an intern,
    executes the proposal and resolves the blocked trigger.
    """
    clock = ManualClock(NOW)
    with factories.with_people(database) as (session, people):
        decisions = new_decisions(session)
        tenant = people.tenant
        grad.set_standing(session, tenant.agent_id, STUDENT, confidence=percent / 100)
        routed = route_trigger(
            session,
            clock,
            **tenant.agent,
            trigger=Trigger(source=TriggerSource.DATA_SYNC, user_id=tenant.user_id, context={}),
            is_supervisor_available=True,
        )
        where = OfWorkspace(workspace_id=tenant.workspace_id)
        assert routed.proposal_id is not None
        training = training_sessions.approve_training(
            session, clock, **where, proposal_id=routed.proposal_id, supervisor_id=tenant.user_id
        )
        training_sessions.start_training(session, **where, training_id=training.id)
        agent = session.get_one(Agent, tenant.agent_id)
        agent.status = status
        session.flush()
        clock.advance(timedelta(hours=3))
        end = partial(
            training_sessions.complete_training,
            **where,
            training_id=training.id,
            performance_score=performance,
        )
        end(session, clock, decisions)
        with pytest.raises(ConflictError, match="completed"):
            end(session, clock, decisions)
        session.expire_all()

        gain = 5 if performance < 0.3 else 10 if performance < 0.5 else 15 if performance < 0.7 else 20
        after = min(100, percent + gain)
        is_promoted = status is STUDENT and after >= 50
        assert agent.confidence == after / 100
        assert agent.status is (INTERN if is_promoted else status)
        assert training.status == "completed"
        assert (training.performance_score, training.confidence_boost) == (performance, gain / 100)
        assert training.promoted_to_intern is is_promoted
        assert training.ended_at == NOW + timedelta(hours=3)
        assert session.get_one(AgentProposal, routed.proposal_id).status is ProposalStatus.EXECUTED
        assert session.get_one(BlockedTrigger, routed.blocked_trigger_id).is_resolved


@pytest.mark.invariant(42)
@given(decides=st.sampled_from(("approve", "reject", "schedule")), hours=st.integers(0, 9))
@example(decides="reject", hours=1)
@example(decides="schedule", hours=1)
def test_a_proposal_tells_who_approved_it_and_when(database: Database, decides: str, hours: int) -> None:
    """
    Invariant 42: a proposal records who approved it or scheduled its training,
    and when; a rejected one records only when.
    """
    clock = ManualClock(NOW)
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        proposal = proposals.propose(
            session, clock, **tenant.agent, type=ProposalType.TRAINING, proposed_by=tenant.user_id
        )
        person = factories.user(session, workspace_id=tenant.workspace_id).id
        scope = {"workspace_id": tenant.workspace_id, "proposal_id": proposal.id}
        now = clock.advance(timedelta(hours=hours))
        if decides == "schedule":
            training = training_sessions.approve_training(session, clock, supervisor_id=person, **scope)
            assert (training.supervisor_id, training.created_at) == (person, now)
        else:
            proposals.decide_proposal(
                session, clock, user_id=person, is_approved=decides == "approve", **scope
            )
        session.expire_all()
        found = session.get_one(AgentProposal, proposal.id)
        assert found.approved_by == (None if decides == "reject" else person)
        assert (found.proposed_by, found.created_at, found.changed_at) == (tenant.user_id, NOW, now)


@pytest.mark.invariant(45)
@given(sessions=st.lists(grad.sessions, max_size=24), target=grad.targets)
def test_supervision_is_scored_by_its_sessions(
    sessions: list[SupervisedSession], target: AgentStatus
) -> None:
    """
    Invariant 45: the supervision score is from 0 to 100, and rating every session 5 does not lower it if the
    trend stays; a gate is missed exactly if too few sessions are rated 4 or more, too few have at most one
    intervention, or the mean rating is below 3.5.
    """
    record = assess_supervision(sessions, target)
    assert 0 <= record.score <= 100
    assert record.n_sessions == len(sessions)
    min_episodes = CRITERIA[target][0]
    n_high = sum(session.rating >= 4 for session in sessions)
    n_quiet = sum(session.n_interventions <= 1 for session in sessions)
    total = sum(session.rating for session in sessions)
    missed = {
        SupervisionGate.HIGH_RATED_SESSIONS: n_high < {10: 4, 25: 10, 50: 20}[min_episodes],
        SupervisionGate.LOW_INTERVENTION_SESSIONS: n_quiet < {10: 3, 25: 7, 50: 15}[min_episodes],
        SupervisionGate.AVERAGE_RATING: 2 * total < 7 * len(sessions) or not sessions,
    }
    assert set(record.missed_gates) == {gate for gate, is_missed in missed.items() if is_missed}
    praised = [replace(session, rating=5) for session in sessions]
    if trend(sessions) is trend(praised):
        assert assess_supervision(praised, target).score >= record.score - 1e-9


@pytest.mark.invariant(45)
@given(
    newest=st.lists(grad.sessions, min_size=5, max_size=5),
    previous=st.lists(grad.sessions, min_size=5, max_size=5),
)
def test_a_trend_turned_round_is_the_opposite(
    newest: list[SupervisedSession], previous: list[SupervisedSession]
) -> None:
    """
    Invariant 45: swapping the newest five sessions with the five before them swaps improving and declining.
    """
    turns = {Trend.IMPROVING: Trend.DECLINING, Trend.DECLINING: Trend.IMPROVING}
    found = trend([*newest, *previous])
    assert trend([*previous, *newest]) is turns.get(found, Trend.STABLE)
    assert trend([*newest, *previous, *newest]) is found
    gain = sum(s.rating for s in newest) - sum(s.rating for s in previous)
    drop = sum(s.n_interventions for s in previous) - sum(s.n_interventions for s in newest)
    change = 6 * gain + 4 * drop  # fiftieths: a change of 0.3 is 15
    assert (found is Trend.IMPROVING) == (change > 15)
    assert (found is Trend.DECLINING) == (change < -15)


@pytest.mark.parametrize("kind", ProposalType)
def test_only_a_training_is_trained_for(database: Database, kind: ProposalType) -> None:
    """Scheduling a training for a proposal of another type is a conflict, and the proposal stays as it is."""
    clock = ManualClock(NOW)
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        proposal = proposals.propose(session, clock, **tenant.agent, type=kind)
        call = {
            "workspace_id": tenant.workspace_id,
            "proposal_id": proposal.id,
            "supervisor_id": tenant.user_id,
        }
        if kind is ProposalType.TRAINING:
            assert training_sessions.approve_training(session, clock, **call).proposal_id == proposal.id
        else:
            with pytest.raises(ConflictError, match=kind.value):
                training_sessions.approve_training(session, clock, **call)
            assert proposal.status is ProposalStatus.PROPOSED
            assert not training_sessions.has_training(session, proposal_id=proposal.id)
