"""May this agent do that, and why: decided from its status and the name of the action alone."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum

from atom.agents.maturity import LADDER, AgentStatus, known_confidence, rank

ACTIONS_BY_COMPLEXITY = {
    1: ("search", "read", "list", "get", "fetch", "summarize", "present_chart", "present_markdown"),
    2: (
        "analyze",
        "suggest",
        "draft",
        "generate",
        "recommend",
        "stream_chat",
        "present_form",
        "llm_stream",
        "browser_navigate",
        "browser_screenshot",
        "browser_extract",
        "device_camera",
        "device_location",
        "device_notification",
        "update_canvas",
    ),
    3: (
        "create",
        "update",
        "send_email",
        "post_message",
        "schedule",
        "submit_form",
        "screen_recording",
    ),
    4: (
        "delete",
        "execute",
        "deploy",
        "transfer",
        "payment",
        "approve",
        "device_execute_command",
        "canvas_execute_javascript",
    ),
}
"""The known actions, from those that only show something (1) to those that cannot be taken back (4)."""

ACTION_LENGTH = 200
UNKNOWN_COMPLEXITY = 2
IRREVERSIBLE = 4
REVIEWED_FROM = 3
"""From this complexity on a supervised agent acts under a person's approval."""

ADMIN_ROLES = frozenset({"workspace_admin", "super_admin"})
"""Values of `UserRole`, as text: a rule does not import a table."""

_COMPLEXITY = {name: level for level, names in ACTIONS_BY_COMPLEXITY.items() for name in names}
_LONGEST_NAME = max(name.count("_") + 1 for name in _COMPLEXITY)
HANGUL_FILLERS = frozenset("\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}")
"""Unicode calls them letters, although they are blank."""
_WORD = re.compile(r"[^\W_]+")


class Verdict(StrEnum):
    """What becomes of an attempt to act."""

    BLOCKED = "BLOCKED"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    APPROVED = "APPROVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether an agent may take an action, and everything the answer rests on."""

    is_allowed: bool
    agent_status: AgentStatus | None
    """None when there is no such agent."""
    action_complexity: int
    required_status: AgentStatus
    requires_human_approval: bool
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcement:
    """The outcome of an attempt to act; only one that is not blocked proceeds."""

    verdict: Verdict
    proceeds: bool
    decision: Decision


def canonical_action(action: str) -> str:
    """Return the form under which an action is decided and remembered: names differ in more than case."""
    return action.lower()


def complexity_of(action: str) -> int:
    """
    Return the complexity of an action, 1 to 4.

    A known name counts as itself. Any other is read as words, and the highest known name among them counts:
    `search_and_delete` deletes. An irreversible one counts also inside a longer word, so that calling it
    `deleteAll` or `undelete` never makes it harmless (decision 0008).
    """
    text = _plain(canonical_action(action))
    words = _WORD.findall(text)
    exact = _COMPLEXITY.get("_".join(words))
    if exact is not None:
        return exact
    if any(name in text for name in ACTIONS_BY_COMPLEXITY[IRREVERSIBLE]):
        return IRREVERSIBLE
    runs = ("_".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, i + 1 + _LONGEST_NAME))
    return max((_COMPLEXITY[run] for run in runs if run in _COMPLEXITY), default=UNKNOWN_COMPLEXITY)


def _plain(text: str) -> str:
    """Return the text without accents and unseen characters, in one width: what looks alike is alike."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not _is_unseen(letter)).casefold()


def _is_unseen(letter: str) -> bool:
    """Whether a character is only a mark on the one before it, or has no shape of its own."""
    return unicodedata.category(letter) in {"Mn", "Mc", "Me", "Cf"} or letter in HANGUL_FILLERS


def required_status(complexity: int) -> AgentStatus:
    """Return the lowest rung that may take an action of this complexity."""
    return LADDER[complexity - 1]


def has_reached(status: AgentStatus, required: AgentStatus) -> bool:
    """Whether the status is the required rung or above; outside the ladder nothing is reached."""
    found, needed = rank(status), rank(required)
    return found is not None and needed is not None and found >= needed


def decide(status: AgentStatus, confidence: float | None, action: str) -> Decision:
    """Return whether an agent of this status may take the action."""
    complexity = complexity_of(action)
    required = required_status(complexity)
    is_allowed = has_reached(status, required)
    verdict = "Allowed" if is_allowed else "Denied"
    return Decision(
        is_allowed=is_allowed,
        agent_status=status,
        action_complexity=complexity,
        required_status=required,
        requires_human_approval=not is_allowed
        or (status is AgentStatus.SUPERVISED and complexity >= REVIEWED_FROM),
        confidence=known_confidence(confidence),
        reason=f"{verdict}: {canonical_action(action)!r} has complexity {complexity} and needs at least"
        f" {required.value}; this agent is {status.value}.",
    )


def decide_for_unknown(agent_id: str, action: str) -> Decision:
    """Return the answer for an agent that does not exist: no, whatever it asks."""
    complexity = complexity_of(action)
    return Decision(
        is_allowed=False,
        agent_status=None,
        action_complexity=complexity,
        required_status=required_status(complexity),
        requires_human_approval=True,
        confidence=0.0,
        reason=f"Denied: the workspace has no agent {agent_id!r}.",
    )


def with_approval(decision: Decision) -> Decision:
    """Return the same decision with a person's approval asked for on top."""
    return replace(decision, requires_human_approval=True)


def enforce(decision: Decision) -> Enforcement:
    """Return what becomes of the attempt that the decision is about."""
    if not decision.is_allowed:
        verdict = Verdict.BLOCKED
    elif decision.requires_human_approval:
        verdict = Verdict.PENDING_APPROVAL
    else:
        verdict = Verdict.APPROVED
    return Enforcement(verdict=verdict, proceeds=verdict is not Verdict.BLOCKED, decision=decision)


def capabilities(status: AgentStatus) -> tuple[str, ...]:
    """Return the known actions that an agent of this status may take, in alphabetical order."""
    return tuple(sorted(name for name in _COMPLEXITY if decide(status, None, name).is_allowed))


def knows_field(specialty: str | None, category: str) -> bool:
    """Whether a person's specialty is the agent's category, whatever the case."""
    return specialty is not None and specialty.casefold() == category.casefold()


def may_judge(*, role: str, specialty: str | None, category: str) -> bool:
    """Whether a person's word on an agent counts at once, and its data is theirs to see."""
    return role in ADMIN_ROLES or knows_field(specialty, category)
