"""Ask about mutants in copies of one process, and read what the end of a copy says."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Protocol

from atom_testinfra.core.mutants import MutantVerdict, order_tests
from atom_testinfra.mutation.asking.copies import Copies
from atom_testinfra.mutation.asking.ends import describe_end
from atom_testinfra.mutation.asking.loading import Functions
from atom_testinfra.mutation.asking.repeats import MEASURED_WALL_S, Repeats
from atom_testinfra.mutation.orders import Fact, KnownCost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.mutants import Mutant, Reach
    from atom_testinfra.mutation.asking.copies import Question, Say
    from atom_testinfra.mutation.asking.in_process import Asker
    from atom_testinfra.mutation.asking.sharing import SharedEntries
    from atom_testinfra.mutation.asking.sources import Sources

CHECK_EVERY = 100
"""Mutants between two checks that the tests still pass unchanged."""
MOST_ASKED = 8
"""Mutants that a property is asked about alone before it counts as one that notices nothing."""
START_WALL_S = 60.0
"""How long a copy may take on the clock until its first test begins."""
KEPT = "what it computed before is kept"
ONCE = "a test that executes it passes only once in a process"
FOREIGN = "its module is loaded in a way that cannot be changed, for example as a plugin of pytest"
N_CHECKED = 5
"""Tests that such a check runs: those that noticed something lately."""


class Host(Protocol):
    """What a round needs of the worker that it runs in."""

    asker: Asker
    early: frozenset[str]
    entries: SharedEntries
    sources: Sources

    def say(self, fact: Fact, **values: Any) -> None:
        """Write one line to the session."""


class Round:
    """Asks about mutants in copies, and learns on the way which tests notice."""

    def __init__(self, worker: Host, reaches: list[Reach]) -> None:
        self._worker = worker
        self._reaches = reaches
        self._by_block: dict[str, list[Reach]] = defaultdict(list)
        for reach in reaches:
            for block in reach.blocks:
                self._by_block[block].append(reach)
        self._costs = {reach.nodeid: KnownCost(reach.nodeid, reach.cpu_s) for reach in reaches}
        self._measured: set[str] = set()
        """Tests whose cost was measured in a copy, as a mutant's is."""
        self._noticed: dict[tuple[str, str | None], Counter[str]] = defaultdict(Counter)
        self._latest: list[str] = []
        self._functions = Functions(worker.sources.files)
        self._asked: dict[int, tuple[Mutant, list[Reach]]] = {}
        self._repeats = Repeats(worker.asker, worker.entries)
        self._once: set[str] = set()
        """Tests that pass unchanged only once in a process: only a fresh interpreter can ask them."""
        self._resting: set[tuple[str, str]] = set()
        """Tests, each with a function that it enters less often than before, because a result is kept."""
        self._n_unchecked = 0

    def ask(self, mutants: Sequence[Mutant], n_jobs: int, ends_at: float | None) -> None:
        """Ask about each mutant, in order, until the time is over."""
        copies = Copies(n_jobs)
        waiting = iter(mutants)
        is_over = False
        while True:
            while not copies.is_full and not is_over:
                if self._n_unchecked >= CHECK_EVERY:
                    self._drain(copies)
                    if not self._check(copies):
                        return
                mutant = next(waiting, None)
                if mutant is None or (ends_at is not None and time.time() > ends_at):
                    is_over = True
                    break
                self._start(copies, mutant)
            if not copies:
                break
            self._note(copies)
        self._check(copies)

    def _drain(self, copies: Copies) -> None:
        while copies:
            self._note(copies)

    def _start(self, copies: Copies, mutant: Mutant) -> None:
        block = mutant.place
        if self._worker.sources.of(mutant)[1] in self._worker.sources.foreign_files:
            self._worker.say(Fact.VERDICT, id=mutant.id, verdict=MutantVerdict.NOT_ASKED, reason=FOREIGN)
            return
        if block in self._worker.early:
            self._worker.say(
                Fact.VERDICT, id=mutant.id, verdict=MutantVerdict.NOT_ASKED, reason="it runs while importing"
            )
            return
        entering = self._by_block.get(block, [])
        if not entering:
            self._worker.say(Fact.VERDICT, id=mutant.id, verdict=MutantVerdict.NOT_REACHED, n_run=0)
            return
        tests = order_tests(
            [test for test in entering if self._why_not(test, mutant) is None],
            block,
            self._noticed[mutant.path, mutant.function],
        )
        if not tests:
            self._say_left(mutant)
            return
        copy = copies.start(self._question(mutant, tests), wall_s=START_WALL_S)
        self._asked[copy.pid] = mutant, tests

    def _question(self, mutant: Mutant, tests: Sequence[Reach]) -> Question:
        module, filename = self._worker.sources.of(mutant)
        asker, functions = self._worker.asker, self._functions
        module.prepare()

        def question(say: Say) -> None:
            problem = functions.exchange(filename, module, mutant)
            if problem is not None:
                say({"unfit": problem})
                return
            asker.use_own_folder()
            asker.ask([self._costs[test.nodeid] for test in tests], say)

        return question

    def ask_each_property(self, mutants: Sequence[Mutant], n_jobs: int, ends_at: float | None) -> None:
        """
        Ask each property alone about one mutant after the other that it executes, until it notices one.

        First come those that few other tests execute: what a property is there for is most likely there.
        """
        copies = Copies(n_jobs)
        properties = [reach for reach in self._reaches if reach.is_property]
        candidates = {reach.nodeid: self._candidates(reach, mutants) for reach in properties}
        waiting = list(reversed(properties))
        asked: Counter[str] = Counter()
        running: dict[int, tuple[Reach, Mutant]] = {}
        while waiting or running:
            while waiting and not copies.is_full:
                reach = waiting.pop()
                place = asked[reach.nodeid]
                is_over = ends_at is not None and time.time() > ends_at
                if is_over or place == len(candidates[reach.nodeid]):
                    self._worker.say(Fact.PROPERTY, nodeid=reach.nodeid, n_asked=place, is_judged=not is_over)
                    continue
                mutant = candidates[reach.nodeid][place]
                asked[reach.nodeid] += 1
                running[copies.start(self._question(mutant, [reach]), wall_s=START_WALL_S).pid] = (
                    reach,
                    mutant,
                )
            for copy, status in copies.wait() if running else ():
                reach, mutant = running.pop(copy.pid)
                answer = describe_end(copy, status)
                if self._is_too_short(answer):
                    asked[reach.nodeid] -= 1
                    waiting.append(reach)
                elif answer["verdict"].is_noticed:
                    self._worker.say(
                        Fact.PROPERTY,
                        nodeid=reach.nodeid,
                        n_asked=asked[reach.nodeid],
                        id=mutant.id,
                        **answer,
                    )
                else:
                    waiting.append(reach)

    def _candidates(self, reach: Reach, mutants: Sequence[Mutant]) -> list[Mutant]:
        found = [
            (len(self._by_block[block]), place, mutant)
            for place, mutant in enumerate(mutants)
            if (block := mutant.place) in reach.blocks
            and block not in self._worker.early
            and not mutant.is_hidden
        ]
        return [mutant for _, _, mutant in sorted(found, key=lambda each: each[:2])[:MOST_ASKED]]

    def _note(self, copies: Copies) -> None:
        for copy, status in copies.wait():
            mutant, tests = self._asked.pop(copy.pid)
            answer = describe_end(copy, status)
            if self._is_too_short(answer):
                self._start(copies, mutant)
                continue
            nodeid = answer.get("noticed_by")
            if answer["verdict"] is not MutantVerdict.NOT_ASKED and not self._is_sound(mutant, tests, nodeid):
                self._start(copies, mutant)
                continue
            is_survivor = answer["verdict"] is MutantVerdict.SURVIVED
            if is_survivor and len(tests) < len(self._by_block[mutant.place]):
                self._say_left(mutant)
                continue
            if nodeid is not None:
                self._noticed[mutant.path, mutant.function][nodeid] += 1
                self._latest = [nodeid, *(other for other in self._latest if other != nodeid)][:N_CHECKED]
            self._n_unchecked += 1
            block = mutant.place
            closest = sorted(
                (test for test in tests if test.is_property), key=lambda test: -test.blocks.get(block, 0)
            )
            self._worker.say(
                Fact.VERDICT,
                id=mutant.id,
                n_reaching=len(tests),
                n_executed=sum(test.blocks.get(block, 0) for test in tests),
                closest=[test.nodeid for test in closest[:3]],
                **answer,
            )

    def _is_sound(self, mutant: Mutant, tests: Sequence[Reach], noticed_by: str | None) -> bool:
        """
        Return whether the tests that an answer rests on do unchanged what they did before.

        If not, the mutant is asked about again: without the tests that fail now, or in a fresh interpreter.
        """
        rests_on = [test for test in tests if noticed_by in {None, test.nodeid}]
        repeats = self._repeats.of(rests_on)
        failing = {nodeid: repeat.error for nodeid, repeat in repeats.items() if repeat.error is not None}
        for nodeid, error in failing.items():
            self._once.add(nodeid)
            self._worker.say(Fact.ONCE, nodeid=nodeid, error=error)
        function = _function(mutant)
        resting = {(nodeid, function) for nodeid, repeat in repeats.items() if function in repeat.rests}
        self._resting |= resting
        return not failing and not resting

    def _why_not(self, test: Reach, mutant: Mutant) -> str | None:
        """Return why a test cannot be asked in this process about a mutant, `None` where it can."""
        if (test.nodeid, _function(mutant)) in self._resting:
            return KEPT
        return ONCE if test.nodeid in self._once else None

    def _say_left(self, mutant: Mutant) -> None:
        """Leave a mutant to a fresh interpreter, because tests that enter it cannot be asked here."""
        block = mutant.place
        reasons = {self._why_not(test, mutant) for test in self._by_block[block]}
        kept = {"kept": block} if KEPT in reasons else {}
        reason = KEPT if kept else ONCE
        self._worker.say(Fact.VERDICT, id=mutant.id, verdict=MutantVerdict.NOT_ASKED, reason=reason, **kept)

    def _run_latest(self, copies: Copies) -> dict[str, Any]:
        """Run the tests that noticed something lately, unchanged, and return the verdict."""
        asker, tests = self._worker.asker, [self._costs[nodeid] for nodeid in self._latest]
        copies.start(lambda say: asker.ask(tests, say), wall_s=600.0)
        return describe_end(*copies.wait_for_one())

    def _is_too_short(self, answer: dict[str, Any]) -> bool:
        """
        Return whether a test may have run out of time because its copy had to set more up than was foreseen.

        Its cost is measured then: unchanged, in a copy of its own, once. The mutant is asked about again with
        what that took, on the clock too.
        """
        nodeid = answer.get("noticed_by")
        if answer["verdict"] is not MutantVerdict.TIME or nodeid is None or nodeid in self._measured:
            return False
        self._measured.add(nodeid)
        asker, copies = self._worker.asker, Copies(1)

        def question(say: Say) -> None:
            began, started = time.process_time(), time.monotonic()
            asker.run(nodeid)
            say({"cpu_s": time.process_time() - began, "took_s": time.monotonic() - started})

        copies.start(question, wall_s=MEASURED_WALL_S)
        measured, _ = copies.wait_for_one()
        known = self._costs[nodeid]
        said = next((one for one in measured.said if "cpu_s" in one), None)
        if said is None:  # it does not end by itself unchanged either: the check will say so
            return False
        self._costs[nodeid] = KnownCost(nodeid, max(said["cpu_s"], known.cpu_s), said["took_s"])
        return True

    def _check(self, copies: Copies) -> bool:
        """Run some tests unchanged; return whether they still pass."""
        self._n_unchecked = 0
        if not self._latest:
            self._worker.say(Fact.CHECKED)
            return True
        answer = self._run_latest(copies)
        while self._is_too_short(answer):
            answer = self._run_latest(copies)
        if answer["verdict"] is not MutantVerdict.SURVIVED:
            self._worker.say(Fact.BROKEN, nodeid=answer.get("noticed_by"), error=answer.get("error"))
            return False
        self._worker.say(Fact.CHECKED)
        return True


def _function(mutant: Mutant) -> str:
    """Return the function that a mutant changes, as repeats name it."""
    return f"{mutant.path}:{mutant.function}"
