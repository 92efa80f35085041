"""What a verdict rests on, as digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atom_testinfra.mutation.operators.mutants import Module
from atom_testinfra.mutation.product import Product
from atom_testinfra.mutation.states import States

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "name",
    [
        *("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"),
        *("pyproject.toml", "tox.ini", "setup.cfg", "conftest.py", "tests/helpers.py"),
    ],
)
def test_what_all_tests_share_is_in_one_digest(tmp_path: Path, name: str) -> None:
    """Verdicts of an earlier session do not hold once a file of settings or helpers is new or another."""
    (tmp_path / "tests").mkdir()
    product = Product(tmp_path, [])

    def digest() -> str:
        return States(product, {}, tmp_path).support

    digests = [digest()]
    for text in ("", "# other\n"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        digests.append(digest())
    assert len(set(digests)) == len(digests)


def test_another_hypothesis_is_another_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of Hypothesis generates other examples, so that verdicts do not hold."""
    product = Product(tmp_path, [])
    before = States(product, {}, tmp_path).support
    monkeypatch.setattr("atom_testinfra.mutation.states.hypothesis_version", lambda: "5.0")
    assert States(product, {}, tmp_path).support != before


def test_a_test_that_fails_depends_on_the_whole_product(tmp_path: Path) -> None:
    """Nobody knows what it enters: a change of any function may let it pass."""
    product = Product(tmp_path, [])

    def state(text: str) -> str:
        modules = {"a.py": Module("a.py", "A = 1\n"), "b.py": Module("b.py", text)}
        return States(product, modules, tmp_path).of_failing("test_a.py::test_a")

    before = state("def f():\n    return 1\n")
    assert before == state("def f():  # a comment\n    return 1\n")
    assert before != state("def f():\n    return 2\n")
