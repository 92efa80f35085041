"""Find tests by marker without importing them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from atom_testinfra.core.errors import SubjectError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


TEST_FILES = ("test_*.py", "*_test.py")
"""The names of test files, as pytest's `python_files` has them unless a project sets it."""


def find_marked_tests(rootdir: Path, paths: list[str], marker: str) -> list[tuple[str, str, str]]:
    """
    Return argument, node id and first docstring sentence of the tests with `@pytest.mark.<marker>(...)`.

    A test with several arguments or markers has several rows; numbers are sorted as numbers.
    """
    rows: list[tuple[str, str, str]] = []
    for path in _test_files(rootdir, paths):
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError) as exc:
            raise SubjectError(f"cannot read {str(path)!r}: {exc}") from exc
        file = path.relative_to(rootdir).as_posix()
        for names, test in _definitions(tree, ()):
            nodeid = "::".join([file, *names])
            rows += [(argument, nodeid, _rule(test)) for argument in _arguments(test, marker)]
    return sorted(rows, key=lambda row: (not row[0].isdigit(), int(row[0]) if row[0].isdigit() else 0, row))


def _test_files(rootdir: Path, paths: list[str]) -> list[Path]:
    found: set[Path] = set()
    for name in paths or ["."]:
        place = rootdir / name.partition("::")[0]
        found |= {place} if place.is_file() else {file for glob in TEST_FILES for file in place.rglob(glob)}
    return sorted(found)


def _definitions(
    tree: ast.Module | ast.ClassDef, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield (*above, node.name), node
            yield from _definitions(node, (*above, node.name))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield (*above, node.name), node


def _arguments(test: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, marker: str) -> list[str]:
    return [
        str(argument.value)
        for decorator in test.decorator_list
        if isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func) in {f"pytest.mark.{marker}", f"mark.{marker}"}
        for argument in decorator.args
        if isinstance(argument, ast.Constant)
    ]


def _rule(test: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    text = " ".join((ast.get_docstring(test) or "").split("\n\n")[0].split())
    sentence, dot, _ = text.partition(". ")
    return sentence + "." if dot else text
