"""Every operation once, as a program would use it, and the names under which programs know them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from atom.graduation import training_sessions
from atom.identity.models import ApiKeyScope
from atom.kit.ids import new_id
from tests import factories
from tests.api.operations import committed
from tests.faults import Stage, unanswerable
from tests.http import Api, Caller, Workspace

UPDATE = "the names of operations changed: if that is meant, write them to tests/api/operations.txt"


def documented(api: Api) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the operations of the OpenAPI document by method and path."""
    paths = api.document["paths"]
    return {
        (method.upper(), path): operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_the_names_of_operations_stay(api: Api) -> None:
    """A program generated from the document goes on working: names, methods and paths are as committed."""
    found = sorted(
        f"{operation['operationId']} {method} {path}" for (method, path), operation in documented(api).items()
    )
    assert found == list(committed()), UPDATE


def test_the_document_says_everything(api: Api) -> None:
    """Each operation has a summary, a description, a key it needs, and each response what it means."""
    for place, operation in documented(api).items():
        assert operation["summary"], place
        assert operation["description"], place
        assert len(operation["tags"]) == 1, place
        assert ("security" in operation) is (operation["tags"] != ["health"]), place
        assert {"500", "503"} <= operation["responses"].keys(), place
        for status, response in operation["responses"].items():
            assert response["description"], (place, status)
            problem = response.get("content", {}).get("application/problem+json")
            assert (problem is not None) is (int(status) >= 400), (place, status)
        has_body = "requestBody" in operation
        assert (operation["responses"].keys() >= {"400", "413", "415"}) is has_body, place


def test_no_path_is_read_as_another(api: Api) -> None:
    """A fixed path never fits a path with a parameter: a wrong method there would be told a wrong id."""
    paths = {path for _, path in documented(api)}
    patterns = {path: re.compile(re.sub(r"\{\w+\}", "[^/]+", path)) for path in paths}
    assert [
        (template, path)
        for template, pattern in patterns.items()
        for path in paths - {template}
        if pattern.fullmatch(path)
    ] == []


def test_every_reference_of_the_document_leads_somewhere(api: Api) -> None:
    """Generators and viewers find each schema that is referred to."""
    document = api.document
    wanted = set(re.findall(r"'#/components/schemas/(\w+)'", str(document)))
    assert wanted
    assert wanted <= document["components"]["schemas"].keys()


def test_what_is_made_leads_to_every_operation_on_it(api: Api) -> None:
    """Each parameter of a path has a link to its operation, from an answer that has the field it names."""
    document = api.document
    operations = {operation["operationId"]: operation for operation in documented(api).values()}
    wanted = {
        (name, parameter["name"])
        for name, operation in operations.items()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }
    found = set()
    for operation in operations.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                for parameter, place in link["parameters"].items():
                    found.add((link["operationId"], parameter))
                    kind, _, pointer = place.partition("#/")
                    if kind == "$response.body":
                        schema = response["content"]["application/json"]["schema"]
                        assert has_place(document, schema, pointer.split("/")), (link, place)
    assert found == wanted
    assert len(wanted) > 60


def has_place(document: dict[str, Any], schema: dict[str, Any], path: list[str]) -> bool:
    """Return whether what a schema describes may have something at this place."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if not path:
        return True
    step, *rest = path
    if "anyOf" in schema:
        return any(has_place(document, each, path) for each in schema["anyOf"])
    inner = schema.get("items") if step.isdigit() else schema.get("properties", {}).get(step)
    return inner is not None and has_place(document, inner, rest)


class Tour:
    """
    The requests of a program; remembers which operations succeeded.

    Each is sent with a key of the scope that it takes; before that the keys of the scopes below are refused.
    """

    def __init__(self, api: Api) -> None:
        self.api = api
        self.workspace = api.workspace()
        self.admin: Caller = api.caller(self.workspace)
        self.succeeded: set[tuple[str, str]] = set()
        self._patterns = {
            place: re.compile(re.sub(r"\{\w+\}", "[^/]+", place[1])) for place in documented(api)
        }
        self._scopes = {tuple(operation.split()[1:]): scope for operation, scope in committed().items()}

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send a request that has to succeed."""
        return self._send(None, method, path, body, query)

    def as_admin(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request that lifts an agent or speaks for a person: it takes more than its route does."""
        return self._send(ApiKeyScope.ADMIN, method, path, body, {})

    def _send(
        self, least: ApiKeyScope | None, method: str, path: str, body: Any, query: dict[str, Any]
    ) -> Any:
        matching = [p for p, pattern in self._patterns.items() if p[0] == method and pattern.fullmatch(path)]
        place = min(matching, key=lambda place: place[1].count("{"))
        for scope in ApiKeyScope:
            caller = self.api.caller(self.workspace, scope)
            if (least or self._scopes[place]) in (scope, None):
                break
            caller.refused(403, method, path, body, query=query or None)
        answer = caller.ok(method, path, body, query=query or None)
        self.succeeded.add(place)
        return answer

    def chat_with_messages(self) -> str:
        """Open a conversation, say two things in it and return its id."""
        chat = self("POST", "/v1/chats", {"user_id": self.workspace.user_id, "title": "March"})
        for role, content in (("user", "Is the invoice of March paid?"), ("assistant", "Yes.")):
            self("POST", f"/v1/chats/{chat['id']}/messages", {"role": role, "content": content})
        return str(chat["id"])


def keys(tour: Tour) -> None:
    made = tour("POST", "/v1/keys", {"name": "import", "scope": "write"})
    assert made["scope"] == "write"
    assert made["id"] in [key["id"] for key in tour("GET", "/v1/keys")["items"]]
    assert tour("DELETE", f"/v1/keys/{made['id']}")["revoked_at"] is not None
    tour.api.stranger(made["secret"]).refused(401, "GET", "/v1/agents")
    tour.admin.refused(409, "POST", f"/v1/keys/{made['id']}/rotation", {})
    rotate(tour)


def rotate(tour: Tour) -> None:
    old = tour.admin.ok("POST", "/v1/keys", {"name": "nightly", "user_id": tour.workspace.user_id})
    new = tour("POST", f"/v1/keys/{old['id']}/rotation", {"overlap_s": 60})
    assert {name: new[name] for name in ("name", "scope", "user_id")} == {
        name: old[name] for name in ("name", "scope", "user_id")
    }
    for secret in (old["secret"], new["secret"]):
        tour.api.stranger(secret).ok("GET", "/v1/workspace")
    used_at = tour.api.clock.now()
    tour.api.clock.advance(timedelta(seconds=60))
    tour.api.stranger(old["secret"]).refused(401, "GET", "/v1/workspace")
    tour.api.stranger(new["secret"]).ok("GET", "/v1/workspace")
    listed = tour("GET", "/v1/keys", user_id=tour.workspace.user_id)["items"]
    uses = {key["id"]: datetime.fromisoformat(key["last_used_at"]) for key in listed}
    assert uses == {old["id"]: used_at, new["id"]: tour.api.clock.now()}


def workspace(tour: Tour) -> None:
    assert tour("GET", "/v1/workspace")["id"] == tour.workspace.id
    assert tour("PATCH", "/v1/workspace", {"name": "Acme & Sons"})["name"] == "Acme & Sons"
    assert tour("POST", "/v1/workspace/suspension")["status"] == "suspended"
    tour.admin.refused(403, "GET", "/v1/workspace")


def users(tour: Tour) -> None:
    body = {"email": "ada@example.org", "role": "team_lead", "specialty": "finance"}
    made = tour("POST", "/v1/users", {**body, "hourly_cost_rate_minor": 5_000})
    assert made == {**body, "id": made["id"], "hourly_cost_rate_minor": 5_000}
    assert tour("GET", f"/v1/users/{made['id']}") == made
    first = tour("GET", "/v1/users", limit=1)
    rest = tour("GET", "/v1/users", limit=1, cursor=first["next"])
    assert {first["items"][0]["id"], rest["items"][0]["id"]} == {made["id"], tour.workspace.user_id}
    assert rest["next"] is None
    own = tour.admin.ok("POST", "/v1/keys", {"name": "own", "user_id": made["id"]})["secret"]
    path = f"/v1/users/{made['id']}"
    changed = tour("PATCH", path, {"email": "Ada.L@Example.org", "specialty": None})
    assert (changed["email"], changed["specialty"], changed["role"]) == (
        "ada.l@example.org",
        None,
        "team_lead",
    )
    tour.admin.ok("POST", "/v1/chats", {"user_id": made["id"], "title": "Mine"})
    exported = tour("GET", f"{path}/export")
    assert exported["tables"]["chat_sessions"][0]["title"] == "Mine"
    assert "key_hash" not in str(exported)
    forgotten = tour("POST", f"{path}/anonymisation")
    assert "ada" not in str(forgotten).lower()
    tour.api.stranger(own).refused(401, "GET", "/v1/agents")


def agents(tour: Tour) -> None:
    body = {"name": "Clerk", "category": "finance", "module_path": "agents.clerk", "class_name": "Clerk"}
    made = tour("POST", "/v1/agents", body)
    path = f"/v1/agents/{made['id']}"
    assert (made["status"], made["confidence"]) == ("student", 0.5)
    again = tour("POST", "/v1/agents", {**body, "name": "Accountant", "configuration": {"tone": "dry"}})
    assert (again["id"], again["name"], again["configuration"]) == (
        made["id"],
        "Accountant",
        {"tone": "dry"},
    )
    moved = tour.as_admin("POST", f"{path}/outcomes", {"is_success": True, "impact": "high"})
    assert (moved["status"], moved["confidence"]) == ("intern", 0.55)
    assert tour("POST", f"{path}/pause")["status"] == "paused"
    tour.admin.refused(409, "POST", f"{path}/pause")
    assert tour("POST", f"{path}/resume")["status"] == "intern"
    assert tour("POST", f"{path}/deprecate")["status"] == "deprecated"
    assert tour("GET", path)["status"] == "deprecated"
    assert made["id"] in [agent["id"] for agent in tour("GET", "/v1/agents")["items"]]
    run_an_agent(tour)


def run_an_agent(tour: Tour) -> None:
    chat_id = tour.chat_with_messages()
    runs = f"/v1/agents/{tour.workspace.agent_id}/executions"
    body = {"chat_id": chat_id, "input_summary": "Is it paid?", "metadata": {"model": "small"}}
    run = tour("POST", runs, body)
    assert (run["status"], run["chat_id"]) == ("running", chat_id)
    path = f"/v1/executions/{run['id']}"
    assert tour("POST", f"{path}/steps", {"summary": "read the invoice"})["metadata"]["model"] == "small"
    tour.api.clock.advance(timedelta(seconds=90))
    correction = {"correction": "84.20"}
    told = tour("POST", f"{path}/interventions", correction)["metadata"]
    assert told["human_intervention"] is True
    assert [entry["correction"] for entry in told["human_corrections"]] == ["84.20"]
    ended = tour("POST", f"{path}/completion", {"outcome": "completed", "result_summary": "It is paid."})
    assert (ended["status"], ended["duration_seconds"]) == ("completed", 90)
    for late, late_body in (
        ("steps", {"summary": "x"}),
        ("interventions", {}),
        ("completion", {"outcome": "failed"}),
    ):
        tour.admin.refused(409, "POST", f"{path}/{late}", late_body)
    assert tour("GET", path) == ended
    other = tour("POST", runs, {"triggered_by": "schedule"})
    assert [row["id"] for row in tour("GET", "/v1/executions", chat_id=chat_id)["items"]] == [run["id"]]
    assert [row["id"] for row in tour("GET", "/v1/executions", status="running")["items"]] == [other["id"]]
    episode = tour.admin.ok("POST", "/v1/episodes", {"agent_id": tour.workspace.agent_id, "chat_id": chat_id})
    assert episode["human_intervention_count"] == 1


def governance(tour: Tour) -> None:
    workspace = tour.workspace
    agent = f"/v1/agents/{workspace.agent_id}"
    assert tour("GET", f"{agent}/decision", action="deploy")["is_allowed"]
    asked = tour("GET", f"{agent}/decision", action="deploy", require_approval=True)
    assert asked["requires_human_approval"]
    assert tour("POST", f"{agent}/attempts", {"action": "deploy"})["verdict"] == "APPROVED"
    assert "deploy" in tour("GET", f"{agent}/capabilities")["items"]
    assert tour("GET", f"{agent}/users/{workspace.user_id}/access") == {"may_access": True}
    decide_approvals(tour, agent)
    decide_proposals(tour, agent)
    run_queue(tour, agent)
    correction = {"user_id": workspace.user_id, "type": "correction", "user_correction": "84.20"}
    assert tour.as_admin("POST", f"{agent}/feedback", correction)["status"] == "accepted"
    assert tour("GET", agent)["confidence"] == 0.4
    assert not tour("GET", f"{agent}/decision", action="deploy")["is_allowed"], "the answer was remembered"


def decide_approvals(tour: Tour, agent: str) -> None:
    first, second = (
        tour("POST", f"{agent}/approvals", {"action_type": "deploy", "params": {"to": name}})
        for name in ("test", "live")
    )
    answer = {"user_id": tour.workspace.user_id, "is_approved": False}
    assert tour("POST", f"/v1/approvals/{first['id']}/decision", answer)["status"] == "REJECTED"
    tour.admin.refused(409, "POST", f"/v1/approvals/{first['id']}/decision", answer)
    assert tour("POST", "/v1/approvals/expiry", {"older_than_s": 1}) == {"n": 0}
    tour.api.clock.advance(timedelta(seconds=1))
    assert tour("POST", "/v1/approvals/expiry", {"older_than_s": 1}) == {"n": 1}
    assert tour("GET", "/v1/approvals", agent_id=first["id"])["items"] == []
    page = tour("GET", "/v1/approvals", agent_id=tour.workspace.agent_id)
    assert {row["id"]: row["status"] for row in page["items"]} == {
        first["id"]: "REJECTED",
        second["id"]: "EXPIRED",
    }


def decide_proposals(tour: Tour, agent: str) -> None:
    user_id = tour.workspace.user_id
    wanted, unwanted = (
        tour.as_admin("POST", f"{agent}/proposals", {"type": "analysis", "proposed_by": user_id})
        for _ in range(2)
    )
    answer = {"user_id": user_id, "is_approved": True}
    assert tour("POST", f"/v1/proposals/{wanted['id']}/decision", answer)["approved_by"] == user_id
    assert tour("POST", f"/v1/proposals/{wanted['id']}/execution")["status"] == "executed"
    assert tour("POST", f"/v1/proposals/{unwanted['id']}/cancellation")["status"] == "cancelled"
    assert len(tour("GET", "/v1/proposals")["items"]) == 2
    trained = tour("POST", f"{agent}/proposals", {"type": "training"})["id"]
    assert tour("POST", f"/v1/proposals/{trained}/decision", answer)["status"] == "approved"
    with tour.api.sessions.begin() as session:
        training_sessions.approve_training(
            session,
            tour.api.clock,
            workspace_id=tour.workspace.id,
            proposal_id=trained,
            supervisor_id=user_id,
        )
    for step in ("cancellation", "execution"):
        problem = tour.admin.refused(409, "POST", f"/v1/proposals/{trained}/{step}")
        assert "has a training" in problem["detail"]


def run_queue(tour: Tour, agent: str) -> None:
    with tour.api.sessions.begin() as session:
        supervised, student = (
            factories.agent(session, workspace_id=tour.workspace.id, status=status).id
            for status in ("supervised", "student")
        )
    trigger = {"source": "data_sync", "user_id": tour.workspace.user_id, "context": {"table": "invoices"}}
    assert tour("POST", f"{agent}/triggers", trigger)["routing"]["executes"]
    blocked = tour("POST", f"/v1/agents/{student}/triggers", trigger)
    assert blocked["routing"]["route"] == "training_proposal"
    assert [row["id"] for row in tour("GET", "/v1/blocked-triggers")["items"]] == [
        blocked["blocked_trigger_id"]
    ]
    entries = [
        tour("POST", f"/v1/agents/{supervised}/triggers", {**trigger, "priority": priority})["queue_entry_id"]
        for priority in (3, 2, 1, 0)
    ]
    assert tour("POST", f"/v1/queue/{entries[3]}/cancellation")["status"] == "cancelled"
    assert [entry["id"] for entry in tour("POST", "/v1/queue/batch", limit=2)["items"]] == entries[:2]
    assert tour("POST", f"/v1/queue/{entries[0]}/completion")["status"] == "completed"
    assert tour("POST", f"/v1/queue/{entries[1]}/failure")["status"] == "pending"
    tour.api.clock.advance(timedelta(days=1))
    assert tour("POST", "/v1/queue/expiry") == {"n": 2}
    assert len(tour("GET", "/v1/queue", agent_id=supervised)["items"]) == 4


def chat(tour: Tour) -> None:
    chat_id = tour.chat_with_messages()
    path = f"/v1/chats/{chat_id}"
    assert tour("GET", path)["message_count"] == 2
    messages = tour("GET", f"{path}/messages")["items"]
    assert [(m["position"], m["role"]) for m in messages] == [(0, "user"), (1, "assistant")]
    last = tour("GET", f"{path}/messages", limit=1)
    before = tour("GET", f"{path}/messages", limit=1, cursor=last["next"])
    assert [page["items"][0]["position"] for page in (last, before)] == [1, 0]
    assert before["next"] is None
    assert tour("PATCH", path, {"title": None})["title"] is None
    other = tour("POST", "/v1/chats", {"user_id": tour.workspace.user_id, "metadata": {"channel": "web"}})
    assert other["metadata"] == {"channel": "web"}
    page = tour("GET", "/v1/chats", user_id=tour.workspace.user_id, limit=1)
    rest = tour("GET", "/v1/chats", user_id=tour.workspace.user_id, limit=1, cursor=page["next"])
    assert {page["items"][0]["id"], rest["items"][0]["id"]} == {chat_id, other["id"]}
    assert tour("DELETE", path) is None
    tour.admin.refused(404, "GET", path)


def episodes(tour: Tour) -> None:
    agent_id, chat_id = tour.workspace.agent_id, tour.chat_with_messages()
    ids = {"agent_id": agent_id, "chat_id": chat_id}
    canvas = {"canvas_id": "c1", "canvas_type": "sheet", "action": "update"}
    tour("POST", "/v1/canvas-actions", {**ids, **canvas})
    made = tour("POST", "/v1/episodes", {**ids, "title": "The invoice"})
    assert (made["title"], made["canvas_action_count"]) == ("The invoice", 1)
    path = f"/v1/episodes/{made['id']}"
    assert [segment["sequence_order"] for segment in tour("GET", f"{path}/segments")["items"]] == [0, 1]
    reflection = {"title": "A lesson", "reflection": "Ask before you remind.", "outcome": "rejected"}
    learnt = tour("POST", "/v1/reflections", {"agent_id": agent_id, **reflection})
    assert learnt["importance"] == 0.8
    page = tour("GET", "/v1/episodes", agent_id=agent_id, limit=1)
    rest = tour("GET", "/v1/episodes", agent_id=agent_id, limit=1, cursor=page["next"])
    assert {page["items"][0]["id"], rest["items"][0]["id"]} == {made["id"], learnt["id"]}
    recall(tour, made["id"])
    assert tour("POST", "/v1/episode-accesses", {"episode_ids": [made["id"], learnt["id"]]}) == {"n": 2}
    assert tour("GET", path)["access_count"] == 5
    importance = {"agent_id": agent_id, "feedback": 1}
    assert tour("POST", f"{path}/importance", importance)["importance"] == pytest.approx(0.6)
    rated = tour("POST", f"{path}/assessment", {"supervisor_rating": 5, "constitutional_score": 0.9})
    assert (rated["supervisor_rating"], rated["constitutional_score"]) == (5, 0.9)
    assert tour("POST", f"/v1/agents/{agent_id}/consolidation", {"threshold": 1}) == {"n": 0}
    assert tour("POST", "/v1/episode-decay") == {"n_affected": 0, "n_archived": 0}
    assert tour("POST", f"{path}/archive")["status"] == "archived"


def recall(tour: Tour, episode_id: str) -> None:
    memory = f"/v1/agents/{tour.workspace.agent_id}/memory"
    where = {"where": {"canvas_type": "sheet"}}
    for look, body in (
        ("temporal", {"time_range": "1d"}),
        ("semantic", {"query": "the invoice of March"}),
        ("contextual", {"task": "the invoice of March"}),
    ):
        found = tour("POST", f"{memory}/{look}", {**body, **where, "user_id": tour.workspace.user_id})
        assert found["decision"]["is_allowed"]
        assert [hit["episode"]["id"] for hit in found["hits"]] == [episode_id]
    story = tour("POST", f"{memory}/sequential", {"episode_id": episode_id})["story"]
    assert story["episode"]["id"] == episode_id
    assert [action["canvas_type"] for action in story["canvas_actions"]] == ["sheet"]


def ledger(tour: Tour) -> None:
    accounts = {
        type_: tour("POST", "/v1/ledger/accounts", {"code": type_, "name": type_, "type": type_})["id"]
        for type_ in ("asset", "liability", "equity", "revenue", "expense")
    }
    bank = tour("POST", "/v1/ledger/accounts", {"code": "bank", "name": "Bank", "type": "asset"})["id"]
    lines = [
        {"account_id": accounts["asset"], "side": "debit", "amount_minor": 1_000},
        {"account_id": accounts["equity"], "side": "credit", "amount_minor": 1_000},
    ]
    posted = tour("POST", "/v1/ledger/transactions", {"postings": lines, "external_id": "capital"})
    twice = tour.admin("POST", "/v1/ledger/transactions", {"postings": lines, "external_id": "capital"})
    assert (twice.status_code, twice.json()) == (200, {**posted, "is_new": False})
    transfer = {"source_account_id": accounts["asset"], "target_account_id": bank, "amount_minor": 400}
    tour("POST", "/v1/ledger/transfers", transfer)
    for path, debit, credit in (
        ("invoices", accounts["asset"], accounts["revenue"]),
        ("bills", accounts["expense"], accounts["liability"]),
        ("bill-payments", accounts["liability"], bank),
        ("expense-payments", accounts["expense"], bank),
    ):
        body = {"debit_account_id": debit, "credit_account_id": credit, "amount_minor": 50}
        assert tour("POST", f"/v1/ledger/{path}", body)["status"] == "posted"
        tour.admin.refused(422, "POST", f"/v1/ledger/{path}", {**body, "debit_account_id": credit})
    overdraft = {**transfer, "amount_minor": 10_000}
    problem = tour.admin.refused(409, "POST", "/v1/ledger/transfers", overdraft)
    assert problem["title"] == "Not enough on the account"
    settle_drafts(tour, lines)
    balances = {
        account["code"]: account["balance_minor"] for account in tour("GET", "/v1/ledger/accounts")["items"]
    }
    assert balances == {
        "asset": 650,
        "bank": 300,
        "liability": 0,
        "equity": 1_000,
        "revenue": 50,
        "expense": 100,
    }
    trial = tour("GET", "/v1/ledger/trial-balance", currency="USD")
    assert trial["is_balanced"]
    assert tour("GET", "/v1/ledger/discrepancies")["items"] == []
    change = {"expected_version": 1, "is_active": False}
    assert not tour("PATCH", f"/v1/ledger/accounts/{bank}", change)["is_active"]
    stale = tour.admin.refused(409, "PATCH", f"/v1/ledger/accounts/{bank}", change)
    assert stale["title"] == "Changed by somebody else"
    assert tour("GET", f"/v1/ledger/accounts/{bank}")["version"] == 2
    page = tour("GET", "/v1/ledger/transactions", account_id=accounts["equity"], limit=1)
    assert page["next"] is not None
    period = {"starts_on": "2025-01-01", "ends_on": "2025-12-31"}
    assert tour("POST", "/v1/ledger/closed-periods", period)["starts_on"] == "2025-01-01"
    late = {"postings": lines, "on": "2025-06-30"}
    assert tour.admin.refused(409, "POST", "/v1/ledger/transactions", late)["title"] == "Period closed"


def settle_drafts(tour: Tour, lines: list[dict[str, Any]]) -> None:
    path = "/v1/ledger/transactions"
    kept, dropped = (
        tour("POST", path, {"postings": lines, "is_draft": True})["transaction_id"] for _ in range(2)
    )
    assert tour("POST", f"{path}/{dropped}/cancellation")["status"] == "cancelled"
    assert tour("POST", f"{path}/{kept}/posting")["status"] == "posted"
    draft = {"postings": lines, "is_draft": True, "external_id": "bank-1"}
    waiting = tour("POST", path, draft)["transaction_id"]
    problem = tour.admin.refused(409, "POST", path, {**draft, "is_draft": False})
    assert (problem["title"], waiting in problem["detail"]) == ("External id of a draft", True)
    tour("POST", f"{path}/{waiting}/cancellation")
    undone = tour("POST", f"{path}/{kept}/reversal", {"on": "2027-01-31"})
    reversal = tour("GET", f"{path}/{undone['transaction_id']}")
    assert (reversal["reverses_id"], reversal["transaction_date"]) == (kept, "2027-01-31")
    entries = tour("GET", f"{path}/{undone['transaction_id']}/entries")["items"]
    assert [entry["side"] for entry in entries] == ["credit", "debit"]
    tour.admin.refused(409, "POST", f"{path}/{kept}/reversal", {})


def analytics(tour: Tour) -> None:
    run = {"workflow_id": "month-end", "execution_id": "run-1"}
    end = {**run, "event_id": "end", "type": "completed", "status": "failed", "error": "no bank"}
    events = [{**run, "event_id": "start", "type": "started", "status": "running"}, end]
    assert tour("POST", "/v1/analytics/events", {"events": events}) == {"n_new": 2}
    assert tour("POST", "/v1/analytics/events", {"events": events}) == {"n_new": 0}
    for value in (80, 95.5):
        metric = {"name": "cpu_percent", "type": "gauge", "value": value, "tags": {"host": "a"}}
        tour("POST", "/v1/analytics/metrics", {**metric, "recorded_at": factories.NOW.isoformat()})
        tour.api.clock.advance(timedelta(seconds=1))
    points = tour("GET", "/v1/analytics/metrics/points", name="cpu_percent", limit=10)["items"]
    assert {point["value"] for point in points} == {80, 95.5}
    assert tour("GET", "/v1/analytics/metrics/summary", name="cpu_percent", window="1h")["max"] == 95.5
    performance = tour("GET", "/v1/analytics/performance", workflow_id="month-end")
    assert performance["top_errors"] == [{"error": "no bank", "n": 1, "percent": 100.0}]
    overview = tour("GET", "/v1/analytics/overview", window="7d")
    assert (overview["n_workflows"], overview["counters"]["n_failed"]) == (1, 1)
    (counted,) = tour("GET", "/v1/analytics/counters", group="workflow")["items"]
    assert (counted["member"], counted["counters"]["n_events"]) == ("month-end", 2)
    rule = {"name": "busy", "metric": "cpu_percent", "threshold": 90, "severity": "high"}
    made = tour("POST", "/v1/analytics/alert-rules", rule)
    tour.admin.refused(409, "POST", "/v1/analytics/alert-rules", rule)
    (notice,) = tour("POST", "/v1/analytics/alert-evaluation")["items"]
    assert (notice["rule"]["id"], notice["change"]) == (made["id"], "fired")
    assert tour("GET", "/v1/analytics/alert-rules")["items"][0]["firing_since"] is not None
    assert tour("DELETE", f"/v1/analytics/alert-rules/{made['id']}") is None
    tour("POST", "/v1/analytics/integration-calls", {"integration": "bank", "is_error": True})
    (bank,) = tour("GET", "/v1/analytics/integrations")["items"]
    assert (bank["health"]["status"], bank["health"]["error_percent"]) == ("error", 100.0)


def budgets(tour: Tour) -> None:
    project = tour("POST", "/v1/projects", {"name": "Relaunch", "budget_minor": 10_000})
    path = f"/v1/projects/{project['id']}"
    task = tour("POST", f"{path}/tasks", {"title": "Draw", "assigned_to": tour.workspace.user_id})
    assert tour("POST", f"{path}/tasks/{task['id']}/work", {"minutes": 108})["actual_minutes"] == 108
    assert [row["id"] for row in tour("GET", f"{path}/tasks")["items"]] == [task["id"]]
    burnt = tour("POST", f"{path}/burn")
    assert (burnt["actual_burn_minor"], burnt["status"]) == (9_000, "at_risk")
    assert tour("GET", path) == burnt
    assert tour("GET", "/v1/projects")["items"] == [burnt]
    spend(tour)


def spend(tour: Tour) -> None:
    money = {"category": "travel", "amount_minor": 60}
    tour("POST", "/v1/spending/limits", {"category": "travel", "limit_minor": 100})
    kept, given_back = (
        tour("POST", "/v1/spending/reservations", {**money, "amount_minor": 30})["reservation"] for _ in "ab"
    )
    path = "/v1/spending/reservations"
    settled = tour("POST", f"{path}/{kept['id']}/settlement", {"spent_minor": 20})
    assert (settled["status"], settled["spent_minor"]) == ("settled", 20)
    assert tour("POST", f"{path}/{given_back['id']}/release")["status"] == "released"
    tour.admin.refused(409, "POST", f"{path}/{given_back['id']}/release")
    assert tour("GET", f"{path}/{kept['id']}") == settled
    assert tour("GET", path, status="settled", category="travel")["items"] == [settled]
    assert tour("POST", "/v1/spending/records", money)["spent_minor"] == 80
    refused = tour("POST", "/v1/spending/checks", money)
    assert refused["verdict"] == "paused"
    assert tour("GET", "/v1/spending/categories", name="travel")["items"][0]["is_paused"]
    assert not tour("POST", "/v1/spending/resumption", {"category": "travel"})["is_paused"]
    tour("POST", "/v1/spending/records", {**money, "category": "food"})
    first = tour("GET", "/v1/spending/categories", limit=1)
    rest = tour("GET", "/v1/spending/categories", limit=1, cursor=first["next"])
    assert [first["items"][0]["name"], rest["items"][0]["name"]] == ["food", "travel"]


def graduation(tour: Tour) -> None:
    with tour.api.sessions.begin() as session:
        student = factories.agent(
            session, workspace_id=tour.workspace.id, status="student", confidence=0.45
        ).id
        episodes = [
            {"id": new_id(), "workspace_id": tour.workspace.id, "agent_id": student}
            | {"maturity_at_time": "student", "constitutional_score": 0.9}
            for _ in range(10)
        ]
        factories.add_episodes(session, episodes)
    agent, user_id = f"/v1/agents/{student}", tour.workspace.user_id
    stands = tour("GET", f"{agent}/readiness")
    assert (stands["target"], stands["is_ready"], stands["advice"]) == ("intern", True, "promote")
    assert tour("GET", f"{agent}/readiness", target="autonomous")["gaps"][0]["criterion"] == "episodes"
    assert tour("GET", f"{agent}/supervised-readiness")["supervision"]["trend"] == "unknown"
    case = {"episode_id": episodes[0]["id"], "passed_sandbox": True, "n_interventions": 0}
    assert tour("POST", f"{agent}/exams", {"cases": [case]})["is_passed"]
    assert not tour("POST", f"{agent}/exams", {"cases": []})["is_passed"]
    grade = tour("POST", "/v1/compliance-grades", {"violations": ["critical"], "n_actions": 2})
    assert grade == {"score": 0.5, "is_compliant": False}
    assert tour("GET", f"{agent}/training-estimate", n_capability_gaps=1)["hours"] == pytest.approx(46.5)
    train(tour, agent)
    supervise(tour, agent)
    promotion = tour("POST", f"{agent}/promotions", {"target": "intern", "promoted_by": user_id})
    assert (promotion["from_status"], promotion["to_status"]) == ("student", "intern")
    assert tour("GET", f"{agent}/promotions")["items"] == [promotion]
    tour.admin.refused(409, "POST", f"{agent}/promotions", {"target": "intern", "promoted_by": user_id})


def train(tour: Tour, agent: str) -> None:
    ids = []
    for _ in range(3):
        proposal = tour.admin.ok("POST", f"{agent}/proposals", {"type": "training"})
        body = {"proposal_id": proposal["id"], "supervisor_id": tour.workspace.user_id}
        ids.append(tour("POST", "/v1/trainings", body)["id"])
    for id_ in ids[:2]:
        assert tour("POST", f"/v1/trainings/{id_}/start")["status"] == "in_progress"
    score = {"performance_score": 0.1}
    assert tour("POST", f"/v1/trainings/{ids[0]}/completion", score)["confidence_boost"] == 0.05
    assert tour("POST", f"/v1/trainings/{ids[1]}/failure")["status"] == "failed"
    assert tour("POST", f"/v1/trainings/{ids[2]}/cancellation")["status"] == "cancelled"
    assert [row["id"] for row in tour("GET", "/v1/trainings", status="failed")["items"]] == [ids[1]]
    # the training made an intern of the student: a failure, reported, takes it down again
    tour.admin.ok("POST", f"{agent}/outcomes", {"is_success": False})


def supervise(tour: Tour, agent: str) -> None:
    body = {"supervisor_id": tour.workspace.user_id}
    first, second = (tour("POST", f"{agent}/supervisions", body)["id"] for _ in "ab")
    step = {"intervention": "correct", "note": "wrong account"}
    assert tour("POST", f"/v1/supervisions/{first}/interventions", step)["intervention_count"] == 1
    assert tour("POST", f"/v1/supervisions/{first}/completion", {"rating": 1})["status"] == "completed"
    assert tour("POST", f"/v1/supervisions/{second}/failure")["status"] == "failed"
    assert [row["id"] for row in tour("GET", "/v1/supervisions", status="failed")["items"]] == [second]


def workflows(tour: Tour) -> None:
    steps: list[dict[str, Any]] = [
        {"id": "fetch", "action": "http.get"},
        {"id": "send", "action": "mail", "inputs": {"body": {"key": "rows", "step": "fetch"}}},
    ]
    connections = [{"source": "fetch", "target": "send"}]
    body = {"workflow_id": "month-end", "steps": steps, "connections": connections}
    made = tour("POST", "/v1/workflows", body)
    assert tour("POST", "/v1/workflows", body) == made
    other = [{**steps[0], "action": "http.post"}, steps[1]]
    changed = tour.admin.ok("POST", "/v1/workflows", {**body, "steps": other})
    assert (made["version"], changed["version"]) == (1, 2)
    assert tour("GET", "/v1/workflows")["items"] == [changed]
    assert tour("GET", "/v1/workflow-version", workflow_id="month-end", version=1) == made
    run = tour("POST", "/v1/workflow-executions", {"workflow_id": "month-end", "version": 1})
    assert run["status"] == "running"
    claims = "/v1/workflow-claims"
    (first,) = tour("POST", claims, {"worker": "one", "limit": 5, "lease_s": 60})["items"]
    assert (first["step_id"], first["action"], first["attempt"]) == ("fetch", "http.get", 1)
    claim = f"{claims}/{first['claim_id']}"
    assert tour("POST", f"{claim}/renewal", {"lease_s": 90})["lease_until"] > first["lease_until"]
    assert tour("POST", f"{claim}/failure", {"error": "no answer"})["status"] == "running"
    tour.admin.refused(409, "POST", f"{claim}/completion", {"output": {}})
    tour.api.clock.advance(timedelta(seconds=1))
    (again,) = tour.admin.ok("POST", claims, {"worker": "two"})["items"]
    assert (again["step_id"], again["attempt"]) == ("fetch", 2)
    path = f"/v1/workflow-executions/{run['id']}"
    assert tour("POST", f"{path}/pause")["status"] == "paused"
    claim = f"{claims}/{again['claim_id']}"
    assert tour("POST", f"{claim}/completion", {"output": {}})["status"] == "paused"
    assert tour("POST", f"{path}/resumption", {"inputs": {"fetch.rows": 7}})["status"] == "running"
    (send,) = tour.admin.ok("POST", claims, {"worker": "two"})["items"]
    assert send["inputs"] == {"body": 7}
    listed = tour("GET", f"{path}/steps", limit=1)
    rest = tour("GET", f"{path}/steps", limit=1, cursor=listed["next"])
    assert [row["step_id"] for row in (*listed["items"], *rest["items"])] == ["fetch", "send"]
    assert tour("POST", f"{path}/cancellation")["status"] == "cancelled"
    assert tour("GET", path)["ended_at"] is not None
    found = tour("GET", "/v1/workflow-executions", workflow_id="month-end", status="cancelled")
    assert [row["id"] for row in found["items"]] == [run["id"]]


def health(tour: Tour) -> None:
    assert tour("GET", "/live") == {"status": "ok"}
    assert tour("GET", "/ready") == tour("GET", "/health")


TOURS = (
    keys,
    users,
    workspace,
    agents,
    governance,
    chat,
    episodes,
    ledger,
    budgets,
    graduation,
    workflows,
    analytics,
    health,
)


@pytest.mark.parametrize("visit", TOURS, ids=lambda visit: visit.__name__)
def test_every_operation_of_a_domain_works(api: Api, visit: Callable[[Tour], None]) -> None:
    """A program's way through a domain uses each of its operations, and finds what it wrote."""
    tour = Tour(api.through_threads())
    visit(tour)
    of_domain = {place for place, op in documented(api).items() if op["tags"] == [visit.__name__]}
    assert of_domain
    assert of_domain - tour.succeeded == set()


def test_every_domain_has_a_walk_through_its_operations(api: Api) -> None:
    """No tag of the document is left out."""
    assert {op["tags"][0] for op in documented(api).values()} == {visit.__name__ for visit in TOURS}


class InterruptedTour(Tour):
    """The same requests, each of them sent first while no success can be answered."""

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send a request that fails once at every stage of its answer, and succeeds then."""
        before = self.api.rows()
        for stage in Stage:
            with unanswerable(stage):
                self.admin.refused(500, method, path, body, query=query or None)
            assert self.api.rows() == before
        return super().__call__(method, path, body, **query)


@pytest.mark.parametrize("visit", TOURS, ids=lambda visit: visit.__name__)
def test_no_operation_writes_what_it_cannot_answer(api: Api, visit: Callable[[Tour], None]) -> None:
    """When the answer to a request that would succeed cannot be made, every table is as before."""
    tour = InterruptedTour(api)
    visit(tour)
    of_domain = {place for place, op in documented(api).items() if op["tags"] == [visit.__name__]}
    assert of_domain - tour.succeeded == set()


@pytest.mark.parametrize("status", ["student", "paused"])
def test_a_look_that_is_denied_is_an_answer_and_is_logged(api: Api, status: str) -> None:
    """An agent that may not remember is told so with a 200, so that the denial is committed."""
    workspace: Workspace = api.workspace(status=status)
    reader = api.caller(workspace, ApiKeyScope.READ)
    path = f"/v1/agents/{workspace.agent_id}/memory/semantic"
    answer = reader.ok("POST", path, {"query": "anything"})
    assert (answer["decision"]["is_allowed"], answer["hits"]) == (False, [])
    assert len(api.rows()["episode_access_logs"]) == 1
    refused = {"agent_id": workspace.agent_id, "chat_id": Tour(api).chat_with_messages()}
    api.caller(workspace).refused(404, "POST", "/v1/episodes", refused)
