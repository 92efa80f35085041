"""Who may raise agents, act for people and read memories: docs/explanation/trust.md, route by route."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from atom.agents.maturity import AgentStatus, known_confidence, rank
from atom.db.session import unit_of_work
from atom.governance import proposals
from atom.governance.models import ProposalType
from atom.identity import keys
from atom.identity.models import ApiKeyScope, UserRole
from atom.kit.clock import ManualClock
from atom.tables import METADATA, agents, identity
from tests import factories
from tests.api.operations import committed, scopes_of_operations
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfAgent, OfWorkspace
from tests.property_tests.api.ids import id_fields, with_fields
from tests.property_tests.api.world import World, build

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract

ADMIN, WRITE, READ = ApiKeyScope.ADMIN, ApiKeyScope.WRITE, ApiKeyScope.READ
WRITING = sorted(name.split()[0] for name, scope in committed().items() if scope is WRITE)
"""The operations that write and that a write key may call: all others only read, or need an admin key."""
TARGETS = ("admin", "judge", "guest")
"""People of the workspace: its administrator, a specialist in the agent's field, a guest without rights."""
KEYS: dict[str, tuple[ApiKeyScope, str | None]] = {
    **{f"{scope} of nobody": (scope, None) for scope in ApiKeyScope},
    **{f"{scope} of the {who}": (scope, who) for scope in ApiKeyScope for who in TARGETS},
}

