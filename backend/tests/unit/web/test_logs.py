"""Lines of the log: their form, what they leave out, and how many there can be."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from atom.web.logs import FIELDS, MOST_ALIKE, PERIOD_S, FloodGate, JsonFormatter, LineFormatter


def record(message: str = "moved", level: int = logging.INFO, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("atom.test", level, __file__, 1, message, (), None)
    setattr(made, FIELDS, fields)
    return made


def failed() -> logging.LogRecord:
    """A record of an exception whose messages repeat what somebody sent."""
    try:
        try:
            int("sesame")
        except ValueError as cause:
            raise KeyError("sesame") from cause
    except KeyError:
        return logging.LogRecord("atom.test", logging.ERROR, __file__, 1, "it failed", (), sys.exc_info())
    raise AssertionError("`sesame` is a number")


def test_a_line_of_json_has_its_fields_by_name() -> None:
    """Time with its zone, level, logger, message, and what the record says beside; None is left out."""
    said = json.loads(JsonFormatter().format(record(status=201, key_id=None)))
    assert said.pop("time").endswith("+00:00")
    assert said == {"level": "info", "logger": "atom.test", "message": "moved", "status": 201}


def test_a_line_of_text_is_one_line() -> None:
    """A message with line breaks cannot pretend to be several."""
    text = LineFormatter().format(record("first\nsecond", status=201))
    assert text.endswith("INFO atom.test: first second status=201")
    assert "\n" not in text


@pytest.mark.parametrize("formatter", [LineFormatter(), JsonFormatter()], ids=["text", "json"])
def test_an_exception_is_told_by_kind_and_place(formatter: logging.Formatter) -> None:
    """Its message may hold what a request said; its kind, that of its cause and the places do not."""
    text = formatter.format(failed())
    assert "sesame" not in text
    assert text.index("ValueError") < text.index("KeyError")
    assert "test_logs.py" in text


def test_only_so_many_alike_are_written() -> None:
    """The last one says that more are left out; after the period they are written again."""
    now_s = 0.0
    gate = FloodGate(lambda: now_s)
    written = [warning for _ in range(1_000) if gate.filter(warning := record("again", logging.WARNING))]
    assert len(written) == MOST_ALIKE
    assert ["left out" in str(warning.msg) for warning in written] == [False] * (MOST_ALIKE - 1) + [True]
    assert gate.filter(record("another", logging.ERROR))
    now_s = PERIOD_S
    assert gate.filter(record("again", logging.WARNING))


def test_requests_are_all_written() -> None:
    """A flood of requests is not a flood of faults."""
    gate = FloodGate(lambda: 0.0)
    assert all(gate.filter(record()) for _ in range(1_000))
