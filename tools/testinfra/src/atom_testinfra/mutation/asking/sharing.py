"""Whose entries of the product are whose: what a shared fixture enters belongs to every test that uses it."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from atom_testinfra.mutation.asking.reach import EntryCounts

STARTS = frozenset({"os.posix_spawn", "os.system", "subprocess.Popen"})
"""Events of the interpreter that say that another program is started. A fork is none: it has the product."""


class SharedEntries:
    """A plugin that tells what one test enters, with the fixtures that it shares with others."""

    def __init__(self, counts: EntryCounts) -> None:
        self._counts = counts
        self._open: list[Counter[str]] = [Counter()]
        """Entries of the test, then of each fixture that is being set up."""
        self._by_fixture: dict[tuple[str, Any], Counter[str]] = {}
        """Entries of fixtures that live longer than a test, by name and the node that they live in."""
        self._started: set[str] = set()
        self._is_watching = False

    def watch_processes(self) -> None:
        """Notice from now on when a program is started; an interpreter cannot forget such a hook."""
        self._is_watching = True
        sys.addaudithook(self._note_event)

    def _note_event(self, event: str, _: object) -> None:
        if self._is_watching and event in STARTS:
            self._started.add(event)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """Keep apart what a fixture enters that more than one test uses."""
        if request.scope == "function":
            return (yield)
        self._take()
        self._open.append(Counter())
        try:
            return (yield)
        finally:
            self._take()
            place = fixturedef.argname, request.node
            self._by_fixture.setdefault(place, Counter()).update(self._open.pop())

    def begin(self) -> None:
        """Forget what was entered outside of tests, and count from now on in forks as well."""
        self._counts.take()
        self._counts.follows_forks = True
        self._open = [Counter()]
        self._started.clear()

    def take(self, item: pytest.Item) -> dict[str, int]:
        """Return the blocks that a test entered since `begin`, with those of the fixtures that it shares."""
        self._take()
        self._counts.follows_forks = False
        entered, names, nodes = self._open[0], _fixture_names(item), item.listchain()
        for (name, node), blocks in self._by_fixture.items():
            if name in names and node in nodes:
                entered.update(blocks)
        self._open = [Counter()]
        return dict(entered)

    @property
    def has_started_processes(self) -> bool:
        """Whether another program was started since `begin`."""
        return bool(self._started)

    def forget_fixtures(self) -> None:
        """Count only what fixtures enter from now on."""
        self._by_fixture.clear()

    def _take(self) -> None:
        self._open[-1].update(self._counts.take())


def _fixture_names(item: pytest.Item) -> frozenset[str]:
    """Return the fixtures of a test, those included that it asked for while it ran."""
    request = getattr(item, "_request", None)
    return frozenset(getattr(item, "fixturenames", ())) | frozenset(getattr(request, "fixturenames", ()))
