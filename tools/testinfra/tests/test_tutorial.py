"""The tutorial: its changes apply, its commands print what it shows, and a page that is wrong is found."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / ".ci" / "tutorial.py"


@pytest.fixture(scope="module")
def tutorial() -> ModuleType:
    """The script of `make tutorial`."""
    spec = importlib.util.spec_from_file_location("tutorial", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def follow(tutorial: ModuleType, page: str, folder: Path, *, is_written: bool = False) -> str:
    reader = tutorial.reader_in(folder, Path(sys.executable))
    followed: str = tutorial.follow(page, reader, is_written=is_written)
    return followed


def block(language: str, content: str) -> str:
    return f"```{language}\n{content}```\n"


@pytest.mark.parametrize(
    ("shown", "printed", "n_missing"),
    [
        ("total 1.5 s", "total   212 ms", 0),
        ("slower tests/a.py", "faster tests/a.py", 1),
        ("note: the machine was busy", "", 0),
        ("2 slower, 3 ok", "2 slower, 1 inconclusive, 2 ok", 0),
        ("head\n  one\n  two", "head\n  one", 0),
        ("head\n  one\n  two", "head", 2),
        ("head", "  head", 1),
        ("twice\ntwice", "twice", 1),
        (" 98 ms  1  test_a", "1.5 s  1  test_a", 0),
        ("1.5 s  1  test_a\n 97 ms  2  test_b", " 97 ms  1  test_a", 0),
        (" 98 ms  1  test_a\n 97 ms  1  test_b", "none", 2),
        ("a.py::test_b  0.6  0.6  10  25  clock", "a.py::test_b  0.5  0.6  20  20  count", 0),
        (
            "a.py::test_b  100  191  0.2  4.0  4.0  its curve",
            "a.py::test_b  100  90  0.2  4.0  4.0  the floor",
            0,
        ),
        (
            "a.py::test_b  100  191  0.2  4.0  4.0  its curve",
            "a.py::test_c  100  90  0.2  4.0  4.0  the floor",
            1,
        ),
        ("Next: 50 % is one: measure --explain a", "Next: 41 % is one: measure --explain b", 0),
        ("Next: 50 % is one: measure --explain a", "Next: 41 % is spread", 1),
    ],
)
def test_lines_are_compared_without_figures(
    tutorial: ModuleType, shown: str, printed: str, n_missing: int
) -> None:
    """Words decide; figures, the margin of a row and the slowest test do not; details may differ by half."""
    assert len(tutorial.missing_lines(shown, printed)) == n_missing


def test_a_page_with_the_right_output_passes(tutorial: ModuleType, tmp_path: Path) -> None:
    """Commands run one after the other, in the folder that the reader went to."""
    page = block("console", "$ mkdir new\n$ cd new\n$ echo 12 files\n3 files\n")

    assert "12 files" in follow(tutorial, page, tmp_path)


def test_a_page_with_another_output_fails(tutorial: ModuleType, tmp_path: Path) -> None:
    """The message names the command, the line that the page shows, and what was printed."""
    with pytest.raises(tutorial.TutorialError, match=r"(?s)echo faster.*slower.*faster"):
        follow(tutorial, block("console", "$ echo faster\nslower\n"), tmp_path)


def test_a_command_that_fails_fails_the_page(tutorial: ModuleType, tmp_path: Path) -> None:
    """Also while the page is written: no traceback becomes part of it."""
    with pytest.raises(tutorial.TutorialError, match="ended with 3"):
        follow(tutorial, block("console", "$ exit 3\n"), tmp_path, is_written=True)


def test_a_change_that_does_not_apply_fails_the_page(tutorial: ModuleType, tmp_path: Path) -> None:
    """A diff for a file that is not there names the file."""
    change = "--- a/gone.py\n+++ b/gone.py\n@@ -1 +1 @@\n-a\n+b\n"

    with pytest.raises(tutorial.TutorialError, match=r"gone\.py"):
        follow(tutorial, block("diff", change), tmp_path)


def test_what_is_printed_is_written_into_the_page(tutorial: ModuleType, tmp_path: Path) -> None:
    """The old output is replaced; notes on the machine and all other text are not touched."""
    page = "before\n" + block("console", "$ printf 'note: busy\\nnew\\n'\nold\n") + "after\n"

    written = follow(tutorial, page, tmp_path, is_written=True)
    assert written == "before\n" + block("console", "$ printf 'note: busy\\nnew\\n'\nnew\n") + "after\n"


@pytest.mark.integration
@pytest.mark.nightly
def test_the_tutorials_show_what_happens() -> None:
    """A reader who follows them from the first command to the last sees what the pages show."""
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "n_changes", "changed", "text"),
    [
        ("three-days.md", 4, "tests/test_cart.py", "test_five_percent_more"),
        ("ten-minutes-with-a-budget.md", 1, "pyproject.toml", "testinfra_budget"),
    ],
)
def test_the_changes_of_a_tutorial_apply(
    tutorial: ModuleType, tmp_path: Path, name: str, n_changes: int, changed: str, text: str
) -> None:
    """The sample project and the diffs of the page fit each other, one after the other."""
    reader = tutorial.reader_in(tmp_path, Path(sys.executable))
    reader.type("testinfra sample shop")
    reader.type("cd shop")
    reader.type("git init --quiet && git add --all && git commit --quiet --message shop")
    page = next(path for path in tutorial.PAGES if path.name == name).read_text(encoding="utf-8")
    changes = [found["content"] for found in tutorial.FENCE.finditer(page) if found["language"] == "diff"]

    assert len(changes) == n_changes
    for change in changes:
        reader.apply(change)
    assert text in (tmp_path / "shop" / changed).read_text(encoding="utf-8")
