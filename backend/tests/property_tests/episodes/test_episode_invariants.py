"""
Invariants of creating episodes: complete segments, exact times, values in range, and all writes or none.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Select, delete, event, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from atom.agents.maturity import AgentStatus
from atom.agents.models import Agent, AgentExecution, AgentFeedback, ExecutionStatus, FeedbackType
from atom.chat import service as chat
from atom.chat.models import ChatMessage, ChatSession, MessageRole
from atom.episodes import digest, repository, scoring
from atom.episodes import service as episodes
from atom.episodes.access import MaturityGate
from atom.episodes.models import (
    CanvasAction,
    Episode,
    EpisodeAccessLog,
    EpisodeCanvasType,
    EpisodeSegment,
    EpisodeStatus,
)
from atom.episodes.scoring import ProposalOutcome, Reaction
from atom.episodes.segmentation import (
    Message,
    Run,
    SegmentType,
    draft_segments,
    find_boundaries,
    task_completions,
    time_gaps,
)
from atom.episodes.service import (
    create_episode_from_proposal,
    create_episode_from_session,
    record_canvas_action,
)
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, ForbiddenError, NotFoundError
from atom.kit.ids import new_id
from atom.tables import METADATA
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant
from tests.keywords import OfAgent, OfWorkspace
from tests.property_tests.conftest import scaled
from tests.property_tests.episodes import strategies
from tests.property_tests.episodes.strategies import (
    VECTORS,
    Utterance,
    WordEmbedder,
    conversations,
    cuts,
    similarity,
)

ADD_CHAT = insert(METADATA.tables["chat_sessions"])
ADD_MESSAGES = insert(METADATA.tables["chat_messages"])
ADD_RUNS = insert(METADATA.tables["agent_executions"])
ADD_FEEDBACK = insert(METADATA.tables["agent_feedback"])
ADD_CANVAS_ACTION = insert(METADATA.tables["canvas_actions"])
ADD_SEGMENT = insert(METADATA.tables["episode_segments"])
ADD_LOG = insert(METADATA.tables["episode_access_logs"])

GATE = MaturityGate()
WORDS = WordEmbedder()
SAID_TWICE = [Utterance(role=MessageRole.USER, content="alpha", gap_s=0)] * 2
HALF_HOUR = timedelta(minutes=30)

DETAILS = st.sampled_from(
    (
        {},
        {"human_intervention": True},
        {"human_intervention": False, "human_corrections": ["no"]},
        {"human_intervention": True, "human_corrections": ["less", {"at": 3}]},
        {"human_intervention": "yes", "human_corrections": "none"},
    )
)


def say(
    session: Session,
    tenant: Tenant,
    said: list[Utterance],
    *,
    chat_id: str | None = None,
    after: Sequence[Utterance] = (),
) -> str:
    """Write a conversation, or add messages to one after earlier ones, and return its id."""
    connection = session.connection()
    if chat_id is None:
        chat_id = new_id()
        talk = {"id": chat_id, "workspace_id": tenant.workspace_id, "user_id": tenant.user_id}
        connection.execute(ADD_CHAT, talk | {"created_at": NOW, "updated_at": NOW})
    messages = strategies.messages_of([*after, *said])[len(after) :]
    rows = [
        {
            "session_id": chat_id,
            "workspace_id": tenant.workspace_id,
            "position": position,
            "role": message.role,
            "content": message.content,
            "created_at": message.at,
        }
        for position, message in enumerate(messages, start=len(after))
    ]
    if rows:
        connection.execute(ADD_MESSAGES, rows)
    return chat_id


def add_message(session: Session, tenant: Tenant, chat_id: str, content: str) -> None:
    """Say something in a conversation."""
    where = OfWorkspace(workspace_id=tenant.workspace_id)
    clock = ManualClock(NOW)
    chat.append_message(session, clock, chat_id=chat_id, role=MessageRole.USER, content=content, **where)


SUMMARIES = ("input_summary", "output_summary", "result_summary", "error_message")


def make(session: Session, tenant: Tenant, chat_id: str, **options: Any) -> Episode | None:
    """Make an episode of a conversation."""
    options = {"workspace_id": tenant.workspace_id, "agent_id": tenant.agent_id, **options}
    return create_episode_from_session(session, GATE, WORDS, chat_id=chat_id, **options)


def add_runs(
    session: Session, agent_id: str, chat_id: str | None, runs: list[Run], details: Any = None
) -> None:
    """Write runs of an agent in a conversation."""
    rows = [
        {
            "id": run.id,
            "agent_id": agent_id,
            "session_id": chat_id,
            "started_at": run.started_at,
            "completed_at": run.completed_at,
            "status": ExecutionStatus.COMPLETED if run.is_completed else ExecutionStatus.RUNNING,
            "result_summary": run.result_summary,
            "metadata": details or {},
        }
        for run in runs
    ]
    if rows:
        session.connection().execute(ADD_RUNS, rows)


def add_feedback(session: Session, tenant: Tenant, rows: Sequence[dict[str, Any]]) -> None:
    """Write what the user said about runs."""
    about = {"agent_id": tenant.agent_id, "user_id": tenant.user_id, "created_at": NOW}
    if rows:
        session.connection().execute(
            ADD_FEEDBACK, [{"feedback_type": FeedbackType.RATING, **about, **row} for row in rows]
        )


def draw(session: Session, tenant: Tenant, chat_id: str, *, canvas_type: str = "docs") -> str:
    """Let the agent work on a canvas during a conversation, and return the action's id."""
    return record_canvas_action(
        session,
        ManualClock(NOW),
        workspace_id=tenant.workspace_id,
        agent_id=tenant.agent_id,
        chat_id=chat_id,
        canvas_id="c1",
        canvas_type=canvas_type,
        action="edit",
    ).id


