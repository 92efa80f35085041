"""How deep JSON is nested, told from its text: reading a deep value as Python objects takes a deep stack."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
"""A string, which may hold brackets of its own, or a bracket."""


def depth_of(text: str) -> int:
    """Return how many arrays and objects of a JSON text stand in each other; 0 for a plain value."""
    return max((level for level, _, _ in _brackets(text)), default=0)


def flatten(text: str, *, max_depth: int) -> str:
    """
    Return a JSON text with at most `max_depth` levels, 1 or more.

    Each array or object that stands deeper is replaced by a string, its own JSON text: nothing is lost.
    """
    kept, end = [], 0
    for level, start, stop in _brackets(text):
        if level == max_depth + 1:
            kept += [text[end:start], json.dumps(text[start:stop], ensure_ascii=False)]
            end = stop
    return "".join([*kept, text[end:]])


def _brackets(text: str) -> Iterator[tuple[int, int, int]]:
    """Go through the arrays and objects in the order of their ends: level from 1, start and end."""
    starts: list[int] = []
    for token in TOKEN.finditer(text):
        if token[0] in "[{":
            starts.append(token.start())
        elif token[0] in "]}":
            yield len(starts), starts.pop(), token.end()
