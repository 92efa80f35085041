"""Whose entries of the product are whose: what a shared fixture enters belongs to every test that uses it."""

from __future__ import annotations

import mmap
import os
import sys
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.mutation.asking.copies import find_shared_things

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from atom_testinfra.mutation.asking.reach import EntryCounts

STARTS = frozenset({"os.exec", "os.posix_spawn", "os.system", "subprocess.Popen"})
"""Audit events of Python when another program starts. A fork runs the product as it is, so it is not one."""
NO_PRODUCT = "multiprocessing.resource_tracker"
"""A program of Python's own that shared memory needs; nothing of the product runs in it."""


class SharedEntries:
    """A plugin that tells what one test enters, with the fixtures that it shares with others."""

    def __init__(self, counts: EntryCounts) -> None:
        self._counts = counts
        self._open: list[Counter[str]] = [Counter()]
        """Entries of the test, then of each fixture that is being set up."""
        self._by_fixture: dict[tuple[str, Any], Counter[str]] = {}
        """Entries of fixtures that live longer than a test, by name and the node that they live in."""
        self._holding: set[tuple[str, Any]] = set()
        """Fixtures that started a thread or opened a connection when they were set up."""
        self._has_started = mmap.mmap(-1, 1)
        """One byte that forks share: a fork may start the program."""
        self._is_watching = False

    def watch_programs(self) -> None:
        """Notice from now on when a program is started; call it once, because the hook cannot be removed."""
        self._is_watching = True
        sys.addaudithook(self._note_event)
        if find_spec("_posixsubprocess") is not None:
            self._watch_multiprocessing()

    def _note_event(self, event: str, _: object) -> None:
        if self._is_watching and event in STARTS:
            self._has_started[0] = True

    def _watch_multiprocessing(self) -> None:
        """Notice what it spawns: it calls a function of CPython's that raises no audit event."""
        module: Any = import_module("_posixsubprocess")
        fork_exec = module.fork_exec

        def noticed(arguments: Sequence[str | bytes], *rest: object) -> object:
            if not any(NO_PRODUCT in os.fsdecode(argument) for argument in arguments):
                self._has_started[0] = True
            return fork_exec(arguments, *rest)

        module.fork_exec = noticed

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """Keep apart what a fixture enters that more than one test uses."""
        if request.scope == "function":
            return (yield)
        self._take()
        self._open.append(Counter())
        place, before = (fixturedef.argname, request.node), find_shared_things()
        try:
            return (yield)
        finally:
            self._take()
            self._by_fixture.setdefault(place, Counter()).update(self._open.pop())
            if not find_shared_things() <= before:
                self._holding.add(place)

    def begin(self) -> None:
        """Forget what was entered outside of tests, and count from now on in forks as well."""
        self._counts.take()
        self._counts.follows_forks = True
        self._open = [Counter()]
        self._has_started[0] = False

    def take(self, item: pytest.Item) -> dict[str, int]:
        """Return the blocks that a test entered since `begin`, with those of the fixtures that it shares."""
        self._take()
        self._counts.follows_forks = False
        entered = self._open[0]
        for place in _shared_by(item, self._by_fixture):
            entered.update(self._by_fixture[place])
        self._open = [Counter()]
        return dict(entered)

    def shares_things(self, item: pytest.Item) -> bool:
        """Return whether a test uses a fixture that started a thread or opened a connection."""
        return bool(_shared_by(item, self._holding))

    @property
    def has_started_programs(self) -> bool:
        """Whether another program was started since `begin`."""
        return bool(self._has_started[0])

    def forget_fixtures(self) -> None:
        """Count only what fixtures enter from now on."""
        self._by_fixture.clear()

    def _take(self) -> None:
        self._open[-1].update(self._counts.take())


def _shared_by(item: pytest.Item, places: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return those of the fixtures, by name and the node that they live in, that a test uses."""
    names, nodes = _fixture_names(item), item.listchain()
    return [(name, node) for name, node in places if name in names and node in nodes]


def _fixture_names(item: pytest.Item) -> frozenset[str]:
    """Return the fixtures of a test, those included that it asked for while it ran."""
    request = getattr(item, "_request", None)
    return frozenset(getattr(item, "fixturenames", ())) | frozenset(getattr(request, "fixturenames", ()))
