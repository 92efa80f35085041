"""
Stored JSON that is nested too deep: it is flattened when it is read, and repaired without losing anything.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from atom.db.types import MAX_STORED_DEPTH, load_json
from atom.kit.json_depth import depth_of, flatten
from tests.property_tests.conftest import DEFAULT_PROFILE

PLAIN = st.none() | st.booleans() | st.integers() | st.text('[]{}"\\é', max_size=5)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"\\'), inner, max_size=3)
)
SETTINGS = settings(DEFAULT_PROFILE)


def cut(value: Any, *, n_levels: int) -> Any:
    """Return a value whose arrays and objects below that many levels are their own JSON text."""
    if not isinstance(value, list | dict):
        return value
    if n_levels == 0:
        return json.dumps(value)
    if isinstance(value, list):
        return [cut(each, n_levels=n_levels - 1) for each in value]
    return {name: cut(each, n_levels=n_levels - 1) for name, each in value.items()}


@SETTINGS
@given(value=VALUES, max_depth=st.integers(1, 5))
def test_flattening_bounds_the_depth_and_loses_nothing(value: Any, max_depth: int) -> None:
    """
    Flattened JSON has at most `max_depth` levels,
    and each part below them is replaced by a string with its JSON text.
    """
    written = json.dumps(value)
    flat = flatten(written, max_depth=max_depth)
    assert json.loads(flat) == cut(value, n_levels=max_depth)
    assert depth_of(flat) == min(depth_of(written), max_depth)


@SETTINGS
@given(n_levels=st.integers(1, 5_000), inner=PLAIN)
def test_what_is_loaded_is_never_too_deep(n_levels: int, inner: Any) -> None:
    """JSON of any depth can be loaded, and has at most `MAX_STORED_DEPTH` levels afterwards."""
    written = "[" * n_levels + json.dumps(inner) + "]" * n_levels
    for stored in (written, written.encode()):
        assert depth_of(json.dumps(load_json(stored))) <= MAX_STORED_DEPTH
    if n_levels <= MAX_STORED_DEPTH:
        assert load_json(written) == json.loads(written)
