"""Which modules of the product import which, read from their sources."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atom_testinfra.mutation.operators.mutants import Module
    from atom_testinfra.mutation.states import OtherFile


class ImportGraph:
    """Who imports whom among the modules of the product, and which other files import them."""

    def __init__(self, modules: Mapping[str, Module], others: Mapping[str, OtherFile]) -> None:
        """`others` are the tests and what belongs to them, by their names in node ids."""
        self._modules = modules
        self._others = others
        self._known: dict[str, frozenset[str]] = {}
        self._known_files: dict[str, frozenset[str]] = {}

    @cached_property
    def _direct(self) -> dict[str, frozenset[str]]:
        modules = _by_ending(self._modules)
        return {path: _find(module.imports, modules) for path, module in self._modules.items()}

    @cached_property
    def _direct_of_others(self) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
        """For each other file the modules of the product that it imports, and the other files."""
        found = {}
        modules, others = _by_ending(self._modules), _by_ending(self._others)
        for name, file in self._others.items():
            imports = file.imports
            found[name] = _find(imports, modules), _find(imports, others)
        return found

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

    def files_importing(self, path: str) -> frozenset[str]:
        """
        Return the files of tests that import a module, directly or by way of others.

        What a conftest.py imports, all tests below its folder import.
        """
        if path not in self._known_files:
            modules = self.importers_of(path)
            found = {name for name, (product, _) in self._direct_of_others.items() if product & modules}
            while more := {
                name
                for name, (_, others) in self._direct_of_others.items()
                if name not in found and (others & found or _conftests_of(name) & found)
            }:
                found |= more
            self._known_files[path] = frozenset(found)
        return self._known_files[path]


@cache
def _conftests_of(name: str) -> frozenset[str]:
    """Return the names that a conftest.py above a file has."""
    return frozenset((folder / "conftest.py").as_posix() for folder in PurePosixPath(name).parents)


def _find(imports: Iterable[str], by_ending: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Return the files that import statements name."""
    return frozenset(path for name in imports for path in by_ending.get(name.replace(".", "/"), ()))


def _by_ending(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the paths by each name that they may be imported as: `src/shop/cart.py` also as `shop/cart`."""
    found: dict[str, list[str]] = {}
    for path in paths:
        parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
        for start in range(len(parts)):
            found.setdefault("/".join(parts[start:]), []).append(path)
    return found
