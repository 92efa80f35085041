"""What `testinfra measure --explain` prints."""

from __future__ import annotations

import io

from made_runs import make_record
from rich.console import Console

from atom_testinfra.core.explanation import Explanation, Part, SlowCase, Waste
from atom_testinfra.reports.explained import print_explanation

HOSTILE = "\x1b]0;owned\x07\u202e"
SHOWN = r"\x1b]0;owned\x07\u202e"


def test_what_a_test_is_given_does_nothing_to_a_terminal() -> None:
    """Node id, strategy, arguments, causes and remarks show their control characters as escapes."""
    explanation = Explanation(
        n_cases=2,
        n_untimed=0,
        parts=[Part(name="generate:x", n=2, total_s=1.0, max_s=0.5, strategy=f"just({HOSTILE})")],
        slowest=[SlowCase(total_s=0.5, status="passed", call=f"push(x={HOSTILE})\nteardown()")],
        waste=[Waste(cause=f"filter({HOSTILE})", n_gave_up=1)],
    )
    record = make_record(f"t.py::test_a[{HOSTILE}]", problems=[f"odd {HOSTILE}"])
    stream = io.StringIO()
    print_explanation(record, explanation, Console(file=stream, width=100))

    shown = stream.getvalue()
    assert not any(character in shown for character in HOSTILE if not character.isascii() or character < " ")
    assert shown.count(SHOWN) == 5
    assert f"    push(x={SHOWN})\n    teardown()\n" in shown
