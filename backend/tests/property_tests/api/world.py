"""
Two workspaces with a thing of every kind in each, and the rows of the database that belong to one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.orm import Session, sessionmaker

from atom.agents.maturity import AgentStatus
from atom.analytics import service as analytics
from atom.analytics.alerts import Severity
from atom.analytics.vocabulary import EventStatus, EventType, MetricType, NewEvent, NewMetric
from atom.budgets import service as budgets
from atom.chat import service as chat
from atom.chat.models import MessageRole
from atom.db.session import unit_of_work
from atom.episodes import retrieval
from atom.episodes.access import MaturityGate
from atom.episodes.embedding import WordOverlapEmbedder
from atom.episodes.service import create_episode_from_session, record_canvas_action
from atom.governance import approvals, feedback, proposals, supervised_queue, triggers
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.models import ProposalType
from atom.governance.routing import TriggerSource
from atom.graduation import supervision_sessions, training_sessions
from atom.graduation.supervision_sessions import Intervention
from atom.identity import keys
from atom.identity.models import ApiKeyScope
from atom.kit.clock import ManualClock
from atom.ledger import service as ledger
from atom.ledger.postings import AccountType, NewTransaction, credit, debit
from atom.tables import METADATA, agents
from atom.workflows import claims, definitions
from atom.workflows import service as workflows
from atom.workflows.graph import Step, Workflow
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.http import Workspace
from tests.keywords import OfAgent, OfWorkspace
from tests.property_tests.api.ids import TABLES

MINE, THEIRS = "Quilombo", "Zanzibar"
"""A word for each workspace that is in all its texts, so that a text shows whose it is."""

CLOCK = ManualClock(NOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A workspace that sends requests, and another one whose rows must not be shown or changed."""

    mine: Workspace
    theirs: Workspace
    my_ids: dict[str, list[str]]
    their_ids: dict[str, list[str]]
    their_rows: dict[str, list[str]]
    useless_secrets: dict[str, str | None]
    """Credentials that are always refused, by what is wrong with them."""

    def own(self, fields: Iterable[str]) -> dict[str, str]:
        """
        Return the sender's own id for each field; its agent and its user are those that may do anything.
        """
        chosen = {"agent_registry": self.mine.agent_id, "users": self.mine.user_id}
        tables = {field: TABLES[field] for field in fields}
        return {field: chosen.get(table) or self.my_ids[table][0] for field, table in tables.items()}


def build(sessions: sessionmaker[Session]) -> World:
    """Commit both workspaces."""
    mine, theirs = Workspace.make(sessions), Workspace.make(sessions)
    with unit_of_work(sessions) as session:
        fill(session, mine, MINE)
        fill(session, theirs, THEIRS)
        useless = _useless_secrets(session, mine)
    with sessions() as session:
        return World(
            mine=mine,
            theirs=theirs,
            my_ids=_ids(session, mine.id),
            their_ids=_ids(session, theirs.id),
            their_rows=rows_of(session, theirs.id),
            useless_secrets=useless,
        )


def _useless_secrets(session: Session, workspace: Workspace) -> dict[str, str | None]:
    scope = OfWorkspace(workspace_id=workspace.id)
    revoked, expired = (
        keys.create_key(session, CLOCK, name="old", scope=ApiKeyScope.ADMIN, expires_at=expires_at, **scope)
        for expires_at in (None, NOW)
    )
    keys.revoke_key(session, CLOCK, key_id=revoked.key.id, **scope)
    good = workspace.secrets[ApiKeyScope.ADMIN]
    return {
        "none": None,
        "unknown": "atom_nobody",
        "revoked": revoked.secret,
        "expired": expired.secret,
        "shortened": good[:-1],
        "in another case": good.swapcase(),
        "its hash": keys.hash_secret(good),
    }


def rows_of(session: Session, workspace_id: str) -> dict[str, list[str]]:
    """Return every row of a workspace, and every row of another one that refers to it, by table."""
    return {table: sorted(map(str, rows)) for table, _, rows in _walk(session, workspace_id)}


