"""A use case that decides on a row holds it: nobody else decides on the same state meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from atom.agents import executions
from atom.agents import service as agents
from atom.agents.maturity import AgentStatus
from atom.agents.runs import NewExecution, Outcome, Result
from atom.budgets import service as budgets
from atom.chat import service as chat
from atom.chat.models import MessageRole
from atom.chat.service import has_session
from atom.episodes import lifecycle
from atom.episodes.access import MaturityGate
from atom.episodes.embedding import WordOverlapEmbedder
from atom.governance import approvals, proposals, supervised_queue
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.models import ProposalType
from atom.graduation import service as graduation
from atom.graduation import supervision_sessions, training_sessions
from atom.graduation.supervision_sessions import Intervention
from atom.identity import keys, users
from atom.identity.models import ApiKeyScope
from atom.identity.users import UserChange
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError
from atom.ledger import service as ledger
from atom.ledger.postings import AccountType
from atom.workflows import definitions
from atom.workflows import service as workflows
from atom.workflows.graph import Step, Workflow
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant
from tests.keywords import OfUser, OfWorkspace
from tests.locks import counted_columns, held_tables

CLOCK = ManualClock(NOW)
Deed = Callable[[], Any]


def watcher() -> DecisionCache:
    return DecisionCache(GovernanceCache(CLOCK))


def record_outcome(session: Session, tenant: Tenant) -> Deed:
    return lambda: agents.record_outcome(session, watcher(), **tenant.agent, is_success=True)


def pause(session: Session, tenant: Tenant) -> Deed:
    return lambda: agents.pause(session, watcher(), **tenant.agent)


def promote(session: Session, tenant: Tenant) -> Deed:
    def deed() -> None:
        with pytest.raises(ConflictError):
            graduation.promote(
                session,
                CLOCK,
                watcher(),
                **tenant.agent,
                target=AgentStatus.INTERN,
                promoted_by=tenant.user_id,
            )

    return deed


def supervision_id(session: Session, tenant: Tenant) -> str:
    return supervision_sessions.start_supervision(
        session, CLOCK, **tenant.agent, supervisor_id=tenant.user_id
    ).id


def intervene(session: Session, tenant: Tenant) -> Deed:
    id_ = supervision_id(session, tenant)
    return lambda: supervision_sessions.intervene(
        session,
        CLOCK,
        workspace_id=tenant.workspace_id,
        supervision_id=id_,
        intervention=Intervention.PAUSE,
        note="Wait",
    )


def complete_supervision(session: Session, tenant: Tenant) -> Deed:
    id_ = supervision_id(session, tenant)
    return lambda: supervision_sessions.complete_supervision(
        session, CLOCK, watcher(), workspace_id=tenant.workspace_id, supervision_id=id_, rating=5
    )


def training_id(session: Session, tenant: Tenant) -> str:
    proposal = proposals.propose(session, CLOCK, **tenant.agent, type=ProposalType.TRAINING)
    return training_sessions.approve_training(
        session,
        CLOCK,
        workspace_id=tenant.workspace_id,
        proposal_id=proposal.id,
        supervisor_id=tenant.user_id,
    ).id


def start_training(session: Session, tenant: Tenant) -> Deed:
    id_ = training_id(session, tenant)
    return lambda: training_sessions.start_training(
        session, workspace_id=tenant.workspace_id, training_id=id_
    )


def cancel_training(session: Session, tenant: Tenant) -> Deed:
    id_ = training_id(session, tenant)
    return lambda: training_sessions.cancel_training(
        session, CLOCK, workspace_id=tenant.workspace_id, training_id=id_
    )


def decide_approval(session: Session, tenant: Tenant) -> Deed:
    asked = approvals.request_approval(session, CLOCK, **tenant.agent, action_type="delete", params={})
    return lambda: approvals.decide_approval(
        session,
        CLOCK,
        workspace_id=tenant.workspace_id,
        action_id=asked.id,
        user_id=tenant.user_id,
        is_approved=True,
    )


def claim_batch(session: Session, tenant: Tenant) -> Deed:
    return lambda: supervised_queue.claim_batch(session, CLOCK, workspace_id=tenant.workspace_id)


def cancel_entry(session: Session, tenant: Tenant) -> Deed:
    entry = factories.queue_entry(session, agent_id=tenant.agent_id, user_id=tenant.user_id)
    return lambda: supervised_queue.cancel_entry(session, workspace_id=tenant.workspace_id, entry_id=entry.id)


def transfer(session: Session, tenant: Tenant) -> Deed:
    scope = OfWorkspace(workspace_id=tenant.workspace_id)
    source, target = (
        ledger.open_account(
            session, **scope, code=code, name=code, type_=AccountType.ASSET, floor_minor=None
        ).id
        for code in "ab"
    )
    return lambda: ledger.transfer(
        session, CLOCK, **scope, source_account_id=source, target_account_id=target, amount_minor=1
    )


def close_period(session: Session, tenant: Tenant) -> Deed:
    days = {"starts_on": date(2026, 1, 1), "ends_on": date(2026, 1, 31)}
    return lambda: ledger.close_period(session, CLOCK, workspace_id=tenant.workspace_id, **days)


def reserve(session: Session, tenant: Tenant) -> Deed:
    return lambda: budgets.reserve(
        session, CLOCK, workspace_id=tenant.workspace_id, category="travel", amount_minor=1
    )


def set_limit(session: Session, tenant: Tenant) -> Deed:
    return lambda: budgets.set_limit(
        session, workspace_id=tenant.workspace_id, category="travel", limit_minor=1
    )


def consolidate(session: Session, tenant: Tenant) -> Deed:
    return lambda: lifecycle.consolidate(session, WordOverlapEmbedder(), **tenant.agent)


def episode_id(session: Session, tenant: Tenant) -> str:
    factories.add_episodes(session, [{"id": "e-1", **tenant.agent}])
    return "e-1"


def update_importance(session: Session, tenant: Tenant) -> Deed:
    id_ = episode_id(session, tenant)
    return lambda: lifecycle.update_importance(
        session, MaturityGate(), **tenant.agent, episode_id=id_, feedback=1.0
    )


def assess(session: Session, tenant: Tenant) -> Deed:
    id_ = episode_id(session, tenant)
    return lambda: lifecycle.assess(
        session, workspace_id=tenant.workspace_id, episode_id=id_, supervisor_rating=5
    )


def archive(session: Session, tenant: Tenant) -> Deed:
    id_ = episode_id(session, tenant)
    return lambda: lifecycle.archive(session, CLOCK, workspace_id=tenant.workspace_id, episode_id=id_)


def record_spending(session: Session, tenant: Tenant) -> Deed:
    return lambda: budgets.record(
        session, workspace_id=tenant.workspace_id, category="travel", amount_minor=1
    )


def settle(session: Session, tenant: Tenant) -> Deed:
    reserved = reserve(session, tenant)().reservation
    return lambda: budgets.settle(
        session, CLOCK, workspace_id=tenant.workspace_id, reservation_id=reserved.id, spent_minor=1
    )


def log_work(session: Session, tenant: Tenant) -> Deed:
    scope = OfWorkspace(workspace_id=tenant.workspace_id)
    project = budgets.create_project(session, CLOCK, **scope, name="Bridge", budget_minor=1)
    task_id = budgets.add_task(session, **scope, project_id=project.id, title="Dig").id
    return lambda: budgets.log_work(session, **scope, project_id=project.id, task_id=task_id, minutes=1)


def append_message(session: Session, tenant: Tenant) -> Deed:
    scope = OfWorkspace(workspace_id=tenant.workspace_id)
    talk = chat.create_session(session, CLOCK, **scope, user_id=tenant.user_id)
    return lambda: chat.append_message(
        session, CLOCK, **scope, chat_id=talk.id, role=MessageRole.USER, content="Hello"
    )


def count_access(session: Session, tenant: Tenant) -> Deed:
    id_ = episode_id(session, tenant)
    return lambda: lifecycle.count_access(session, workspace_id=tenant.workspace_id, episode_ids=[id_])


def pause_workflow(session: Session, tenant: Tenant) -> Deed:
    scope = OfWorkspace(workspace_id=tenant.workspace_id)
    workflow = Workflow(steps=(Step(id="a", action="work"),))
    made = workflows.create_execution(session, CLOCK, **scope, workflow_id="w", workflow=workflow)
    workflows.begin(session, CLOCK, **scope, execution_id=made.id)
    return lambda: workflows.pause(session, CLOCK, **scope, execution_id=made.id)


def rotate_key(session: Session, tenant: Tenant) -> Deed:
    scope = OfWorkspace(workspace_id=tenant.workspace_id)
    made = keys.create_key(session, CLOCK, **scope, name="k", scope=ApiKeyScope.READ)
    return lambda: keys.rotate_key(session, CLOCK, **scope, key_id=made.key.id, overlap=timedelta(0))


def key_of_a_person(session: Session, tenant: Tenant) -> Deed:
    return lambda: keys.create_key(
        session,
        CLOCK,
        workspace_id=tenant.workspace_id,
        name="k",
        scope=ApiKeyScope.READ,
        user_id=tenant.user_id,
    )


def update_user(session: Session, tenant: Tenant) -> Deed:
    person = OfUser(workspace_id=tenant.workspace_id, user_id=tenant.user_id)
    return lambda: users.update_user(session, **person, change=UserChange(hourly_cost_rate_minor=1))


def anonymise(session: Session, tenant: Tenant) -> Deed:
    person = OfUser(workspace_id=tenant.workspace_id, user_id=tenant.user_id)
    return lambda: users.anonymise_user(session, CLOCK, **person)


def run_id(session: Session, tenant: Tenant) -> dict[str, str]:
    run = executions.start(session, CLOCK, has_session, **tenant.agent, new=NewExecution())
    return {"workspace_id": tenant.workspace_id, "execution_id": run.id}


def add_step(session: Session, tenant: Tenant) -> Deed:
    run = run_id(session, tenant)
    return lambda: executions.add_step(session, CLOCK, **run, summary="read")


def step_in(session: Session, tenant: Tenant) -> Deed:
    run = run_id(session, tenant)
    return lambda: executions.intervene(session, CLOCK, **run)


def finish_run(session: Session, tenant: Tenant) -> Deed:
    run = run_id(session, tenant)
    return lambda: executions.finish(session, CLOCK, **run, result=Result(outcome=Outcome.COMPLETED))


def define_workflow(session: Session, tenant: Tenant) -> Deed:
    workflow = Workflow(steps=(Step(id="a", action="work"),))
    return lambda: definitions.define(
        session, CLOCK, workspace_id=tenant.workspace_id, workflow_id="w", workflow=workflow
    )


@pytest.mark.parametrize(
    ("prepare", "counted"),
    [
        (reserve, {"spend_categories.reserved_minor"}),
        (record_spending, {"spend_categories.spent_minor", "spend_categories.reserved_minor"}),
        (settle, {"spend_categories.spent_minor", "spend_categories.reserved_minor"}),
        (log_work, {"project_tasks.actual_minutes"}),
        (append_message, {"chat_sessions.message_count"}),
        (count_access, {"episodes.access_count"}),
        (transfer, {"ledger_accounts.balance_minor"}),
        (pause_workflow, {"workflow_executions.version"}),
    ],
)
def test_what_is_counted_is_counted_by_the_database(
    database: Database, prepare: Callable[[Session, Tenant], Deed], counted: set[str]
) -> None:
    """A number that two requests may change at once is computed in the UPDATE, from the row as it is then."""
    with database.session() as session:
        tenant = factories.tenant(session, confidence=0.9)
        deed = prepare(session, tenant)
        with counted_columns(session) as found:
            deed()
        assert found == counted


@pytest.mark.parametrize(
    ("prepare", "held"),
    [
        (record_outcome, {"agent_registry"}),
        (pause, {"agent_registry"}),
        (promote, {"agent_registry"}),
        (intervene, {"supervision_sessions"}),
        (complete_supervision, {"supervision_sessions", "agent_registry"}),
        (start_training, {"training_sessions"}),
        (cancel_training, {"training_sessions", "agent_proposals"}),
        (decide_approval, {"hitl_actions"}),
        (claim_batch, {"supervised_queue"}),
        (cancel_entry, {"supervised_queue"}),
        (transfer, {"ledger_accounts"}),
        (close_period, {"workspaces"}),
        (reserve, {"spend_categories"}),
        (set_limit, {"spend_categories"}),
        (consolidate, {"agent_registry"}),
        (update_importance, {"episodes"}),
        (assess, {"episodes"}),
        (archive, {"episodes"}),
        (rotate_key, {"api_keys"}),
        (key_of_a_person, {"users"}),
        (update_user, {"users"}),
        (anonymise, {"users"}),
        (add_step, {"agent_executions"}),
        (step_in, {"agent_executions"}),
        (finish_run, {"agent_executions"}),
        (define_workflow, {"workspaces"}),
    ],
)
def test_what_is_decided_on_is_held(
    database: Database, prepare: Callable[[Session, Tenant], Deed], held: set[str]
) -> None:
    """The row that a use case decides on is held before it is written, and no other table's rows are."""
    with database.session() as session:
        tenant = factories.tenant(session, confidence=0.9)
        deed = prepare(session, tenant)
        with held_tables(session) as found:
            deed()
        assert found == held
