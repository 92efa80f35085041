"""
How long others wait to write while an episode of a long conversation is made: `make bench-waits`.

A server on a SQLite file; one client asks for an episode, another one writes short messages into another
conversation, one after the other, from before the request until after its answer.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from evidence import save, table, take_no_options
from http_load import answer_of, ask, request, served

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = "make bench-waits"
MOST_S = 1.0
LENGTH = 100_000
N_MESSAGES = {"the longest that becomes an episode": 20, "300 messages of 100 kB": 300}
"""How many messages of 100 kB a conversation has."""
WORDS = "the invoice of Northwind for March is still open says the bank and nobody called back yet "


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What became of the request for an episode, and how long each message written meanwhile took."""

    conversation: str
    n_messages: int
    status: int
    episode_s: float
    messages_s: list[float]


def main() -> int:
    """Measure, print, save; 1 if somebody waited for more than a second."""
    take_no_options(__doc__)
    with served() as (port, _, variables):
        found = [
            asyncio.run(_measure(port, variables, name, n_messages))
            for name, n_messages in N_MESSAGES.items()
        ]
    rows = [
        [
            each.conversation,
            f"{each.n_messages}",
            f"{each.status}",
            f"{each.episode_s:.2f}",
            f"{len(each.messages_s)}",
            f"{max(each.messages_s):.3f}",
        ]
        for each in found
    ]
    columns = ["conversation", "messages", "answer", "after s", "messages written", "longest wait s"]
    slow = [each.conversation for each in found if max(each.messages_s) > MOST_S]
    report = (
        f"{table(columns, rows)}\n\nAn episode has a limit of text; 409 is the answer to more. "
        f"Asked: nobody waits for more than {MOST_S:g} s; missed by {', '.join(slow) or 'none'}."
    )
    save("waits", COMMAND, [asdict(each) for each in found], report)
    return 1 if slow else 0


async def _measure(port: int, variables: dict[str, str], name: str, n_messages: int) -> Waits:
    key = variables["KEY"]
    long_chat, short_chat = [await _open_chat(port, key, variables["USER_ID"]) for _ in range(2)]
    said = (WORDS * (LENGTH // len(WORDS) + 1))[:LENGTH]
    for _ in range(n_messages):
        await ask(port, _message(long_chat, key, said))
    is_over = False
    writing = asyncio.create_task(_write(port, _message(short_chat, key, "hello"), lambda: is_over))
    began_s = time.perf_counter()
    body = json.dumps({"agent_id": variables["AGENT_ID"], "chat_id": long_chat}).encode()
    status, _ = await answer_of(port, request("POST", "/v1/episodes", key, body))
    episode_s = time.perf_counter() - began_s
    is_over = True
    return Waits(
        conversation=name,
        n_messages=n_messages,
        status=status,
        episode_s=episode_s,
        messages_s=await writing,
    )


async def _open_chat(port: int, key: str, user_id: str) -> str:
    sent = request("POST", "/v1/chats", key, json.dumps({"user_id": user_id}).encode())
    return str(json.loads(await ask(port, sent))["id"])


def _message(chat: str, key: str, said: str) -> bytes:
    body = json.dumps({"role": "user", "content": said}).encode()
    return request("POST", f"/v1/chats/{chat}/messages", key, body)


async def _write(port: int, sent: bytes, is_over: Callable[[], bool]) -> list[float]:
    """Write the message again and again until it is over, and return how long each took."""
    waited_s: list[float] = []
    while not waited_s or not is_over():
        began_s = time.perf_counter()
        await ask(port, sent)
        waited_s.append(time.perf_counter() - began_s)
    return waited_s


if __name__ == "__main__":
    raise SystemExit(main())
