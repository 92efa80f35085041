"""What an agent may do follows from its maturity, and its maturity from what it did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Row, Select, insert, select
from sqlalchemy.orm import Session

from atom.agents import service as registry
from atom.agents.maturity import AgentStatus, Impact
from atom.agents.models import Agent, AgentFeedback, FeedbackStatus, FeedbackType
from atom.agents.service import Registration
from atom.db.base import Base
from atom.governance import feedback, policy, service, supervised_queue, triggers
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.models import (
    AgentProposal,
    BlockedTrigger,
    HitlAction,
    ProposalType,
    SupervisedQueueEntry,
)
from atom.governance.policy import Verdict
from atom.governance.routing import Route, TriggerSource, route
from atom.identity.models import UserRole
from atom.kit.clock import ManualClock
from atom.kit.ids import new_id
from atom.tables import METADATA
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfAgent, OfWorkspace
from tests.property_tests.governance import strategies as gov
from tests.property_tests.governance.strategies import COMPLEXITY, OUTSIDE, RUNGS


def new_decisions(session: Session) -> DecisionCache:
    decisions = DecisionCache(GovernanceCache(ManualClock(NOW)))
    decisions.attach(session)
    return decisions


ROWS: dict[type[Base], Select[Any]] = {
    model: select(model.__table__)
    for model in (Agent, AgentFeedback, AgentProposal, BlockedTrigger, HitlAction, SupervisedQueueEntry)
}
ADD_ENTRY = insert(METADATA.tables[SupervisedQueueEntry.__tablename__])


def rows_of(session: Session, model: type[Base]) -> Sequence[Row[Any]]:
    """All rows of a table as the database has them, whatever the session has cached."""
    session.flush()
    return session.connection().execute(ROWS[model]).all()


@pytest.mark.invariant(35)
@given(status=gov.statuses, confidence=gov.confidences, action=gov.actions)
def test_an_action_is_allowed_from_the_rung_of_its_complexity_on(
    database: Database, status: AgentStatus, confidence: float, action: str
) -> None:
    """
    Invariant 35: an action of complexity 1, 2, 3 or 4 is allowed to agents that are at least student, intern,
    supervised or autonomous, respectively; a paused or deprecated agent may do nothing.
    """
    with database.session() as session:
        office = factories.tenant(session, status=status, confidence=confidence)
        decision = service.can_perform(session, new_decisions(session), **office.agent, action=action)
    complexity = COMPLEXITY.get(action, 2)
    assert decision.action_complexity == complexity
    assert decision.required_status is RUNGS[complexity - 1]
    assert decision.agent_status is status
    assert decision.confidence == confidence
    assert decision.is_allowed == (status in RUNGS and RUNGS.index(status) >= complexity - 1)
    assert repr(action.lower()) in decision.reason
    assert decision.reason.startswith("Allowed: " if decision.is_allowed else "Denied: ")
    assert decision.reason.endswith(f"this agent is {status.value}.")


@pytest.mark.invariant(35)
@given(status=gov.statuses, higher=gov.rungs, action=gov.known_actions)
def test_capabilities_are_what_can_be_performed_and_grow_with_maturity(
    database: Database, status: AgentStatus, higher: AgentStatus, action: str
) -> None:
    """
    Invariant 35: an agent's capabilities are exactly the known actions
    that it may perform, and a higher maturity keeps all of them.
    """
    with database.session() as session:
        decisions = new_decisions(session)
        office = factories.tenant(session, status=status)
        capabilities = service.list_capabilities(session, **office.agent)
        decision = service.can_perform(session, decisions, **office.agent, action=action)
    assert (action in capabilities) == decision.is_allowed
    assert list(capabilities) == sorted(set(capabilities) & set(COMPLEXITY))
    if status in OUTSIDE:
        assert capabilities == ()
    elif RUNGS.index(higher) >= RUNGS.index(status):
        assert set(capabilities) <= set(policy.capabilities(higher))


@pytest.mark.invariant(36)
@given(status=gov.statuses, action=gov.actions, is_requested=st.booleans())
@example(status=AgentStatus.SUPERVISED, action="analyze", is_requested=False)
@example(status=AgentStatus.SUPERVISED, action="create", is_requested=False)
@example(status=AgentStatus.AUTONOMOUS, action="delete", is_requested=False)
def test_approval_is_required_for_a_reason(
    database: Database, status: AgentStatus, action: str, is_requested: bool
) -> None:
    """
    Invariant 36: a person's approval is required if the action is not allowed, if the agent is supervised and
    the complexity is 3 or more, or if the caller asks for it, and only then.
    """
    with database.session() as session:
        office = factories.tenant(session, status=status)
        decision = service.can_perform(
            session, new_decisions(session), **office.agent, action=action, require_approval=is_requested
        )
        enforcement = service.enforce(session, **office.agent, action=action, require_approval=is_requested)
    is_reviewed = status is AgentStatus.SUPERVISED and COMPLEXITY.get(action, 2) >= 3
    assert decision.requires_human_approval == (not decision.is_allowed or is_reviewed or is_requested)
    if status is AgentStatus.AUTONOMOUS and not is_requested:
        assert enforcement.verdict is Verdict.APPROVED


@pytest.mark.invariant(37)
@given(
    action=st.sampled_from(gov.DOCUMENTED[4]),
    prefix=gov.words_around,
    suffix=gov.words_around,
    is_loud=st.booleans(),
)
@example(action="delete", prefix="un", suffix="d", is_loud=False)
@example(action="delete", prefix="get_", suffix="_list", is_loud=True)
@example(action="transfer", prefix="", suffix="\N{COMBINING ACUTE ACCENT}", is_loud=False)
@example(action="device_execute_command", prefix="read ", suffix="-get", is_loud=False)
def test_no_name_makes_an_irreversible_action_harmless(
    action: str, prefix: str, suffix: str, is_loud: bool
) -> None:
    """
    Invariant 37: a name that contains a level-4 action has complexity 4, whatever stands before or after the
    action and in whatever case it is written.
    """
    name = prefix + (action.upper() if is_loud else action) + suffix
    assert policy.complexity_of(name) == 4


@pytest.mark.invariant(37)
@given(
    action=gov.known_actions,
    unseen=st.lists(st.tuples(st.integers(0, 8), gov.unseen), min_size=1, max_size=3),
)
@example(action="delete", unseen=[(3, "\N{ZERO WIDTH SPACE}")])
@example(action="execute", unseen=[(1, "\N{VARIATION SELECTOR-16}")])
@example(action="deploy", unseen=[(2, "\N{HANGUL FILLER}")])
@example(action="transfer", unseen=[(4, "\N{COMBINING ENCLOSING CIRCLE}")])
def test_what_nobody_sees_in_a_name_changes_nothing(action: str, unseen: list[tuple[int, str]]) -> None:
    """
    Invariant 37: a known action keeps its complexity when characters without a shape of their own are put
    anywhere into its name.
    """
    name = action
    for place, character in unseen:
        name = name[:place] + character + name[place:]
    assert policy.complexity_of(name) == COMPLEXITY[action]


@pytest.mark.invariant(37)
@given(
    words=st.lists(gov.actions, min_size=2, max_size=4), separator=st.sampled_from(["_", "-", " ", ".", "/"])
)
@example(words=["search", "frobnicate"], separator="_")
@example(words=["ponder", "ponder"], separator="_")
@example(words=["list", "send_email"], separator="-")
def test_the_highest_word_of_a_name_counts(words: list[str], separator: str) -> None:
    """
    Invariant 37: a name of several actions is as complex as the most complex of them; unknown words add
    nothing, and alone they have complexity 2.
    """
    found = policy.complexity_of(separator.join(words))
    known = [COMPLEXITY[word] for word in words if word in COMPLEXITY]
    highest = max(known, default=2)
    # As a whole name, `update_canvas` has level 2; in a longer name, its word `update` has level 3.
    assert found == (max(highest, 3) if "update_canvas" in words else highest)


@pytest.mark.invariant(38)
@given(
    status=gov.statuses,
    questions=st.lists(
        st.sampled_from([*product(("delete", "Create", "CREATE", "list"), (False, True))]), max_size=6
    ),
)
@example(status=AgentStatus.AUTONOMOUS, questions=[("delete", True), ("delete", False), ("delete", True)])
def test_asking_changes_no_later_answer(
    database: Database, status: AgentStatus, questions: list[tuple[str, bool]]
) -> None:
    """Invariant 38: whatever was asked before, each answer equals the one that an empty cache gives."""
    with database.session() as session:
        decisions = new_decisions(session)
        office = factories.tenant(session, status=status, confidence=None)
        for action, is_requested in questions:
            ask = partial(
                service.can_perform, session, **office.agent, action=action, require_approval=is_requested
            )
            cached, uncached = ask(decisions), ask(new_decisions(session))
            assert cached == uncached
            assert cached.requires_human_approval or not is_requested
        stats = decisions.cache.stats()
    n_different = len({action.lower() for action, _ in questions})
    assert (stats.misses, stats.size) == (n_different, n_different)
    assert stats.hits == len(questions) - n_different


@pytest.mark.invariant(39)
@given(ttl_s=st.integers(1, 120), beyond_us=st.sampled_from([-1, 0, 1]) | st.integers(-(10**6), 10**6))
@example(ttl_s=60, beyond_us=0)
@example(ttl_s=60, beyond_us=1)
def test_an_answer_lives_as_long_as_it_may(ttl_s: int, beyond_us: int) -> None:
    """Invariant 39: a cached answer is returned up to its time to live, and not a microsecond longer."""
    clock = ManualClock(NOW)
    cache: GovernanceCache[str] = GovernanceCache(clock, ttl=timedelta(seconds=ttl_s))
    cache.set("agent", "list", "yes")
    clock.advance(timedelta(seconds=ttl_s, microseconds=beyond_us))
    assert cache.get("agent", "list") == ("yes" if beyond_us <= 0 else None)


@pytest.mark.invariant(40)
@given(percent=gov.hundredths, outcomes=st.lists(gov.outcomes, min_size=1, max_size=6))
@example(percent=50, outcomes=[(True, Impact.LOW)] * 8)
@example(percent=70, outcomes=[(False, Impact.LOW), (True, Impact.LOW), (True, Impact.LOW)])
@example(percent=90, outcomes=[(False, Impact.HIGH), (True, Impact.HIGH), (True, Impact.HIGH)])
@example(percent=0, outcomes=[(False, Impact.HIGH)])
@example(percent=100, outcomes=[(True, Impact.HIGH)])
def test_confidence_follows_the_outcomes_and_status_the_confidence(
    database: Database, percent: int, outcomes: list[tuple[bool, Impact]]
) -> None:
    """
    Invariant 40: each outcome changes confidence by its fixed number of hundredths, within 0 to 1, and the
    agent's status is always the band of its confidence.
    """
    change = {
        (True, Impact.LOW): 1,
        (True, Impact.HIGH): 5,
        (False, Impact.LOW): -2,
        (False, Impact.HIGH): -10,
    }
    with database.session() as session:
        office = factories.tenant(session, status=gov.band_of(percent), confidence=percent / 100)
        other_id = factories.extra_agent(
            session, office.workspace_id, status=AgentStatus.STUDENT, confidence=0.6
        )
        decisions = new_decisions(session)
        for is_success, impact in outcomes:
            percent = min(100, max(0, percent + change[is_success, impact]))
            agent = registry.record_outcome(
                session, decisions, **office.agent, is_success=is_success, impact=impact
            )
            assert agent.confidence == percent / 100
            assert agent.status is gov.band_of(percent)
        stored = {agent.id: (agent.confidence, agent.status) for agent in rows_of(session, Agent)}
        assert stored == {
            office.agent_id: (percent / 100, gov.band_of(percent)),
            other_id: (0.6, AgentStatus.STUDENT),
        }


@pytest.mark.invariant(40)
@given(status=st.sampled_from(OUTSIDE), percent=st.none() | gov.hundredths, is_success=st.booleans())
def test_outside_the_ladder_only_confidence_moves(
    database: Database, status: AgentStatus, percent: int | None, is_success: bool
) -> None:
    """
    Invariant 40: an outcome changes the confidence of a paused or deprecated agent
    and not its status; a missing confidence counts as 0.5.
    """
    with database.session() as session:
        confidence = None if percent is None else percent / 100
        office = factories.tenant(session, status=status, confidence=confidence)
        agent = registry.record_outcome(
            session, new_decisions(session), **office.agent, is_success=is_success
        )
        before = 50 if percent is None else percent
        assert agent.status is status
        assert agent.confidence == min(100, max(0, before + (1 if is_success else -2))) / 100


@pytest.mark.invariant(40)
@given(
    role=st.sampled_from(list(UserRole)),
    specialty=st.none() | st.sampled_from(["finance", "FINANCE", "Finance", "legal", ""]),
    type_=st.sampled_from(list(FeedbackType)),
)
@example(role=UserRole.WORKSPACE_ADMIN, specialty=None, type_=FeedbackType.CORRECTION)
@example(role=UserRole.SUPER_ADMIN, specialty="legal", type_=FeedbackType.CORRECTION)
@example(role=UserRole.MEMBER, specialty="FINANCE", type_=FeedbackType.CORRECTION)
@example(role=UserRole.MEMBER, specialty=None, type_=FeedbackType.CORRECTION)
def test_a_correction_costs_by_who_says_it(
    database: Database, role: UserRole, specialty: str | None, type_: FeedbackType
) -> None:
    """
    Invariant 40: a correction by someone who may judge the agent is accepted
    and counts as a high-impact failure; by anyone else it stays pending and
    counts as a low-impact one. Other feedback leaves confidence as it is.
    """
    clock = ManualClock(NOW)
    with database.session() as session:
        office = factories.tenant(
            session,
            user_values={"role": role, "specialty": specialty},
            status=AgentStatus.SUPERVISED,
            confidence=0.75,
            category="finance",
        )
        reaction = feedback.Reaction(
            type=type_,
            user_correction="it is 42" if type_ is FeedbackType.CORRECTION else None,
            rating=4 if type_ is FeedbackType.RATING else None,
            reasoning="I counted",
        )
        written = feedback.submit_feedback(
            session,
            clock,
            new_decisions(session),
            **office.agent,
            user_id=office.user_id,
            reaction=reaction,
        )
        may_judge = role in (UserRole.WORKSPACE_ADMIN, UserRole.SUPER_ADMIN) or (
            specialty in ("finance", "FINANCE", "Finance")
        )
        assert service.may_access_data(session, **office.agent, user_id=office.user_id) == may_judge
        (stored,) = rows_of(session, AgentFeedback)
        (agent,) = rows_of(session, Agent)
        assert stored.id == written.id
        is_correction = type_ is FeedbackType.CORRECTION
        is_accepted = is_correction and may_judge
        assert stored.status is (FeedbackStatus.ACCEPTED if is_accepted else FeedbackStatus.PENDING)
        assert stored.adjudicated_at == (NOW if is_accepted else None)
        assert (stored.agent_id, stored.user_id, stored.created_at) == (office.agent_id, office.user_id, NOW)
        assert (stored.feedback_type, stored.rating) == (type_, reaction.rating)
        assert (stored.user_correction, stored.reasoning) == (reaction.user_correction, "I counted")
        thumbs = {FeedbackType.THUMBS_UP: True, FeedbackType.THUMBS_DOWN: False}
        assert stored.thumbs_up_down is thumbs.get(type_)
        assert agent.confidence == (0.65 if is_accepted else 0.73 if is_correction else 0.75)
        assert agent.status is (AgentStatus.INTERN if is_accepted else AgentStatus.SUPERVISED)


@pytest.mark.invariant(41)
@given(
    status=gov.statuses,
    action=gov.actions,
    is_requested=st.booleans(),
    who=st.sampled_from(["own", "unknown", "of another workspace"]),
)
def test_enforcement_is_consistent_with_the_decision(
    database: Database, status: AgentStatus, action: str, is_requested: bool, who: str
) -> None:
    """
    Invariant 41: an action is blocked exactly if it is not allowed, and approved exactly if it needs no
    person's approval; an unknown agent, or another workspace's, never proceeds.
    """
    with database.session() as session:
        decisions = new_decisions(session)
        office = factories.tenant(session, status=status)
        stranger = factories.tenant(session, status=AgentStatus.AUTONOMOUS)
        for own in (office, stranger):  # both answers are cached, each for its own workspace
            service.can_perform(session, decisions, **own.agent, action=action)
        agent_id = {"own": office.agent_id, "unknown": "nobody", "of another workspace": stranger.agent_id}[
            who
        ]
        asked = OfAgent(workspace_id=office.workspace_id, agent_id=agent_id)
        decision = service.can_perform(
            session, decisions, **asked, action=action, require_approval=is_requested
        )
        enforcement = service.enforce(session, **asked, action=action, require_approval=is_requested)
        n_remembered = decisions.cache.stats().size
    assert enforcement.decision == decision
    assert enforcement.proceeds == decision.is_allowed
    assert (enforcement.verdict is Verdict.BLOCKED) == (not decision.is_allowed)
    assert (enforcement.verdict is Verdict.APPROVED) == (not decision.requires_human_approval)
    assert n_remembered == 2
    if who != "own":
        assert not enforcement.proceeds
        assert decision.agent_status is None
        assert decision.requires_human_approval
        assert repr(agent_id) in decision.reason


registrations = st.builds(
    lambda about, configuration: Registration(**about, configuration=configuration),
    st.sampled_from(
        [
            {
                "name": name,
                "category": category,
                "module_path": module_path,
                "class_name": class_name,
                "version": version,
            }
            for name, category, module_path, class_name, version in product(
                ("Clerk", "Broker"),
                ("finance", "legal"),
                ("agents.a", "agents.b"),
                ("One", "Two"),
                ("1.0.0", "2.0.0"),
            )
        ]
    ),
    gov.contexts,
)


@pytest.mark.invariant(42)
@given(story=st.lists(st.tuples(st.integers(0, 1), registrations), min_size=1, max_size=5))
def test_registration_is_idempotent_on_the_class(
    database: Database, story: list[tuple[int, Registration]]
) -> None:
    """
    Invariant 42: a workspace has one agent for each module and class, which starts as a student; registering
    it again updates its description and keeps its id, status and confidence.
    """
    with database.session() as session:
        workspaces = factories.workspace_ids(session, 2)
        known: dict[tuple[str, str, str], str] = {}
        latest: dict[str, tuple[object, ...]] = {}
        for place, registration in story:
            key = (workspaces[place], registration.module_path, registration.class_name)
            agent = registry.register(session, workspace_id=workspaces[place], registration=registration)
            if key not in known:
                assert agent.status is AgentStatus.STUDENT
                assert agent.confidence == 0.5
                known[key] = agent.id
                registry.record_outcome(
                    session,
                    new_decisions(session),
                    workspace_id=workspaces[place],
                    agent_id=agent.id,
                    is_success=True,
                )
            assert agent.id == known[key]
            latest[agent.id] = said = (
                registration.name,
                registration.category,
                registration.version,
                registration.configuration,
            )
            assert (agent.name, agent.category, agent.version, agent.configuration) == said
        agents = rows_of(session, Agent)
        assert {(row.workspace_id, row.module_path, row.class_name): row.id for row in agents} == known
        assert {row.id: (row.name, row.category, row.version, row.configuration) for row in agents} == latest
        assert {(row.status, row.confidence) for row in agents} == {(AgentStatus.INTERN, 0.51)}


@pytest.mark.invariant(43)
@given(
    status=gov.statuses,
    confidence=st.none() | gov.confidences,
    source=gov.sources,
    is_available=st.booleans(),
    context=gov.contexts,
    priority=st.sampled_from([-1000, 0, 7, 1000]),
)
@example(
    status=AgentStatus.SUPERVISED,
    confidence=0.8,
    source=TriggerSource.DATA_SYNC,
    is_available=False,
    context={"row": 1},
    priority=7,
)
def test_an_agent_runs_or_leaves_one_trace(
    database: Database,
    status: AgentStatus,
    confidence: float | None,
    source: TriggerSource,
    is_available: bool,
    context: dict[str, int | str],
    priority: int,
) -> None:
    """
    Invariant 43: an agent runs if the trigger is manual, if it is autonomous, or if it is supervised and the
    supervisor is available; otherwise it leaves exactly one blocked trigger or queue entry.
    """
    clock = ManualClock(NOW)
    with database.session() as session:
        office = factories.tenant(session, status=status, confidence=confidence)
        factories.tenant(session)
        routed = triggers.route_trigger(
            session,
            clock,
            **office.agent,
            trigger=triggers.Trigger(
                source=source, user_id=office.user_id, context=context, priority=priority
            ),
            is_supervisor_available=is_available,
        )
        blocked = rows_of(session, BlockedTrigger)
        queued = rows_of(session, SupervisedQueueEntry)
        proposed = rows_of(session, AgentProposal)

        is_manual = source is TriggerSource.MANUAL
        is_supervised = status is AgentStatus.SUPERVISED
        executes = is_manual or status is AgentStatus.AUTONOMOUS or (is_supervised and is_available)
        assert routed.routing.executes == executes
        assert (routed.routing.warning is not None) == is_manual
        assert len(blocked) + len(queued) == (0 if executes else 1)
        assert [entry.id for entry in queued] == [i for i in [routed.queue_entry_id] if i is not None]
        assert [row.id for row in blocked] == [i for i in [routed.blocked_trigger_id] if i is not None]
        assert [row.id for row in proposed] == [i for i in [routed.proposal_id] if i is not None]
        for entry in queued:
            assert is_supervised
            assert (entry.agent_id, entry.user_id) == (office.agent_id, office.user_id)
            assert (entry.trigger_source, entry.trigger_context) == (source, context)
            assert entry.priority == priority
        for row in blocked:
            assert (row.agent_id, row.maturity_at_block) == (office.agent_id, status)
            assert row.confidence_at_block == (0.5 if confidence is None else confidence)
            assert (row.trigger_source, row.trigger_context) == (source, context)
            assert (row.routing_decision, row.reason) == (routed.routing.route, routed.routing.reason)
            assert (row.proposal_id, row.is_resolved) == (routed.proposal_id, False)
            assert row.created_at == NOW
        types = {AgentStatus.STUDENT: ProposalType.TRAINING, AgentStatus.INTERN: ProposalType.ACTION}
        assert [row.type for row in proposed] == ([types[status]] if blocked and status in types else [])
        assert all(row.agent_id == office.agent_id for row in proposed)


@pytest.mark.invariant(43)
@given(status=st.sampled_from(OUTSIDE), source=gov.sources, is_available=st.booleans())
def test_outside_the_ladder_nothing_is_proposed(
    status: AgentStatus, source: TriggerSource, is_available: bool
) -> None:
    """
    Invariant 43: a paused or deprecated agent runs on a manual trigger and is refused on any other,
    with or without an available supervisor.
    """
    routing = route(status, source, is_supervisor_available=is_available)
    assert routing.route is (Route.RUN if source is TriggerSource.MANUAL else Route.REFUSED)


@pytest.mark.invariant(43)
@given(
    status=st.sampled_from([AgentStatus.STUDENT, AgentStatus.INTERN, *OUTSIDE]),
    confidence=st.none() | st.sampled_from([0.0, 0.3, 1.0]),
)
@example(status=AgentStatus.STUDENT, confidence=0.0)
@example(status=AgentStatus.STUDENT, confidence=None)
def test_a_blocked_trigger_remembers_the_agent_as_it_was(
    database: Database, status: AgentStatus, confidence: float | None
) -> None:
    """
    Invariant 43: a blocked trigger keeps the maturity and confidence that the agent had at the block; a
    missing confidence is stored as 0.5, and 0 as 0.
    """
    with database.session() as session:
        office = factories.tenant(session, status=status, confidence=confidence)
        trigger = triggers.Trigger(source=TriggerSource.DATA_SYNC, user_id=office.user_id, context={"n": 1})
        triggers.route_trigger(
            session, ManualClock(NOW), **office.agent, trigger=trigger, is_supervisor_available=True
        )
        registry.record_outcome(session, new_decisions(session), **office.agent, is_success=True)
        (blocked,) = rows_of(session, BlockedTrigger)
        assert (blocked.maturity_at_block, blocked.trigger_context) == (status, {"n": 1})
        assert blocked.confidence_at_block == (0.5 if confidence is None else confidence)


@pytest.mark.invariant(44)
@given(ends=st.lists(st.booleans(), min_size=1, max_size=4))
@example(ends=[False, False, False])
def test_a_run_that_fails_three_times_has_failed(database: Database, ends: list[bool]) -> None:
    """
    Invariant 44: a run that fails goes back to the queue after its first
    and second attempts, and has failed for good after the third.
    """
    clock = ManualClock(NOW)
    with database.session() as session:
        office = factories.tenant(session)
        scope = OfWorkspace(workspace_id=office.workspace_id)
        entry = factories.queue_entry(session, agent_id=office.agent_id, user_id=office.user_id)
        for attempt, is_well in enumerate(ends, start=1):
            (claimed,) = supervised_queue.claim_batch(session, clock, **scope)
            assert (claimed.id, claimed.attempt_count) == (entry.id, attempt)
            end = supervised_queue.complete_entry if is_well else supervised_queue.fail_entry
            status = end(session, entry_id=entry.id, **scope).status
            assert status == ("completed" if is_well else "failed" if attempt == 3 else "pending")
            if status != "pending":
                assert supervised_queue.claim_batch(session, clock, **scope) == []
                break


queued = st.sampled_from([*product((-1, 0, 3), (0, 1, 60), range(4))])


@pytest.mark.invariant(44)
@given(entries=st.lists(queued, max_size=6), age=st.sampled_from([0, 1438, 1439, 1440, 1441]))
@example(entries=[(0, 60, 2), (3, 0, 3), (3, 0, 2), (0, 0, 0)], age=1379)
@example(entries=[(0, 0, 0)], age=1440)
def test_a_batch_is_the_most_urgent_that_may_still_run(
    database: Database, entries: list[tuple[int, int, int]], age: int
) -> None:
    """
    Invariant 44: a batch is ordered by priority, then age, and leaves out entries
    that are a day old or have had three attempts.
    """
    with database.session() as session:
        office = factories.tenant(session)
        rows = [
            {
                "id": new_id(),
                "agent_id": office.agent_id,
                "user_id": office.user_id,
                "trigger_source": TriggerSource.DATA_SYNC,
                "priority": priority,
                "attempt_count": attempts,
                "max_attempts": 3,
                "created_at": NOW + timedelta(minutes=minute),
                "expires_at": NOW + timedelta(minutes=minute, days=1),
            }
            for priority, minute, attempts in entries
        ]
        if rows:
            session.connection().execute(ADD_ENTRY, rows)
        now = NOW + timedelta(minutes=age)
        batch = supervised_queue.claim_batch(session, ManualClock(now), workspace_id=office.workspace_id)
        claimed = {row.id for row in batch}
        assert [(-row.priority, row.created_at) for row in batch] == sorted(
            (-row.priority, row.created_at) for row in batch
        )
        counted = {row.id: row.attempt_count for row in rows_of(session, SupervisedQueueEntry)}
        for row, (_, minute, attempts) in zip(rows, entries, strict=True):
            runs = age < minute + 1440 and attempts < 3
            assert (row["id"] in claimed) == runs
            assert counted[row["id"]] == attempts + runs
