"""The process that collects the tests once and asks them about one mutant after the other, each in a copy."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from atom_testinfra.core.mutants import Mutant, Reach
from atom_testinfra.mutation.asking.copies import Copies, die_with_parent, find_shared_things
from atom_testinfra.mutation.asking.curves import CurveReplay, CurveRound
from atom_testinfra.mutation.asking.fresh import FreshRound
from atom_testinfra.mutation.asking.in_process import Asker
from atom_testinfra.mutation.asking.loading import Importer
from atom_testinfra.mutation.asking.reach import EntryCounts
from atom_testinfra.mutation.asking.replay import Replay
from atom_testinfra.mutation.asking.rounds import Round
from atom_testinfra.mutation.asking.sharing import SharedEntries
from atom_testinfra.mutation.asking.sources import Sources
from atom_testinfra.mutation.asking.taking import TakenSession
from atom_testinfra.mutation.orders import Fact, Orders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import CodeType

    from atom_testinfra.mutation.asking.copies import Question, Say

BEFORE_FAILURES = ("hypothesis.extra._patching",)
"""Modules that a failing property imports: each copy would import them again."""


class Worker(TakenSession):
    """Collects the tests, runs them unchanged, and asks them about mutants."""

    def __init__(self, orders: Orders, say: Callable[..., None]) -> None:
        super().__init__(orders.files)
        self._orders = orders
        self.say = say
        self.sources = Sources(orders)
        self.counts = EntryCounts()
        self.entries = SharedEntries(self.counts)
        self.asker = Asker(Replay() if orders.curves is None else CurveReplay())
        self.early: frozenset[str] = frozenset()
        """Blocks that were entered while the tests were collected: a mutant there has been used already."""

    def compile_file(self, filename: str) -> CodeType | None:
        """Return the code of a file of the product, which counts how often its blocks are entered."""
        module = self.sources.find(filename)
        return None if module is None else self.counts.compile(module, filename)

    def take(self, session: pytest.Session) -> None:
        """Collect the tests, run them once unchanged, and ask about the mutants."""
        self.asker.take(session)
        self.say(Fact.COLLECTED, n=len(session.items), broken=self.broken_files)
        if not self.broken_files:
            self._serve()

    def run(self) -> None:
        """Run pytest on the orders; say so when it never comes to its tests."""
        self.counts.install()
        sys.meta_path.insert(0, Importer(self.compile_file))
        status = int(pytest.main(self._orders.arguments, plugins=[self, self.asker, self.entries]))
        if not self.is_taken:
            self.say(Fact.FAILED, status=status, broken=self.broken_files)

    def _serve(self) -> None:
        """
        Run the unchanged tests once, and ask about the mutants from the warmest process that can be copied.

        Best is the one in which all tests ran: whatever they build once is there. One that holds threads or
        connections cannot be copied; then the same without the fixtures of the session, or one in which only
        tests ran that start neither; else this one.
        """
        for name in BEFORE_FAILURES:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        self.asker.replay.check()
        self.early = frozenset(self.counts.take())
        self.entries.watch_programs()
        recorded = self._try(self._record_and_ask)
        if recorded is None:
            return
        reaches = [msgspec.convert(said["reach"], Reach) for said in recorded if "reach" in said]
        clean = [said["clean"] for said in recorded if "clean" in said]
        for said in recorded:
            if "choices" in said:
                self.asker.replay.take(said["nodeid"], said["choices"])
        self._ask_warm(reaches, clean, reason=recorded[-1]["shared"])

    def _ask_warm(self, reaches: list[Reach], clean: Sequence[str], *, reason: str) -> None:
        """Ask from a copy of this process in which clean tests ran; from this one if none stays clean."""
        tainted: set[str] = set()
        while warm := [
            nodeid for nodeid in choose_warm_tests(reaches, clean) if nodeid.split("::")[0] not in tainted
        ]:
            answer = self._try(partial(self._warm_and_ask, warm, reaches))
            if answer is None:
                return
            tainted.add(answer[-1]["tainted"].split("::")[0])
        self._ask_all(reaches, reason=reason)

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
        """
        Run the tests unchanged, and ask from here if this process can be copied.

        Fixtures of the session often hold what cannot: without them, whatever else was built is still there.
        """
        reaches, clean = self._record(say)
        reason = ", ".join(sorted(find_shared_things()))
        if not reason:
            self._ask_all(reaches, reason=None)
        else:
            self.asker.tear_down()
            if find_shared_things():
                say({"shared": reason})
                return
            self._ask_warm(reaches, clean, reason=reason)
        say({"done": True})

    def _warm_and_ask(self, tests: Sequence[str], reaches: list[Reach], say: Say) -> None:
        """Run tests unchanged, then ask; stop at the first that starts a thread or opens a connection."""
        for nodeid in tests:
            self.asker.run(nodeid)
            if shared := find_shared_things():
                say({"shared": ", ".join(sorted(shared)), "tainted": nodeid})
                return
        self._ask_all(reaches, reason=None)
        say({"done": True})

    def _record(self, say: Say) -> tuple[list[Reach], list[str]]:
        """
        Run the unchanged tests once: what each enters, what it costs, and its choices.

        Returns:
            What they enter, and the tests that leave no thread or connection behind.
        """
        orders, asker = self._orders, self.asker
        wanted = set(orders.run_tests)
        files = None if orders.run_files is None else set(orders.run_files)
        chosen = [
            nodeid
            for nodeid in asker.items
            if files is None or nodeid in wanted or nodeid.split("::")[0] in files
        ]
        reaches: list[Reach] = []
        clean: list[str] = []
        shared = find_shared_things()
        for number, nodeid in enumerate(chosen):
            following = chosen[number + 1] if number + 1 < len(chosen) else None
            self.entries.begin()
            began = time.process_time()
            with asker.replay.recording(nodeid):
                raised = asker.run(nodeid, following)
            cpu_s = time.process_time() - began
            blocks = self.entries.take(asker.items[nodeid])
            if raised is not None:
                error = raised if isinstance(raised, str) else f"{type(raised).__name__}: {raised}"
                self.say(Fact.RAN, nodeid=nodeid, number=number + 1, of=len(chosen), error=error[:300])
                continue
            reach = Reach(
                nodeid=nodeid,
                cpu_s=cpu_s,
                is_property=nodeid in asker.properties,
                blocks=blocks,
                starts_programs=self.entries.has_started_programs,
            )
            reaches.append(reach)
            say({"reach": msgspec.to_builtins(reach)})
            if reach.is_property:
                say({"nodeid": nodeid, "choices": asker.replay.give(nodeid)})
            before, shared = shared, find_shared_things()
            if shared <= before and not self.entries.shares_things(asker.items[nodeid]):
                clean.append(nodeid)
                say({"clean": nodeid})
            self.say(Fact.RAN, nodeid=nodeid, number=number + 1, of=len(chosen), reach=reach)
        return reaches, clean

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
        if orders.curves is not None:
            curves = CurveRound(self, list(known.values()), orders.curves)
            curves.ask(orders.mutants, orders.n_jobs, orders.ends_at)
            self.say(Fact.DONE)
            return
        asking = Round(self, list(known.values()))
        ask = asking.ask_each_property if orders.is_each_property else asking.ask
        for mutants in self._take_mutants():
            ask(mutants, orders.n_jobs, orders.ends_at)
            self.say(Fact.DONE)

    def _take_mutants(self) -> Iterator[Sequence[Mutant]]:
        """Yield the mutants to ask about: all at once, or as they are sent."""
        if self._orders.requests is None:
            yield self._orders.mutants
            return
        with os.fdopen(self._orders.requests, "rb") as lines:
            for line in lines:
                yield msgspec.json.decode(line, type=list[Mutant])


def choose_warm_tests(reaches: Sequence[Reach], clean: Sequence[str]) -> list[str]:
    """Return the cheapest test of each file among those that leave no thread or connection behind."""
    cheapest: dict[str, Reach] = {}
    allowed = frozenset(clean)
    for reach in reaches:
        file = reach.nodeid.split("::")[0]
        if reach.nodeid in allowed and (file not in cheapest or reach.cpu_s < cheapest[file].cpu_s):
            cheapest[file] = reach
    return [reach.nodeid for reach in cheapest.values()]


def main() -> int:
    """Do what the orders say that are in the file that the command line names."""
    die_with_parent()
    orders = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders)
    events = os.dup(orders.events)

    def say(fact: Fact, **values: Any) -> None:
        os.write(events, msgspec.json.encode({"fact": fact, **values}) + b"\n")

    if orders.fresh:
        FreshRound(orders, say).ask()
    else:
        Worker(orders, say).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
