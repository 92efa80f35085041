"""What a test enters, and whether it does so again: shared fixtures and results that are kept."""

from __future__ import annotations

import _posixsubprocess
import builtins
import multiprocessing
import os
import sys
import threading
from multiprocessing.shared_memory import SharedMemory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.mutation.asking.reach import NOTE, EntryCounts
from atom_testinfra.mutation.asking.repeats import find_rests
from atom_testinfra.mutation.asking.sharing import SharedEntries
from atom_testinfra.mutation.imports import ImportGraph
from atom_testinfra.mutation.operators.mutants import Module
from atom_testinfra.mutation.states import OtherFile
from atom_testinfra.storage.known_files import KnownFile

if TYPE_CHECKING:
    from pathlib import Path


class Counts(EntryCounts):
    """Counts that a test adds to by name."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: dict[str, int] = {}

    def enter(self, block: str) -> None:
        self.pending[block] = self.pending.get(block, 0) + 1

    def take(self) -> dict[str, int]:
        taken, self.pending = self.pending, {}
        return taken


SESSION, MODULE = object(), object()


def item_with(*names: str) -> Any:
    return SimpleNamespace(fixturenames=names, listchain=lambda: [SESSION, MODULE])


def set_up(entries: SharedEntries, name: str, scope: str, node: object, body: Any) -> None:
    """Set a fixture up as pytest does."""
    request = SimpleNamespace(scope=scope, node=node)
    setup = entries.pytest_fixture_setup(SimpleNamespace(argname=name), request)
    next(setup)
    body()
    try:
        setup.send(None)
    except StopIteration:
        return


def test_what_a_shared_fixture_enters_belongs_to_each_test_that_uses_it() -> None:
    """Only the first of them ran it, and a fault there may be noticed by any."""
    counts = Counts()
    entries = SharedEntries(counts)
    entries.begin()
    set_up(entries, "table", "session", SESSION, lambda: counts.enter("shop:make#0"))
    counts.enter("shop:first#0")
    assert entries.take(item_with("table")) == {"shop:make#0": 1, "shop:first#0": 1}
    counts.enter("shop:second#0")
    assert entries.take(item_with("table")) == {"shop:make#0": 1, "shop:second#0": 1}
    counts.enter("shop:third#0")
    assert entries.take(item_with("other")) == {"shop:third#0": 1}


def test_a_fixture_of_one_test_is_its_own() -> None:
    """It is set up again for the next test, which then enters the same by itself."""
    counts = Counts()
    entries = SharedEntries(counts)
    entries.begin()
    set_up(entries, "cart", "function", MODULE, lambda: counts.enter("shop:make#0"))
    assert entries.take(item_with("cart")) == {"shop:make#0": 1}
    assert entries.take(item_with("cart")) == {}


def test_a_fixture_that_another_one_asks_for_is_counted_apart() -> None:
    """The inner one is the inner one's, however deep the request was."""
    counts = Counts()
    entries = SharedEntries(counts)
    entries.begin()

    def outer() -> None:
        counts.enter("shop:outer#0")
        set_up(entries, "inner", "session", SESSION, lambda: counts.enter("shop:inner#0"))
        counts.enter("shop:outer#0")

    set_up(entries, "outer", "module", MODULE, outer)
    assert entries.take(item_with("outer", "inner")) == {"shop:outer#0": 2, "shop:inner#0": 1}
    assert entries.take(item_with("inner")) == {"shop:inner#0": 1}


def test_a_fixture_that_starts_a_thread_is_known_by_its_users() -> None:
    """Only the first test that uses it sees the thread start, but the thread then runs for all of them."""
    entries = SharedEntries(Counts())
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    entries.begin()
    set_up(entries, "table", "session", SESSION, lambda: None)
    set_up(entries, "server", "module", MODULE, thread.start)
    end.set()
    thread.join()
    assert not entries.shares_things(item_with("table"))
    assert entries.shares_things(item_with("table", "server"))
    elsewhere: Any = SimpleNamespace(fixturenames=("table", "server"), listchain=lambda: [SESSION])
    assert not entries.shares_things(elsewhere)


