"""Finding tests by marker, without importing them."""

from __future__ import annotations

from pathlib import Path

import pytest

from atom_testinfra.core.errors import SubjectError
from atom_testinfra.storage.marked_tests import find_marked_tests

MODULE = '''
import nothing_of_this_name
import pytest

@pytest.mark.rule(10)
@pytest.mark.rule(2)
def test_plain():
    """The first rule. And a second sentence."""

@pytest.mark.other(1)
def test_other():
    pass

@pytest.mark.rule("b")
class TestGroup:
    @pytest.mark.rule(3, 4)
    async def test_method(self):
        pass

def helper():
    pass
'''


def test_markers_are_read_with_argument_node_id_and_rule(tmp_path: Path) -> None:
    """Numbers sort as numbers, and no module is imported for it."""
    (tmp_path / "test_a.py").write_text(MODULE, encoding="utf-8")

    assert find_marked_tests(tmp_path, ["."], "rule") == [
        ("2", "test_a.py::test_plain", "The first rule."),
        ("3", "test_a.py::TestGroup::test_method", ""),
        ("4", "test_a.py::TestGroup::test_method", ""),
        ("10", "test_a.py::test_plain", "The first rule."),
        ("b", "test_a.py::TestGroup", ""),
    ]


def test_a_module_that_does_not_parse_is_named(tmp_path: Path) -> None:
    """A table with a hole in it would look complete."""
    (tmp_path / "test_a.py").write_text("def (", encoding="utf-8")

    with pytest.raises(SubjectError, match=r"cannot read .*test_a\.py"):
        find_marked_tests(tmp_path, ["test_a.py"], "rule")


@pytest.mark.parametrize("name", ["test_a.py", "a_test.py", "deep/er/a_test.py"])
def test_both_of_pytests_file_names_are_looked_at(tmp_path: Path, name: str) -> None:
    """pytest collects `test_*.py` and `*_test.py`; other files hold no tests."""
    for file in (name, "tests.py", "conftest.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("@mark.rule(1)\ndef test_a(): pass\n", encoding="utf-8")

    assert find_marked_tests(tmp_path, [], "rule") == [("1", f"{name}::test_a", "")]
