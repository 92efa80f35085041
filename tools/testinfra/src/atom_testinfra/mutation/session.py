"""One call of `testinfra mutate`: what to ask, who is asked, and what became of it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from atom_testinfra.core.errors import NothingMeasuredError, SubjectError
from atom_testinfra.core.mutants import (
    Finding,
    Mutant,
    MutantVerdict,
    PropertyWorth,
    Reach,
    order_mutants,
    order_tests,
)
from atom_testinfra.mutation.imports import ImportGraph
from atom_testinfra.mutation.orders import Fact, Orders
from atom_testinfra.mutation.processes import Settings, WorkerProcess, run_worker
from atom_testinfra.mutation.states import States

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from atom_testinfra.mutation.mutants import Module
    from atom_testinfra.mutation.product import Product
    from atom_testinfra.storage.mutants import MutantStore

MOST_FRESH_CPU_S = 60.0
"""CPU seconds of the tests that a mutant at module level is shown to; slower tests are left out and named."""


class Listener:
    """Is told how a session goes; each method may be left as it is."""

    def on_collected(self, n_tests: int) -> None:
        """The tests were collected."""

    def on_ran(self, number: int, n: int, nodeid: str, error: str | None) -> None:
        """An unchanged test ran."""

    def on_ready(self, n_tests: int, remarks: list[str]) -> None:
        """Mutants are asked about from now on."""

    def on_finding(self, finding: Finding) -> None:
        """A mutant has a verdict."""

    def on_property(self, worth: PropertyWorth) -> None:
        """A property was asked alone."""


@dataclass(kw_only=True)
class Outcome:
    """What a session found."""

    findings: dict[str, Finding]
    """By mutant: those known before and still right, and those of this session."""
    n_asked: int
    """Mutants that this session asked about."""
    n_left: int
    """Selected mutants without a verdict, because the time was over or the session was interrupted."""
    excluded: dict[str, str]
    """Tests that were not asked, with the reason: they do not pass unchanged."""
    remarks: list[str]
    is_interrupted: bool = False


class MutationSession:
    """Asks the tests about mutants, and keeps what they answer."""

    def __init__(
        self,
        *,
        product: Product,
        modules: dict[str, Module],
        settings: Settings,
        store: MutantStore,
        listener: Listener,
    ) -> None:
        self._product = product
        self._modules = modules
        self._settings = settings
        self._store = store
        self._listener = listener
        self._states = States(product, modules, settings.rootdir)
        self._imports = ImportGraph(modules)
        self._reaches: dict[str, Reach] = {}
        self._excluded: dict[str, str] = {}
        self._remarks: list[str] = []
        self._unchecked: list[str] = []
        self._files_asked: list[str] = []

    def run(self, selected: Sequence[Mutant]) -> Outcome:
        """
        Return what became of the selected mutants.

        Raises:
            SubjectError: The tests could not be collected, or do not pass unchanged.
        """
        self._take_known()
        findings = self._known_findings(selected)
        open_ones = [
            mutant for mutant in order_mutants(selected, self._settings.seed) if mutant.id not in findings
        ]
        open_ones = [mutant for mutant in open_ones if not self._modules[mutant.path].is_same(mutant)]
        n_asked = 0
        is_interrupted = False
        if open_ones:
            try:
                for finding in self._ask(open_ones):
                    findings[finding.id] = finding
                    n_asked += 1
                    self._listener.on_finding(finding)
            except KeyboardInterrupt:
                is_interrupted = True
        self._store.compact()
        return Outcome(
            findings=findings,
            n_asked=n_asked,
            n_left=sum(mutant.id not in findings for mutant in open_ones),
            excluded=self._excluded,
            remarks=self._remarks,
            is_interrupted=is_interrupted,
        )

    def run_each_property(self, selected: Sequence[Mutant]) -> list[PropertyWorth]:
        """
        Return for each property whether it notices a mutant of what it executes, asked alone.

        Raises:
            SubjectError: The tests could not be collected, or do not pass unchanged.
        """
        self._take_known()
        mutants = [
            mutant
            for mutant in order_mutants(selected, self._settings.seed)
            if mutant.function is not None and not self._modules[mutant.path].is_same(mutant)
        ]
        by_id = {mutant.id: mutant for mutant in mutants}
        found = []
        for fact in self._work(mutants, is_each_property=True):
            if fact["fact"] == Fact.PROPERTY:
                mutant = by_id.get(fact.get("id", ""))
                found.append(
                    PropertyWorth(
                        nodeid=fact["nodeid"],
                        n_asked=fact["n_asked"],
                        is_judged=fact.get("is_judged", True),
                        noticed=self._finding(mutant, fact) if mutant else None,
                    )
                )
                self._listener.on_property(found[-1])
            else:
                self._take(fact, by_id)
        return found

    def _take_known(self) -> None:
        """Take over what earlier sessions saw of tests whose state is still the same."""
        for nodeid, known in self._store.reaches.items():
            digest = self._states.of_file(nodeid.split("::")[0])
            if digest and self._states.of_test(known.reach) == known.state:
                self._reaches[nodeid] = known.reach

    @property
    def _new_files(self) -> list[str]:
        """Test files that were not collected as they are now."""
        known = self._store.files
        return [
            file for file, digest in self._states.test_files.items() if digest and known.get(file) != digest
        ]

    def _stale_tests(self) -> list[str]:
        """Tests of known files that may enter other blocks than they did."""
        return [
            nodeid
            for nodeid in self._store.reaches
            if nodeid not in self._reaches and self._states.of_file(nodeid.split("::")[0])
        ]

    def _known_findings(self, selected: Sequence[Mutant]) -> dict[str, Finding]:
        """Return the verdicts of earlier sessions that still hold."""
        may_have_new_reach = bool(self._new_files or self._stale_tests())
        by_block = self._tests_by_block()
        found: dict[str, Finding] = {}
        for mutant in selected:
            known = self._store.findings.get(mutant.id)
            if known is None:
                continue
            finding = known.finding
            if finding.verdict.is_noticed and finding.noticed_by is not None:
                holds = self._state_of(mutant, [finding.noticed_by]) == known.state
            else:
                reaching = [reach.nodeid for reach in self._reaching(mutant, by_block)]
                holds = not may_have_new_reach and self._state_of(mutant, reaching) == known.state
            if holds:
                found[mutant.id] = _moved(finding, mutant)
        return found

    def _tests_by_block(self) -> dict[str, list[Reach]]:
        by_block: dict[str, list[Reach]] = {}
        for reach in self._reaches.values():
            for block in reach.blocks:
                by_block.setdefault(block, []).append(reach)
        return by_block

    def _reaching(self, mutant: Mutant, by_block: Mapping[str, list[Reach]]) -> list[Reach]:
        """Return the tests that a mutant can be noticed by."""
        if mutant.function is not None and f"{mutant.path}:{mutant.block}" not in self._store.early:
            return by_block.get(f"{mutant.path}:{mutant.block}", [])
        paths = self._imports.importers_of(mutant.path)
        return [
            reach
            for reach in self._reaches.values()
            if any(block.partition(":")[0] in paths for block in reach.blocks)
        ]

    def _state_of(self, mutant: Mutant, nodeids: Sequence[str]) -> str:
        states = [
            self._states.of_test(self._reaches[nodeid]) for nodeid in nodeids if nodeid in self._reaches
        ]
        return self._states.of_finding(mutant.id, [*states, *sorted(nodeids)])

    def _ask(self, mutants: Sequence[Mutant]) -> Iterator[Finding]:
        in_functions = [mutant for mutant in mutants if mutant.function is not None]
        at_module_level = [mutant for mutant in mutants if mutant.function is None]
        by_id = {mutant.id: mutant for mutant in mutants}
        for fact in self._work(in_functions):
            finding = self._take(fact, by_id)
            if finding is None:
                continue
            if finding.verdict is MutantVerdict.NOT_ASKED:
                at_module_level.append(by_id[finding.id])  # a fresh interpreter can take it
                continue
            self._keep(finding, by_id[finding.id])
            yield finding
        yield from self._ask_fresh(at_module_level)

    def _work(self, mutants: Sequence[Mutant], *, is_each_property: bool = False) -> Iterator[dict[str, Any]]:
        """Run a worker on mutants in functions, and yield what it says."""
        by_block = self._tests_by_block()
        tests = set(self._stale_tests())
        for mutant in mutants:
            tests |= {reach.nodeid for reach in self._reaching(mutant, by_block)}
        files, arguments = None, list(self._settings.arguments)
        if self._store.files:
            files = self._new_files
            named = {*files, *(nodeid.split("::")[0] for nodeid in tests)}
            if not named:
                return
            arguments = _with_files(arguments, sorted(named))
        orders = self._orders(
            mutants=list(mutants),
            arguments=arguments,
            run_files=files,
            run_tests=sorted(tests),
            is_each_property=is_each_property,
        )
        self._files_asked = list(self._states.test_files) if files is None else files
        with run_worker(orders, self._settings) as facts:
            yield from facts

    def _orders(self, **values: Any) -> Orders:
        return Orders(
            root=os.fspath(self._settings.root),
            product=[os.fspath(path) for path in self._product.files],
            events=-1,
            n_jobs=self._settings.n_jobs,
            ends_at=self._settings.ends_at,
            reaches=list(self._reaches.values()),
            faults=self._settings.faults,
            **values,
        )

    def _take(self, fact: dict[str, Any], by_id: Mapping[str, Mutant]) -> Finding | None:
        """Take one line of a worker; return the finding if it is one."""
        match fact["fact"]:
            case Fact.COLLECTED:
                if fact["broken"]:
                    raise SubjectError(
                        f"pytest could not collect {fact['broken'][0]!r}",
                        hint="run pytest on it: a mutant can only be asked about when the tests pass",
                    )
                if not fact["n"]:
                    raise NothingMeasuredError(
                        "no test was selected by pytest's arguments",
                        hint="run pytest with the same arguments",
                    )
                self._listener.on_collected(fact["n"])
            case Fact.RAN:
                self._take_run(fact)
            case Fact.READY:
                self._take_ready(fact)
            case Fact.CHECKED:
                self._unchecked.clear()
            case Fact.BROKEN:
                self._store.forget(self._unchecked)
                raise SubjectError(
                    f"{fact['nodeid']!r} passed unchanged and no longer does: {fact['error']}",
                    hint=f"{len(self._unchecked)} verdicts since the last check are dropped; make the test "
                    "independent of what other tests leave behind, and go on with the same command",
                )
            case Fact.FAILED:
                detail = fact.get("trouble") or fact.get("log") or "pytest said nothing"
                raise SubjectError(f"the tests could not be asked: {detail.strip().splitlines()[-1]}")
            case Fact.VERDICT:
                return self._finding(by_id[fact["id"]], fact)
        return None

    def _take_run(self, fact: dict[str, Any]) -> None:
        nodeid, error = fact["nodeid"], fact.get("error")
        if error is not None:
            self._excluded[nodeid] = error
        else:
            reach = msgspec.convert(fact["reach"], Reach)
            self._reaches[nodeid] = reach
            self._store.add_reach(reach, self._states.of_test(reach))
        self._listener.on_ran(fact["number"], fact["of"], nodeid, error)

    def _take_ready(self, fact: dict[str, Any]) -> None:
        if not fact["n_tests"]:
            raise SubjectError(
                f"no test passes unchanged; {len(self._excluded)} failed",
                hint="run pytest: a mutant can only be asked about when the tests pass",
            )
        if fact["cold"]:
            self._remarks.append(
                f"each mutant sets its fixtures up anew, because after the tests {fact['cold']}"
            )
        if fact["no_replay"]:
            self._remarks.append(
                f"test cases are generated anew for each mutant, because {fact['no_replay']}"
            )
        if self._excluded:
            self._remarks.append(
                f"{len(self._excluded)} tests are not asked, because they do not pass unchanged: "
                + ", ".join(list(self._excluded)[:3])
            )
        self._store.add_early(fact["early"])
        for file in self._files_asked:
            self._store.add_file(file, self._states.of_file(file))
        self._listener.on_ready(fact["n_tests"], self._remarks)

    def _finding(self, mutant: Mutant, fact: Mapping[str, Any]) -> Finding:
        nodeid = fact.get("noticed_by")
        reach = self._reaches.get(nodeid) if nodeid else None
        return Finding(
            id=mutant.id,
            path=mutant.path,
            line=mutant.line,
            function=mutant.function,
            operator=mutant.operator,
            is_hidden=mutant.is_hidden,
            difference=self._modules[mutant.path].difference(mutant),
            verdict=MutantVerdict(fact["verdict"]),
            noticed_by=nodeid,
            is_property=reach is not None and reach.is_property,
            n_test_cases=fact.get("n_test_cases"),
            error=fact.get("error"),
            n_run=fact.get("n_run") or 0,
            n_reaching=fact.get("n_reaching", 0),
            n_executed=fact.get("n_executed", 0),
            closest=fact.get("closest", []),
            reason=fact.get("reason"),
        )

    def _keep(self, finding: Finding, mutant: Mutant) -> None:
        if finding.verdict.is_noticed and finding.noticed_by is not None:
            rests_on = [finding.noticed_by]
        else:
            rests_on = [reach.nodeid for reach in self._reaching(mutant, self._tests_by_block_cached())]
        self._store.add_finding(finding, self._state_of(mutant, rests_on))
        self._unchecked.append(finding.id)

    def _tests_by_block_cached(self) -> dict[str, list[Reach]]:
        n_known = len(self._reaches)
        if getattr(self, "_cached_for", None) != n_known:
            self._cached_for = n_known
            self._cached = self._tests_by_block()
        return self._cached

    def _ask_fresh(self, mutants: Sequence[Mutant]) -> Iterator[Finding]:
        """Ask about mutants that need an interpreter of their own, several at a time."""
        waiting = list(mutants)[::-1]
        running: list[tuple[Mutant, WorkerProcess, list[Reach], int]] = []
        try:
            while waiting or running:
                is_over = self._settings.ends_at is not None and time.time() > self._settings.ends_at
                if is_over:
                    waiting.clear()
                while waiting and len(running) < self._settings.n_jobs:
                    mutant = waiting.pop()
                    reaching = self._reaching(mutant, self._tests_by_block_cached())
                    if not reaching:
                        yield self._finding(mutant, {"verdict": MutantVerdict.NOT_REACHED})
                        continue
                    tests = _affordable(order_tests(reaching, f"{mutant.path}:{mutant.block}", {}))
                    running.append((mutant, self._start_fresh(mutant, tests), tests, len(reaching)))
                for entry in list(running):
                    mutant, process, tests, n_reaching = entry
                    facts = process.poll()
                    if facts is None:
                        continue
                    running.remove(entry)
                    finding = self._fresh_finding(mutant, facts, tests, n_reaching)
                    self._keep(finding, mutant)
                    yield finding
                time.sleep(0.02)
        finally:
            for _, process, _, _ in running:
                process.stop()

    def _start_fresh(self, mutant: Mutant, tests: Sequence[Reach]) -> WorkerProcess:
        files = sorted({test.nodeid.split("::")[0] for test in tests})
        return WorkerProcess(
            self._orders(
                mutants=[mutant],
                arguments=_with_files(self._settings.arguments, files),
                run_files=[],
                run_tests=[],
                tests=[test.nodeid for test in tests],
                costs={test.nodeid: test.cpu_s for test in tests},
                is_fresh=True,
            ),
            self._settings,
        )

    def _fresh_finding(
        self, mutant: Mutant, facts: Sequence[dict[str, Any]], tests: Sequence[Reach], n_reaching: int
    ) -> Finding:
        verdict = next((fact for fact in facts if fact["fact"] == Fact.VERDICT), None)
        if verdict is None:
            failed = next((fact for fact in facts if fact["fact"] == Fact.FAILED), {})
            broken = failed.get("broken") or ["pytest's own start"]
            verdict = {"verdict": MutantVerdict.EXCEPTION, "error": f"{broken[0]} failed while importing"}
        left = n_reaching - len(tests)
        is_partly = verdict["verdict"] == MutantVerdict.SURVIVED and left > 0
        reason = (
            f"{left} of {n_reaching} tests were not asked, because they would take too long"
            if is_partly
            else None
        )
        closest = [test.nodeid for test in tests if test.is_property][:3]
        return self._finding(
            mutant, {"n_reaching": n_reaching, "reason": reason, "closest": closest, **verdict}
        )


def _affordable(tests: Sequence[Reach]) -> list[Reach]:
    """Return the first tests that together take no more CPU time than a mutant may cost; always one."""
    chosen: list[Reach] = []
    spent_s = 0.0
    for test in tests:
        spent_s += test.cpu_s
        if chosen and spent_s > MOST_FRESH_CPU_S:
            break
        chosen.append(test)
    return chosen


def _moved(finding: Finding, mutant: Mutant) -> Finding:
    """Return a finding at the line where its mutant is now."""
    return finding if finding.line == mutant.line else msgspec.structs.replace(finding, line=mutant.line)


def _with_files(arguments: Sequence[str], files: Sequence[str]) -> list[str]:
    """Return pytest's arguments with other paths; options and their values stay."""
    kept: list[str] = []
    takes_value = False
    for argument in arguments:
        if takes_value or argument.startswith("-"):
            kept.append(argument)
        takes_value = not takes_value and argument in {
            "-m",
            "-k",
            "-p",
            "-c",
            "-o",
            "-W",
            "-n",
            "--dist",
            "--rootdir",
        }
    return [*kept, *files]
