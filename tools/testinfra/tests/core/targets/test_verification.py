"""Whether a baseline follows from its measurements, and whether a change by hand is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from msgspec.structs import replace
from tests.strategies import A_SUITE, a_baseline

from atom_testinfra.core.config import Targets, TierLimits
from atom_testinfra.core.errors import BaselineError
from atom_testinfra.core.targets.verification import check
from atom_testinfra.storage.baseline import parse_baseline, render_baseline

DOCUMENT: dict[str, Any] = json.loads(
    b"".join(render_baseline(a_baseline(tiers={"tests/test_fast*": "fast", "*test_over": "slow"})))
)


def places(document: dict[str, Any]) -> list[str]:
    """Return where `verify --check` finds something wrong."""
    baseline = parse_baseline(json.dumps(document).encode(), "b.json")
    return [difference.place for difference in check(baseline)[1]]


def numbers(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Yield the path of every number."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from numbers(inner, (*path, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def as_text(path: tuple[object, ...]) -> str:
    """Return a path as differences name it: keys of our own are names, those of the project are quoted."""
    text = ""
    for depth, step in enumerate(path):
        if isinstance(step, int):
            text += f"[{step}]"
        elif path[0] == "properties" and depth in (1, 3):
            text += f"[{json.dumps(step)}]"
        else:
            text += f".{step}" if depth else str(step)
    return text


def replace_at(path: tuple[object, ...], change: Any) -> dict[str, Any]:
    document = deepcopy(DOCUMENT)
    inner: Any = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = change(inner[path[-1]])
    return document


def find(path: tuple[object, ...], change: Any) -> list[str]:
    """Return the places that are reported when the value at a path is changed."""
    try:
        return places(replace_at(path, change))
    except BaselineError as exc:  # not even possible then: half an example, another schema version
        named = any(isinstance(step, str) and step in str(exc) for step in path)
        return [as_text(path)] if named else [str(exc)]


@pytest.mark.parametrize("change", [lambda n: n + 1, lambda n: n / 2 if n else 0.5], ids=["more", "less"])
def test_every_number_changed_by_hand_is_found_and_named(change: Any) -> None:
    """Whichever figure is changed, something is wrong at its place, or at the part whose digest covers it."""
    assert places(DOCUMENT) == []
    paths = [*numbers(DOCUMENT)]
    assert len(paths) > 400
    reported = {path: find(path, change) for path in paths}
    missed = {
        as_text(path): found
        for path, found in reported.items()
        if not any(as_text(path).startswith(place) for place in found)
    }
    assert missed == {}


@pytest.mark.parametrize(
    "path",
    [
        ("targets_verified", "ci_slow_tier_under_25s"),
        ("targets_met", "full_suite_under_5min"),
        ("targets_met", "note"),
        ("notes",),
        ("slowest_tests", 0, "recommendation"),
        ("slowest_tests", 1, "test"),
        ("property_test_targets", "rationale"),
        ("provenance", "commit"),
        ("provenance", "is_dirty"),
        ("properties", "tests/test_fast.py::test_one", "tier"),
        ("properties", "tests/test_fast.py::test_one", "measured_tier"),
        ("properties", "tests/test_fast.py::test_one", "digest"),
        ("properties", "tests/test_fast.py::test_one", "check"),
        ("verification_timestamp",),
        ("tiers", "*test_over"),
    ],
    ids=as_text,
)
def test_every_word_that_matters_is_found_too(path: tuple[object, ...]) -> None:
    """Verdicts, tiers, sentences and provenance cannot be changed by hand either."""
    other = {"slow": "fast", "fast": "slow", True: False, False: True, "partial": True}
    found = find(path, lambda old: other.get(old, f"{old}!"))
    assert any(as_text(path).startswith(place) for place in found), found


SAME_SETTINGS = {f"targets.{name} taken out" for name in Targets.__struct_fields__}
"""Settings that are what they are by default: a file that leaves them out says the same."""


def test_nothing_else_can_be_changed_unnoticed() -> None:
    """Every value, every key and every list of the file, each changed by itself: only these say the same."""
    baseline = a_baseline({"tests/test_a.py::test_a": 20_000.0}, n_repeats=2, tiers={"tests/*": "fast"})
    document = json.loads(b"".join(render_baseline(baseline)))
    assert places(document) == []
    changes = [*changed_documents(document)]
    assert len(changes) > 700
    assert {what for what, changed in changes if not find_any(changed)} == SAME_SETTINGS


def find_any(document: dict[str, Any]) -> bool:
    try:
        return bool(places(document))
    except BaselineError:
        return True


def changed_documents(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield what was changed, and a document in which nothing else is."""
    for path, value in nodes(document):
        place = as_text(path)
        for n, other in enumerate(other_values(value)):
            yield f"{place} changed ({n})", edited(document, path, putting(other))
        if path and isinstance(path[-1], str):
            yield f"{place} taken out", edited(document, path, lambda old, step: {})
            yield f"{place} renamed", edited(document, path, lambda old, step: {f"{step}_": old})


