"""Which modules of the product import which, read from their sources."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from atom_testinfra.mutation.mutants import Module


class ImportGraph:
    """Who imports whom among the modules of the product."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._direct = {
            path: frozenset(_imported_paths(path, module, modules)) for path, module in modules.items()
        }
        self._known: dict[str, frozenset[str]] = {}

    def importers_of(self, path: str) -> frozenset[str]:
        """Return the modules that import one, directly or by way of others, and the module itself."""
        if path not in self._known:
            found = {path}
            while more := {
                other for other, imported in self._direct.items() if other not in found and imported & found
            }:
                found |= more
            self._known[path] = frozenset(found)
        return self._known[path]


def _imported_paths(path: str, module: Module, modules: Mapping[str, Module]) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _find(alias.name, modules)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            yield from _find(base, modules)
            for alias in node.names:
                yield from _find(f"{base}.{alias.name}", modules)


def _absolute(path: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    folders = path.removesuffix(".py").removesuffix("/__init__").split("/")
    is_package = path.endswith("/__init__.py")
    parents = folders[: len(folders) - node.level + is_package]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _find(name: str, modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield the modules whose path ends like a dotted name."""
    tail = name.replace(".", "/")
    if not tail:
        return
    for path in modules:
        stem = path.removesuffix(".py").removesuffix("/__init__")
        if stem == tail or stem.endswith(f"/{tail}"):
            yield path
