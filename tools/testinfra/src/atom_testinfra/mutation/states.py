"""What a verdict rests on: the source of the tests that were asked, and of everything that they enter."""

from __future__ import annotations

import ast
import sys
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from atom_testinfra.core.mutants import combine_digests
from atom_testinfra.mutation.operators.imported import imported_names
from atom_testinfra.mutation.product import digest_file
from atom_testinfra.storage.sources import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from atom_testinfra.core.mutants import Reach
    from atom_testinfra.mutation.operators.mutants import Module
    from atom_testinfra.mutation.product import Product
    from atom_testinfra.storage.known_files import KnownFile

SKIPPED = frozenset({"node_modules", "site-packages", "__pycache__", "build", "dist"})


class OtherFile(NamedTuple):
    """A file that is not product, such as one of tests."""

    path: Path
    name: str
    known: KnownFile

    @property
    def imports(self) -> list[str]:
        """What its import statements name, with dots; nothing where it cannot be parsed."""
        if self.known.imports is None:
            try:
                self.known.imports = imported_names(self.name, ast.parse(self.path.read_bytes()))
            except (SyntaxError, ValueError):  # pytest says so when it collects the file
                self.known.imports = []
        return self.known.imports


class States:
    """Digests of the working tree as it is now."""

    def __init__(self, product: Product, modules: dict[str, Module], rootdir: Path) -> None:
        self._modules = modules
        self._rootdir = rootdir
        self._functions: dict[str, tuple[str, str]] = {}
        owned = set(product.files)
        self.test_files: dict[str, str] = {}
        """Digest of each file that looks like one of tests, by its path from where pytest runs."""
        support: list[str] = []
        self.files: dict[str, OtherFile] = {}
        """Every file that is not product, by its path from where pytest runs."""
        for path in sorted(_python_files(rootdir)):
            if path.resolve() in owned:
                continue
            name, digest = path.relative_to(rootdir).as_posix(), digest_file(path)
            self.files[name] = OtherFile(path, name, product.known.of(name, digest))
            if path.name.startswith("test_") or path.name.endswith("_test.py"):
                self.test_files[name] = digest
            else:
                support.append(f"{name} {digest}")
        present = [name for name in SETTINGS if (rootdir / name).is_file()]
        support += [f"{name} {digest_file(rootdir / name)}" for name in present]
        support += [f"Python {sys.version_info[:2]}", f"Hypothesis {hypothesis_version()}"]
        self.support = combine_digests(support)
        """One digest of what all tests share: conftest files, helpers, settings of pytest, two versions."""

    def of_file(self, name: str) -> str:
        """Return the digest of a test file; nothing where it is gone."""
        if name not in self.test_files:
            path = self._rootdir / name
            self.test_files[name] = digest_file(path) if path.is_file() else ""
        return self.test_files[name]

    def of_test(self, reach: Reach) -> str:
        """Return the state of a test: of its file, of what tests share, of each function that it enters."""
        parts = [self.support, self.of_file(reach.nodeid.split("::")[0])]
        last = ""
        for path, name in sorted({self._function_of(block) for block in reach.blocks}):
            digests = self._modules[path].functions if path in self._modules else {}
            if path != last:
                parts += [path, digests.get("", "gone")]
                last = path
            parts.append(f"{name} {digests.get(name, 'gone')}")
        return combine_digests(parts)

    def _function_of(self, block: str) -> tuple[str, str]:
        """Return the module and the function that a block is in."""
        if block not in self._functions:
            path, _, key = block.partition(":")
            self._functions[block] = path, key.rpartition("#")[0]
        return self._functions[block]

    def of_failing(self, nodeid: str) -> str:
        """Return the state of a test that fails. Nobody knows what it enters, so the whole product counts."""
        return combine_digests([self.support, self.of_file(nodeid.split("::")[0]), self._product])

    @cached_property
    def _product(self) -> str:
        """One digest of the whole product."""
        return combine_digests(
            f"{path} {name} {digest}"
            for path, module in sorted(self._modules.items())
            for name, digest in sorted(module.functions.items())
        )

    def of_finding(self, id_: str, states: Iterable[str]) -> str:
        """Return the state of a verdict, from the states of the tests that it rests on."""
        return combine_digests([id_, *sorted(states)])


def hypothesis_version() -> str:
    """Return the version of Hypothesis that is installed."""
    return version("hypothesis")


def _python_files(folder: Path) -> Iterable[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if (
                not path.name.startswith(".")
                and path.name not in SKIPPED
                and not (path / "pyvenv.cfg").exists()
            ):
                yield from _python_files(path)
        elif path.suffix == ".py":
            yield path