def test_a_function_whose_result_is_kept_is_found() -> None:
    """It is entered less than half as often when the test runs again."""
    before = {"shop:price#0": 4, "shop:price#1": 1, "shop:rate#0": 3, "shop:total#0": 2}
    again = {"shop:price#0": 4, "shop:rate#0": 2, "shop:total#0": 5}
    assert find_rests(before, again) == ["shop:price"]
    assert find_rests(before, before) == []


def test_tests_that_read_a_module_without_entering_it_are_found(tmp_path: Path) -> None:
    """By their own imports, those of what they import, and those of a conftest.py above them."""
    sources = {
        "tests/test_direct.py": "from shop import prices",
        "tests/test_helped.py": "from helpers import price",
        "tests/helpers.py": "import shop.prices",
        "tests/test_other.py": "import json",
        "tests/api/conftest.py": "import shop.cart",
        "tests/api/test_api.py": "",
    }
    others = {}
    for name, text in sources.items():
        path = tmp_path / name.replace("/", "-")
        path.write_text(text, encoding="utf-8")
        others[name] = OtherFile(path, name, KnownFile())
    modules = {
        "src/shop/prices.py": Module("src/shop/prices.py", "LIMIT = 3"),
        "src/shop/cart.py": Module("src/shop/cart.py", "from shop import prices"),
    }
    graph = ImportGraph(modules, others)
    assert graph.files_importing("src/shop/prices.py") == sources.keys() - {"tests/test_other.py"}
    assert graph.files_importing("src/shop/cart.py") == {"tests/api/conftest.py", "tests/api/test_api.py"}


def test_counting_blocks_is_not_seen_by_a_tracing_test() -> None:
    """A test that traces or profiles calls sees those of the product alone."""
    counts = EntryCounts()
    module = Module("shop.py", "def price(n):\n    if n:\n        return 2\n    return 1\n")
    space: dict[str, Any] = {NOTE: counts.counts}
    exec(counts.compile(module, "shop.py"), space)
    events: list[tuple[str, str]] = []
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: events.append((event, frame.f_code.co_name)))
    try:
        space["price"](1)
    finally:
        sys.setprofile(before)
    assert [event for event in events if event[0] == "call"] == [("call", "price")]
    assert ("c_call", "price") not in events
    assert counts.take() == {"shop.py:price#0": 1, "shop.py:price#1": 1}
    assert counts.take() == {}


def test_what_a_fork_of_a_test_enters_is_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it runs on or ends at once; a fork outside of tests counts for nobody."""
    monkeypatch.setattr(builtins, NOTE, [], raising=False)
    counts = EntryCounts()
    counts.install()
    entries = SharedEntries(counts)
    space: dict[str, Any] = {}
    exec(counts.compile(Module("shop.py", "def price(n):\n    return n\n"), "shop.py"), space)

    def fork(times: int) -> None:
        if (pid := os.fork()) == 0:
            for number in range(times):
                space["price"](number)
            os._exit(0)
        os.waitpid(pid, 0)

    entries.begin()
    fork(2)
    space["price"](0)
    fork(3)
    assert entries.take(item_with()) == {"shop.py:price#0": 6}
    fork(1)
    entries.begin()
    assert entries.take(item_with()) == {}


def test_what_multiprocessing_spawns_is_a_program() -> None:
    """A process that is spawned imports the product anew; the tracker of shared memory has none of it."""
    entries = SharedEntries(Counts())
    before = _posixsubprocess.fork_exec
    entries.watch_programs()
    found = []
    try:
        for is_program in (False, True):
            entries.begin()
            if is_program:
                process = multiprocessing.get_context("spawn").Process(target=abs, args=(1,))
                process.start()
                process.join()
            else:
                shared = SharedMemory(create=True, size=1)
                shared.close()
                shared.unlink()
            entries.take(item_with())
            found.append(entries.has_started_programs)
    finally:
        _posixsubprocess.fork_exec = before
    assert found == [False, True]


def test_a_program_that_a_fork_becomes_is_a_program() -> None:
    """The fork itself has the product; what replaces it does not."""
    entries = SharedEntries(Counts())
    entries.watch_programs()
    found = []
    for is_program in (False, True):
        entries.begin()
        if (pid := os.fork()) == 0:
            if is_program:
                os.execv(sys.executable, [sys.executable, "-S", "-c", ""])
            os._exit(0)
        os.waitpid(pid, 0)
        entries.take(item_with())
        found.append(entries.has_started_programs)
    assert found == [False, True]
