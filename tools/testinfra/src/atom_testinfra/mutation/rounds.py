"""Ask about mutants in copies of one process, and read what the end of a copy says."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Protocol

from atom_testinfra.core.mutants import MutantVerdict, order_tests
from atom_testinfra.mutation.asking import KnownCost
from atom_testinfra.mutation.copies import Copies
from atom_testinfra.mutation.loading import Functions
from atom_testinfra.mutation.orders import Fact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.mutants import Mutant, Reach
    from atom_testinfra.mutation.asking import Asker
    from atom_testinfra.mutation.copies import Copy, Question, Say
    from atom_testinfra.mutation.mutants import Module

CHECK_EVERY = 100
"""Mutants between two checks that the tests still pass unchanged."""
MOST_ASKED = 8
"""Mutants that a property is asked about alone before it counts as one that notices nothing."""
START_WALL_S = 60.0
"""How long a copy may take on the clock until its first test begins."""
MEASURED_WALL_S = 300.0
"""How long an unchanged test may take on the clock while its cost is measured."""
N_CHECKED = 5
"""Tests that such a check runs: those that noticed something lately."""


class Host(Protocol):
    """What a round needs of the worker that it runs in."""

    asker: Asker
    early: frozenset[str]

    def say(self, fact: Fact, **values: Any) -> None:
        """Write one line to the session."""

    def module_of(self, mutant: Mutant) -> tuple[Module, str]:
        """Return the module that a mutant changes, and its file."""

    @property
    def product_files(self) -> list[str]:
        """The product's files, as code objects name them."""


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
        self._functions = Functions(worker.product_files)
        self._asked: dict[int, tuple[Mutant, list[Reach]]] = {}
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
        block = f"{mutant.path}:{mutant.block}"
        if block in self._worker.early:
            self._worker.say(
                Fact.VERDICT, id=mutant.id, verdict=MutantVerdict.NOT_ASKED, reason="it runs while importing"
            )
            return
        tests = order_tests(self._by_block.get(block, []), block, self._noticed[mutant.path, mutant.function])
        if not tests:
            self._worker.say(Fact.VERDICT, id=mutant.id, verdict=MutantVerdict.NOT_REACHED, n_run=0)
            return
        copy = copies.start(self._question(mutant, tests), wall_s=START_WALL_S)
        self._asked[copy.pid] = mutant, tests

    def _question(self, mutant: Mutant, tests: Sequence[Reach]) -> Question:
        module, filename = self._worker.module_of(mutant)
        asker, functions = self._worker.asker, self._functions

        def question(say: Say) -> None:
            problem = functions.exchange(filename, module, mutant)
            if problem is not None:
                say({"unfit": problem})
                return
            _own_temporary_folder(asker.session.config)
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
            if (block := f"{mutant.path}:{mutant.block}") in reach.blocks
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
            if nodeid is not None:
                self._noticed[mutant.path, mutant.function][nodeid] += 1
                self._latest = [nodeid, *(other for other in self._latest if other != nodeid)][:N_CHECKED]
            self._n_unchecked += 1
            block = f"{mutant.path}:{mutant.block}"
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


def describe_end(copy: Copy, status: int) -> dict[str, Any]:
    """Return the verdict that a copy gave, or what its end says where it gave none."""
    for said in reversed(copy.said):
        if "verdict" in said:
            test = next((one["test"] for one in reversed(copy.said) if "test" in one), None)
            answer = dict(said, verdict=MutantVerdict(said["verdict"]))
            if answer["verdict"].is_noticed:
                answer.setdefault("noticed_by", test)
            if answer.get("n_run") is None:
                answer["n_run"] = sum("test" in one for one in copy.said)
            return answer
        if "unfit" in said:
            return {"verdict": MutantVerdict.NOT_ASKED, "reason": said["unfit"], "n_run": 0}
        if "trouble" in said:
            return {
                "verdict": MutantVerdict.EXCEPTION,
                "error": said["trouble"].strip().splitlines()[-1][:200],
            } | _last(copy)
    code = os.waitstatus_to_exitcode(status)
    if copy.is_overdue:
        return {"verdict": MutantVerdict.TIME, "error": "it waited for something that never came"} | _last(
            copy
        )
    if code == -signal.SIGXCPU:
        return {"verdict": MutantVerdict.TIME} | _last(copy)
    how = (
        f"the process was ended by signal {-code}"
        if code < 0
        else f"the process ended itself with status {code}"
    )
    return {"verdict": MutantVerdict.LIMIT, "error": how} | _last(copy)


def _last(copy: Copy) -> dict[str, Any]:
    """Return the test that was running, and how many had begun."""
    tests = [said["test"] for said in copy.said if "test" in said]
    return {"noticed_by": tests[-1] if tests else None, "n_run": len(tests)}


def _own_temporary_folder(config: Any) -> None:
    """Let pytest make a folder of its own for what this copy's tests ask for."""
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is not None and getattr(factory, "_basetemp", None) is not None:
        own = factory._basetemp / f"copy-{os.getpid()}"
        own.mkdir(mode=0o700)
        factory._basetemp = own
