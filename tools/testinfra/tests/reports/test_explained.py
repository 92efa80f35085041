"""What `testinfra measure --explain` prints."""

from __future__ import annotations

import io

from rich.console import Console
from tests.made_runs import make_record

from atom_testinfra.core.records.explanation import (
    Draw,
    Explanation,
    FixtureCost,
    FunctionCost,
    Part,
    SlowCase,
    Waste,
)
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


def test_a_name_that_looks_like_an_emoji_stays_a_name() -> None:
    """rich would make a cross of `:x:`."""
    part = Part(name="generate:x", n=1, total_s=1.0, max_s=1.0, strategy="integers()")
    explanation = Explanation(n_cases=1, n_untimed=0, parts=[part], slowest=[], waste=[])
    stream = io.StringIO()
    print_explanation(make_record("t.py::test_a"), explanation, Console(file=stream, width=100))

    assert "generate:x: integers()" in stream.getvalue()


def test_whatever_there_is_fits_two_screens() -> None:
    """Rows are counted where there is no room for them, and each is one line of the terminal."""
    many, long = 1000, "very\nlong " * 10_000
    explanation = Explanation(
        n_cases=many,
        n_untimed=1,
        n_parts=many,
        n_causes=many,
        parts=[Part(name=f"p{i}", n=1, total_s=1.0, max_s=1.0, strategy=long) for i in range(50)],
        slowest=[SlowCase(total_s=1.0, status="passed", call=long)] * 5,
        waste=[Waste(cause=long, n_gave_up=1)] * 50,
        draws=[Draw(place="t.py:1", function="f", strategy=long, n=1, own_s=1.0, total_s=1.0)] * 50,
        fixtures=[FixtureCost(name="f", scope="function", place="t.py:1", own_s=1.0)] * 20,
        functions=[FunctionCost(place="t.py:1", function=long, n=1, own_s=1.0)] * 10,
    )
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True, color_system=None)
    print_explanation(make_record("t.py::test_a", problems=[long] * 20), explanation, console)

    lines = stream.getvalue().splitlines()
    assert len(lines) <= 90
    assert max(map(len, lines)) <= 100
    assert "  and 990 more" in lines
    assert "  and 995 more causes" in lines
