"""What is product: the import packages of the project itself, never its tests and nothing installed."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from atom_testinfra.core.errors import ConfigError
from atom_testinfra.core.mutants import combine_digests
from atom_testinfra.mutation.operators.mutants import Module
from atom_testinfra.storage.known_files import KnownFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOT_PRODUCT = frozenset(
    {
        "test",
        "tests",
        "testing",
        "doc",
        "docs",
        "example",
        "examples",
        "benchmark",
        "benchmarks",
        "script",
        "scripts",
        "tool",
        "tools",
        "build",
        "dist",
        "node_modules",
        "venv",
        "env",
        "site-packages",
    }
)
"""Folders beside the product; a `src` folder has none of them."""
TEST_FOLDERS = frozenset({"test", "tests"})
"""Folders inside of the product that hold tests."""
NOT_MODULES = frozenset({"setup.py", "conftest.py", "noxfile.py", "tasks.py", "manage.py"})


class Product:
    """The files of the product, and their names as modules."""

    def __init__(self, root: Path, places: Sequence[Path], known: Path | None = None) -> None:
        """
        `root` is the project's; `places` are packages (folders) and modules (files) of the product.

        `known` is the file that keeps what was found in source files; it need not exist.
        """
        self.root = root
        self.known = KnownFiles(known, _name_finder())
        self.places = [place.resolve() for place in places]
        self.files = sorted({path for place in self.places for path in _python_files(place)})

    def relative(self, path: Path) -> str:
        """Return how a file is called from the project's root, with forward slashes."""
        return os.path.relpath(path, self.root).replace(os.sep, "/")

    def read(self, path: Path) -> Module:
        """
        Parse a file of the product.

        Raises:
            ConfigError: It is not valid Python, or not text.
        """
        try:
            text = path.read_text(encoding="utf-8")
            name = self.relative(path)
            return Module(name, text, self.known.of(name, combine_digests([text])))
        except (SyntaxError, UnicodeDecodeError, ValueError) as exc:
            raise ConfigError(
                f"{self.relative(path)!r} belongs to the product and cannot be parsed: {exc}",
                hint="mend the file, or set product = [...] in [tool.testinfra] without it",
            ) from exc


def find_product(root: Path, rootdir: Path, configured: Sequence[str], known: Path | None = None) -> Product:
    """
    Return the product of a project.

    The setting `product` names it; without one it is what lies below `src/`, else the packages and modules
    beside the project's tests. `known` is the file that keeps what was found in source files.

    Raises:
        ConfigError: The setting names nothing that exists, or no product was found.
    """
    if configured:
        places = [root / name for name in configured]
        for name, place in zip(configured, places, strict=True):
            if not place.exists():
                raise ConfigError(f"product: there is no {name!r} in {os.fspath(root)!r}")
        return Product(root, places, known)
    for folder in dict.fromkeys((rootdir, root)):
        places = list(_packages(folder / "src")) or [
            place for place in _packages(folder) if place.name not in NOT_PRODUCT
        ]
        if places:
            return Product(root, places, known)
    raise ConfigError(
        f"found no Python package or module in {os.fspath(root)!r} that is not a test",
        hint='name it: product = ["src/NAME"] in [tool.testinfra]',
    )


def digest_file(path: Path) -> str:
    """Return a digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _name_finder() -> str:
    """Return a name of the code that finds things in source files, and of the Python that it runs on."""
    package = Path(__file__).parents[1]
    own = [package / "core/mutants.py", *sorted((package / "mutation/operators").glob("*.py"))]
    return combine_digests([sys.version, *map(digest_file, own)])


def _packages(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        is_package = path.is_dir() and (path / "__init__.py").is_file()
        is_module = path.suffix == ".py" and path.name not in NOT_MODULES and not _is_test(path.name)
        if is_package or is_module:
            yield path


def _python_files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    for path in place.rglob("*.py"):
        inside = path.relative_to(place)
        if not _is_test(path.name) and TEST_FOLDERS.isdisjoint(inside.parts[:-1]):
            yield path


def _is_test(name: str) -> bool:
    return name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
