"""What governance is asked about: agents of every status, actions of every kind, outcomes and triggers."""

from __future__ import annotations

from itertools import product

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
UNKNOWN = ["frobnicate", "ponder", "listen", "undo it", "x", "42"]
actions = st.sampled_from([*sorted(COMPLEXITY), *UNKNOWN * 5])
unseen = st.characters(categories=("Mn", "Me", "Cf")) | st.sampled_from(
    [
        *["\N{ZERO WIDTH SPACE}", "\N{ZERO WIDTH JOINER}", "\N{WORD JOINER}", "\N{SOFT HYPHEN}"],
        *["\N{VARIATION SELECTOR-16}", "\N{COMBINING GRAPHEME JOINER}", "\N{RIGHT-TO-LEFT OVERRIDE}"],
        *["\N{HANGUL FILLER}", "\N{HALFWIDTH HANGUL FILLER}", "\N{HANGUL CHOSEONG FILLER}"],
    ]
)
"""Characters that do not change how a name looks, or only mark the character before them."""
words_around = st.text(max_size=3) | st.sampled_from(["un", "all", "get_", " list", "read-", "search and "])

EDGES = (0, 1, 2, 9, 10, 49, 50, 51, 52, 69, 70, 71, 89, 90, 91, 99, 100)
hundredths = st.sampled_from((*EDGES * 6, *range(101)))
"""Confidence as a whole number of hundredths: every outcome moves it by whole hundredths too."""

confidences = hundredths.map(lambda number: number / 100)
outcomes = st.sampled_from([*product((False, True), Impact)])
sources = st.sampled_from(list(TriggerSource))
contexts = st.sampled_from(
    [
        {},
        {"query": ""},
        {"query": "abc", "row": 0},
        {"table": "cab"},
        {"row": -1},
        {"table": "", "row": 2**40},
    ]
)


def band_of(percent: int) -> AgentStatus:
    """The rung of a confidence in hundredths, as the specification draws the bands."""
    return RUNGS[(percent >= 50) + (percent >= 70) + (percent >= 90)]