def add_canvas_action(session: Session, tenant: Tenant, chat_id: str) -> None:
    """Write an action of the agent on a canvas during a conversation."""
    row = {"workspace_id": tenant.workspace_id, "agent_id": tenant.agent_id, "session_id": chat_id}
    what = {"canvas_id": "c1", "canvas_type": "docs", "action": "edit", "created_at": NOW}
    session.connection().execute(ADD_CANVAS_ACTION, row | what)


@contextmanager
def failing_write(session: Session, nth: int) -> Iterator[list[int]]:
    """Let the database fail right after the nth write; gives the number of writes seen."""
    seen = [0]

    def watch(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            seen[0] += 1
            if seen[0] == nth:
                raise ConnectionError

    connection = session.connection()
    event.listen(connection, "after_cursor_execute", watch)
    try:
        yield seen
    finally:
        event.remove(connection, "after_cursor_execute", watch)


def vectors_of(said: list[Utterance]) -> list[Any]:
    return [VECTORS[utterance.word] for utterance in said]


@functools.cache
def count_all(models: tuple[Any, ...]) -> Select[Any]:
    return select(*(select(func.count()).select_from(model.__table__).scalar_subquery() for model in models))


def count(session: Session, *models: Any) -> list[int]:
    return list(session.connection().execute(count_all(models)).one())


@pytest.mark.invariant(23)
@given(said=conversations(min_size=2, max_size=6))
def test_episode_creation_after_chat(database: Database, said: list[Utterance]) -> None:
    """
    Invariant 23: the episode of a chat has each message once and in order, cut into segments at every silence
    of 30 minutes or more and at every change of topic.
    """
    clock = ManualClock(NOW)
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        scope = OfWorkspace(workspace_id=tenant.workspace_id)
        talk = chat.create_session(session, clock, user_id=tenant.user_id, **scope)
        messages = []
        for utterance in said:
            clock.advance(timedelta(seconds=utterance.gap_s))
            messages.append(
                chat.append_message(
                    session, clock, chat_id=talk.id, role=utterance.role, content=utterance.content, **scope
                )
            )
        episode = create_episode_from_session(
            session, GATE, WORDS, chat_id=talk.id, agent_id=tenant.agent_id, **scope
        )
        assert episode is not None
        segments = repository.segments_of(session, episode.id)
        assert [id_ for part in segments for id_ in part.message_ids] == [message.id for message in messages]
        assert [part.sequence_order for part in segments] == list(range(len(cuts(said)) + 1))
        transcript = "\n".join(f"{utterance.role}: {utterance.content}" for utterance in said)
        assert "\n".join(part.content for part in segments) == transcript
        assert (episode.started_at, episode.ended_at) == (messages[0].created_at, messages[-1].created_at)
        assert episode.duration_seconds == sum(utterance.gap_s for utterance in said[1:])
        assert (episode.user_id, episode.session_id) == (tenant.user_id, talk.id)


@pytest.mark.invariant(23)
@given(said=conversations(), runs=strategies.runs())
def test_segments_partition_the_messages(said: list[Utterance], runs: list[Run]) -> None:
    """
    Invariant 23: conversation segments have each message once and in order,
    and one execution segment for each run follows them.
    """
    messages = strategies.messages_of(said)
    drafts = draft_segments(messages, vectors_of(said), runs)
    talk = [draft for draft in drafts if draft.segment_type == SegmentType.CONVERSATION]
    assert [id_ for draft in talk for id_ in draft.message_ids] == [message.id for message in messages]
    assert "\n".join(draft.content for draft in talk) == "\n".join(f"{m.role}: {m.content}" for m in messages)
    assert all(draft.source_id == draft.message_ids[0] for draft in talk)
    assert [draft.source_id for draft in drafts[len(talk) :]] == [run.id for run in runs]
    assert all(draft.segment_type == SegmentType.EXECUTION for draft in drafts[len(talk) :])


@pytest.mark.invariant(24)
@given(said=conversations(min_size=1), runs=strategies.runs())
def test_segments_are_one_more_than_the_boundaries(said: list[Utterance], runs: list[Run]) -> None:
    """
    Invariant 24: a conversation is cut at each silence of 30 minutes or more, change of topic and completed
    task, once if several coincide, and has one segment more than cuts.
    """
    messages = strategies.messages_of(said)
    done = [run.completed_at for run in runs if run.is_completed and run.completed_at and run.result_summary]
    completed = {
        next(place for place, message in enumerate(messages) if message.at >= at)
        for at in done
        if messages[0].at < at <= messages[-1].at
    }
    expected = sorted({*cuts(said), *completed} - {0})
    assert find_boundaries(messages, vectors_of(said), runs) == expected
    drafts = draft_segments(messages, vectors_of(said), runs)
    assert len(drafts) - len(runs) == 1 + len(expected)


@pytest.mark.invariant(24)
@given(said=conversations(min_size=2), data=st.data())
def test_widening_a_gap_adds_exactly_one_cut_there(said: list[Utterance], data: st.DataObject) -> None:
    """
    Invariant 24: widening a gap to 30 minutes or more cuts the conversation there,
    and adds or removes no other cut.
    """
    before = find_boundaries(strategies.messages_of(said), vectors_of(said))
    place = data.draw(st.integers(1, len(said) - 1))
    wider = [*said]
    wider[place] = replace(said[place], gap_s=data.draw(st.sampled_from((1800, 1801, 90_000))))
    after = find_boundaries(strategies.messages_of(wider), vectors_of(wider))
    assert after == sorted({*before, place})


@pytest.mark.invariant(25)
@given(said=conversations(min_size=2))
def test_no_segment_contains_a_break(said: list[Utterance]) -> None:
    """
    Invariant 25: within a segment, consecutive messages are less than 30 minutes apart and,
    if both have a vector, at least 0.75 similar.
    """
    messages = {message.id: message for message in strategies.messages_of(said)}
    word = dict(zip(messages, (utterance.word for utterance in said), strict=True))
    for draft in draft_segments(list(messages.values()), vectors_of(said)):
        for before, here in pairwise(draft.message_ids):
            assert messages[here].at - messages[before].at < HALF_HOUR
            alike = similarity(word[before], word[here])
            assert alike is None or alike >= 0.75


@pytest.mark.invariant(25)
@given(said=conversations(), runs=strategies.runs(), shift_s=st.integers(-(10**8), 10**8))
def test_shifting_all_timestamps_changes_nothing(
    said: list[Utterance], runs: list[Run], shift_s: int
) -> None:
    """Invariant 25: shifting all timestamps by the same time changes no segment and no cut."""
    shift = timedelta(seconds=shift_s)
    messages = strategies.messages_of(said)
    shifted = [replace(message, at=message.at + shift) for message in messages]
    moved = [
        replace(
            run,
            started_at=run.started_at + shift,
            completed_at=run.completed_at and run.completed_at + shift,
        )
        for run in runs
    ]
    vectors = vectors_of(said)
    assert draft_segments(shifted, vectors, moved) == draft_segments(messages, vectors, runs)
    times = [message.at for message in messages]
    assert time_gaps([time + shift for time in times]) == time_gaps(times)
    assert task_completions([time + shift for time in times], [NOW + shift]) == task_completions(times, [NOW])


@pytest.mark.invariant(26)
@given(said=conversations(max_size=3), runs=strategies.runs(), extra_ms=st.sampled_from((0, 1, 999)))
def test_duration_spans_messages_and_runs(
    database: Database, said: list[Utterance], runs: list[Run], extra_ms: int
) -> None:
    """
    Invariant 26: an episode starts at the first and ends at the last time of its messages and runs; its
    duration is the difference in whole seconds, rounded down.
    """
    runs = [
        replace(run, completed_at=run.completed_at and run.completed_at + timedelta(milliseconds=extra_ms))
        for run in runs
    ]
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        chat_id = say(session, tenant, said)
        add_runs(session, tenant.agent_id, chat_id, runs)
        episode = make(session, tenant, chat_id, force=True)
        moments = [message.at for message in strategies.messages_of(said)]
        moments += [run.started_at for run in runs]
        moments += [run.completed_at for run in runs if run.completed_at is not None]
        assert (episode is None) == (not moments)
        if episode is not None:
            assert episode.ended_at is not None
            assert (episode.started_at, episode.ended_at) == (min(moments), max(moments))
            elapsed = (max(moments) - min(moments)).total_seconds()
            assert episode.duration_seconds is not None
            assert 0 <= elapsed - episode.duration_seconds < 1


@pytest.mark.invariant(27)
@settings(scaled(0.5))
@given(
    said=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    told=st.lists(st.tuples(st.sampled_from(SUMMARIES), st.integers(1, 9), st.integers(0, 9)), max_size=3),
    corrected=st.lists(st.integers(1, 9), max_size=2),
    room=st.sampled_from((-1, 0, 1)),
)
@example(said=[1], told=[("error_message", 9, 0)], corrected=[], room=-1)
@example(said=[1], told=[("input_summary", 1, 9)], corrected=[9], room=-1)
def test_an_episode_has_a_longest_text(
    database: Database, said: list[int], told: list[tuple[str, int, int]], corrected: list[int], room: int
) -> None:
    """
    Invariant 27: what was said, what the agent's runs tell and what people corrected is counted together; one
    character more than an episode may have makes no episode.
    """
    with factories.with_people(database) as (session, people):
        tenant, stranger = people.tenant, people.stranger
        chat_id = say(session, tenant, [])
        for length in said:
            add_message(session, tenant, chat_id, "x" * length)
        texts = ["x" * length for length in said]
        runs = []
        for field, length, n_noted in told:
            details = {"steps": ["x" * n_noted]}
            run = {"session_id": chat_id, field: "x" * length, "details": details}
            runs.append(factories.execution(session, agent_id=tenant.agent_id, **run).id)
            factories.execution(session, agent_id=stranger.agent_id, **run)
            texts += ["x" * length, json.dumps(details)]
        if runs:
            rows = [{"execution_id": runs[0], "user_correction": "x" * length} for length in corrected]
            add_feedback(session, tenant, rows)
            texts += ["x" * length for length in corrected]
        n_characters = sum(map(len, texts))
        before = count(session, Episode, EpisodeSegment)
        with mock.patch.object(episodes, "MAX_TEXT_LENGTH", n_characters + room):
            if room < 0:
                with pytest.raises(ConflictError, match=f"has {n_characters} characters"):
                    make(session, tenant, chat_id, force=True)
                assert count(session, Episode, EpisodeSegment) == before
            else:
                assert make(session, tenant, chat_id, force=True) is not None


@pytest.mark.invariant(27)
@given(said=conversations(max_size=2), runs=strategies.runs(max_size=2), force=st.booleans())
@example(said=[], runs=[], force=True)
def test_too_little_makes_no_episode(
    database: Database, said: list[Utterance], runs: list[Run], force: bool
) -> None:
    """
    Invariant 27: two messages or runs make an episode, one makes one only with `force`, and none never does;
    if there is no episode, nothing is written.
    """
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        chat_id = say(session, tenant, said)
        add_runs(session, tenant.agent_id, chat_id, runs)
        add_runs(session, people.colleague, chat_id, [Run(id="foreign", started_at=NOW)])
        episode = make(session, tenant, chat_id, force=force)
        n_items = len(said) + len(runs)
        is_enough = n_items >= 2 or (n_items == 1 and force)
        assert (episode is not None) == is_enough
        n_segments = len(runs) + (len(cuts(said)) + 1 if said else 0)
        written = count(session, Episode, EpisodeSegment)
        if not runs:  # without runs, only silences and topics cut
            assert written == ([1, n_segments] if is_enough else [0, 0])
        assert written[0] == int(is_enough)
        assert (written[1] > 0) == is_enough


@pytest.mark.invariant(28)
@given(
    said=conversations(min_size=1, max_size=13),
    n_runs=st.integers(0, 2),
    details=DETAILS,
    title=st.sampled_from((None, "A title of its own")),
)
@example(said=SAID_TWICE * 5, n_runs=0, details={}, title=None)
@example(said=[*SAID_TWICE * 5, *SAID_TWICE[:1]], n_runs=0, details={}, title=None)
@example(said=[*SAID_TWICE * 2, *SAID_TWICE[:1]], n_runs=1, details={}, title=None)
@example(said=SAID_TWICE * 3, n_runs=1, details={}, title=None)
def test_episode_stays_in_range(
    database: Database, said: list[Utterance], n_runs: int, details: dict[str, Any], title: str | None
) -> None:
    """
    Invariant 28: a new episode has the importance (0 to 1), title (at most 50 characters) and interventions
    that the rules give, and at most 5 topics and 20 entities.
    """
    runs = [Run(id=f"r{number}", started_at=NOW) for number in range(n_runs)]
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        strategies.set_status(session, tenant.agent_id, AgentStatus.INTERN)
        chat_id = say(session, tenant, said)
        add_runs(session, tenant.agent_id, chat_id, runs, details)
        episode = make(session, tenant, chat_id, force=True, title=title)
        assert episode is not None
        long = 0.2 if len(said) > 10 else 0.1 if len(said) > 5 else 0.0
        assert episode.importance == pytest.approx(0.5 + long + (0.1 if n_runs else 0.0))
        assert 0 <= episode.importance <= 1
        assert (episode.decay_score, episode.access_count, episode.status) == (1.0, 0, "completed")
        assert episode.maturity_at_time == AgentStatus.INTERN
        by_user = [utterance.content for utterance in said if utterance.role == "user"]
        shortened = by_user and (by_user[0] if len(by_user[0]) <= 50 else by_user[0][:47] + "...")
        assert episode.title == (title or shortened or f"Episode of {episode.started_at:%Y-%m-%d}")
        assert len(episode.title) <= 50
        assert episode.summary is not None
        assert said[0].content[:100] in episode.summary
        assert said[-1].content[:100] in episode.summary
        assert len(episode.topics) <= 5
        assert len(episode.entities) <= 20
        assert sorted(episode.execution_ids) == [run.id for run in runs]
        is_helped = details.get("human_intervention") is True
        assert episode.human_intervention_count == (n_runs if is_helped else 0)
        edits = details.get("human_corrections")
        assert episode.human_edits == (edits * n_runs if isinstance(edits, list) else [])


TERMS = st.sampled_from(
    (
        "Paris",
        "Oslo",
        "Rome",
        "rome",
        "Rio",
        "cat",
        "house",
        "houses",
        "table",
        "tables",
        "window",
        "ada@example.org",
        "(212) 555-0101",
        "212-555-0101",
        "https://example.org/a",
        "Überraschung",
        "x" * 70,
    )
)


@pytest.mark.invariant(28)
@given(texts=st.lists(st.lists(TERMS, max_size=6).map(" ".join), max_size=6))
def test_topics_and_entities_are_few_sorted_and_said(texts: list[str]) -> None:
    """
    Invariant 28: there are at most 5 topics and 20 entities, sorted
    and each found in the messages, whatever the order of the messages.
    """
    messages = [Message(id=str(place), role="user", content=text, at=NOW) for place, text in enumerate(texts)]
    topics, entities = digest.topics_of(messages), digest.entities_of(messages)
    said = " ".join(texts)
    for terms, most in ((topics, 5), (entities, 20)):
        assert len(terms) <= most
        assert terms == sorted(set(terms))
    assert all(len(topic) > 4 and topic in said.lower() for topic in topics)
    assert all(len(entity) > 3 and entity in said for entity in entities)
    backwards = messages[::-1]
    assert (digest.topics_of(backwards), digest.entities_of(backwards)) == (topics, entities)
    assert digest.topics_of([*messages, *messages]) == topics


REACTIONS = tuple(
    Reaction(is_thumb_up=thumb, rating=rating)
    for rating in (None, 1, 2, 3, 4, 5)
    for thumb in (None, True, False)
)


@pytest.mark.invariant(28)
@given(reactions=st.lists(st.sampled_from(REACTIONS)))
def test_feedback_score_is_the_mean_reaction(reactions: list[Reaction]) -> None:
    """
    Invariant 28: the feedback score is the mean of the reactions, from -1 to 1,
    or missing if no reaction has a thumb or a rating.
    """
    worth = {1: -1.0, 2: -0.5, 3: 0.0, 4: 0.5, 5: 1.0, None: None}
    scores = [
        {True: 1.0, False: -1.0, None: worth[reaction.rating]}[reaction.is_thumb_up] for reaction in reactions
    ]
    usable = [score for score in scores if score is not None]
    score = scoring.feedback_score(reactions)
    if not usable:
        assert score is None
        return
    assert score is not None
    assert -1 <= min(usable) <= score <= max(usable) <= 1
    assert score * len(usable) == pytest.approx(sum(usable))
    assert scoring.feedback_score([*reactions, Reaction()]) == score


FEEDBACK_LINKS = select(ADD_FEEDBACK.table.c.id, ADD_FEEDBACK.table.c.episode_id)
CANVAS_LINKS = select(ADD_CANVAS_ACTION.table.c.id, ADD_CANVAS_ACTION.table.c.episode_id)


@pytest.mark.invariant(28)
@given(
    kinds=st.lists(
        st.tuples(
            st.sampled_from(FeedbackType), st.sampled_from((None, True, False)), st.sampled_from((None, 1, 4))
        ),
        max_size=4,
    ),
    n_canvas=st.integers(0, 2),
)
def test_episode_takes_the_feedback_and_canvas_of_its_chat(
    database: Database, kinds: list[tuple[FeedbackType, bool | None, int | None]], n_canvas: int
) -> None:
    """
    Invariant 28: an episode is linked to the agent's canvas actions in its chat and to the feedback on the
    agent's runs there, which gives its score; it takes nothing from another agent or chat.
    """
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        chat_id, elsewhere = say(session, tenant, []), say(session, tenant, [])
        add_runs(
            session, tenant.agent_id, chat_id, [Run(id="here", started_at=NOW), Run(id="too", started_at=NOW)]
        )
        add_runs(session, tenant.agent_id, elsewhere, [Run(id="there", started_at=NOW)])
        add_runs(session, people.colleague, chat_id, [Run(id="colleague's", started_at=NOW)])
        rows = [
            {
                "id": f"{run_id}{place}",
                "execution_id": run_id,
                "feedback_type": kind,
                "thumbs_up_down": thumb,
                "rating": rating,
                "created_at": NOW - timedelta(seconds=place),
            }
            for run_id in ("here", "there", "colleague's")
            for place, (kind, thumb, rating) in enumerate(kinds)
        ]
        add_feedback(session, tenant, rows)
        actions = {
            draw(session, tenant, chat_id, canvas_type=f"type{place % 2}") for place in range(n_canvas)
        }
        unrelated = draw(session, tenant, elsewhere)
        of_colleague = draw(session, replace(tenant, agent_id=people.colleague), chat_id)
        episode = make(session, tenant, chat_id)
        assert episode is not None
        by_type = {FeedbackType.THUMBS_UP: True, FeedbackType.THUMBS_DOWN: False}
        expected = scoring.feedback_score(
            Reaction(is_thumb_up=by_type.get(kind) if thumb is None else thumb, rating=rating)
            for kind, thumb, rating in kinds
        )
        assert episode.aggregate_feedback_score == pytest.approx(expected)
        assert episode.feedback_ids == [f"here{place}" for place in reversed(range(len(kinds)))]
        linked = dict(session.connection().execute(FEEDBACK_LINKS).all())
        assert linked == {row["id"]: episode.id if row["execution_id"] == "here" else None for row in rows}
        assert set(episode.canvas_ids) == actions
        assert episode.canvas_action_count == n_canvas
        links = dict(session.connection().execute(CANVAS_LINKS).all())
        assert links == {unrelated: None, of_colleague: None, **dict.fromkeys(actions, episode.id)}
        assert episode.execution_ids == ["here", "too"]
        types = session.scalars(
            select(EpisodeCanvasType.canvas_type).where(EpisodeCanvasType.episode_id == episode.id)
        )
        assert sorted(types) == [f"type{place}" for place in range(n_canvas)]


@pytest.mark.invariant(23)
@given(starts=st.lists(st.integers(0, 3), min_size=1, max_size=4), said=conversations(max_size=2))
@example(starts=[2, 0, 1], said=[])
@example(starts=[1, 1, 0], said=[])
def test_runs_are_told_in_the_order_of_their_start(
    database: Database, starts: list[int], said: list[Utterance]
) -> None:
    """
    Invariant 23: execution segments follow the conversation in the order of the runs' starts;
    runs that start together are ordered by id.
    """
    runs = [
        Run(id=f"run-{place}", started_at=NOW + timedelta(minutes=start), result_summary=f"result {place}")
        for place, start in enumerate(starts)
    ]
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        chat_id = say(session, tenant, said)
        add_runs(session, tenant.agent_id, chat_id, runs)
        episode = make(session, tenant, chat_id, force=True)
        assert episode is not None
        segments = repository.segments_of(session, episode.id)[-len(runs) :]
        expected = [run.id for run in sorted(runs, key=lambda run: (run.started_at, run.id))]
        assert episode.execution_ids == expected
        assert [part.source_id for part in segments] == expected
        assert [part.content for part in segments] == [f"result: result {id_[-1]}" for id_ in expected]


PROPOSAL_IMPORTANCE = {
    (ProposalOutcome.APPROVED, False): 0.6,
    (ProposalOutcome.APPROVED, True): 0.7,
    (ProposalOutcome.REJECTED, False): 0.8,
    (ProposalOutcome.REJECTED, True): 0.9,
}


@pytest.mark.invariant(28)
@given(
    status=st.sampled_from(AgentStatus),
    decided=st.sampled_from(sorted(PROPOSAL_IMPORTANCE)),
    words=st.sampled_from(("alpha beta", "gamma", "delta " * 40)),
    is_foreign=st.booleans(),
)
def test_a_reflection_tells_what_was_decided_and_how_mature_the_agent_was(
    database: Database,
    status: AgentStatus,
    decided: tuple[ProposalOutcome, bool],
    words: str,
    is_foreign: bool,
) -> None:
    """
    Invariant 28: the episode of a proposal has the agent's maturity, the importance of the decision,
    one reflection segment and a duration of 0.
    """
    outcome, is_modified = decided
    clock = ManualClock(NOW)
    with database.session() as session:
        tenant = factories.tenant(session, status=status)
        stranger = factories.tenant(session)
        owner = stranger if is_foreign else tenant
        create = partial(
            create_episode_from_proposal,
            workspace_id=owner.workspace_id,
            agent_id=tenant.agent_id,
            title="alpha",
            reflection=words,
            outcome=outcome,
            is_modified=is_modified,
        )
        if is_foreign:
            with pytest.raises(NotFoundError):
                create(session, clock, WORDS)
            assert count(session, Episode, EpisodeSegment) == [0, 0]
            return
        episode = create(session, clock, WORDS)
        assert (episode.maturity_at_time, episode.status) == (status, EpisodeStatus.COMPLETED)
        assert episode.importance == pytest.approx(PROPOSAL_IMPORTANCE[decided])
        assert (episode.started_at, episode.ended_at, episode.duration_seconds) == (NOW, NOW, 0)
        assert (episode.workspace_id, episode.agent_id) == (tenant.workspace_id, tenant.agent_id)
        assert episode.description == f"Proposal {outcome}{' with changes' if is_modified else ''}."
        assert episode.embedding == VECTORS["alpha"]
        (segment,) = repository.segments_of(session, episode.id)
        assert (segment.content, segment.sequence_order) == (words, 0)
        assert segment.segment_type is SegmentType.REFLECTION


@pytest.mark.invariant(53)
@given(said=conversations(min_size=2, max_size=4), more=conversations(max_size=3))
def test_rebuilding_extends_a_new_episode(
    database: Database, said: list[Utterance], more: list[Utterance]
) -> None:
    """
    Invariant 53: a second episode of a chat has the first one's messages
    and then the later ones; the first episode does not change.
    """
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        chat_id = say(session, tenant, said)
        first = make(session, tenant, chat_id)
        assert first is not None
        before, ids_before = _columns(first), _message_ids(session, first.id)
        say(session, tenant, more, chat_id=chat_id, after=said)
        second = make(session, tenant, chat_id)
        assert second is not None
        assert second.id != first.id
        session.expire_all()
        assert _columns(first) == before
        assert _message_ids(session, first.id) == ids_before
        assert _message_ids(session, second.id)[: len(said)] == ids_before
        assert len(_message_ids(session, second.id)) == len(said) + len(more)


def _columns(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in type(row).__mapper__.column_attrs}


def _message_ids(session: Session, episode_id: str) -> list[str]:
    return [id_ for segment in repository.segments_of(session, episode_id) for id_ in segment.message_ids]


LINKS = (select(ADD_FEEDBACK.table.c.episode_id), select(ADD_CANVAS_ACTION.table.c.episode_id))


@pytest.mark.invariant(14)
@given(said=conversations(min_size=2, max_size=3), nth=st.integers(1, 6))
def test_failed_creation_leaves_nothing(database: Database, said: list[Utterance], nth: int) -> None:
    """
    Invariant 14: an episode, its segments and its links are written together;
    if any write fails, none of them stays.
    """
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        chat_id = say(session, tenant, said)
        add_runs(session, tenant.agent_id, chat_id, [Run(id="here", started_at=NOW)])
        add_feedback(session, tenant, [{"id": "praise", "execution_id": "here", "rating": 5}])
        add_canvas_action(session, tenant, chat_id)
        with failing_write(session, nth) as n_writes, suppress(ConnectionError), session.begin_nested():
            make(session, tenant, chat_id)
        is_cut_off = nth <= 5  # the episode, its segments, the feedback's link, the canvas's link and type
        assert n_writes == [nth if is_cut_off else 5]
        linked = [session.connection().scalar(link) for link in LINKS]
        assert (linked == [None, None]) == is_cut_off
        written = count(session, Episode, EpisodeSegment, EpisodeCanvasType)
        assert (written == [0, 0, 0]) == is_cut_off
        assert (0 in written) == is_cut_off


@pytest.mark.invariant(18)
@given(order=st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_one_segment_for_each_place(database: Database, order: list[int]) -> None:
    """
    Invariant 18: an episode has at most one segment at each position, whatever the order of the inserts;
    after a refused insert the session stays usable.
    """
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        episode_id = new_id()
        factories.add_episodes(
            session, [{"id": episode_id, "workspace_id": tenant.workspace_id, "agent_id": tenant.agent_id}]
        )
        taken: set[int] = set()
        for place in order:
            row = {
                "episode_id": episode_id,
                "sequence_order": place,
                "segment_type": "reflection",
                "source_type": "manual",
                "content": str(place),
            }
            try:
                with session.begin_nested():
                    session.connection().execute(ADD_SEGMENT, row)
            except IntegrityError:
                assert place in taken
            else:
                assert place not in taken
                taken.add(place)
        segments = repository.segments_of(session, episode_id)
        assert [segment.sequence_order for segment in segments] == sorted(taken)


DELETABLE = (ChatSession, Episode, ChatMessage, EpisodeSegment, AgentExecution, CanvasAction)
DELETE = {model: delete(METADATA.tables[model.__tablename__]) for model in DELETABLE}
COUNT_ORPHANS = select(
    *(
        select(func.count())
        .select_from(child)
        .where(column.is_not(None), column.not_in(select(parent.id)))
        .scalar_subquery()
        for child, column, parent in (
            (EpisodeSegment, EpisodeSegment.episode_id, Episode),
            (EpisodeAccessLog, EpisodeAccessLog.episode_id, Episode),
            (EpisodeCanvasType, EpisodeCanvasType.episode_id, Episode),
            (CanvasAction, CanvasAction.episode_id, Episode),
            (AgentFeedback, AgentFeedback.episode_id, Episode),
            (AgentExecution, AgentExecution.session_id, ChatSession),
            (Episode, Episode.session_id, ChatSession),
            (ChatMessage, ChatMessage.session_id, ChatSession),
        )
    )
)


@pytest.mark.invariant(19)
@given(said=conversations(min_size=2, max_size=3), order=st.lists(st.sampled_from(DELETABLE), max_size=3))
def test_deletes_leave_no_orphan(database: Database, said: list[Utterance], order: list[Any]) -> None:
    """
    Invariant 19: after any deletes, no segment, log, message, run, feedback
    or canvas action refers to a row that is gone.
    """
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        scope = OfAgent(workspace_id=tenant.workspace_id, agent_id=tenant.agent_id)
        chat_id = say(session, tenant, said)
        add_runs(session, tenant.agent_id, chat_id, [Run(id="here", started_at=NOW)])
        add_canvas_action(session, tenant, chat_id)
        add_feedback(session, tenant, [{"execution_id": "here", "rating": 4}])
        episode = make(session, tenant, chat_id)
        assert episode is not None
        log = {
            "episode_id": episode.id,
            "access_type": "temporal",
            "governance_check_passed": True,
            "agent_maturity_at_access": "intern",
            "results_count": 1,
            "created_at": NOW,
        }
        session.connection().execute(ADD_LOG, {**log, **scope})
        for model in order:
            session.connection().execute(DELETE[model])
        orphans = session.connection().execute(COUNT_ORPHANS).one()
        assert set(orphans) == {0}
        kept = {Episode: Episode in order, ChatSession: ChatSession in order}
        assert count(session, Episode, ChatSession) == [0 if is_gone else 1 for is_gone in kept.values()]


@pytest.mark.invariant(20)
@given(
    said=conversations(min_size=2, max_size=4),
    details=DETAILS,
    title=st.text("aé漢😀'\"\\%", min_size=1, max_size=50),
)
def test_episode_reads_back_as_written(
    database: Database, said: list[Utterance], details: dict[str, Any], title: str
) -> None:
    """Invariant 20: a new session reads an episode, its vector and its segments exactly as written."""
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        chat_id = say(session, tenant, said)
        add_runs(session, tenant.agent_id, chat_id, [Run(id="here", started_at=NOW)], details)
        episode = make(session, tenant, chat_id, title=title)
        assert episode is not None
        written = _columns(episode)
        with Session(session.connection()) as reader:
            read = reader.get_one(Episode, episode.id)
            assert _columns(read) == written
            assert read.title == title
            segments = repository.segments_of(reader, episode.id)
            drafts = draft_segments(
                repository.messages_of(session, chat_id),
                vectors_of(said),
                repository.runs_of(session, chat_id, agent_id=tenant.agent_id),
            )
            assert [
                (
                    part.segment_type,
                    part.content,
                    part.content_summary,
                    part.source_id,
                    tuple(part.message_ids),
                )
                for part in segments
            ] == [
                (part.segment_type, part.content, part.content_summary, part.source_id, part.message_ids)
                for part in drafts
            ]


@pytest.mark.invariant(34)
@given(status=st.sampled_from(AgentStatus), is_foreign=st.booleans())
def test_only_who_may_create_creates(database: Database, status: AgentStatus, is_foreign: bool) -> None:
    """Invariant 34: to make an episode, an agent must be at least an intern and of the chat's workspace."""
    with database.session() as session:
        tenant = factories.tenant(session, status=status)
        chat_id = say(session, tenant, SAID_TWICE)
        visitor = factories.tenant(session, status=status) if is_foreign else tenant
        may = status in {AgentStatus.INTERN, AgentStatus.SUPERVISED, AgentStatus.AUTONOMOUS}
        if not may:
            with pytest.raises(ForbiddenError):
                make(session, visitor, chat_id)
        else:
            assert (make(session, visitor, chat_id) is None) == is_foreign
        if is_foreign:
            with pytest.raises(NotFoundError):
                make(session, tenant, chat_id, agent_id=visitor.agent_id)
        assert count(session, Episode) == [int(may and not is_foreign)]


@pytest.mark.invariant(34)
@settings(scaled(0.2))
@given(status=st.sampled_from(AgentStatus))
@example(status=AgentStatus.STUDENT)
@example(status=AgentStatus.SUPERVISED)
def test_who_may_create_is_asked_again_before_anything_is_written(
    database: Database, status: AgentStatus
) -> None:
    """
    Invariant 34: an agent that is demoted or paused while its episode is drafted makes none; the episode of
    another one tells the maturity that it has by then.
    """
    with factories.with_people(database) as (session, people):
        tenant = people.tenant
        chat_id = say(session, tenant, [])
        for content in ("alpha", "alpha beta"):
            add_message(session, tenant, chat_id, content)
        draft = episodes.draft_episode(session, GATE, WORDS, chat_id=chat_id, **tenant.agent)
        assert draft is not None
        session.get_one(Agent, tenant.agent_id).status = status
        session.flush()
        before = count(session, Episode, EpisodeSegment)
        if status in (AgentStatus.INTERN, AgentStatus.SUPERVISED, AgentStatus.AUTONOMOUS):
            assert episodes.write_episode(session, GATE, draft).maturity_at_time is status
        else:
            with pytest.raises(ForbiddenError):
                episodes.write_episode(session, GATE, draft)
            assert count(session, Episode, EpisodeSegment) == before
