"""What the import statements of a file name."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def imported_names(path: str, tree: ast.Module) -> list[str]:
    """Return the modules that a file may import, each once; `path` is the file's, for relative imports."""
    found: dict[str, None] = {}
    for node in _walk_statements(tree.body):
        if isinstance(node, ast.Import):
            found |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            found |= dict.fromkeys([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return list(found)


def _walk_statements(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield statements at any depth, without their expressions."""
    for node in nodes:
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _walk_statements(getattr(node, name, ()))


def _absolute(path: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    folders = path.removesuffix(".py").removesuffix("/__init__").split("/")
    is_package = path.endswith("/__init__.py")
    parents = folders[: len(folders) - node.level + is_package]
    return ".".join([*parents, *([node.module] if node.module else [])])
