"""
The numbers of the domain and the limits of what clients may send, written down a second time.

Tests elsewhere read them from the product, so that a rule is tested whatever its number; here a changed
number is noticed. Changing one on purpose means changing two places, and telling the clients.
"""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest

from atom.agents.maturity import AgentStatus, Impact
from atom.graduation.exam import Severity
from atom.graduation.readiness import Criteria
from atom.graduation.supervision import Trend

STUDENT, INTERN = AgentStatus.STUDENT, AgentStatus.INTERN
SUPERVISED, AUTONOMOUS = AgentStatus.SUPERVISED, AgentStatus.AUTONOMOUS

DOMAIN: dict[str, dict[str, object]] = {
    "agents.maturity": {
        "LADDER": (STUDENT, INTERN, SUPERVISED, AUTONOMOUS),
        "BAND_FLOORS": {STUDENT: 0.0, INTERN: 0.5, SUPERVISED: 0.7, AUTONOMOUS: 0.9},
        "UNKNOWN_CONFIDENCE": 0.5,
        "SUCCESS_GAIN": {Impact.LOW: 0.01, Impact.HIGH: 0.05},
        "FAILURE_LOSS": {Impact.LOW: 0.02, Impact.HIGH: 0.10},
        "CONFIDENCE_PLACES": 9,
    },
    "analytics.cache": {"TIME_TO_LIVE": timedelta(minutes=5), "MAX_REPORTS": 1_000},
    "analytics.health": {"ERROR_ABOVE_PERCENT": 10},
    "analytics.metrics": {"TOP_ERRORS": 5, "SECONDS_PER_HOUR": 3_600},
    "analytics.service": {"TOP_WORKFLOWS": 10, "LAST_ERRORS": 10},
    "budgets.rules": {
        "AT_RISK_PERCENT": 80,
        "OVER_BUDGET_PERCENT": 100,
        "DEFAULT_RATE_MINOR": 5_000,
        "MINUTES_PER_HOUR": 60,
    },
    "chat.service": {"HISTORY_LIMIT": 100, "LIST_LIMIT": 20},
    "episodes.consolidation": {"CONSOLIDATION_THRESHOLD": 0.85},
    "episodes.digest": {
        "TITLE_LENGTH": 50,
        "EXCERPT_LENGTH": 100,
        "MAX_TOPICS": 5,
        "TOPICS_PER_MESSAGE": 3,
        "MIN_TOPIC_LENGTH": 5,
        "MAX_ENTITIES": 20,
        "MIN_NAME_LENGTH": 4,
    },
    "episodes.lifecycle": {"MERGE_WINDOW": 100},
    "episodes.retrieval": {
        "TEMPORAL_LIMIT": 50,
        "SEMANTIC_LIMIT": 10,
        "CONTEXTUAL_LIMIT": 5,
        "CONTEXT_FACTOR": 2,
    },
    "episodes.scoring": {
        "BASE_IMPORTANCE": 0.5,
        "LEARNING_RATE": 0.2,
        "DECAY_FROM_DAYS": 90,
        "FADED_AT_DAYS": 180,
        "RECENT_WEIGHT": 0.3,
        "SEMANTIC_WEIGHT": 0.7,
        "CANVAS_WEIGHT": 0.1,
        "POSITIVE_FEEDBACK_WEIGHT": 0.2,
        "NEGATIVE_FEEDBACK_WEIGHT": -0.3,
        "MODIFIED_BONUS": 0.1,
    },
    "episodes.segmentation": {
        "TIME_GAP": timedelta(minutes=30),
        "TOPIC_SIMILARITY": 0.75,
        "SUMMARY_LENGTH": 100,
    },
    "episodes.service": {"MIN_ITEMS": 2},
    "governance.cache": {"MAX_SIZE": 1_000, "TTL": timedelta(minutes=1)},
    "governance.policy": {"UNKNOWN_COMPLEXITY": 2, "IRREVERSIBLE": 4, "REVIEWED_FROM": 3},
    "governance.supervised_queue": {"LIFETIME": timedelta(days=1), "MAX_ATTEMPTS": 3, "BATCH_SIZE": 10},
    "graduation.exam": {
        "SEVERITY_WEIGHTS": {
            Severity.CRITICAL: 10.0,
            Severity.HIGH: 5.0,
            Severity.MEDIUM: 2.0,
            Severity.LOW: 0.5,
        },
        "WORST_WEIGHT_PER_ACTION": 10.0,
    },
    "graduation.readiness": {
        "EPISODE_POINTS": 40.0,
        "INTERVENTION_POINTS": 30.0,
        "CONSTITUTIONAL_POINTS": 30.0,
        "SMALLEST_DIVISOR": 0.01,
        "FAR_BELOW": 50.0,
        "CLOSE_FROM": 75.0,
        "CRITERIA": {
            INTERN: Criteria(min_episodes=10, max_intervention_rate=0.5, min_constitutional_score=0.7),
            SUPERVISED: Criteria(min_episodes=25, max_intervention_rate=0.2, min_constitutional_score=0.85),
            AUTONOMOUS: Criteria(min_episodes=50, max_intervention_rate=0.0, min_constitutional_score=0.95),
        },
    },
    "graduation.supervision": {
        "RATINGS": range(1, 6),
        "RATING_DIVISOR": 40.0,
        "LOSS_PER_INTERVENTION": 0.01,
        "GREATEST_LOSS": 0.05,
        "BOOST_PLACES": 3,
        "HIGH_RATING": 4,
        "FEW_INTERVENTIONS": 1,
        "FULL_MARK_RATING": 4.0,
        "FULL_MARK_HIGH_SHARE": 0.6,
        "INTERVENTIONS_PER_HOUR_AT_RATE_1": 10.0,
        "LEAST_HOURLY_LIMIT": 1.0,
        "TREND_WINDOW": 5,
        "RATING_WEIGHT": 0.6,
        "INTERVENTION_WEIGHT": 0.4,
        "TREND_STEP": 0.3,
        "TREND_POINTS": {
            Trend.IMPROVING: 10.0,
            Trend.STABLE: 5.0,
            Trend.DECLINING: 0.0,
            Trend.UNKNOWN: 0.0,
        },
        "EPISODE_SHARE": 0.7,
        "SUPERVISION_SHARE": 0.3,
        "HIGH_RATED_SHARE": 0.4,
        "LOW_INTERVENTION_SHARE": 0.3,
        "LEAST_AVERAGE_RATING": 3.5,
        "SECONDS_PER_HOUR": 3600.0,
    },
    "graduation.training": {
        "BOOSTS_BELOW": ((0.3, 0.05), (0.5, 0.10), (0.7, 0.15)),
        "BEST_BOOST": 0.20,
        "BASE_HOURS": 40.0,
        "HOURS_PER_CONFIDENCE": 50.0,
        "HOURS_PER_CAPABILITY": 4.0,
        "SHORTEST_SHARE": 0.7,
        "LONGEST_SHARE": 1.5,
        "SLOWEST_LEARNING": 0.5,
        "FASTEST_LEARNING": 2.0,
    },
    "workflows.scheduling": {
        "MAX_CONCURRENT_STEPS": 5,
        "MAX_RETRIES": 3,
        "FIRST_BACKOFF": timedelta(seconds=1),
    },
}

