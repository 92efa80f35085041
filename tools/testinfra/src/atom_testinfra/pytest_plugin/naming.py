"""The ids under which tests are recorded: relative to the project's root, whatever pytest calls its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.pytest_plugin.distribution import is_grouped, without_group

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PYPROJECT = "pyproject.toml"


class Naming:
    """
    Turns pytest's node ids into those of the records.

    pytest names a test relative to its rootdir, which follows the arguments, and a test outside of it
    relative to the argument itself. A record names a test relative to the project's root, so that it has one
    id, and one seed, however it was asked for.
    """

    def __init__(self, config: pytest.Config, root: str) -> None:
        self._rootpath = os.fspath(config.rootpath)
        self._roots = tuple(dict.fromkeys((os.path.normpath(root), os.path.realpath(root))))
        self._is_same = self._rootpath in self._roots
        self._is_grouped = is_grouped(config)
        self._files: dict[str, str] = {}
        """The file's part of pytest's node ids to that of ours, where they differ."""
        self._by_nodeid: dict[str, str] = {}
        self.current: tuple[str, str] | None = None
        """The ids of the running test, where pytest gives two tests the same one."""
        self.is_ambiguous = False
        self._parent: object = None
        """The parent of the test that `name` was asked about last."""
        self._file: tuple[str, str] | None = None
        """The file of that test: pytest's node id of it, and ours."""

    @property
    def root(self) -> str:
        """The folder that paths are relative to."""
        return self._roots[0]

    def __call__(self, nodeid: str) -> str:
        """Return the id under which the test of pytest's node id is recorded."""
        if self._is_grouped:
            nodeid = without_group(nodeid)
        if self._is_same and not self._files:
            return nodeid
        if self.current is not None and self.current[0] == nodeid:
            return self.current[1]
        return self._by_nodeid.get(nodeid) or self._translate(nodeid)

    def name(self, item: pytest.Item) -> str:
        """Return the id of a collected test: by the file that it was collected from."""
        nodeid = without_group(item.nodeid) if self._is_grouped else item.nodeid
        if item.parent is not self._parent:  # tests of one parent follow each other
            self._learn_file(item)
        if self._file is None or not nodeid.startswith(self._file[0]):
            return nodeid
        theirs, ours = self._file
        return ours + nodeid[len(theirs) :]

    def names(self, items: Sequence[pytest.Item], nodeids: list[str]) -> list[str]:
        """Return the ids of the collected tests, whose files `learn` has looked at."""
        return list(map(self.name, items)) if self._files or self._is_grouped else nodeids

    def _learn_file(self, item: pytest.Item) -> None:
        file = find_file(item)
        self._file = None if file is None else (file.nodeid, self.locate(file.path))
        # An item that is a file itself shares its parent, the folder, with other files.
        self._parent = None if isinstance(item, pytest.File) else item.parent

    def learn(self, items: Iterable[pytest.Item]) -> None:
        """Look at the files of the collected tests, each once."""
        seen: dict[str, str] = {}
        parent: object = None
        for item in items:
            if item.parent is parent:
                continue
            parent = item.parent
            file = find_file(item)
            if file is None:
                continue
            ours = self.locate(file.path)
            self.is_ambiguous |= seen.setdefault(file.nodeid, ours) != ours
            if ours != file.nodeid:
                self._files[file.nodeid] = ours
        if self._files:
            self._files = seen  # all of them, because one that differs makes every id be looked up

    @property
    def is_evident(self) -> bool:
        """Whether the ids follow from pytest's node ids, for a process that has not collected the tests."""
        return not self.is_ambiguous and all(
            self.locate(Path(self._rootpath, theirs)) == ours for theirs, ours in self._files.items()
        )

    def adopt(self, nodeids: Sequence[str], names: Sequence[str]) -> None:
        """Take over what a worker has found out about the tests it collected."""
        for nodeid, name in zip(nodeids, names, strict=True):
            self._by_nodeid.setdefault(without_group(nodeid) if self._is_grouped else nodeid, name)
            self._is_same = False

    def place(self, path: str) -> str:
        """Return a path that pytest has made relative to its rootdir, relative to the root."""
        is_inside = not path.startswith("..")
        return path if self._is_same and is_inside else self.locate(Path(self._rootpath, path))

    def _translate(self, nodeid: str) -> str:
        end = nodeid.find("::")
        while end >= 0:  # a folder's name may hold `::` as well
            if (ours := self._files.get(nodeid[:end])) is not None:
                return ours + nodeid[end:]
            end = nodeid.find("::", end + 2)
        path, separator, rest = nodeid.partition("::")
        return self.locate(Path(self._rootpath, path)) + separator + rest

    def locate(self, path: Path) -> str:
        """Return the path relative to the root; one outside of the root begins with `..`."""
        text = os.path.normpath(path)
        for root in self._roots:
            if text.startswith(os.path.join(root, "")):  # noqa: PTH118 (a Path of each costs more)
                return text[len(os.path.join(root, "")) :].replace(os.sep, "/")  # noqa: PTH118
        real = os.path.realpath(text)  # the root may have been reached through a symbolic link
        return os.path.relpath(real, self._roots[-1]).replace(os.sep, "/")


class CurrentTest:
    """Tells the naming which test runs, where pytest's node ids do not."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Note the test that begins."""
        self._naming.current = (item.nodeid, self._naming.name(item))


def find_root(config: pytest.Config) -> str:
    """
    Return the project's root for a run that no session has told: as `[tool.testinfra]` says, else pytest's.

    Raises:
        pytest.UsageError: The nearest pyproject.toml that mentions the table cannot be read.
    """
    start = config.invocation_params.dir
    for folder in (start, *start.parents):
        table = _read_table(folder / PYPROJECT)
        if table is not None:
            return os.path.normpath(folder / str(table.get("rootdir", ".")))
    return os.fspath(config.rootpath)


def _read_table(path: Path) -> dict[str, Any] | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if b"testinfra" not in data:
        return None
    import tomllib

    try:
        tool = tomllib.loads(data.decode("utf-8")).get("tool")
    except ValueError as exc:
        raise pytest.UsageError(f"cannot read {os.fspath(path)!r}: {exc}") from exc
    table = tool.get("testinfra") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


def find_file(node: Any) -> pytest.File | None:
    """Return the file that a test or a collector belongs to."""
    while node is not None and not isinstance(node, pytest.File):
        node = node.parent
    return node