SPEAKING: dict[str, tuple[str, dict[str, Any]]] = {
    "submit_feedback": ("user_id", {"type": "correction", "user_correction": "84.20"}),
    "decide_approval": ("user_id", {"is_approved": True}),
    "decide_proposal": ("user_id", {"is_approved": True}),
    "propose": ("proposed_by", {"type": "action"}),
    "route_trigger": ("user_id", {"source": "manual"}),
    "intervene_in_execution": ("user_id", {"correction": "84.20"}),
    "start_supervision": ("supervisor_id", {}),
    "schedule_training": ("supervisor_id", {"proposal_id": "{training_proposal}"}),
    "promote_agent": ("promoted_by", {"target": "autonomous"}),
}
"""The operations in which a person acts: the field that names the person, and the rest of a request."""
PATHS = {
    "submit_feedback": "/v1/agents/{agent}/feedback",
    "decide_approval": "/v1/approvals/{approval}/decision",
    "decide_proposal": "/v1/proposals/{proposal}/decision",
    "propose": "/v1/agents/{agent}/proposals",
    "route_trigger": "/v1/agents/{agent}/triggers",
    "intervene_in_execution": "/v1/executions/{execution}/interventions",
    "start_supervision": "/v1/agents/{agent}/supervisions",
    "schedule_training": "/v1/trainings",
    "promote_agent": "/v1/agents/{agent}/promotions",
}
LOOKS = {
    "temporal": {},
    "semantic": {"query": "invoice"},
    "contextual": {"task": "invoice"},
    "sequential": {"episode_id": "{episode}"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A world with people of three kinds and a key of each kind."""

    world: World
    people: dict[str, str]
    secrets: dict[str, str]
    execution_id: str
    proposal_id: str
    open_proposal_id: str

    def ids(self) -> dict[str, str]:
        """The ids that fill a path or a body."""
        own = self.world.my_ids
        return {
            "agent": self.world.mine.agent_id,
            "approval": own["hitl_actions"][0],
            "proposal": self.open_proposal_id,
            "episode": own["episodes"][0],
            "execution": self.execution_id,
            "training_proposal": self.proposal_id,
        }


def build_office(sessions: sessionmaker[Session]) -> Office:
    """Commit the office; the agent that the tests ask about is supervised, so that it can be promoted."""
    world = build(sessions)
    with unit_of_work(sessions) as session:
        agent = session.get_one(agents.Agent, world.mine.agent_id)
        agent.status, agent.confidence, agent.category = AgentStatus.SUPERVISED, 0.75, "finance"
        about = OfWorkspace(workspace_id=world.mine.id)
        people = {
            "admin": factories.user(session, role=UserRole.WORKSPACE_ADMIN, **about).id,
            "judge": factories.user(session, specialty="Finance", **about).id,
            "guest": factories.user(session, role=UserRole.GUEST, specialty="legal", **about).id,
        }
        secrets = {
            kind: keys.create_key(
                session,
                ManualClock(NOW),
                name=kind,
                scope=scope,
                user_id=None if who is None else people[who],
                **about,
            ).secret
            for kind, (scope, who) in KEYS.items()
        }
        run = factories.execution(session, agent_id=agent.id, status="running").id
        own = OfAgent(**about, agent_id=agent.id)
        proposal = proposals.propose(session, ManualClock(NOW), type=ProposalType.TRAINING, **own).id
        waiting = proposals.propose(session, ManualClock(NOW), type=ProposalType.ACTION, **own).id
        ready = {**own, "maturity_at_time": "supervised", "constitutional_score": 1.0}
        factories.add_episodes(session, [ready] * 50)
    return Office(
        world=world,
        people=people,
        secrets=secrets,
        execution_id=run,
        proposal_id=proposal,
        open_proposal_id=waiting,
    )


@contextmanager
def office_of(database: Database) -> Iterator[Office]:
    with database.prepared(build_office) as (_, office):
        yield office


def call(contract: Contract, office: Office, kind: str, path: str, body: Any) -> Any:
    return contract.transport.request("POST", path.format(**office.ids()), body, office.secrets[kind])


def format_ids(value: Any, ids: dict[str, str]) -> Any:
    return value.format(**ids) if isinstance(value, str) else value


def speaks(kind: str, target: str) -> bool:
    """
    Whether a key may act for a person: a person's key for that person, an admin key of nobody for everybody.
    """
    scope, who = KEYS[kind]
    return who == target if who is not None else scope is ADMIN


@pytest.mark.invariant(40)
@pytest.mark.parametrize(("name", "kind"), [*product(SPEAKING, KEYS)])
def test_only_who_speaks_for_a_person_acts_for_them(
    database: Database, contract: Contract, name: str, kind: str
) -> None:
    """
    Only a person's own key, or an admin key that belongs to nobody, may act for that person, if its scope
    allows the operation; any other key gets a 403 and writes nothing.
    """
    field, rest = SPEAKING[name]
    needed = scopes_of_operations()[name]
    assert needed is not None
    order = list(ApiKeyScope)
    for target in TARGETS:
        with office_of(database) as office:
            before = database.snapshot()
            filled = {key: format_ids(value, office.ids()) for key, value in rest.items()}
            answer = call(contract, office, kind, PATHS[name], {field: office.people[target], **filled})
            may = order.index(KEYS[kind][0]) >= order.index(needed) and speaks(kind, target)
            assert answer.status_code == (403 if not may else 201 if name in CREATING else 200), target
            if not may:
                assert database.snapshot() == before, target


CREATING = {"submit_feedback", "propose", "start_supervision", "schedule_training", "promote_agent"}


@pytest.mark.invariant(40)
@pytest.mark.parametrize("name", WRITING)
def test_no_key_below_admin_lifts_an_agent(database: Database, contract: Contract, name: str) -> None:
    """
    Whatever a write key calls, no agent gets a higher maturity, a higher confidence at the same maturity, or
    another category; a new agent is at most a student with confidence 0.5.
    """
    for kind in ("write of nobody", "write of the admin"):
        with office_of(database) as office:
            before = standings(database)
            for case in contract.valid_cases(name):
                own = office.world.own(id_fields(case))
                contract.send(with_fields(case, own), office.secrets[kind])
            for agent_id, (rung, confidence, category) in standings(database).items():
                if agent_id in before:
                    assert (rung, confidence) <= before[agent_id][:2], kind
                    assert category == before[agent_id][2], kind
                else:
                    assert (rung, confidence) <= (0, 0.5), kind


def standings(database: Database) -> dict[str, tuple[int, float, str]]:
    """
    Return maturity rank, confidence and category of every agent; paused and deprecated rank below student.
    """
    table = METADATA.tables["agent_registry"]
    found = {}
    with database.engine.connect() as connection:
        for row in connection.execute(select(table)):
            rung = rank(row.status)
            found[row.id] = (-1 if rung is None else rung, known_confidence(row.confidence), row.category)
    return found


@pytest.mark.invariant(40)
def test_a_success_lifts_with_an_admins_key_only(database: Database, contract: Contract) -> None:
    """
    Recording an agent's success takes an admin key; recording its failure takes a write or an admin key.
    """
    for kind, (scope, _) in KEYS.items():
        with office_of(database) as office:
            for is_success in (True, False):
                body = {"is_success": is_success, "impact": "high"}
                answer = call(contract, office, kind, "/v1/agents/{agent}/outcomes", body)
                may = scope is ADMIN or (scope is WRITE and not is_success)
                assert answer.status_code == (200 if may else 403), (kind, is_success)


@pytest.mark.invariant(34)
@pytest.mark.parametrize(("look", "target"), [*product(LOOKS, (None, *TARGETS))])
def test_memory_is_shown_to_whom_it_may_be_shown(
    database: Database, contract: Contract, look: str, target: str | None
) -> None:
    """
    In each of the four retrievals, a person's key that asks for another person gets a 403, a guest is shown
    nothing, and everyone else is shown the memory.
    """
    with office_of(database) as office:
        body: dict[str, Any] = {key: value.format(**office.ids()) for key, value in LOOKS[look].items()}
        if target is not None:
            body["user_id"] = office.people[target]
        for kind, (_, who) in KEYS.items():
            answer = call(contract, office, kind, f"/v1/agents/{{agent}}/memory/{look}", body)
            if who is not None and target not in (None, who):
                assert answer.status_code == 403, kind
                continue
            found = answer.json()
            may = (who or target) != "guest"
            assert found["decision"]["is_allowed"] is may, kind
            assert bool(found.get("hits") or found.get("story")) is may, kind


@pytest.mark.invariant(34)
@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    "path", ["/v1/episodes?agent_id={agent}", "/v1/episodes/{episode}", "/v1/episodes/{episode}/segments"]
)
def test_the_plain_lists_of_memory_keep_to_the_same_rule(
    database: Database, contract: Contract, kind: str, path: str
) -> None:
    """
    A guest's key gets a 403 for the episode list, an episode and its segments; every other key reads them.
    """
    with office_of(database) as office:
        answer = contract.transport.request("GET", path.format(**office.ids()), None, office.secrets[kind])
        assert answer.status_code == (403 if KEYS[kind][1] == "guest" else 200)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/chats?user_id={owner}", None),
        ("GET", "/v1/chats/{chat}", None),
        ("GET", "/v1/chats/{chat}/messages", None),
        ("POST", "/v1/chats/{chat}/messages", {"role": "user", "content": "Hello"}),
        ("PATCH", "/v1/chats/{chat}", {"title": "Mine now"}),
        ("POST", "/v1/chats", {"user_id": "{owner}"}),
        ("DELETE", "/v1/chats/{chat}", None),
    ],
)
def test_a_persons_key_reaches_that_persons_conversations(
    database: Database, contract: Contract, kind: str, method: str, path: str, body: Any
) -> None:
    """A person's key reaches no other person's chats; a key of nobody reaches all that its scope allows."""
    with office_of(database) as office:
        ids = {"owner": office.world.mine.user_id, "chat": office.world.my_ids["chat_sessions"][0]}
        filled = body and {key: value.format(**ids) for key, value in body.items()}
        before = database.snapshot("chat_sessions", "chat_messages")
        answer = contract.transport.request(method, path.format(**ids), filled, office.secrets[kind])
        scope, who = KEYS[kind]
        may = who is None and (method == "GET" or scope is not READ)
        assert (answer.status_code < 300) is may, answer.text
        if not may:
            assert answer.status_code in (403, 404)
            assert database.snapshot("chat_sessions", "chat_messages") == before


@pytest.mark.parametrize("scope", ApiKeyScope)
def test_a_registered_agent_changes_its_field_with_an_admins_key_only(
    database: Database, contract: Contract, scope: ApiKeyScope
) -> None:
    """
    Only an admin key changes an agent's category, because it decides who judges the agent and sees its data.
    """
    with office_of(database) as office, Session(database.engine) as session:
        agent = session.get_one(agents.Agent, office.world.mine.agent_id)
        body = {"name": "Clerk", "module_path": agent.module_path, "class_name": agent.class_name}
        session.rollback()
        for category, is_change in (("finance", False), ("legal", True)):
            described = {**body, "category": category}
            answer = call(contract, office, f"{scope} of nobody", "/v1/agents", described)
            may = scope is ADMIN or (scope is WRITE and not is_change)
            assert answer.status_code == (200 if may else 403)


def test_the_keys_of_a_person_go_with_the_person(database: Database) -> None:
    """Deleting a user deletes the user's keys, so that no key acts for somebody who is gone."""
    with office_of(database) as office, Session(database.engine) as session:
        session.delete(session.get_one(identity.User, office.people["guest"]))
        session.flush()
        owners = set(session.scalars(select(identity.ApiKey.user_id)))
        assert owners == {None, office.people["admin"], office.people["judge"]}