def _ids(session: Session, workspace_id: str) -> dict[str, list[str]]:
    """Return the ids of a workspace's rows, by table."""
    found = {
        table: [row[columns.index("id")] for row in rows]
        for table, columns, rows in _walk(session, workspace_id)
        if "id" in columns
    }
    steps = METADATA.tables["workflow_step_executions"]
    held = select(steps.c.claim_id).where(steps.c.execution_id.in_(found["workflow_executions"]))
    found["claims"] = [claim_id for claim_id in session.scalars(held) if claim_id is not None]
    return {name: sorted(ids) for name, ids in found.items() if ids}


def _walk(session: Session, workspace_id: str) -> Iterator[tuple[str, list[str], list[tuple[Any, ...]]]]:
    """
    Go through the tables in the order of their references, and find the rows that lead to a workspace.

    The driver reads all rows and they are chosen here, because they are few: a statement a table costs more.
    """
    driver = session.connection().connection.cursor()
    found: dict[str, set[str]] = {"workspaces": {workspace_id}}
    for table in METADATA.sorted_tables:
        links = [("id", "workspaces")] if table.name == "workspaces" else _links(table)
        driver.execute(f'SELECT * FROM "{table.name}"')
        columns = [column[0] for column in driver.description]
        places = [(columns.index(column), target) for column, target in links]
        rows = [
            row for row in driver.fetchall() if any(row[place] in found[target] for place, target in places)
        ]
        if "id" in columns:
            at = columns.index("id")
            found[table.name] = {row[at] for row in rows}
        yield table.name, columns, rows
    driver.close()


def _links(table: Table) -> list[tuple[str, str]]:
    """Return the columns of a table that name a row of a table before it, with that table's name."""
    return [
        (key.parent.name, key.column.table.name)
        for key in table.foreign_keys
        if key.column.name == "id" and key.column.table is not table
    ]


def fill(session: Session, workspace: Workspace, word: str) -> None:
    """Write one thing of every kind, each with the word in it."""
    _talk(session, workspace, word)
    _govern(session, workspace, word)
    _book(session, workspace, word)
    _graduate(session, workspace, word)
    _run(session, workspace, word)
    _measure(session, workspace, word)


def _talk(session: Session, workspace: Workspace, word: str) -> None:
    scope = OfWorkspace(workspace_id=workspace.id)
    gate, embedder = MaturityGate(), WordOverlapEmbedder()
    talk = chat.create_session(
        session, CLOCK, user_id=workspace.user_id, title=word, metadata={"of": word}, **scope
    )
    for content in (f"Is the invoice of {word} paid?", f"{word} paid it."):
        chat.append_message(session, CLOCK, chat_id=talk.id, role=MessageRole.USER, content=content, **scope)
    factories.execution(session, agent_id=workspace.agent_id, session_id=talk.id, result_summary=word)
    record_canvas_action(
        session,
        CLOCK,
        agent_id=workspace.agent_id,
        chat_id=talk.id,
        canvas_id=word,
        canvas_type=word,
        action=word,
        **scope,
    )
    create_episode_from_session(
        session, gate, embedder, chat_id=talk.id, agent_id=workspace.agent_id, **scope
    )
    viewer = retrieval.Viewer(workspace_id=workspace.id, agent_id=workspace.agent_id)
    retrieval.retrieve_temporal(session, CLOCK, gate, viewer=viewer)


def _govern(session: Session, workspace: Workspace, word: str) -> None:
    scope = OfAgent(workspace_id=workspace.id, agent_id=workspace.agent_id)
    approvals.request_approval(session, CLOCK, action_type=word, params={"of": word}, **scope)
    proposals.propose(session, CLOCK, type=ProposalType.TRAINING, **scope)
    supervised_queue.enqueue(
        session,
        CLOCK,
        user_id=workspace.user_id,
        source=TriggerSource.DATA_SYNC,
        context={"of": word},
        **scope,
    )
    student = factories.agent(
        session, workspace_id=workspace.id, name=word, category=word, status=AgentStatus.STUDENT
    )
    triggers.route_trigger(
        session,
        CLOCK,
        workspace_id=workspace.id,
        agent_id=student.id,
        trigger=triggers.Trigger(
            source=TriggerSource.DATA_SYNC, user_id=workspace.user_id, context={"of": word}
        ),
        is_supervisor_available=False,
    )
    feedback.submit_feedback(
        session,
        CLOCK,
        DecisionCache(GovernanceCache(CLOCK)),
        user_id=workspace.user_id,
        reaction=feedback.Reaction(type=agents.FeedbackType.COMMENT, reasoning=word),
        **scope,
    )


