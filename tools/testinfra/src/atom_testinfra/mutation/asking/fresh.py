"""
Ask about mutants that need an interpreter of their own: at module level, and where a result was kept.

The process that is copied for each has imported pytest and Hypothesis and neither the product nor a test,
so that a copy is as fresh as a new interpreter, without importing these again. What properties do unchanged
in such a copy is recorded after the first survivor, and replayed from then on.
"""

from __future__ import annotations

import gc
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from atom_testinfra.core.mutants import MutantVerdict
from atom_testinfra.mutation.asking.copies import Copies
from atom_testinfra.mutation.asking.ends import describe_end
from atom_testinfra.mutation.asking.in_process import CPU_FACTOR, LEAST_CPU_S, Asker
from atom_testinfra.mutation.asking.loading import Importer
from atom_testinfra.mutation.asking.replay import Replay
from atom_testinfra.mutation.asking.rounds import FOREIGN
from atom_testinfra.mutation.asking.sources import Sources
from atom_testinfra.mutation.asking.taking import TakenSession
from atom_testinfra.mutation.orders import Fact, FreshTests, KnownCost

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from atom_testinfra.core.mutants import Mutant
    from atom_testinfra.mutation.asking.copies import Say
    from atom_testinfra.mutation.orders import Orders

IMPORTING_CPU_S = 120
"""CPU seconds that importing the product and collecting the tests may take."""
MORE_TIME = (5, 25)
"""How much more CPU time a test gets, in turn, that runs out of time unchanged."""
FRESH_WALL_S = 600.0
"""How long a mutant may take on the clock."""


class FreshRound:
    """Asks about one mutant after the other, each in a copy that imports the product with it."""

    def __init__(self, orders: Orders, say: Callable[..., None]) -> None:
        self._orders = orders
        self._say = say
        self._sources = Sources(orders)
        self._sound: set[str] = set()
        self._unfit: set[str] = set()
        self._misled: dict[str, set[str]] = {}
        """By mutant, the tests that pass alone, and fail after the same tests without the mutant as well."""
        self._costs: dict[str, KnownCost] = {}
        """Of tests that take longer in a fresh interpreter than what they were found to cost."""
        self._replays: dict[tuple[str, ...], Replay] = {}
        """What properties do unchanged, by the files that are collected: others import other modules."""

    def ask(self) -> None:
        """Ask until nothing is left, or the time is over."""
        gc.collect()
        gc.freeze()  # else each copy looks for garbage among all that was imported here, and copies its pages
        copies = Copies(self._orders.n_jobs)
        waiting = list(reversed(self._orders.fresh))
        running: dict[int, Mutant] = {}
        while waiting or running:
            if self._orders.ends_at is not None and time.time() > self._orders.ends_at:
                waiting.clear()
            while waiting and not copies.is_full:
                mutant = waiting.pop()
                if self._sources.of(mutant)[0].is_same(mutant):
                    self._say(Fact.SAME, id=mutant.id)
                else:
                    running[self._start(copies, self._tests_for(mutant), mutant)] = mutant
            for copy, status in copies.wait() if running else ():
                mutant = running.pop(copy.pid)
                asked, answer = self._tests_for(mutant), describe_end(copy, status)
                nodeid = answer.get("noticed_by")
                if not self.is_sound(asked, nodeid) or self.is_misled(mutant, asked, nodeid):
                    waiting.append(mutant)
                    continue
                self._say(Fact.VERDICT, id=mutant.id, **answer)
                if answer["verdict"] is MutantVerdict.SURVIVED and any(
                    self._tests_for(other).files == asked.files for other in waiting
                ):
                    self._record(asked)
        self._say(Fact.DONE)

    def _tests_for(self, mutant: Mutant) -> FreshTests:
        asked, misled = self._orders.fresh_tests[mutant.place], self._misled.get(mutant.id)
        if misled is None:
            return asked
        return msgspec.structs.replace(
            asked, tests=[test for test in asked.tests if test.nodeid not in misled]
        )

    def _record(self, asked: FreshTests) -> None:
        """Run the tests of a survivor unchanged, once for the same files, so that they can be replayed."""
        key = tuple(asked.files)
        if key in self._replays:
            return
        tests = self.tests_of(asked)
        copies = Copies(1)
        copies.start(
            lambda say: RecordingSession(self._sources, asked.files, tests, say).run(self._orders.arguments),
            wall_s=FRESH_WALL_S,
        )
        copy, _ = copies.wait_for_one()
        replay = self._replays[key] = Replay()
        for said in copy.said:
            if "choices" in said:
                replay.take(said["nodeid"], said["choices"])

    def _start(self, copies: Copies, asked: FreshTests, mutant: Mutant | None) -> int:
        tests = self.tests_of(asked)
        replay = self._replays.get(tuple(asked.files))
        if mutant is not None:
            self._sources.of(mutant)[0].prepare()

        def ask(say: Say) -> None:
            _, hard = resource.getrlimit(resource.RLIMIT_CPU)
            resource.setrlimit(resource.RLIMIT_CPU, (IMPORTING_CPU_S, hard))
            session = FreshSession(self._sources, mutant, asked.files, tests, say, replay)
            session.run(self._orders.arguments)

        return copies.start(ask, wall_s=FRESH_WALL_S).pid

    def tests_of(self, asked: FreshTests) -> list[KnownCost]:
        """Return the tests to ask, each with what it takes."""
        return [self._costs.get(test.nodeid, test) for test in asked.tests if test.nodeid not in self._unfit]

    def is_sound(self, asked: FreshTests, nodeid: str | None) -> bool:
        """
        Return whether a test that noticed passes without a mutant; it runs once for that.

        One that runs out of time then gets more: elsewhere other tests have set up what it sets up here.
        """
        test = next((one for one in asked.tests if one.nodeid == nodeid), None)
        if test is None or test.nodeid in self._sound:
            return True
        alone = _only(test)
        answer = self._ask_one(alone, None)
        for factor in MORE_TIME:
            if answer["verdict"] is not MutantVerdict.TIME:
                break
            cpu_s = factor * max(test.cpu_s, LEAST_CPU_S / CPU_FACTOR)
            self._costs[test.nodeid] = KnownCost(test.nodeid, cpu_s, test.wall_s)
            answer = self._ask_one(alone, None)
        if answer["verdict"] is MutantVerdict.SURVIVED:
            self._sound.add(test.nodeid)
            return test.nodeid not in self._costs  # else the mutant may have had too little time
        self._unfit.add(test.nodeid)
        self._say(Fact.UNFIT, nodeid=test.nodeid, error=answer.get("error") or str(answer["verdict"]))
        return False

    def is_misled(self, mutant: Mutant, asked: FreshTests, nodeid: str | None) -> bool:
        """
        Return whether the test that noticed failed because of what earlier tests left, not of the mutant.

        Tests run in another order here than in the suite. The notice counts if the test notices alone as
        well, or if it passes after the same tests without the mutant. Otherwise the test is not asked about
        this mutant again.
        """
        tests = self.tests_of(asked)
        place = next((number for number, test in enumerate(tests) if test.nodeid == nodeid), 0)
        if place == 0:
            return False
        if self._ask_one(_only(tests[place]), mutant)["verdict"].is_noticed:
            return False
        in_order = msgspec.structs.replace(asked, tests=tests[: place + 1])
        if self._ask_one(in_order, None)["verdict"] is MutantVerdict.SURVIVED:
            return False
        self._misled.setdefault(mutant.id, set()).add(tests[place].nodeid)
        return True

    def _ask_one(self, asked: FreshTests, mutant: Mutant | None) -> dict[str, Any]:
        """Return what becomes of a mutant, or of the unchanged product, and wait for that."""
        copies = Copies(1)
        self._start(copies, asked, mutant)
        return describe_end(*copies.wait_for_one())


