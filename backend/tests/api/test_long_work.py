"""What takes long keeps nobody from writing, and what is long comes in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import insert

from atom.chat.models import ChatMessage, MessageRole
from atom.episodes import service as episodes
from atom.episodes.embedding import Vector, WordOverlapEmbedder
from atom.kit.ids import new_id
from atom.kit.pagination import MAX_PAGE_LENGTH
from tests.database import Database
from tests.factories import NOW
from tests.http import Api, Caller, Workspace, serving

LONGEST = 100_000


class SlowEmbedder:
    """Does something in the middle of comparing words, as if that took a while."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._meanwhile = meanwhile
        self._real = WordOverlapEmbedder()
        self.name = self._real.name

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        """Return the vectors of the texts."""
        self._meanwhile()
        return list(self._real.embed(texts))


@pytest.fixture
def own(database: Database) -> Iterator[tuple[Api, Workspace]]:
    """An app on a database of its own, with as many connections as it wants."""
    with database.clone() as clone, serving(database, clone.engine) as api:
        yield api, api.workspace()


def talk(api: Api, workspace: Workspace, lengths: Sequence[int]) -> str:
    """Commit a conversation with messages of these lengths, and return its id."""
    chat: str = api.caller(workspace).ok("POST", "/v1/chats", {"user_id": workspace.user_id})["id"]
    rows = [
        {
            "id": new_id(),
            "workspace_id": workspace.id,
            "session_id": chat,
            "position": position,
            "role": MessageRole.USER,
            "content": "x" * length,
            "created_at": NOW,
        }
        for position, length in enumerate(lengths)
    ]
    if rows:
        with api.sessions.begin() as session:
            session.execute(insert(ChatMessage), rows)
    return chat


REQUESTS = {
    "an episode": ("/v1/episodes", {"agent_id": "{agent}", "chat_id": "{chat}"}),
    "a semantic look": ("/v1/agents/{agent}/memory/semantic", {"query": "invoice"}),
    "a contextual look": ("/v1/agents/{agent}/memory/contextual", {"task": "invoice"}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_others_write_while_words_are_compared(own: tuple[Api, Workspace], name: str) -> None:
    """In the middle of making an episode, or of looking for one, somebody else's request writes."""
    api, workspace = own
    chat = talk(api, workspace, [10, 10])
    writer: Caller = api.caller(workspace)
    written: list[Any] = []
    app = api.app
    app.state.embedder = SlowEmbedder(
        lambda: written.append(writer("POST", "/v1/chats", {"user_id": workspace.user_id}).status_code)
    )
    path, body = REQUESTS[name]
    ids = {"{agent}": workspace.agent_id, "{chat}": chat}
    body = {field: ids.get(value, value) for field, value in body.items()}
    writer.ok("POST", path.replace("{agent}", workspace.agent_id), body)
    assert written == [201]


def test_an_episode_of_a_conversation_deleted_meanwhile_is_not_written(own: tuple[Api, Workspace]) -> None:
    """A conversation that is deleted while its episode is made has none: nothing of it is written."""
    api, workspace = own
    chat = talk(api, workspace, [10, 10])
    admin = api.caller(workspace)
    app = api.app
    app.state.embedder = SlowEmbedder(lambda: admin("DELETE", f"/v1/chats/{chat}"))
    admin.refused(404, "POST", "/v1/episodes", {"agent_id": workspace.agent_id, "chat_id": chat})
    assert api.rows()["episodes"] == []


@pytest.mark.parametrize("n_too_many", [0, 1])
def test_an_episode_has_a_longest_conversation(api: Api, n_too_many: int) -> None:
    """A conversation of the most characters becomes an episode, a longer one is a 409."""
    workspace = api.workspace()
    n_whole, rest = divmod(episodes.MAX_TEXT_LENGTH + n_too_many, LONGEST)
    chat = talk(api, workspace, [LONGEST] * n_whole + [rest] * (rest > 0))
    response = api.caller(workspace)(
        "POST", "/v1/episodes", {"agent_id": workspace.agent_id, "chat_id": chat}
    )
    assert response.status_code == (201 if n_too_many == 0 else 409)
    if n_too_many:
        assert str(episodes.MAX_TEXT_LENGTH + 1) in response.json()["detail"]
        assert api.rows()["episodes"] == []


LENGTHS = [
    [],
    [1],
    [1] * 205,
    [LONGEST] * 25,
    [MAX_PAGE_LENGTH // 10] * 10 + [1],
    [1, LONGEST] * 15,
]


@pytest.mark.parametrize("lengths", LENGTHS, ids=lambda lengths: f"{len(lengths)} of {sum(lengths)}")
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_messages_come_in_pages_that_are_not_long(api: Api, lengths: list[int], limit: int) -> None:
    """From the last page to the first every message is there once, in order; no page is too long."""
    workspace = api.workspace()
    path = f"/v1/chats/{talk(api, workspace, lengths)}/messages"
    pages = pages_of(api.caller(workspace), path, limit=limit, most=len(lengths) + 1)
    positions = [message["position"] for page in reversed(pages) for message in page]
    assert positions == list(range(len(lengths)))


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_segments_come_in_pages_that_are_not_long(api: Api, limit: int) -> None:
    """From the first page to the last every segment is there once, in order; no page is too long."""
    workspace = api.workspace()
    chat = talk(api, workspace, [LONGEST, 1] * 15)
    with api.sessions.begin() as session:  # each message on a topic of its own: one segment each
        for n, message in enumerate(session.query(ChatMessage).where(ChatMessage.session_id == chat)):
            message.content = f"{chr(97 + n % 26) * 5}{n} " * (len(message.content) // 8 + 1)
    admin = api.caller(workspace)
    made = admin.ok("POST", "/v1/episodes", {"agent_id": workspace.agent_id, "chat_id": chat})
    pages = pages_of(admin, f"/v1/episodes/{made['id']}/segments", limit=limit, most=31)
    found = [segment for page in pages for segment in page]
    assert [segment["sequence_order"] for segment in found] == list(range(len(found)))
    assert sum(len(segment["message_ids"]) for segment in found) == 30


def pages_of(caller: Caller, path: str, *, limit: int, most: int) -> list[list[dict[str, Any]]]:
    """Return the items of each page of a list, up to a number of pages."""
    pages: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] = {}
    for _ in range(most):
        page = caller.ok("GET", path, query={"limit": limit, **cursor})
        assert len(page["items"]) <= limit
        length = sum(len(item["content"]) for item in page["items"])
        assert length <= MAX_PAGE_LENGTH or len(page["items"]) == 1
        pages.append(page["items"])
        if page["next"] is None:
            return pages
        assert page["items"]
        cursor = {"cursor": page["next"]}
    raise AssertionError("the list does not end")
