"""
Example data, made through the product's own use cases: a small bookkeeping office and its agents.

Each call makes a workspace of its own and touches no other, so that it may be made as often as one likes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from atom.agents import service as agents
from atom.agents.maturity import Impact
from atom.agents.service import Registration
from atom.analytics import service as analytics
from atom.analytics.alerts import Severity
from atom.analytics.vocabulary import EventStatus, EventType, MetricType, NewEvent, NewMetric
from atom.budgets import service as budgets
from atom.chat import service as chat
from atom.chat.models import MessageRole
from atom.episodes import service as episodes
from atom.episodes.access import MaturityGate
from atom.episodes.embedding import WordOverlapEmbedder
from atom.governance import approvals, triggers
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.routing import TriggerSource
from atom.governance.triggers import Trigger
from atom.identity import keys, users, workspaces
from atom.identity.models import ApiKeyScope, UserRole
from atom.kit.clock import ManualClock
from atom.ledger import service as ledger
from atom.ledger.postings import BILL, BILL_PAYMENT, INVOICE, AccountType, NewTransaction, credit, debit

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock

WORKSPACE_NAME = "Demo office"
N_SUCCESSES = 8
"""Highly rated successes that lead an agent from its first day to the top of the ladder."""

TALKS = (
    (
        ("user", "Has the invoice of Northwind for March been paid?"),
        ("assistant", "Not yet: it was due on Friday. Shall I remind them?"),
        ("user", "Yes, and call me when it arrives."),
    ),
    (
        ("user", "The electricity bill is here, 84.20 dollars."),
        ("assistant", "Booked as an expense, payable in two weeks."),
    ),
)
ACCOUNTS = (
    ("1000", "Cash", AccountType.ASSET),
    ("1100", "Receivables", AccountType.ASSET),
    ("2000", "Payables", AccountType.LIABILITY),
    ("3000", "Equity", AccountType.EQUITY),
    ("4000", "Revenue", AccountType.REVENUE),
    ("5000", "Expenses", AccountType.EXPENSE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What was made, as far as a newcomer needs it: ids to ask for, and the secret of an admin's key."""

    workspace_id: str
    user_id: str
    agent_id: str
    chat_id: str
    secret: str


def make_demo(session: Session, clock: Clock) -> Demo:
    """Write a workspace with users, agents, conversations, episodes, books and figures of the last day."""
    now = clock.now()
    workspace = workspaces.create_workspace(session, name=WORKSPACE_NAME)
    key = keys.create_key(session, clock, workspace_id=workspace.id, name="demo", scope=ApiKeyScope.ADMIN)
    user = users.create_user(
        session, workspace_id=workspace.id, email="ada@example.org", role=UserRole.WORKSPACE_ADMIN
    )
    clerk_id = _hire(session, clock, workspace.id, name="Clerk", n_successes=N_SUCCESSES)
    trainee_id = _hire(session, clock, workspace.id, name="Trainee", n_successes=0)
    chat_id = _talk(session, workspace.id, user.id, clerk_id, now)
    _decide(session, clock, workspace.id, user.id, clerk_id, trainee_id)
    _book(session, clock, workspace.id)
    _measure(session, clock, workspace.id)
    return Demo(
        workspace_id=workspace.id, user_id=user.id, agent_id=clerk_id, chat_id=chat_id, secret=key.secret
    )


def _hire(session: Session, clock: Clock, workspace_id: str, *, name: str, n_successes: int) -> str:
    """Register an agent, and let it succeed that often."""
    registration = Registration(name=name, category="finance", module_path="demo.agents", class_name=name)
    agent = agents.register(session, workspace_id=workspace_id, registration=registration)
    watcher = DecisionCache(GovernanceCache(clock))  # nobody else's can know a new agent
    for _ in range(n_successes):
        agents.record_outcome(
            session,
            watcher,
            workspace_id=workspace_id,
            agent_id=agent.id,
            is_success=True,
            impact=Impact.HIGH,
        )
    return agent.id


def _talk(session: Session, workspace_id: str, user_id: str, agent_id: str, now: datetime) -> str:
    """Write conversations of yesterday, and an episode of each; return the last conversation."""
    clock = ManualClock(now - timedelta(days=1))
    for title, said in zip(("Northwind", "Electricity"), TALKS, strict=True):
        talk = chat.create_session(session, clock, workspace_id=workspace_id, user_id=user_id, title=title)
        for role, content in said:
            clock.advance(timedelta(minutes=1))
            chat.append_message(
                session,
                clock,
                workspace_id=workspace_id,
                chat_id=talk.id,
                role=MessageRole(role),
                content=content,
            )
        episodes.create_episode_from_session(
            session,
            MaturityGate(),
            WordOverlapEmbedder(),
            workspace_id=workspace_id,
            chat_id=talk.id,
            agent_id=agent_id,
        )
        clock.advance(timedelta(hours=1))
    return talk.id


