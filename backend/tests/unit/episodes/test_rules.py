"""The documented numbers of episodes, each at its boundary."""

from __future__ import annotations

from datetime import timedelta

import pytest

from atom.agents.maturity import AgentStatus
from atom.episodes import consolidation, digest, lifecycle, retrieval, scoring, segmentation
from atom.episodes.access import EpisodeAction, MaturityGate
from atom.episodes.embedding import DIMENSIONS, WordOverlapEmbedder, cosine
from atom.episodes.models import TimeRange
from atom.episodes.scoring import ProposalOutcome, Reaction
from atom.episodes.segmentation import Message, Run
from atom.kit.errors import InvalidError
from tests.factories import NOW

T = timedelta


def message(content: str, role: str = "user") -> Message:
    return Message(id="m", role=role, content=content, at=NOW)


class TestSegmentation:
    @pytest.mark.parametrize(
        ("gap", "cut"),
        [(T(minutes=29, seconds=59), set()), (T(minutes=30), {1}), (T(minutes=30, seconds=1), {1})],
    )
    def test_half_an_hour_is_a_gap(self, gap: timedelta, cut: set[int]) -> None:
        """A silence of 30:00 cuts, one of 29:59 does not."""
        assert segmentation.time_gaps([NOW, NOW + gap]) == cut

    @pytest.mark.parametrize(
        ("here", "cut"),
        [
            ((3.0, 2.0, 1.0, 1.0, 1.0), set()),
            ((2.0, 2.0, 2.0, 2.0, 0.0), {1}),
            (None, set()),
            ((0.0,) * 5, {1}),
        ],
    )
    def test_three_quarters_alike_is_the_same_topic(
        self, here: tuple[float, ...] | None, cut: set[int]
    ) -> None:
        """0.75 itself is not a change; no vector decides nothing; a zero vector is like nothing."""
        assert segmentation.topic_changes([(4.0, 0.0, 0.0, 0.0, 0.0), here]) == cut

    def test_a_task_cuts_before_the_first_message_after_it(self) -> None:
        """At the very time of a message it cuts before it; outside the conversation it cuts nothing."""
        times = [NOW, NOW + T(minutes=1), NOW + T(minutes=2)]
        cuts = {
            s: segmentation.task_completions(times, [NOW + T(seconds=s)])
            for s in (-1, 0, 1, 60, 61, 120, 121)
        }
        assert cuts == {-1: set(), 0: set(), 1: {1}, 60: {1}, 61: {2}, 120: {2}, 121: set()}

    def test_a_task_needs_a_result(self) -> None:
        """Completed without a result, or a result without completion, is not a completed task."""
        done = Run(id="r", started_at=NOW, completed_at=NOW, is_completed=True, result_summary="sent")
        assert done.task_completed_at == NOW
        for run in (
            Run(id="r", started_at=NOW, completed_at=NOW, is_completed=True),
            Run(id="r", started_at=NOW, completed_at=NOW, result_summary="sent"),
        ):
            assert run.task_completed_at is None

    def test_an_execution_segment_tells_what_the_run_said(self) -> None:
        """Input, output, result and error, as far as there are any, and the result or error in short."""
        run = Run(
            id="r1",
            started_at=NOW,
            input_summary="in",
            output_summary="out",
            result_summary="r" * 101,
            error_message="e",
        )
        (draft,) = segmentation.draft_segments([], [], [run])
        assert draft.content == f"input: in\noutput: out\nresult: {'r' * 101}\nerror: e"
        assert draft.content_summary == "r" * 100
        assert (draft.source_type, draft.source_id, draft.message_ids) == ("agent_execution", "r1", ())
        (failed,) = segmentation.draft_segments([], [], [Run(id="r", started_at=NOW, error_message="boom")])
        assert (failed.content, failed.content_summary) == ("error: boom", "boom")
        (silent,) = segmentation.draft_segments([], [], [Run(id="r", started_at=NOW)])
        assert (silent.content, silent.content_summary) == ("", "")

    def test_a_conversation_segment_is_summed_up_by_its_first_message(self) -> None:
        """The summary is the first hundred characters of that message."""
        (draft,) = segmentation.draft_segments([message("x" * 101)], [None])
        assert (draft.content_summary, draft.content) == ("x" * 100, "user: " + "x" * 101)
        assert draft.source_type == "chat_message"


