"""Builds, before the first test, what Hypothesis builds once and the first test would pay for."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies
from hypothesis.internal import charmap
from hypothesis.internal.conjecture import providers
from hypothesis.strategies._internal import utils

DRAW_TEXT = frozenset({"text", "from_regex", "emails", "urls", "domains"})
"""Strategies that need the tables of characters. Of `characters` Hypothesis makes one itself."""


def build_tables() -> None:
    """
    Collect the constants of the project's modules, and build the tables of characters if they are needed.

    In a fresh checkout the tables take a second of CPU and more, whoever draws text first. Where they lie in
    `.hypothesis`, they are read in some 13 ms, 1 % of the cost of a small suite: then only if a module of the
    suite has made a strategy of text.
    """
    if not _are_tables_on_disk() or _has_text():
        strategies.text().validate()
    collect = getattr(providers, "_get_local_constants", None)  # not in every version
    if collect is not None:
        collect()


def _are_tables_on_disk() -> bool:
    file = charmap.charmap_file()
    # The table of a codec lies beside it, where the version of Hypothesis has one.
    return file.exists() and (
        not hasattr(charmap, "intervals_from_codec") or any(file.parent.glob("codec-*"))
    )


def _has_text() -> bool:
    """Return whether text is among the strategies that Hypothesis remembers to have made."""
    cache: Any = getattr(utils, "_STRATEGY_CACHE", None) or getattr(utils, "STRATEGY_CACHE", None)
    keys: Any = getattr(cache, "keys_to_indices", {})
    return any(getattr(key[0], "__name__", "") in DRAW_TEXT for key in keys)