def _decide(
    session: Session, clock: Clock, workspace_id: str, user_id: str, clerk_id: str, trainee_id: str
) -> None:
    """Leave a question to a person, and a run that the trainee was not trusted with."""
    approvals.request_approval(
        session,
        clock,
        workspace_id=workspace_id,
        agent_id=clerk_id,
        action_type="send_email",
        params={"to": "northwind@example.org"},
    )
    triggers.route_trigger(
        session,
        clock,
        workspace_id=workspace_id,
        agent_id=trainee_id,
        trigger=Trigger(
            source=TriggerSource.WORKFLOW_ENGINE, user_id=user_id, context={"workflow": "month-end"}
        ),
        is_supervisor_available=True,
    )


def _book(session: Session, clock: Clock, workspace_id: str) -> None:
    """Open accounts, and book capital, an invoice, and a bill that is paid."""
    ids = {
        name: ledger.open_account(session, workspace_id=workspace_id, code=code, name=name, type_=type_).id
        for code, name, type_ in ACCOUNTS
    }
    capital = NewTransaction(
        workspace_id=workspace_id,
        postings=(debit(ids["Cash"], 1_000_000), credit(ids["Equity"], 1_000_000)),
        description="capital",
    )
    invoice = INVOICE.transaction(
        workspace_id=workspace_id,
        debit_account_id=ids["Receivables"],
        credit_account_id=ids["Revenue"],
        amount_minor=250_000,
        external_id="northwind-march",
    )
    bill = BILL.transaction(
        workspace_id=workspace_id,
        debit_account_id=ids["Expenses"],
        credit_account_id=ids["Payables"],
        amount_minor=8_420,
    )
    payment = BILL_PAYMENT.transaction(
        workspace_id=workspace_id,
        debit_account_id=ids["Payables"],
        credit_account_id=ids["Cash"],
        amount_minor=8_420,
    )
    for new in (capital, invoice, bill, payment):
        ledger.post(session, clock, new)
    budgets.create_project(session, clock, workspace_id=workspace_id, name="Relaunch", budget_minor=500_000)


def _measure(session: Session, clock: Clock, workspace_id: str) -> None:
    """Write a day of runs of two workflows, one metric, and an alert rule that it sets off."""
    now = clock.now()
    for hour in range(24):
        workflow, is_failed = ("month-end", "reminders")[hour % 2], hour % 8 == 7
        at = now - timedelta(hours=hour, minutes=1)
        analytics.record_events(
            session,
            clock,
            workspace_id=workspace_id,
            events=_run(f"run-{hour}", workflow, at, is_failed=is_failed),
        )
        load = NewMetric(
            name=analytics.CPU_METRIC,
            type=MetricType.GAUGE,
            value=float(95 - 3 * hour),
            workflow_id=workflow,
            recorded_at=at,
        )
        analytics.collect_metric(session, clock, workspace_id=workspace_id, metric=load)
        analytics.record_integration_call(
            session, clock, workspace_id=workspace_id, integration="bank", is_error=is_failed
        )
    analytics.add_alert_rule(
        session,
        workspace_id=workspace_id,
        name="CPU is busy",
        metric=analytics.CPU_METRIC,
        threshold=90.0,
        severity=Severity.HIGH,
    )
    analytics.evaluate_alerts(session, clock, workspace_id=workspace_id)


def _run(execution_id: str, workflow_id: str, at: datetime, *, is_failed: bool) -> tuple[NewEvent, ...]:
    """Return the two events of a run."""
    started = NewEvent(
        event_id=f"{execution_id}/start",
        workflow_id=workflow_id,
        execution_id=execution_id,
        type=EventType.STARTED,
        status=EventStatus.RUNNING,
        occurred_at=at,
    )
    ended = NewEvent(
        event_id=f"{execution_id}/end",
        workflow_id=workflow_id,
        execution_id=execution_id,
        type=EventType.COMPLETED,
        status=EventStatus.FAILED if is_failed else EventStatus.COMPLETED,
        error="the bank did not answer" if is_failed else None,
        duration_ms=1_200,
        time_saved_s=0 if is_failed else 600,
        occurred_at=at + timedelta(seconds=1),
    )
    return started, ended