LIMITS: dict[str, dict[str, object]] = {
    "agents.service": {"NAME_LENGTH": 200},
    "analytics.service": {"MAX_POINTS": 1_000},
    "analytics.vocabulary": {
        "MAX_MESSAGE": 2_000,
        "MAX_VALUE": 1e15,
        "MAX_DURATION_MS": 10**12,
        "MAX_TIME_SAVED_S": 10**9,
        "MAX_BUSINESS_VALUE_MINOR": 10**15,
    },
    "budgets.models": {"MAX_TOTAL_MINOR": 10**18, "MAX_MINUTES": 10_000_000},
    "chat.service": {"MAX_TITLE_LENGTH": 200, "MAX_CONTENT_LENGTH": 100_000},
    "episodes.digest": {"MAX_TERM_LENGTH": 60},
    "episodes.lifecycle": {"MAX_COUNTED": 1_000},
    "episodes.retrieval": {"MAX_LIMIT": 200, "MAX_QUERY_LENGTH": 10_000},
    "episodes.service": {
        "MAX_TITLE_LENGTH": 200,
        "MAX_NAME_LENGTH": 100,
        "MAX_REFLECTION_LENGTH": 100_000,
    },
    "governance.feedback": {"RATINGS": range(1, 6), "MAX_OUTPUT": 100_000},
    "governance.policy": {"ACTION_LENGTH": 200},
    "governance.supervised_queue": {"PRIORITIES": range(-1_000, 1_001)},
    "graduation.supervision_sessions": {"MAX_NOTE": 2_000},
    "kit.money": {"MAX_AMOUNT_MINOR": 10**15},
    "kit.pagination": {"DEFAULT_LIMIT": 50, "MAX_LIMIT": 200},
    "kit.text": {"MAX_NAME": 200, "MAX_JSON_LENGTH": 100_000},
    "ledger.models": {"MAX_BALANCE_MINOR": 10**18},
    "ledger.postings": {"MAX_POSTINGS": 500, "MAX_DESCRIPTION": 2_000, "DEFAULT_CURRENCY": "USD"},
    "ledger.service": {"MAX_CODE": 64, "CURRENCY_LENGTH": 3},
    "workflows.graph": {"MAX_STEPS": 1_000},
    "workflows.runner": {"MAX_CONFLICTS": 10},
    "workflows.service": {"ERROR_LENGTH": 2_000},
}


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        pytest.param(module, name, value, id=f"{module}.{name}")
        for table in (DOMAIN, LIMITS)
        for module, numbers in table.items()
        for name, value in numbers.items()
    ],
)
def test_the_product_has_the_numbers_that_the_domain_was_told(module: str, name: str, value: object) -> None:
    """The product has the number that the domain or the clients were told."""
    assert getattr(import_module(f"atom.{module}"), name) == value