def _only(test: KnownCost) -> FreshTests:
    """Return what asks one test, and collects no file but its own."""
    return FreshTests(tests=[test], files=[test.nodeid.split("::")[0]], n_reaching=1)


class FreshSession(TakenSession):
    """One run of pytest that imports the product with a mutant in it, and asks tests."""

    def __init__(
        self,
        sources: Sources,
        mutant: Mutant | None,
        files: list[str],
        tests: list[KnownCost],
        say: Say,
        replay: Replay | None = None,
    ) -> None:
        super().__init__(files)
        self._sources = sources
        self._mutant = mutant
        self._tests = tests
        self._say = say
        self._asker = Asker(replay or Replay())

    def run(self, arguments: list[str]) -> None:
        """Run pytest to its end."""
        sys.meta_path.insert(0, Importer(self._compile))
        pytest.main(arguments, plugins=[self, self._asker])
        if not self.is_taken:
            self._say_broken("pytest's own start")

    def take(self, session: pytest.Session) -> None:
        """Ask the tests in one more copy, which they may end."""
        if self.broken_files:
            self._say_broken(self.broken_files[0])
            return
        if self._mutant is not None and self._sources.of(self._mutant)[1] in self._sources.foreign_files:
            self._say({"verdict": MutantVerdict.NOT_ASKED, "reason": FOREIGN, "n_run": 0})
            return
        tests = self._take_tests(session)
        copies = Copies(1)
        copies.start(lambda say: self._asker.ask(tests, say), wall_s=FRESH_WALL_S)
        self._say(describe_end(*copies.wait_for_one()))

    def _take_tests(self, session: pytest.Session) -> list[KnownCost]:
        self._asker.take(session)
        return [test for test in self._tests if test.nodeid in self._asker.items]

    def _compile(self, filename: str) -> CodeType | None:
        """Return the code of the file that the mutant changes; all others are imported as they are."""
        module = self._sources.find(filename)
        if module is None or self._mutant is None or module.path != self._mutant.path:
            return None
        return module.compile(self._mutant, filename)

    def _say_broken(self, what: str) -> None:
        answer: dict[str, Any] = {"verdict": MutantVerdict.EXCEPTION, "n_run": 0}
        self._say(answer | {"error": f"{what} failed while importing"})


class RecordingSession(FreshSession):
    """One run of pytest that imports the product as it is, and says what properties do that pass."""

    def __init__(self, sources: Sources, files: list[str], tests: list[KnownCost], say: Say) -> None:
        super().__init__(sources, None, files, tests, say)

    def take(self, session: pytest.Session) -> None:
        """Run the tests, as they are run for a mutant, and say the choices."""
        tests = self._take_tests(session)
        self._asker.replay.check()
        if self._asker.replay.problem is not None:
            return
        for number, test in enumerate(tests):
            following = tests[number + 1].nodeid if number + 1 < len(tests) else None
            with self._asker.replay.recording(test.nodeid):
                raised = self._asker.run(test.nodeid, following)
            if raised is None and test.nodeid in self._asker.properties:
                self._say({"nodeid": test.nodeid, "choices": self._asker.replay.give(test.nodeid)})
