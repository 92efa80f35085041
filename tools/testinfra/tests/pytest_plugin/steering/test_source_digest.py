"""Where a test stands in its file, and what identifies its definition."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from atom_testinfra.pytest_plugin.steering.sources import dump, relative_path

SHOWS_EMPTY = {"show_empty": True} if sys.version_info >= (3, 13) else {}
SOURCE = '''\
@settings(max_examples=50)
async def f(a, /, b: int = 1, *c, d=None, **e) -> "x":
    """Doc."""
    async with a as b, c:
        yield {None: 1, **e}, [*c, ...], b"y", 1.5e300, 2j, f"{a!r:>{b}}"
    match a:
        case {"k": [1, *_], **rest} if not b:
            x: int
            return (lambda: a[1:, ::2])(*c)
        case None | C(x=1):
            del a.b
'''


class TestDump:
    @pytest.mark.parametrize("source", [SOURCE, Path(__file__).read_text(encoding="utf-8")])
    def test_says_what_the_standard_library_says(self, source: str) -> None:
        """A digest made before stays what it was."""
        tree = ast.parse(source)
        assert dump(tree) == ast.dump(tree, **SHOWS_EMPTY)


class TestRelativePath:
    def test_a_path_below_the_root_has_forward_slashes(self, tmp_path: Path) -> None:
        """The path is relative to the root, on every system with forward slashes."""
        assert relative_path(str(tmp_path / "a" / "test_b.py"), str(tmp_path)) == "a/test_b.py"

    def test_a_path_outside_of_the_root_is_its_name(self, tmp_path: Path) -> None:
        """Only the file's name remains, also where the other folder's name begins with that of the root."""
        assert relative_path(f"{tmp_path}_other/test_b.py", str(tmp_path)) == "test_b.py"
