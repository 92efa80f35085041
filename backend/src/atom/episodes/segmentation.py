"""Where an episode's segments start and end, and what is in them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from atom.episodes.embedding import Vector, cosine_of_norms, norm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TIME_GAP = timedelta(minutes=30)
"""A silence of at least this long ends a segment."""

TOPIC_SIMILARITY = 0.75
"""Messages less similar than this are on different topics."""

SUMMARY_LENGTH = 100


class SegmentType(StrEnum):
    """What a segment holds."""

    CONVERSATION = "conversation"
    EXECUTION = "execution"
    REFLECTION = "reflection"


class SourceType(StrEnum):
    """Where a segment's content comes from."""

    CHAT_MESSAGE = "chat_message"
    AGENT_EXECUTION = "agent_execution"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of the conversation."""

    id: str
    role: str
    content: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of the agent during the conversation."""

    id: str
    started_at: datetime
    completed_at: datetime | None = None
    is_completed: bool = False
    input_summary: str | None = None
    output_summary: str | None = None
    result_summary: str | None = None
    error_message: str | None = None
    is_human_intervention: bool = False
    human_corrections: tuple[object, ...] = ()

    @property
    def ended_at(self) -> datetime:
        """The last moment known of the run."""
        return self.completed_at or self.started_at

    @property
    def task_completed_at(self) -> datetime | None:
        """When the run completed a task: it is completed and says with which result."""
        return self.completed_at if self.is_completed and self.result_summary else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDraft:
    """A segment before it has an episode and a place in it."""

    segment_type: SegmentType
    content: str
    content_summary: str
    source_type: SourceType
    source_id: str | None
    message_ids: tuple[str, ...] = ()


def time_gaps(times: Sequence[datetime]) -> set[int]:
    """Return the places before which there was a silence of `TIME_GAP` or longer."""
    return {place for place, (before, at) in enumerate(pairwise(times), start=1) if at - before >= TIME_GAP}


def topic_changes(vectors: Sequence[Vector | None]) -> set[int]:
    """Return the places whose vector is too far from the one before; a missing vector decides nothing."""
    normed = [None if vector is None else (vector, norm(vector)) for vector in vectors]
    return {
        place
        for place, (before, here) in enumerate(pairwise(normed), start=1)
        if before is not None
        and here is not None
        and cosine_of_norms(before[0], here[0], before[1] * here[1]) < TOPIC_SIMILARITY
    }


def task_completions(times: Sequence[datetime], completed_at: Iterable[datetime]) -> set[int]:
    """Return the places first reached once a task was completed; the start and the end are none."""
    places = {bisect_left(times, at) for at in completed_at}
    return places - {0, len(times)}


def find_boundaries(
    messages: Sequence[Message], vectors: Sequence[Vector | None], runs: Sequence[Run] = ()
) -> list[int]:
    """Return, in order, the places of the messages before which the conversation is cut."""
    times = [message.at for message in messages]
    completed_at = [at for run in runs if (at := run.task_completed_at) is not None]
    return sorted(time_gaps(times) | topic_changes(vectors) | task_completions(times, completed_at))


def draft_segments(
    messages: Sequence[Message], vectors: Sequence[Vector | None], runs: Sequence[Run] = ()
) -> list[SegmentDraft]:
    """Return the conversation, cut before each boundary, then one segment for each run."""
    places = [0, *find_boundaries(messages, vectors, runs), len(messages)] if messages else []
    conversation = [_conversation(messages[start:end]) for start, end in pairwise(places)]
    return conversation + [_execution(run) for run in runs]


def transcript(messages: Sequence[Message]) -> str:
    """Return the messages as text, each on a line of its own that begins with its role."""
    return "\n".join([f"{message.role}: {message.content}" for message in messages])


def _conversation(messages: Sequence[Message]) -> SegmentDraft:
    return SegmentDraft(
        segment_type=SegmentType.CONVERSATION,
        content=transcript(messages),
        content_summary=messages[0].content[:SUMMARY_LENGTH],
        source_type=SourceType.CHAT_MESSAGE,
        source_id=messages[0].id,
        message_ids=tuple([message.id for message in messages]),
    )


def _execution(run: Run) -> SegmentDraft:
    facts = {
        "input": run.input_summary,
        "output": run.output_summary,
        "result": run.result_summary,
        "error": run.error_message,
    }
    return SegmentDraft(
        segment_type=SegmentType.EXECUTION,
        content="\n".join(f"{name}: {fact}" for name, fact in facts.items() if fact),
        content_summary=(run.result_summary or run.error_message or "")[:SUMMARY_LENGTH],
        source_type=SourceType.AGENT_EXECUTION,
        source_id=run.id,
    )
