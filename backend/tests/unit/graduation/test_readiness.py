"""The numbers of the criteria, the score and the advice."""

from __future__ import annotations

import pytest

from atom.agents.maturity import AgentStatus
from atom.graduation.readiness import Advice, Record, assess


@pytest.mark.parametrize(
    ("target", "record", "score", "is_ready"),
    [
        ("intern", (10, 5, 0.7), 70.0, True),
        ("intern", (10, 0, 0.7), 100.0, True),
        ("intern", (20, 0, 1.0), 100.0, True),
        ("intern", (5, 0, 0.7), 80.0, False),
        ("intern", (10, 0, 0.35), 85.0, False),
        ("intern", (10, 6, 0.7), 70.0, False),
        ("intern", (10, 2, 0.7), 88.0, True),
        ("intern", (0, 0, None), 0.0, False),
        ("supervised", (25, 5, 0.85), 70.0, True),
        ("supervised", (24, 0, 0.85), 98.4, False),
        ("autonomous", (50, 0, 0.95), 100.0, True),
        ("autonomous", (50, 1, 0.95), 70.0, False),
        ("autonomous", (200, 1, 0.95), 85.0, False),
    ],
)
def test_the_score_weighs_forty_thirty_thirty(
    target: str, record: tuple[int, int, float | None], score: float, is_ready: bool
) -> None:
    """Episodes, interventions and the constitutional mean, each up to its limit."""
    n_episodes, n_interventions, mean = record
    readiness = assess(
        Record(n_episodes=n_episodes, n_interventions=n_interventions, constitutional_mean=mean),
        AgentStatus(target),
    )
    assert readiness.score == pytest.approx(score)
    assert readiness.is_ready is is_ready


@pytest.mark.parametrize(
    ("n_episodes", "n_interventions", "mean", "score", "advice"),
    [
        (9, 0, 0.31, 79.2857, Advice.NEARLY_READY),
        (5, 1, 0.7, 68.0, Advice.KEEP_PRACTISING),
        (10, 0, 0.7 / 6, 75.0, Advice.NEARLY_READY),
        (10, 0, 0.7 * 4.995 / 30, 74.995, Advice.KEEP_PRACTISING),
        (5, 5, 0.7, 50.0, Advice.KEEP_PRACTISING),
        (5, 5, 0.7 * 29.995 / 30, 49.995, Advice.TRAIN_MORE),
        (4, 4, 0.7, 46.0, Advice.TRAIN_MORE),
        (10, 5, 0.7, 70.0, Advice.PROMOTE),
    ],
)
def test_advice_has_three_bands_below_ready(
    n_episodes: int, n_interventions: int, mean: float, score: float, advice: Advice
) -> None:
    """Below 50, from 50, from 75; who is ready is told so whatever the score."""
    record = Record(n_episodes=n_episodes, n_interventions=n_interventions, constitutional_mean=mean)
    readiness = assess(record, AgentStatus.INTERN)
    assert readiness.score == pytest.approx(score)
    assert readiness.advice is advice


def test_without_episodes_the_rate_is_one() -> None:
    """An agent without episodes has the intervention rate one and the constitutional score zero."""
    record = Record(n_episodes=0, n_interventions=0, constitutional_mean=None)
    assert (record.intervention_rate, record.constitutional_score) == (1.0, 0.0)
