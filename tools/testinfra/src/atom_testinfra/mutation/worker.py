"""The process that collects the tests once and asks them about one mutant after the other, each in a copy."""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from atom_testinfra.core.mutants import MutantVerdict, Reach
from atom_testinfra.mutation.asking import Asker, KnownCost
from atom_testinfra.mutation.copies import Copies
from atom_testinfra.mutation.loading import Importer
from atom_testinfra.mutation.mutants import Module
from atom_testinfra.mutation.orders import Fact, Orders
from atom_testinfra.mutation.reach import NOTE, EntryCounts
from atom_testinfra.mutation.replay import Replay
from atom_testinfra.mutation.rounds import Round, describe_end
from atom_testinfra.mutation.written import apply_written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType

    from atom_testinfra.core.mutants import Mutant
    from atom_testinfra.mutation.copies import Question, Say

BEFORE_FAILURES = ("hypothesis.extra._patching",)
"""Modules that a failing property imports: each copy would import them again."""
RECORDING_WALL_S = 24 * 3600.0


class Worker:
    """A plugin in the place of pytest's loop over the tests."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._files = {
            os.path.relpath(file, orders.root).replace(os.sep, "/"): file for file in orders.product
        }
        self._counts = EntryCounts()
        self._modules: dict[str, Module] = {}
        self.asker = Asker(Replay())
        self._broken_files: list[str] = []
        self._is_taken = False
        self.early: frozenset[str] = frozenset()
        """Blocks that were entered while the tests were collected: a mutant there has been used already."""
        self._events = os.dup(orders.events)

    def say(self, fact: Fact, **values: Any) -> None:
        """Write one line to the session."""
        os.write(self._events, msgspec.json.encode({"fact": fact, **values}) + b"\n")

    def compile_file(self, filename: str) -> CodeType | None:
        """Return the code of a file of the product: with the mutant in it, or counting its blocks."""
        relative = os.path.relpath(filename, self._orders.root).replace(os.sep, "/")
        if filename not in self._files.values():
            return None
        module = self._read(relative, filename)
        if self._orders.is_fresh:
            mutant = self._orders.mutants[0]
            return module.compile(mutant, filename) if mutant.path == relative else None
        return self._counts.compile(module, filename)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Keep the tests in this process and to their own numbers, whatever the project's options say."""
        own: tuple[tuple[str, object], ...] = (
            ("numprocesses", None),
            ("dist", "no"),
            ("tx", []),
            ("testinfra_time", "none"),
        )
        for name, value in own:
            if hasattr(config.option, name):
                setattr(config.option, name, value)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected."""
        if report.failed:
            self._broken_files.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Ask the tests instead of running them."""
        self._is_taken = True
        self.asker.take(session)
        if self._orders.is_fresh:
            self._ask_fresh()
            return True
        self.say(Fact.COLLECTED, n=len(session.items), broken=self._broken_files)
        if not self._broken_files:
            self._serve()
        return True

    def finish(self, status: int) -> None:
        """Say that pytest never came to its tests."""
        if not self._is_taken:
            self.say(Fact.FAILED, status=status, broken=self._broken_files)

    def _serve(self) -> None:
        """
        Run the unchanged tests once, and ask about the mutants from the warmest process that can be copied.

        Best is the one in which all tests ran: whatever they build once is there. One that holds threads or
        connections cannot be copied; then one in which only tests ran that start neither; else this one.
        """
        for name in BEFORE_FAILURES:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        self.asker.replay.check()
        self.early = frozenset(self._counts.take())
        recorded = self._try(lambda say: self._record_and_ask(say))
        if recorded is None:
            return
        reaches = [msgspec.convert(said["reach"], Reach) for said in recorded if "reach" in said]
        clean = [said["clean"] for said in recorded if "clean" in said]
        for said in recorded:
            if "choices" in said:
                self.asker.replay.take(said["nodeid"], said["choices"])
        tainted: set[str] = set()
        while warm := [
            nodeid for nodeid in choose_warm_tests(reaches, clean) if nodeid.split("::")[0] not in tainted
        ]:
            answer = self._try(partial(self._warm_and_ask, warm, reaches))
            if answer is None:
                return
            tainted.add(answer[-1]["tainted"].split("::")[0])
        self._ask_all(reaches, reason=recorded[-1]["shared"])

    def _try(self, question: Question) -> list[dict[str, Any]] | None:
        """Let a copy of this process ask; return what it said where it cannot be copied itself."""
        copies = Copies(1)
        copies.start_unlimited(question)
        copy, status = copies.wait_for_one()
        if any("shared" in said for said in copy.said):
            return copy.said
        if not any("done" in said for said in copy.said):
            trouble = next(
                (said["trouble"] for said in copy.said if "trouble" in said), f"wait status {status}"
            )
            self.say(Fact.FAILED, trouble=trouble)
        return None

    def _record_and_ask(self, say: Say) -> None:
        reaches = self._record(say)
        if shared := find_shared_things():
            say({"shared": ", ".join(sorted(shared))})
            return
        self._ask_all(reaches, reason=None)
        say({"done": True})

    def _warm_and_ask(self, tests: Sequence[str], reaches: list[Reach], say: Say) -> None:
        """Run tests unchanged, then ask; stop at the first that starts a thread or opens a connection."""
        for nodeid in tests:
            self.asker.run(nodeid)
            if shared := find_shared_things():
                say({"shared": ", ".join(sorted(shared)), "tainted": nodeid})
                return
        self._counts.take()
        self._ask_all(reaches, reason=None)
        say({"done": True})

    def _record(self, say: Say) -> list[Reach]:
        """Run the unchanged tests once: what each enters, what it costs, and its choices."""
        orders, asker = self._orders, self.asker
        wanted = set(orders.run_tests)
        files = None if orders.run_files is None else set(orders.run_files)
        chosen = [
            nodeid
            for nodeid in asker.items
            if files is None or nodeid in wanted or nodeid.split("::")[0] in files
        ]
        reaches = []
        shared = find_shared_things()
        for number, nodeid in enumerate(chosen):
            following = chosen[number + 1] if number + 1 < len(chosen) else None
            began = time.process_time()
            with asker.replay.recording(nodeid):
                raised = asker.run(nodeid, following)
            cpu_s = time.process_time() - began
            blocks = self._counts.take()
            if raised is not None:
                error = raised if isinstance(raised, str) else f"{type(raised).__name__}: {raised}"
                self.say(Fact.RAN, nodeid=nodeid, number=number + 1, of=len(chosen), error=error[:300])
                continue
            reach = Reach(nodeid=nodeid, cpu_s=cpu_s, is_property=nodeid in asker.properties, blocks=blocks)
            reaches.append(reach)
            say({"reach": msgspec.to_builtins(reach)})
            if reach.is_property:
                say({"nodeid": nodeid, "choices": asker.replay.give(nodeid)})
            before, shared = shared, find_shared_things()
            if shared <= before:
                say({"clean": nodeid})
            self.say(Fact.RAN, nodeid=nodeid, number=number + 1, of=len(chosen), reach=reach)
        return reaches

    def _ask_all(self, reaches: Sequence[Reach], *, reason: str | None) -> None:
        """Ask about every mutant, in copies of this process."""
        orders = self._orders
        known = {reach.nodeid: reach for reach in orders.reaches if reach.nodeid in self.asker.items}
        known |= {reach.nodeid: reach for reach in reaches}
        self.say(
            Fact.READY,
            n_tests=len(known),
            cold=reason,
            no_replay=self.asker.replay.problem,
            early=sorted(self.early),
        )
        asking = Round(self, list(known.values()))
        ask = asking.ask_each_property if orders.is_each_property else asking.ask
        ask(orders.mutants, orders.n_jobs, orders.ends_at)
        self.say(Fact.DONE)

    @property
    def product_files(self) -> list[str]:
        """The product's files, as code objects name them."""
        return list(self._files.values())

    def module_of(self, mutant: Mutant) -> tuple[Module, str]:
        """Return the module that a mutant changes, and its file."""
        filename = self._files[mutant.path]
        return self._read(mutant.path, filename), filename

    def _read(self, path: str, filename: str) -> Module:
        """Return a module of the product, parsed once, with the faults that were written down for it."""
        if path not in self._modules:
            module = Module(path, Path(filename).read_text(encoding="utf-8"))
            apply_written([fault for fault in self._orders.faults if fault.path == path], {path: module})
            self._modules[path] = module
        return self._modules[path]

    def _ask_fresh(self) -> None:
        """Ask the tests in this process, which imported the product with the mutant in it."""
        orders = self._orders
        if self._broken_files:
            error = f"{self._broken_files[0]} could not be collected"
            self.say(Fact.VERDICT, verdict=MutantVerdict.EXCEPTION, error=error, n_run=0)
            return
        tests = [
            KnownCost(nodeid, orders.costs.get(nodeid, 1.0))
            for nodeid in orders.tests
            if nodeid in self.asker.items
        ]
        copies = Copies(1)
        copies.start(lambda say: self.asker.ask(tests, say), wall_s=RECORDING_WALL_S)
        self.say(Fact.VERDICT, **describe_end(*copies.wait_for_one()))


