"""What pytest's settings and the test files of a project say before anything is run."""

from __future__ import annotations

import ast
import configparser
import os
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.advice.diagnosis import Pinned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SKIPPED_FOLDERS = frozenset({"node_modules", "build", "dist", "venv", "site-packages", "__pycache__"})

OWN_SETTINGS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
"""Files that hold nothing but pytest's settings, in the order in which pytest looks at them."""
SETTINGS = (*OWN_SETTINGS, "pyproject.toml", "tox.ini", "setup.cfg")
"""All files that may hold pytest's settings."""


class Sources(Struct, frozen=True, kw_only=True):
    """What the test files say about their own settings."""

    pins: list[Pinned]
    profile_loads: list[str]
    """`path:line` of each place outside of a conftest that loads a Hypothesis profile."""
    unreadable: list[str]


def read_pytest_options(folder: Path, environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the options that every pytest run in a folder gets, by where they are written."""
    sources = {}
    if environ.get("PYTEST_ADDOPTS"):
        sources["PYTEST_ADDOPTS"] = _split(environ["PYTEST_ADDOPTS"])
    for parent in (folder, *folder.parents):
        found = [(path, options) for path, options in _read_settings(parent) if options is not None]
        if found:
            path, options = found[0]
            sources[path.name] = options
            break
    return {place: options for place, options in sources.items() if options}


def scan_tests(folder: Path) -> Sources:
    """Return the pins and profile loads written in the test files below a folder."""
    pins: list[Pinned] = []
    loads: list[str] = []
    unreadable: list[str] = []
    for path in _test_files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            tree = ast.parse(path.read_bytes(), name)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            unreadable.append(name)
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            match _called(node):
                case "settings":
                    pins += [
                        Pinned(path=name, line=node.lineno, max_examples=n) for n in _pinned_numbers(node)
                    ]
                case "load_profile" if path.name != "conftest.py":
                    loads.append(f"{name}:{node.lineno}")
    return Sources(pins=pins, profile_loads=loads, unreadable=unreadable)


def _read_settings(folder: Path) -> Iterator[tuple[Path, list[str] | None]]:
    """Yield the files that may hold pytest's settings in the order in which pytest looks at them."""
    for name in OWN_SETTINGS:
        path = folder / name
        if path.is_file():
            yield path, (_read_toml if name.endswith("toml") else _read_ini)(path, "pytest") or []
    yield folder / "pyproject.toml", _read_toml(folder / "pyproject.toml", "tool", "pytest")
    yield folder / "tox.ini", _read_ini(folder / "tox.ini", "pytest")
    yield folder / "setup.cfg", _read_ini(folder / "setup.cfg", "tool:pytest")


def _read_toml(path: Path, *keys: str) -> list[str] | None:
    """Return `addopts`, or `None` when the file has no settings for pytest."""
    try:
        table: object = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None  # pytest itself will say so
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        return None
    settings = table.get("ini_options", table)
    addopts = settings.get("addopts", []) if isinstance(settings, dict) else []
    if isinstance(addopts, list):
        return [str(option) for option in addopts]
    return _split(addopts) if isinstance(addopts, str) else []


def _read_ini(path: Path, section: str) -> list[str] | None:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return None  # pytest itself will say so
    return _split(parser.get(section, "addopts", fallback="")) if parser.has_section(section) else None


def _split(options: str) -> list[str]:
    try:
        return shlex.split(options)
    except ValueError:
        return options.split()


def _test_files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in SKIPPED_FOLDERS)
        for name in sorted(files):
            is_test = name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
            if name.endswith(".py") and (is_test or "test" in os.path.basename(parent)):  # noqa: PTH119
                yield Path(parent, name)


def _called(node: ast.Call) -> str | None:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def _pinned_numbers(node: ast.Call) -> Iterator[int]:
    """Yield the literal `max_examples` of a settings object; a computed one may follow the profile."""
    for keyword in node.keywords:
        match keyword:
            case ast.keyword(arg="max_examples", value=ast.Constant(value=int(number))):
                yield number
