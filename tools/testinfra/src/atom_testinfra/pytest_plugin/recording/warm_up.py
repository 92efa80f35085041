"""Builds, before the first test, what Hypothesis builds once and the first test would pay for."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hypothesis import strategies
from hypothesis.internal import charmap
from hypothesis.strategies._internal import utils

PROVIDERS = "hypothesis.internal.conjecture.providers"
LATE = (
    "hypothesis.internal.conjecture.optimiser",
    "hypothesis.strategies._internal.flatmapped",
    "hypothesis.strategies._internal.random",
)
"""Modules that Hypothesis imports only when a test needs them; that test would pay for the import."""
DRAW_TEXT = frozenset({"text", "from_regex", "emails", "urls", "domains"})
"""Strategies that need the tables of characters. Of `characters` Hypothesis makes one itself."""


def build_tables() -> None:
    """
    Do what Hypothesis puts off: imports, the project's constants, and tables of characters if needed.

    In a fresh checkout the tables take a second of CPU and more, whoever draws text first. Where they lie in
    `.hypothesis`, they are read in some 13 ms, 1 % of the cost of a small suite: then only if a module of the
    suite has made a strategy of text.
    """
    if not _are_tables_on_disk() or _has_text():
        strategies.text().validate()
    for name in LATE:
        if _is_there(name):
            import_module(name)
    if _is_there(PROVIDERS):  # neither the module nor its function is in every version
        getattr(import_module(PROVIDERS), "_get_local_constants", _nothing)()


def _is_there(module: str) -> bool:
    """Return whether this version of Hypothesis has a module."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor the package that would hold it
        return False


def _nothing() -> None:
    """Stand in for what an older Hypothesis does not do."""


def _are_tables_on_disk() -> bool:
    file = Path(charmap.charmap_file())  # it is text in older versions
    # The table of a codec lies beside it, where the version of Hypothesis has one.
    return file.exists() and (
        not hasattr(charmap, "intervals_from_codec") or any(file.parent.glob("codec-*"))
    )


def _has_text() -> bool:
    """Return whether text is among the strategies that Hypothesis remembers to have made."""
    cache: Any = getattr(utils, "_STRATEGY_CACHE", None) or getattr(utils, "STRATEGY_CACHE", None)
    keys: Any = getattr(cache, "keys_to_indices", {})
    return any(getattr(key[0], "__name__", "") in DRAW_TEXT for key in keys)
