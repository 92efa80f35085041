"""Turns text and plain data into the JSON of a record."""

from __future__ import annotations

import json
import re
from json.encoder import encode_basestring_ascii as quote_ascii
from typing import Any

from atom_testinfra.storage.run_writer import escape, escape_all

REASON_LENGTH = 300
"""Characters kept of a reason."""
COUNTEREXAMPLE_LENGTH = 2000
"""Characters kept of a counterexample."""

_COUNTEREXAMPLE = r"^(?:Falsifying|Failing) (?:explicit )?(?:example|test case)\b"
"""How Hypothesis's report of a failing test case begins, in its versions since 6.56."""


def quote(text: str) -> str:
    """Return the text as a JSON string."""
    return quote_ascii(text if text.isascii() else escape(text))


def encode(value: Any) -> str:
    """Return plain data as JSON that is Unicode."""
    text = json.dumps(value)
    # Half of a surrogate pair may stand alone, which is not valid Unicode.
    return json.dumps(escape_all(value)) if "\\ud" in text else text


def cut_reason(text: str) -> str:
    """Return the first line of the text, and of that line at most `REASON_LENGTH` characters."""
    line = text.strip().partition("\n")[0].strip()
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"


def find_counterexample(message: str) -> str | None:
    """
    Return the test case that Hypothesis says failed, as it words it; `None` where there is none.

    A message with several failures names none of their test cases, so there is none for these.
    """
    found = re.search(_COUNTEREXAMPLE, message, re.MULTILINE)
    if found is None:
        return None
    text = message[found.start() :].rstrip()
    return text if len(text) <= COUNTEREXAMPLE_LENGTH else text[: COUNTEREXAMPLE_LENGTH - 1] + "…"
