"""The file of a budget, and whether it still holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atom_testinfra.core.errors import BudgetError
from atom_testinfra.storage.example_budget import (
    BudgetFile,
    Freshness,
    load_budget,
    make_budget_file,
    save_budget,
)


def write(folder: Path) -> Path:
    """Write a budget for two properties; one of them rests on a product's file in another folder."""
    (folder / "tests").mkdir()
    (folder / "tests" / "test_a.py").write_text("a = 1\n")
    (folder / "product.py").write_text("b = 1\n")
    path = folder / "tests" / "budget.json"
    test, product = folder / "tests" / "test_a.py", folder / "product.py"
    budget = make_budget_file(
        {"test_a.py::one": 7, "test_a.py::two": 90},
        {"test_a.py::one": [test], "test_a.py::two": [test, product]},
        path=path,
        command="testinfra budget --time 60s",
        hypothesis="6.1",
        seconds=1.23456,
    )
    save_budget(path, budget)
    return path


def test_a_budget_round_trips(tmp_path: Path) -> None:
    """What is written is read back; paths are relative to the file's folder, and digests are short."""
    budget = load_budget(write(tmp_path))
    assert isinstance(budget, BudgetFile)
    assert {name: one.max_examples for name, one in budget.properties.items()} == {
        "test_a.py::one": 7,
        "test_a.py::two": 90,
    }
    assert sorted(budget.files) == ["../product.py", "test_a.py"]
    assert {len(digest) for digest in budget.files.values()} == {16}
    assert (budget.seconds, budget.hypothesis) == (1.235, "6.1")


def test_a_change_is_named_for_the_properties_that_rest_on_it(tmp_path: Path) -> None:
    """Others keep their number; a file that is gone, and another Hypothesis, count as a change."""
    path = write(tmp_path)
    budget = load_budget(path)
    assert Freshness(budget, path.parent, "6.1").problem("test_a.py::two") is None
    (tmp_path / "product.py").unlink()
    fresh = Freshness(budget, path.parent, "6.1")
    assert fresh.problem("test_a.py::one") is None
    assert fresh.problem("test_a.py::two") == "../product.py changed"
    assert Freshness(budget, path.parent, "6.2").problem("test_a.py::one") == "Hypothesis is 6.2, and was 6.1"


@pytest.mark.parametrize(
    ("key", "value"),
    [("schema_version", 2), ("properties", {"x": {"max_examples": 0, "files": []}}), ("more", 1)],
)
def test_what_this_version_did_not_write_is_refused(tmp_path: Path, key: str, value: object) -> None:
    """The message names the file, and says how to write it anew."""
    path = write(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(BudgetError, match=r"budget\.json") as caught:
        load_budget(path)
    assert "testinfra budget" in str(caught.value.hint)


def test_a_place_that_is_not_in_the_list_is_refused(tmp_path: Path) -> None:
    """A number has to say what it rests on, or it would hold for ever."""
    path = write(tmp_path)
    document = json.loads(path.read_text())
    document["properties"]["test_a.py::one"]["files"] = [5]
    path.write_text(json.dumps(document))
    with pytest.raises(BudgetError, match="names a file that is not in the list"):
        load_budget(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """It is never taken for an empty budget."""
    with pytest.raises(BudgetError, match="No such file"):
        load_budget(tmp_path / "none.json")
