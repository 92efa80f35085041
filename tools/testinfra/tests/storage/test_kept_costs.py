"""`.testinfra/costs.json`, and what a baseline predicts before there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atom_testinfra.core.budgets.costs import Costs, FileCost, KnownCost, Time
from atom_testinfra.core.errors import CostsError
from atom_testinfra.storage.costs import baseline_costs, costs_path, load_costs, update_costs

if TYPE_CHECKING:
    from pathlib import Path


def cost(seconds: float, n: int = 100) -> KnownCost:
    return KnownCost(example=Time(cpu_s=seconds), fixed=Time(cpu_s=0.01), n_examples=n)


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    """A file is made with its folder, which keeps itself out of version control."""
    path = costs_path(tmp_path)
    assert load_costs(path) is None
    costs = Costs(
        properties={"a::b": cost(0.5)},
        plain={"a": FileCost(each=Time(cpu_s=0.1, wait_s=0.2), n_tests=3)},
        exit=Time(cpu_s=0.4),
    )
    update_costs(path, lambda kept: kept.updated(costs))
    assert load_costs(path) == costs
    assert (path.parent / ".gitignore").read_text() == "*\n"


def test_a_run_of_some_tests_keeps_the_costs_of_the_others(tmp_path: Path) -> None:
    """What did not run keeps what it had."""
    path = costs_path(tmp_path)
    update_costs(path, lambda kept: kept.updated(Costs(properties={"a": cost(1.0), "b": cost(2.0)})))
    update_costs(path, lambda kept: kept.updated(Costs(properties={"b": cost(4.0)})))
    kept = load_costs(path)
    assert kept is not None
    assert kept.properties["a"] == cost(1.0)
    assert 2.0 < kept.properties["b"].example.cpu_s < 4.0


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error has the file and the reason, because a run goes on without its costs."""
    (tmp_path / ".testinfra").write_text("not a folder")
    with pytest.raises(CostsError, match=r"cannot write .*costs\.json"):
        update_costs(costs_path(tmp_path), lambda kept: kept)


def test_a_broken_file_is_named_and_replaced(tmp_path: Path) -> None:
    """Reading says what is wrong with it; the next run writes it anew."""
    path = costs_path(tmp_path)
    path.parent.mkdir()
    path.write_text('{"properties": {"a": {"example": {"cpu_s": -1.0}, "fixed": {}, "n_examples": 1}}}')
    with pytest.raises(CostsError, match="does not hold costs of tests"):
        load_costs(path)
    update_costs(path, lambda kept: kept.updated(Costs(properties={"a": cost(1.0)})))
    assert load_costs(path) == Costs(properties={"a": cost(1.0)})


def test_without_a_baseline_nothing_is_predicted(tmp_path: Path) -> None:
    """No file, no costs; a file that is not a baseline is named."""
    path = tmp_path / "baseline.json"
    assert baseline_costs(path, "local") == Costs()
    path.write_text("{")
    with pytest.raises(CostsError, match="baseline"):
        baseline_costs(path, "local")
