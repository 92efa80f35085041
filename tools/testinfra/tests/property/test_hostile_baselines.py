"""
Baselines as nobody should write them: an error or a correct answer, never a traceback, never a false verdict.

`make test-nightly` tries 40,000 of each kind.
"""

from __future__ import annotations

import json
from copy import deepcopy
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import a_baseline

from atom_testinfra.core.changes.comparison import Comparison, compare_sides
from atom_testinfra.core.changes.threshold import Statistic, Threshold
from atom_testinfra.core.costs.baseline import Baseline
from atom_testinfra.core.errors import BaselineError
from atom_testinfra.core.targets.verification import check
from atom_testinfra.storage.baseline import parse_baseline, render_baseline
from atom_testinfra.storage.recordings import of_baseline

HOSTILE_NAME = "t.py::test_[\n\x1b]0;<script>|`'\"\\ \u202e]"
TEXT = b"".join(
    render_baseline(
        a_baseline({"tests/test_a.py::test_a": 130.0, HOSTILE_NAME: 72_000.0}, tiers={"*test_a": "fast"})
    )
)
DOCUMENT: dict[str, Any] = json.loads(TEXT)
ORIGINAL = parse_baseline(TEXT, "b.json")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**63) - 1, 10**400, -1, 0, 1])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["fast", "over", "quick", "partial", "local", "passed", "function", "*", "[", "[!]"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


def is_as_written(baseline: Baseline) -> bool:
    """Return whether it says in every respect what the original says."""
    names = [name for name in Baseline.__struct_fields__ if name != "properties"]
    return all(getattr(baseline, n) == getattr(ORIGINAL, n) for n in names) and (
        [*baseline.properties.items()] == [*ORIGINAL.properties.items()]
    )


def try_it(text: bytes) -> None:
    """Read and check a text: it is refused, or found out, or it is what was written."""
    baseline, error = None, None
    try:
        baseline = parse_baseline(text, "b.json")
    except BaselineError as exc:
        error = exc
    if baseline is None:
        assert str(error).startswith("'b.json'")
        assert "\n" not in str(error)
        assert error is not None
        assert error.hint
        return
    differences = check(baseline)[1]
    assert differences or is_as_written(baseline)
    assert all(isinstance(str(difference), str) for difference in differences)
    json.dumps(msgspec.to_builtins(differences))


def piece_of_text(start: int, size: int) -> bytes:
    return TEXT[start : start + size]


@st.composite
def cut_and_pasted(draw: st.DrawFn) -> bytes:
    """Draw the text with pieces of it, or of anything, where they do not belong."""
    text = bytearray(TEXT)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        n_removed = draw(st.sampled_from([0, 1, 1, 2, 10, 1000]))
        source = draw(st.integers(0, len(TEXT) - 1))
        pasted = draw(
            st.binary(max_size=4)
            | st.sampled_from(
                [b"NaN", b"-", b"1e999", b"Infinity", b'"', b"[" * 2000, b"null", b"\xff", b"\\u"]
            )
            | st.integers(1, 200).map(partial(piece_of_text, source))
        )
        text[at : at + n_removed] = pasted
    return bytes(text)


@st.composite
def rearranged(draw: st.DrawFn) -> bytes:
    """Draw the document with values that do not belong where they stand, or missing, or renamed."""
    document = deepcopy(DOCUMENT)
    for _ in range(draw(st.integers(1, 2))):
        inner: Any = document
        while True:
            keys = [*inner] if isinstance(inner, dict) else [*range(len(inner))]
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(inner[key], dict | list) and inner[key] and draw(st.integers(0, 9)):
                inner = inner[key]
                continue
            how = draw(st.sampled_from(["replace", "scale", "remove", "rename"]))
            if how == "remove":
                del inner[key]
            elif how == "rename" and isinstance(inner, dict):
                inner[draw(st.sampled_from(keys) | st.text(max_size=8))] = inner.pop(key)
            elif how == "scale" and isinstance(inner[key], int | float):
                inner[key] *= draw(st.sampled_from([-1, 0, 2, 1e-300, 1e300, 0.5]))
            else:
                inner[key] = draw(values)
            break
    return json.dumps(document, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value that holds no others."""
    if not isinstance(value, dict | list):
        return [path]
    steps = value if isinstance(value, dict) else range(len(value))
    return [leaf for step in steps for leaf in leaves(value[step], (*path, step))]


def compare(text: bytes, statistic: Statistic) -> list[Comparison]:
    """Compare a text with the original, on either side of it."""
    threshold = Threshold(statistic=statistic)
    recordings = [of_baseline(parse_baseline(data, "b.json"), "b.json") for data in (text, TEXT)]
    one, other = (recording.side(statistic, "local", is_calibrated=True) for recording in recordings)
    return [compare_sides(one, other, threshold), compare_sides(other, one, threshold)]


RESULTS = {statistic: compare(TEXT, statistic) for statistic in Statistic}


@st.composite
def measured_otherwise(draw: st.DrawFn) -> bytes:
    """Draw the document with one other value below its properties, in any layout."""
    document = deepcopy(DOCUMENT)
    *path, last = draw(st.sampled_from(leaves(DOCUMENT["properties"])))
    inner: Any = document["properties"]
    for step in path:
        inner = inner[step]
    old = inner[last]
    if isinstance(old, int | float) and draw(st.booleans()):
        inner[last] = old * draw(st.sampled_from([0.01, 0.5, 1, 1.0001, 2, 100]) | st.floats(0, 1e6))
    elif isinstance(inner, dict) and draw(st.booleans()):
        del inner[last]
    else:
        inner[last] = draw(values)
    indent = draw(st.sampled_from([None, 2]))
    return json.dumps(document, indent=indent, sort_keys=draw(st.booleans())).encode(errors="surrogatepass")


@given(measured_otherwise(), st.sampled_from(Statistic))
def test_a_comparison_notices_a_changed_figure(text: bytes, statistic: Statistic) -> None:
    """A comparison refuses a figure that was changed, or says what it would have said without that."""
    try:
        found = compare(text, statistic)
    except BaselineError:
        return
    assert found == RESULTS[statistic]


@pytest.mark.parametrize("factor", [0.01, 0.99, 1.01, 100])
def test_the_cost_of_no_single_run_can_be_changed_unnoticed(factor: float) -> None:
    """There is no cost of one run that can be changed without a word."""
    paths = [path for path in leaves(DOCUMENT["properties"]) if "runs" in path]
    assert len(paths) > 50
    for *path, last in paths:
        document = deepcopy(DOCUMENT)
        inner: Any = document["properties"]
        for step in path:
            inner = inner[step]
        inner[last] *= factor
        with pytest.raises(BaselineError, match="was changed after it was written"):
            compare(json.dumps(document).encode(), Statistic.BODY_CPU)


@given(cut_and_pasted())
def test_lost_doubled_or_foreign_bytes_are_noticed(text: bytes) -> None:
    """Wherever bytes are lost, doubled or foreign, it is noticed."""
    try_it(text)


@given(rearranged())
def test_changed_missing_or_renamed_values_are_noticed(text: bytes) -> None:
    """Wherever a value is another, missing, or under another name, it is noticed."""
    try_it(text)


@given(values.map(json.dumps) | st.text(max_size=50))
def test_text_that_is_not_a_baseline_is_refused(text: str) -> None:
    """Anything but a baseline is refused."""
    try_it(text.encode(errors="surrogatepass"))


def test_the_original_is_accepted() -> None:
    """The texts above start from one that is in order, with a node id that is not."""
    assert HOSTILE_NAME in ORIGINAL.properties
    assert check(ORIGINAL)[1] == []