class TestDigest:
    @pytest.mark.parametrize(("length", "title"), [(50, "x" * 50), (51, "x" * 47 + "...")])
    def test_a_title_has_fifty_characters(self, length: int, title: str) -> None:
        """50 fit; of 51 the first 47 stay."""
        said = [message("hello", "assistant"), message("x" * length), message("later")]
        assert digest.title_of(said, started_at=NOW) == title

    def test_without_the_user_the_title_is_the_date(self) -> None:
        """The title names the day on which the episode began."""
        assert digest.title_of([message("hello", "assistant")], started_at=NOW) == "Episode of 2026-03-01"

    def test_the_summary_has_both_ends(self) -> None:
        """A hundred characters each, and the number of runs."""
        said = [message("a" * 101), message("b"), message("c" * 101)]
        assert digest.summary_of(said, n_runs=2) == f"Began: {'a' * 100}\nEnded: {'c' * 100}\nRuns: 2"
        assert digest.summary_of(said[1:2], n_runs=0) == "Began: b\nEnded: b"
        assert digest.summary_of([], n_runs=1) == "Runs: 1"

    def test_topics_are_the_first_three_long_words(self) -> None:
        """Longer than four letters, three a message, each once, five in all, in order."""
        assert digest.topics_of([message("word wordy Wordy zebra alpha beta gamma")]) == [
            "alpha",
            "wordy",
            "zebra",
        ]
        said = [message("zzzzz yyyyy xxxxx wwwww"), message("bbbbb aaaaa ccccc")]
        assert digest.topics_of(said) == ["aaaaa", "bbbbb", "ccccc", "xxxxx", "yyyyy"]

    @pytest.mark.parametrize(
        ("text", "entities"),
        [
            ("ask ada.l+x@mail.example.org, please", ["ada.l+x@mail.example.org"]),
            ("call (212) 555-0101 or +1 212.555.0102", ["(212) 555-0101", "+1 212.555.0102"]),
            ("1234-555-0101 and 212-555-01011 are none", []),
            ("see https://example.org/a?b=c.", ["https://example.org/a?b=c"]),
            ("Rome and Rio and Rom and rome", ["Rome"]),
            ("Anna " + "A" * 60 + " " + "A" * 61, ["A" * 60, "Anna"]),
        ],
    )
    def test_entities_are_recognised(self, text: str, entities: list[str]) -> None:
        """Addresses, telephone numbers, links, and capitalised words of more than three letters."""
        assert digest.entities_of([message(text)]) == entities

    def test_entities_are_at_most_twenty(self) -> None:
        """The first twenty are kept, in the order of the text."""
        names = [f"Name{letter}" for letter in "zyxwvutsrqponmlkjihgfedcba"]
        assert digest.entities_of([message(" ".join(names))]) == sorted(names)[:20]

    @pytest.mark.parametrize(
        "text", ["a" * 100_000, "a." * 50_000, "a@" * 50_000, "1-" * 50_000, "http://" * 14_000]
    )
    def test_hostile_text_takes_linear_time(self, text: str) -> None:
        """The longest message without an entity is read, not searched forever."""
        assert len(digest.entities_of([message(text)])) <= 20


class TestScoring:
    @pytest.mark.parametrize(
        ("n_messages", "n_runs", "importance"),
        [(0, 1, 0.6), (5, 0, 0.5), (6, 0, 0.6), (10, 0, 0.6), (11, 0, 0.7), (11, 1, 0.8), (99, 99, 0.8)],
    )
    def test_importance_begins_by_length_and_runs(
        self, n_messages: int, n_runs: int, importance: float
    ) -> None:
        """More than 5 messages 0.1, more than 10 0.2, any run 0.1, from 0.5."""
        assert scoring.initial_importance(n_messages=n_messages, n_runs=n_runs) == pytest.approx(importance)

    @pytest.mark.parametrize(
        ("outcome", "is_modified", "importance"),
        [
            (ProposalOutcome.REJECTED, False, 0.8),
            (ProposalOutcome.REJECTED, True, 0.9),
            (ProposalOutcome.APPROVED, False, 0.6),
            (ProposalOutcome.APPROVED, True, 0.7),
        ],
    )
    def test_importance_of_a_proposal_goes_by_its_decision(
        self, outcome: ProposalOutcome, is_modified: bool, importance: float
    ) -> None:
        """Rejected 0.3, approved 0.1, modified 0.1, from 0.5."""
        assert scoring.proposal_importance(outcome, is_modified=is_modified) == pytest.approx(importance)

    @pytest.mark.parametrize(
        ("days", "left"),
        [(0, 1), (89, 1), (90, 0.5), (91, 89 / 180), (179, 1 / 180), (180, 0), (181, 0), (-1, 1)],
    )
    def test_weight_halves_on_day_90_and_ends_on_day_180(self, days: int, left: float) -> None:
        """All until day 89, half on day 90, nothing from day 180."""
        assert scoring.decay_at(days) == pytest.approx(left)

    @pytest.mark.parametrize(
        ("old", "feedback", "new"), [(0.5, 1, 0.6), (0.5, -1, 0.4), (1, 1, 1), (0, -1, 0), (1, 0, 0.9)]
    )
    def test_feedback_moves_importance_by_a_fifth(self, old: float, feedback: float, new: float) -> None:
        """Four fifths of the old, one fifth of the feedback."""
        assert scoring.importance_after(old, feedback) == pytest.approx(new)

    @pytest.mark.parametrize("feedback", [-1.01, 1.01, float("nan")])
    def test_feedback_out_of_range_is_refused(self, feedback: float) -> None:
        """Feedback lies in [-1, 1]."""
        with pytest.raises(InvalidError) as refused:
            scoring.importance_after(0.5, feedback)
        assert refused.value.field == "feedback"

    @pytest.mark.parametrize(
        ("reactions", "score"),
        [
            ([], None),
            ([Reaction()], None),
            ([Reaction(is_thumb_up=True)], 1),
            ([Reaction(is_thumb_up=False)], -1),
            ([Reaction(rating=1)], -1),
            ([Reaction(rating=4)], 0.5),
            ([Reaction(is_thumb_up=True, rating=1)], 1),
            ([Reaction(is_thumb_up=True), Reaction(rating=2), Reaction()], 0.25),
        ],
    )
    def test_feedback_score_is_the_mean_of_thumbs_and_ratings(
        self, reactions: list[Reaction], score: float | None
    ) -> None:
        """Thumbs are 1 and -1, ratings (r - 3) / 2; the mean of those who reacted."""
        assert scoring.feedback_score(reactions) == score

    @pytest.mark.parametrize(
        ("recent", "similar", "canvas", "feedback", "score"),
        [
            (True, False, False, None, 0.3),
            (False, True, False, None, 0.7),
            (False, False, True, None, 0.1),
            (False, False, False, 0.01, 0.2),
            (False, False, False, -0.01, -0.3),
            (False, False, False, 0.0, 0.0),
            (True, True, True, 1.0, 1.3),
        ],
    )
    def test_relevance_adds_up_its_weights(
        self, recent: bool, similar: bool, canvas: bool, feedback: float | None, score: float
    ) -> None:
        """Each weight on its own, and all together."""
        found = scoring.relevance(is_recent=recent, is_similar=similar, has_canvas=canvas, feedback=feedback)
        assert found == pytest.approx(score)

    @pytest.mark.parametrize(("value", "clamped"), [(-0.1, 0), (0, 0), (0.5, 0.5), (1, 1), (1.1, 1)])
    def test_clamp01_gives_the_nearest_number_from_0_to_1(self, value: float, clamped: float) -> None:
        """The nearest number from 0 to 1."""
        assert scoring.clamp01(value) == clamped


