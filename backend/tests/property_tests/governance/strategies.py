"""What governance is asked about: agents of every standing, actions by every name, outcomes, triggers."""

from __future__ import annotations

from hypothesis import strategies as st

from atom.agents.maturity import AgentStatus, Impact
from atom.governance.routing import TriggerSource

RUNGS = [AgentStatus.STUDENT, AgentStatus.INTERN, AgentStatus.SUPERVISED, AgentStatus.AUTONOMOUS]
OUTSIDE = [AgentStatus.PAUSED, AgentStatus.DEPRECATED]

DOCUMENTED = {
    1: ["search", "read", "list", "get", "fetch", "summarize", "present_chart", "present_markdown"],
    2: [
        *["analyze", "suggest", "draft", "generate", "recommend", "stream_chat", "present_form"],
        *["llm_stream", "browser_navigate", "browser_screenshot", "browser_extract", "device_camera"],
        *["device_location", "device_notification", "update_canvas"],
    ],
    3: ["create", "update", "send_email", "post_message", "schedule", "submit_form", "screen_recording"],
    4: [
        *["delete", "execute", "deploy", "transfer", "payment", "approve", "device_execute_command"],
        "canvas_execute_javascript",
    ],
}
"""The actions of the domain's specification, by complexity."""

COMPLEXITY = {name: complexity for complexity, names in DOCUMENTED.items() for name in names}

statuses = st.sampled_from(list(AgentStatus))
rungs = st.sampled_from(RUNGS)
known_actions = st.sampled_from(sorted(COMPLEXITY))
unknown_actions = st.sampled_from(["frobnicate", "ponder", "listen", "undo it", "x", "42"])
actions = known_actions | unknown_actions
words_around = st.text(max_size=12)

hundredths = st.sampled_from([0, 1, 2, 9, 10, 49, 50, 51, 52, 69, 70, 71, 89, 90, 91, 99, 100]) | st.integers(
    0, 100
)
"""Confidence as a whole number of hundredths: every outcome moves it by whole hundredths too."""

confidences = hundredths.map(lambda number: number / 100)
outcomes = st.tuples(st.booleans(), st.sampled_from(list(Impact)))
sources = st.sampled_from(list(TriggerSource))
contexts = st.dictionaries(
    st.sampled_from(["query", "table", "row"]), st.integers() | st.text("abc"), max_size=2
)


def band_of(percent: int) -> AgentStatus:
    """The rung of a confidence in hundredths, as the specification draws the bands."""
    return RUNGS[(percent >= 50) + (percent >= 70) + (percent >= 90)]