def putting(value: object) -> Callable[[Any, Any], dict[Any, Any]]:
    """Return the entries that put a value in place of another."""
    return lambda _, step: {step: value}


def nodes(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], object]]:
    """Yield every value with its path, containers included."""
    if path:
        yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in inner:
        yield from nodes(child, (*path, step))


def other_values(value: object) -> list[object]:
    """Return what somebody might write instead."""
    if isinstance(value, dict):
        return []
    if isinstance(value, list):
        shorter_longer = [value[:-1], [*value, value[-1]]] if value else [[0.001], ["x"]]
        return [other for other in (*shorter_longer, value[::-1]) if other != value]
    if value is None or isinstance(value, bool):
        return [other for other in (True, False, None, 1, "partial") if other is not value]
    if isinstance(value, int | float):
        return [value + 1, value * 1.0001 if value else 0.001, value // 2 if value else 1, None]
    return [other for other in (f"{value}!", "", "fast", "slow", "partial", None) if other != value]


def edited(document: Any, path: tuple[Any, ...], entries: Callable[[Any, Any], dict[Any, Any]]) -> Any:
    """Return the document with an entry in place of another, and everything else shared with it."""
    step, *rest = path
    if isinstance(document, list):
        changed = (
            entries(document[step], step) if not rest else {step: edited(document[step], (*rest,), entries)}
        )
        return [changed.get(index, value) for index, value in enumerate(document)]
    kept: dict[Any, Any] = {}
    for key, value in document.items():
        if key != step:
            kept[key] = value
        else:
            kept |= {key: edited(value, (*rest,), entries)} if rest else entries(value, key)
    return kept


def test_a_wrong_figure_is_told_once() -> None:
    """What follows from a changed figure is not reported as changed, too."""
    path = ("properties", "tests/test_fast.py::test_one", "profiles", "local", "duration_s")
    assert places(replace_at(path, lambda old: old * 2)) == [as_text(path)]


def test_a_test_taken_out_is_missed() -> None:
    """Nobody makes a target by removing the test that misses it."""
    document = deepcopy(DOCUMENT)
    del document["properties"]["tests/test_slow.py::test_over"]
    found = places(document)
    assert "properties" in found
    assert "targets_verified.slow_tier_under_100s" in found


def test_a_tier_without_a_test_has_no_verdict() -> None:
    """A tier without a test has no verdict, and neither has a suite that was not timed or did not pass."""
    baseline = a_baseline({"t.py::test_a": 10.0}, suite=None)
    assert baseline.targets_verified.fast_tier_under_10s is True
    assert baseline.targets_verified.medium_tier_under_60s is None
    assert baseline.targets_verified.full_suite_under_5min is None
    assert "The whole suite was not timed." in baseline.notes


@pytest.mark.parametrize(("limit_s", "verdict"), [(48.7, False), (48.8, True)])
def test_a_suite_exactly_at_its_limit_misses_it(limit_s: float, *, verdict: bool) -> None:
    """Exactly on the limit is not under it."""
    baseline = a_baseline({"t.py::test_a": 10.0}, targets=Targets(suite_s=limit_s))
    assert baseline.targets_verified.full_suite_under_5min is verdict


def test_a_suite_that_failed_has_no_time() -> None:
    """How long it takes to fail does not say how long it takes."""
    suite = replace(A_SUITE, exit_status=1, outcomes={"failed": 2, "passed": 310})
    baseline = a_baseline({"t.py::test_a": 10.0}, suite=suite)
    assert baseline.targets_verified.full_suite_under_5min is None
    assert "2 failed, 310 passed" in baseline.notes


def test_a_partial_verdict_names_who_misses_and_what_would_help() -> None:
    """The note has the test, its time, the excess, and the number of examples that would do."""
    limits = TierLimits(local_s=10.0, ci_s=0.5)
    baseline = a_baseline({"t.py::test_a": 20_000.0, "t.py::test_b": 10.0}, targets=Targets(fast=limits))
    assert baseline.targets_verified.ci_fast_tier_under_3s == "partial"
    note = baseline.notes
    assert "ci_fast_tier_under_3s: 1 of 2 miss it: " in note
    assert "t.py::test_a takes 1.05 s, 111 % over its 0.5 s: " in note
    assert "examples instead of 50 would meet it" in note
    assert "ci_fast_tier_under_3s is checked against 0.5 s, as the settings say." in baseline.notes