def choose_warm_tests(reaches: Sequence[Reach], clean: Sequence[str]) -> list[str]:
    """Return the cheapest test of each file among those that leave no thread or connection behind."""
    cheapest: dict[str, Reach] = {}
    allowed = frozenset(clean)
    for reach in reaches:
        file = reach.nodeid.split("::")[0]
        if reach.nodeid in allowed and (file not in cheapest or reach.cpu_s < cheapest[file].cpu_s):
            cheapest[file] = reach
    return [reach.nodeid for reach in cheapest.values()]


def find_shared_things() -> frozenset[str]:
    """Return the threads and connections of this process, which two copies of it could not both use."""
    main = threading.main_thread()
    found = {
        f"the thread {thread.name!r} is running" for thread in threading.enumerate() if thread is not main
    }
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (asked after each test)
        with contextlib.suppress(OSError, ValueError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):  # noqa: PTH115
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                peer = connection.getpeername()
            if peer:
                found.add(f"a connection to {peer!r} is open")
    return frozenset(found)


def main() -> int:
    """Run pytest on the orders in the file that the command line names."""
    orders = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders)
    worker = Worker(orders)
    names: dict[str, object] = {NOTE: worker._counts.note}
    sys.meta_path.insert(0, Importer(worker.compile_file, names))
    status = int(pytest.main(orders.arguments, plugins=[worker, worker.asker]))
    worker.finish(status)
    return 0


if __name__ == "__main__":
    sys.exit(main())