def _book(session: Session, workspace: Workspace, word: str) -> None:
    scope = OfWorkspace(workspace_id=workspace.id)
    cash, equity = (
        ledger.open_account(
            session, code=f"{word} {type_}", name=word, type_=type_, floor_minor=None, **scope
        )
        for type_ in (AccountType.ASSET, AccountType.EQUITY)
    )
    for write in (ledger.post, ledger.draft):
        postings = (debit(cash.id, 1_000), credit(equity.id, 1_000))
        write(session, CLOCK, NewTransaction(postings=postings, description=word, **scope))
    day = (NOW - timedelta(days=365 + len(word))).date()  # a period cannot be closed twice
    ledger.close_period(session, CLOCK, starts_on=day, ends_on=day, **scope)
    project = budgets.create_project(session, CLOCK, name=word, budget_minor=1_000, **scope)
    budgets.add_task(session, project_id=project.id, title=word, **scope)
    budgets.set_limit(session, category=word, limit_minor=1_000, **scope)
    budgets.reserve(session, CLOCK, category=word, amount_minor=1, **scope)


def _graduate(session: Session, workspace: Workspace, word: str) -> None:
    scope = OfWorkspace(workspace_id=workspace.id)
    proposal = proposals.propose(
        session, CLOCK, agent_id=workspace.agent_id, type=ProposalType.TRAINING, **scope
    )
    training_sessions.approve_training(
        session, CLOCK, proposal_id=proposal.id, supervisor_id=workspace.user_id, **scope
    )
    watched = supervision_sessions.start_supervision(
        session, CLOCK, agent_id=workspace.agent_id, supervisor_id=workspace.user_id, **scope
    )
    supervision_sessions.intervene(
        session, CLOCK, supervision_id=watched.id, intervention=Intervention.CORRECT, note=word, **scope
    )


def _run(session: Session, workspace: Workspace, word: str) -> None:
    scope = OfWorkspace(workspace_id=workspace.id)
    workflow = Workflow(steps=(Step(id=word, action=word), Step(id="other", action=word)))
    definitions.define(session, CLOCK, workflow_id=word, workflow=workflow, **scope)
    run = workflows.create_execution(
        session, CLOCK, workflow_id=word, workflow=workflow, inputs={"of": word}, **scope
    )
    workflows.begin(session, CLOCK, execution_id=run.id, **scope)
    claims.claim_steps(session, CLOCK, worker=word, limit=1, lease=timedelta(minutes=1), **scope)


def _measure(session: Session, workspace: Workspace, word: str) -> None:
    scope = OfWorkspace(workspace_id=workspace.id)
    event = NewEvent(
        event_id=word,
        workflow_id=word,
        execution_id=word,
        type=EventType.COMPLETED,
        status=EventStatus.FAILED,
        error=word,
    )
    step = NewEvent(
        event_id=f"{word} step",
        workflow_id=f"{word} two",
        execution_id=word,
        type=EventType.STEP_COMPLETED,
        status=EventStatus.COMPLETED,
        step_id=word,
        user_id=word,
    )
    analytics.record_events(session, CLOCK, events=[event, step], **scope)
    analytics.collect_metric(
        session, CLOCK, metric=NewMetric(name=word, type=MetricType.GAUGE, value=7.0), **scope
    )
    analytics.add_alert_rule(session, name=word, metric=word, threshold=1.0, severity=Severity.HIGH, **scope)
    analytics.evaluate_alerts(session, CLOCK, **scope)
    analytics.record_integration_call(session, CLOCK, integration=word, is_error=True, **scope)


@contextmanager
def world_of(database: Database) -> Iterator[World]:
    """Give a database with two workspaces."""
    with database.prepared(build) as (_, world):
        yield world
