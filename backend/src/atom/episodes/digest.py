"""What an episode is called and about: title, summary, topics and entities from its messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from atom.episodes.segmentation import Message

USER = "user"
TITLE_LENGTH = 50
ELLIPSIS = "..."
EXCERPT_LENGTH = 100

MAX_TOPICS = 5
TOPICS_PER_MESSAGE = 3
MIN_TOPIC_LENGTH = 5
MAX_ENTITIES = 20
MIN_NAME_LENGTH = 4
MAX_TERM_LENGTH = 60
"""A longer run of letters is data, not a word."""

LETTERS = re.compile(r"[^\W\d_]+")
# The counts are bounded so that a long text without a match costs linear time.
EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
PHONE = re.compile(r"(?<!\d)(?:\+?1[-. ])?(?:\([0-9]{3}\) ?|[0-9]{3}[-. ])[0-9]{3}[-. ][0-9]{4}(?!\d)")
URL = re.compile(r"https?://[^\s<>\"']{1,2000}")
CLOSING = ".,;:!?)]}"


def title_of(messages: Sequence[Message], *, started_at: datetime) -> str:
    """Return the first thing the user said, shortened; the date when the user said nothing."""
    said = next((message.content for message in messages if message.role == USER), None)
    if said is None:
        return f"Episode of {started_at:%Y-%m-%d}"
    return said if len(said) <= TITLE_LENGTH else said[: TITLE_LENGTH - len(ELLIPSIS)] + ELLIPSIS


def summary_of(messages: Sequence[Message], *, n_runs: int) -> str:
    """Return how the conversation began and ended, and how often the agent ran."""
    parts = []
    if messages:
        parts.append(f"Began: {messages[0].content[:EXCERPT_LENGTH]}")
        parts.append(f"Ended: {messages[-1].content[:EXCERPT_LENGTH]}")
    if n_runs:
        parts.append(f"Runs: {n_runs}")
    return "\n".join(parts)


def topics_of(messages: Iterable[Message]) -> list[str]:
    """Return the first `MAX_TOPICS`, in alphabetical order, of each message's first long words."""
    topics: set[str] = set()
    for message in messages:
        long_words = (word for word in words_of(message.content) if len(word) >= MIN_TOPIC_LENGTH)
        first = dict.fromkeys(word.lower() for word in long_words)
        topics.update(list(first)[:TOPICS_PER_MESSAGE])
    return sorted(topics)[:MAX_TOPICS]


def entities_of(messages: Iterable[Message]) -> list[str]:
    """Return the first `MAX_ENTITIES`, in alphabetical order: addresses, numbers, links and names."""
    entities: set[str] = set()
    for message in messages:
        text = message.content
        if "@" in text:  # most messages have none, and the pattern costs more than the look
            entities.update(EMAIL.findall(text))
        entities.update(PHONE.findall(text))
        entities.update(url.rstrip(CLOSING) for url in URL.findall(text))
        entities.update(word for word in words_of(text) if len(word) >= MIN_NAME_LENGTH and word[0].isupper())
    return sorted(entities)[:MAX_ENTITIES]


def words_of(text: str) -> list[str]:
    """Return the text's words."""
    return [word for word in LETTERS.findall(text) if len(word) <= MAX_TERM_LENGTH]
