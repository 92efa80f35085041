"""A baseline of an older schema version says what it said, and not what somebody made of it."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atom_testinfra.core.costs.baseline import SCHEMA_VERSION
from atom_testinfra.core.costs.seal import refuse_changed
from atom_testinfra.core.errors import BaselineError
from atom_testinfra.core.targets.verification import check
from atom_testinfra.storage.baseline import load_baseline, parse_baseline, save_baseline

VERSION_1 = Path(__file__).with_name("baseline_version_1.json").read_bytes()
"""As it was written while this was the version."""
DOCUMENT: dict[str, Any] = json.loads(VERSION_1)
NODEID = "tests/test_a.py::test_a"


def test_version_1_is_read() -> None:
    """Its figures are those of the file, and its verdicts follow from them."""
    baseline = parse_baseline(VERSION_1, "b.json")
    assert baseline.schema_version == SCHEMA_VERSION
    assert check(baseline)[1] == []
    refuse_changed(baseline, "b.json")
    assert [*baseline.properties] == [*DOCUMENT["properties"]]
    for nodeid, subject in baseline.properties.items():
        stored = DOCUMENT["properties"][nodeid]
        assert (subject.tier, subject.digest) == (stored["tier"], stored["digest"])
        for profile, cost in subject.profiles.items():
            kept = json.loads(msgspec.json.encode(cost))
            assert kept == {name: stored["profiles"][profile][name] for name in kept}


def test_sentences_of_version_1_are_written_again() -> None:
    """An older version said the same in other words; its figures are still checked against each other."""
    document = deepcopy(DOCUMENT)
    document["slowest_tests"][0]["duration"] += 1
    baseline = parse_baseline(json.dumps(document).encode(), "b.json")
    assert [difference.place for difference in check(baseline)[1]] == ["slowest_tests[0].duration"]
    assert baseline.slowest_tests[0].recommendation != document["slowest_tests"][0]["recommendation"]


def test_another_layout_of_version_1_is_no_change() -> None:
    """A formatter may have laid it out anew."""
    assert check(parse_baseline(json.dumps(DOCUMENT, indent=1).encode(), "b.json"))[1] == []


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("profiles", "ci", "predicted", "cpu_s"), '.profiles["ci"]'),
        (("profiles", "ci", "body_cpu_us"), '.profiles["ci"]'),
        (("profiles", "local", "duration_s"), '.profiles["local"]'),
        (("profiles", "local", "runs", "cpu_s", 1), '.profiles["local"]'),
        (("profiles", "local", "check"), '.profiles["local"]'),
        (("digest",), f'properties["{NODEID}"]'),
        (("tier",), f'properties["{NODEID}"]'),
        (("check",), f'properties["{NODEID}"]'),
    ],
)
def test_what_was_changed_by_hand_is_refused(path: tuple[Any, ...], place: str) -> None:
    """No figure loses the digest that would have shown that it was changed."""
    document = deepcopy(DOCUMENT)
    inner = document["properties"][NODEID]
    for step in path[:-1]:
        inner = inner[step]
    old = inner[path[-1]]
    inner[path[-1]] = old + 1 if isinstance(old, float) else "slow" if path == ("tier",) else f"{old}0"
    with pytest.raises(BaselineError, match="does not fit its digest") as caught:
        parse_baseline(json.dumps(document).encode(), "b.json")
    assert place in str(caught.value)


def test_a_test_taken_out_is_missed() -> None:
    """The digest of all of them is checked, too."""
    document = deepcopy(DOCUMENT)
    del document["properties"][NODEID]
    with pytest.raises(BaselineError, match=": properties does not fit its digest"):
        parse_baseline(json.dumps(document).encode(), "b.json")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"digests": None}, "digests"),
        ({"properties": {"a": {}}}, "properties"),
        ({"properties": []}, "properties"),
    ],
)
def test_a_file_that_is_not_a_baseline_is_refused(changes: dict[str, Any], place: str) -> None:
    """One line names the place."""
    with pytest.raises(BaselineError) as caught:
        parse_baseline(json.dumps(DOCUMENT | changes).encode(), "b.json")
    assert str(caught.value).startswith(f"'b.json': {place}")


@pytest.mark.parametrize("key", ["digests", "properties"])
def test_a_file_without_a_key_is_refused(key: str) -> None:
    """It is not completed by guessing."""
    document = {name: value for name, value in DOCUMENT.items() if name != key}
    with pytest.raises(BaselineError, match=f"the key '{key}' is missing"):
        parse_baseline(json.dumps(document).encode(), "b.json")


def test_an_update_writes_the_present_version(tmp_path: Path) -> None:
    """What was not the tool's own is kept."""
    path = tmp_path / "b.json"
    path.write_text(json.dumps({"coverage": 91.5, **DOCUMENT}))
    save_baseline(path, load_baseline(path))
    document = json.loads(path.read_text())
    assert document["schema_version"] == SCHEMA_VERSION
    assert document["coverage"] == 91.5
    assert check(load_baseline(path))[1] == []
