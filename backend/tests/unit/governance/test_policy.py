"""The tables of the policy, and names that try to get around them."""

from __future__ import annotations

import pytest

from atom.agents.maturity import AgentStatus
from atom.governance.policy import (
    ACTIONS_BY_COMPLEXITY,
    Decision,
    Verdict,
    complexity_of,
    decide,
    decide_for_unknown,
    enforce,
    knows_field,
    may_judge,
    with_approval,
)


def test_every_known_action_has_its_complexity() -> None:
    """A name of the table counts as itself, whatever its case and separators."""
    for complexity, names in ACTIONS_BY_COMPLEXITY.items():
        for name in names:
            assert complexity_of(name) == complexity
            assert complexity_of(name.upper().replace("_", "-")) == complexity


@pytest.mark.parametrize(
    ("action", "complexity"),
    [
        ("search_and_delete", 4),
        ("get_list", 1),
        ("bulk send email", 3),
        ("update_canvas", 2),
        ("update_canvas_title", 3),
        ("target", 2),
        ("", 2),
        ("_", 2),
        ("UNDELETE", 4),
        ("deleteAll", 4),
        ("list_deleted", 4),
        ("recreated", 2),
        ("budget_delete", 4),
        ("\N{FULLWIDTH LATIN SMALL LETTER D}elete", 4),
        ("d\u00e9ploy", 4),
        ("send the email", 2),
        ("list of things to draft", 2),
    ],
)
def test_a_name_is_read_as_words(action: str, complexity: int) -> None:
    """Words count, parts of words do not, except for what cannot be taken back."""
    assert complexity_of(action) == complexity


def test_a_decision_says_what_it_rests_on() -> None:
    """All parts of an answer, for an action that is refused."""
    assert decide(AgentStatus.INTERN, None, "Create") == Decision(
        is_allowed=False,
        agent_status=AgentStatus.INTERN,
        action_complexity=3,
        required_status=AgentStatus.SUPERVISED,
        requires_human_approval=True,
        confidence=0.5,
        reason="Denied: 'create' has complexity 3 and needs at least supervised; this agent is intern.",
    )
    assert decide(AgentStatus.SUPERVISED, 0.8, "create").reason == (
        "Allowed: 'create' has complexity 3 and needs at least supervised; this agent is supervised."
    )


def test_an_unknown_agent_may_do_nothing() -> None:
    """The answer is a decision like any other, not an exception."""
    decision = decide_for_unknown("a7", "list")
    assert decision == Decision(
        is_allowed=False,
        agent_status=None,
        action_complexity=1,
        required_status=AgentStatus.STUDENT,
        requires_human_approval=True,
        confidence=0.0,
        reason="Denied: the workspace has no agent 'a7'.",
    )
    assert enforce(decision).verdict is Verdict.BLOCKED
    assert not enforce(decision).proceeds


def test_an_action_under_approval_proceeds_as_pending() -> None:
    """A supervised agent creates, and a person looks at it; one that only analyzes needs nobody."""
    created = enforce(decide(AgentStatus.SUPERVISED, 0.8, "create"))
    analyzed = enforce(decide(AgentStatus.SUPERVISED, 0.8, "analyze"))
    asked = enforce(with_approval(analyzed.decision))
    assert (created.verdict, created.proceeds) == (Verdict.PENDING_APPROVAL, True)
    assert (analyzed.verdict, analyzed.proceeds) == (Verdict.APPROVED, True)
    assert (asked.verdict, asked.proceeds) == (Verdict.PENDING_APPROVAL, True)


@pytest.mark.parametrize(
    ("role", "specialty", "may"),
    [
        ("super_admin", None, True),
        ("workspace_admin", "legal", True),
        ("compliance_admin", "legal", False),
        ("team_lead", "FiNaNcE", True),
        ("member", None, False),
        ("member", "", False),
    ],
)
def test_administrators_and_the_field_may_judge(role: str, specialty: str | None, may: bool) -> None:
    """Two roles always, anybody else in their own field."""
    assert may_judge(role=role, specialty=specialty, category="Finance") is may


def test_nobody_knows_a_field_without_a_name() -> None:
    """A missing specialty is none, also where the category is empty."""
    assert not knows_field(None, "")
