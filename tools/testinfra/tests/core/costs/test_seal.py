"""What a comparison asks of a file: the digests alone, and only those of what it compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import pytest
from tests.strategies import a_baseline

from atom_testinfra.core.costs.digests import digest_sections
from atom_testinfra.core.costs.seal import COMPARED_KEYS, PUBLISHED_KEYS, refuse_changed
from atom_testinfra.core.errors import BaselineError
from atom_testinfra.storage.baseline import parse_baseline, render_baseline

DOCUMENT: dict[str, Any] = json.loads(b"".join(render_baseline(a_baseline())))


def refuse(document: dict[str, Any], *, keys: Sequence[str] = COMPARED_KEYS, **layout: Any) -> None:
    baseline = parse_baseline(json.dumps(document, **layout).encode(), "b.json")
    refuse_changed(baseline, "b.json", "b.json", keys=keys)


def n_changed(value: Any, change: Callable[[Any], Any], then: Callable[[], None]) -> int:
    """Change every number below a value by itself, do what is to be done then, and return how many."""
    n = 0
    for step in value if isinstance(value, dict) else range(len(value)):
        old = value[step]
        if isinstance(old, dict | list):
            n += n_changed(old, change, then)
        elif isinstance(old, int | float) and not isinstance(old, bool):
            value[step] = change(old)
            then()
            value[step] = old
            n += 1
    return n


@pytest.mark.parametrize("layout", [{}, {"indent": 3}, {"sort_keys": True}], ids=str)
def test_a_formatter_changes_no_figure(layout: dict[str, Any]) -> None:
    """The digests are taken of the values."""
    refuse(DOCUMENT, **layout)


def test_what_is_written_is_accepted() -> None:
    """Without a look at its figures, and before it is on disk, too."""
    baseline = a_baseline()
    refuse_changed(baseline, "b.json")
    refuse_changed(parse_baseline(b"".join(render_baseline(baseline)), "b.json"), "b.json")


@pytest.mark.parametrize("change", [lambda n: n + 1, lambda n: n / 2 if n else 0.5], ids=["more", "less"])
def test_no_number_behind_a_comparison_can_be_changed(change: Any) -> None:
    """Of no property, nor of how they were measured."""
    document = deepcopy(DOCUMENT)

    def is_refused() -> None:
        with pytest.raises(BaselineError):
            refuse(document)

    assert n_changed(document["properties"], change, is_refused) > 300
    assert n_changed(document["provenance"], change, is_refused) > 3


@pytest.mark.parametrize("change", [lambda n: n + 1, lambda n: n / 2 if n else 0.5], ids=["more", "less"])
def test_no_number_in_a_document_can_be_changed(change: Any) -> None:
    """Neither the suite's time nor a limit that it is checked against."""
    document = deepcopy(DOCUMENT)

    def is_refused() -> None:
        with pytest.raises(BaselineError):
            refuse(document, keys=PUBLISHED_KEYS)

    assert n_changed(document["suite"], change, is_refused) == 3
    assert n_changed(document["targets"], change, is_refused) > 5


@pytest.mark.parametrize(
    ("key", "value"), [("tiers", {"*": "slow"}), ("verification_timestamp", "2030-01-01T00:00:00Z")]
)
def test_no_setting_or_date_can_be_changed(key: str, value: Any) -> None:
    """It is the same for what a comparison does not look at."""
    refuse(DOCUMENT | {key: value})
    with pytest.raises(BaselineError, match=f"the digest of '{key}' does not hold"):
        refuse(DOCUMENT | {key: value}, keys=PUBLISHED_KEYS)


def test_all_that_is_sealed_is_published() -> None:
    """A key that is new in the file is not forgotten there."""
    baseline = a_baseline()
    sections = digest_sections(baseline, baseline.verification_timestamp)
    assert sorted(PUBLISHED_KEYS) == sorted(sections)
    refuse(DOCUMENT, keys=PUBLISHED_KEYS)


def test_the_first_tests_are_named_and_all_are_counted() -> None:
    """With the command that shows the figures."""
    document = deepcopy(DOCUMENT)
    for subject in document["properties"].values():
        subject["profiles"]["local"]["runs"]["body_cpu_us"][0] *= 100
    with pytest.raises(BaselineError, match=r"'b\.json' was changed .*: 5 digests, of 'tests/") as caught:
        refuse(document)
    assert str(caught.value).count("'tests/") == 3
    assert caught.value.hint == "see which figures: testinfra verify --check b.json"


def test_tests_cannot_change_places() -> None:
    """Each of them is as it was written, but not under that name."""
    document = deepcopy(DOCUMENT)
    properties = document["properties"]
    one, other = list(properties)[:2]
    properties[one], properties[other] = properties[other], properties[one]
    with pytest.raises(BaselineError, match="the digest of 'properties' does not hold"):
        refuse(document)


def test_a_test_taken_out_is_missed() -> None:
    """A slow one would be new otherwise."""
    document = deepcopy(DOCUMENT)
    del document["properties"]["tests/test_slow.py::test_over"]
    with pytest.raises(BaselineError, match="the digest of 'properties' does not hold"):
        refuse(document)


def test_a_test_cannot_be_listed_as_failed_by_hand() -> None:
    """One that is said to have failed would not be compared."""
    document = deepcopy(DOCUMENT)
    one = {"nodeid": "tests/test_a.py::test_a", "profile": "local", "outcome": "failed", "reason": "x"}
    document["excluded"].append(one)
    with pytest.raises(BaselineError, match="the digest of 'excluded' does not hold"):
        refuse(document)


def test_a_verdict_is_not_compared() -> None:
    """What follows from the figures is for `verify --check`."""
    verified = DOCUMENT["targets_verified"]
    other = {name: not verdict for name, verdict in verified.items()}
    refuse(DOCUMENT | {"targets_verified": other})