class TestEmbedding:
    def test_vectors_are_of_unit_length_and_repeatable(self) -> None:
        """The same words in any order and case give the same vector."""
        one, other, empty = WordOverlapEmbedder().embed(["Red red fox", "fox RED red", " .,"])
        assert one == other
        assert one is not None
        assert len(one) == DIMENSIONS == 128
        assert cosine(one, one) == pytest.approx(1)
        assert sum(x * x for x in one) == pytest.approx(1)
        assert empty is None

    def test_more_shared_words_are_more_alike(self) -> None:
        """Identical texts are most alike, then texts with shared words, then those without."""
        vectors = WordOverlapEmbedder().embed(["invoice march", "invoice april", "holiday photos"])
        march, april, photos = (vector for vector in vectors if vector is not None)
        assert cosine(march, april) == pytest.approx(0.5)
        assert cosine(march, photos) == 0

    def test_cosine_goes_from_opposite_to_equal(self) -> None:
        """From opposite to equal; a vector without direction is like nothing; dimensions must agree."""
        assert cosine((1.0, 0.0), (-2.0, 0.0)) == -1
        assert cosine((3.0, 4.0), (6.0, 8.0)) == 1
        assert cosine((0.0, 0.0), (1.0, 0.0)) == 0
        with pytest.raises(ValueError, match="2 and 1"):
            cosine((1.0, 0.0), (1.0,))


class TestAccess:
    @pytest.mark.parametrize(
        ("action", "allowed"),
        [
            (EpisodeAction.VIEW, 4),
            (EpisodeAction.TEMPORAL, 4),
            (EpisodeAction.SEMANTIC, 3),
            (EpisodeAction.CONTEXTUAL, 3),
            (EpisodeAction.CREATE, 3),
            (EpisodeAction.UPDATE_IMPORTANCE, 2),
        ],
    )
    def test_maturity_decides_what_an_agent_may_do_with_episodes(
        self, action: EpisodeAction, allowed: int
    ) -> None:
        """Students look, interns search and make, supervised agents rate; off the ladder nobody does."""
        gate = MaturityGate()
        decisions = {
            status: gate.decide(agent_id="a", status=status, action=action) for status in AgentStatus
        }
        ladder = list(AgentStatus)[:4]
        assert [status for status in AgentStatus if decisions[status].is_allowed] == ladder[4 - allowed :]
        assert all(decision.maturity == status for status, decision in decisions.items())
        assert decisions[AgentStatus.PAUSED].reason.endswith(", and agent 'a' is paused.")


def test_limits_are_those_of_the_documentation() -> None:
    """The numbers the documentation promises."""
    assert consolidation.CONSOLIDATION_THRESHOLD == 0.85
    assert lifecycle.MERGE_WINDOW == 100
    assert (retrieval.TEMPORAL_LIMIT, retrieval.SEMANTIC_LIMIT, retrieval.CONTEXTUAL_LIMIT) == (50, 10, 5)
    assert [time_range.span.days for time_range in TimeRange] == [1, 7, 30, 90]
