"""One call of `testinfra mutate`: what to ask, who is asked, and what became of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from atom_testinfra.core.detection.trials import NoticingCase, Trial, UnchangedRun
from atom_testinfra.core.errors import NothingMeasuredError, SubjectError
from atom_testinfra.core.figures import plural
from atom_testinfra.core.mutants import (
    Finding,
    MutantVerdict,
    PropertyWorth,
    Reach,
    order_mutants,
    order_tests,
)
from atom_testinfra.mutation.knowledge import Knowledge
from atom_testinfra.mutation.listening import Listener, Outcome
from atom_testinfra.mutation.orders import CurveOrders, Fact, FreshTests, KnownCost, Orders
from atom_testinfra.mutation.processes import Settings, run_worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from atom_testinfra.core.mutants import Mutant
    from atom_testinfra.mutation.cluster.client import Cluster
    from atom_testinfra.mutation.operators.mutants import Module
    from atom_testinfra.mutation.product import Product
    from atom_testinfra.storage.mutants import MutantStore
    from atom_testinfra.storage.trials import TrialStore

MOST_FRESH_CPU_S = 60.0
"""CPU seconds of the tests that a mutant at module level is shown to; slower tests are left out and named."""


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
        cluster: Cluster | None = None,
    ) -> None:
        """With a cluster, its workers are asked; what the tests enter is found out here."""
        self._product = product
        self._modules = modules
        self._settings = settings
        self._store = store
        self._listener = listener
        self._cluster = cluster
        self._knowledge = Knowledge(product, modules, settings.rootdir, store)
        self._remarks: list[str] = []
        self._unchecked: list[str] = []
        self._files_asked: list[str] = []
        self._is_ready = False

    def run(self, selected: Sequence[Mutant]) -> Outcome:
        """
        Return what became of the selected mutants.

        Raises:
            SubjectError: The tests could not be collected, or do not pass unchanged.
        """
        findings = self._knowledge.find_findings(selected)
        unknown = {
            mutant.id for mutant in selected if mutant.id not in findings and not self._is_same(mutant)
        }
        ordered = order_mutants(selected, self._settings.seed) if unknown else []
        open_ones = [mutant for mutant in ordered if mutant.id in unknown]
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
        else:
            self._note_ready()
        self._store.compact()
        self._product.known.save()
        return Outcome(
            findings=findings,
            n_asked=n_asked,
            n_left=sum(mutant.id not in findings and not self._is_same(mutant) for mutant in open_ones),
            excluded=self._knowledge.excluded,
            remarks=self._remarks,
            is_interrupted=is_interrupted,
        )

    def run_each_property(self, selected: Sequence[Mutant]) -> list[PropertyWorth]:
        """
        Return for each property whether it notices a mutant of what it executes, asked alone.

        Raises:
            SubjectError: The tests could not be collected, or do not pass unchanged.
        """
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

    def run_curves(
        self, selected: Sequence[Mutant], store: TrialStore, *, grid: Sequence[int], n_seeds: int
    ) -> dict[str, str]:
        """
        Ask each property about the selected mutants that it reaches, on several seeds, and keep the answers.

        Returns:
            The properties that could not be asked, with the reason.

        Raises:
            SubjectError: The tests could not be collected, or do not pass unchanged.
        """
        knowledge = self._knowledge
        mutants = [
            mutant
            for mutant in order_mutants(selected, self._settings.seed)
            if mutant.function is not None and not self._modules[mutant.path].is_same(mutant)
        ]
        by_id = {mutant.id: mutant for mutant in mutants}
        known = [
            (nodeid, mutant.id)
            for nodeid in knowledge.reaches
            for mutant in mutants
            if store.is_known(nodeid, mutant.id, knowledge.curve_state(nodeid))
        ]
        orders = CurveOrders(grid=list(grid), n_seeds=n_seeds, known=known)
        unfit: dict[str, str] = {}
        for fact in self._work(mutants, curves=orders):
            nodeid = fact.get("nodeid", "")
            if fact["fact"] == Fact.UNCHANGED and fact["error"] is not None:
                unfit[nodeid] = fact["error"]
            elif fact["fact"] == Fact.UNCHANGED:
                runs = msgspec.convert(fact["runs"], list[UnchangedRun])
                store.add_runs(nodeid, knowledge.curve_state(nodeid), runs)
            elif fact["fact"] == Fact.TRIALS:
                trials = msgspec.convert(fact["trials"], list[Trial])
                cases = msgspec.convert(fact["cases"], list[NoticingCase])
                store.add(nodeid, fact["id"], knowledge.curve_state(nodeid), trials, cases)
                self._listener.on_trials(nodeid, fact["id"], trials)
            else:
                self._take(fact, by_id)
                if fact.get("no_replay"):
                    raise SubjectError(f"no curve can be learnt, because {fact['no_replay']}")
        return unfit

    def _is_same(self, mutant: Mutant) -> bool:
        """Return whether there is nothing to ask; of a mutant at module level a worker finds it out."""
        module = self._modules[mutant.path]
        return module.is_known_same(mutant) if mutant.function is None else module.is_same(mutant)

    def _ask(self, mutants: Sequence[Mutant]) -> Iterator[Finding]:
        by_id = {mutant.id: mutant for mutant in mutants}
        fresh = [mutant for mutant in mutants if mutant.function is None]
        if self._cluster is not None:
            self._find_reaches()
        for fact in self._work([mutant for mutant in mutants if mutant.function is not None]):
            finding = self._take(fact, by_id)
            if finding is not None and finding.verdict is MutantVerdict.NOT_ASKED:
                fresh.append(by_id[finding.id])  # a fresh interpreter can take it
            elif finding is not None:
                yield self._keep(finding, by_id[finding.id])
        for finding in self._ask_fresh(fresh, by_id):
            yield self._keep(finding, by_id[finding.id])

    def _find_reaches(self) -> None:
        """Run tests here unless it is known what they enter: that decides which of them are asked."""
        for fact in self._work([], is_here=True):
            self._take(fact, {})

    def _keep(self, finding: Finding, mutant: Mutant) -> Finding:
        self._knowledge.add_finding(finding, mutant)
        self._unchecked.append(finding.id)
        return finding

    def _work(
        self, mutants: Sequence[Mutant], *, is_here: bool = False, **values: Any
    ) -> Iterator[dict[str, Any]]:
        """Run a worker on mutants in functions, and yield what it says; `values` are further orders."""
        knowledge = self._knowledge
        tests = set(knowledge.stale_tests)
        for mutant in mutants:
            tests |= {reach.nodeid for reach in knowledge.tests_for(mutant)}
        new_files, files = None, None
        if knowledge.has_collected:
            new_files = knowledge.new_files
            files = sorted({*new_files, *(nodeid.split("::")[0] for nodeid in tests)})
            if not files:
                self._note_ready()
                for mutant in mutants:
                    yield {"fact": Fact.VERDICT, "id": mutant.id, "verdict": MutantVerdict.NOT_REACHED}
                return
        orders = self._orders(
            mutants=list(mutants),
            files=files,
            run_files=new_files,
            run_tests=sorted(tests),
            **values,
        )
        self._files_asked = knowledge.test_files if new_files is None else new_files
        with self._run(orders, is_here=is_here) as facts:
            yield from facts

    def _run(
        self, orders: Orders, *, is_here: bool = False
    ) -> AbstractContextManager[Iterator[dict[str, Any]]]:
        """Run a worker on this machine, or those of the cluster."""
        if self._cluster is None or is_here:
            return run_worker(orders, self._settings)
        return self._cluster.run(orders)

    def _ask_fresh(self, mutants: Sequence[Mutant], by_id: Mapping[str, Mutant]) -> Iterator[Finding]:
        """Ask about mutants that need an interpreter of their own."""
        fresh: list[Mutant] = []
        tests: dict[str, FreshTests] = {}
        for mutant in mutants:
            place = mutant.place
            if place not in tests:
                tests[place] = self._choose_fresh(mutant)
            if tests[place].tests:
                fresh.append(mutant)
            elif not self._modules[mutant.path].is_same(mutant):
                yield self._finding(mutant, {"verdict": MutantVerdict.NOT_REACHED})
        if not fresh:
            return
        orders = self._orders(
            mutants=[], files=None, run_files=[], run_tests=[], fresh=fresh, fresh_tests=tests
        )
        with self._run(orders) as facts:
            for fact in facts:
                if fact["fact"] == Fact.VERDICT:
                    place = by_id[fact["id"]].place
                    finding = self._take(self._explain(fact, place, tests[place]), by_id)
                else:
                    finding = self._take(fact, by_id)
                if finding is not None:
                    yield finding

    def _choose_fresh(self, mutant: Mutant) -> FreshTests:
        """Return the tests to ask in fresh interpreters about a mutant and all others of its place."""
        reaching = self._knowledge.tests_for(mutant)
        tests = _affordable(order_tests(reaching, mutant.place, {}))
        return FreshTests(
            tests=[KnownCost(test.nodeid, test.cpu_s) for test in tests],
            files=sorted({test.nodeid.split("::")[0] for test in tests}),
            n_reaching=len(reaching),
        )

    def _explain(self, fact: dict[str, Any], place: str, asked: FreshTests) -> dict[str, Any]:
        """Return a verdict from a fresh interpreter with what is known of the tests that gave it."""
        nodeids = [test.nodeid for test in asked.tests]
        reaches = [self._knowledge.reaches[nodeid] for nodeid in nodeids if nodeid in self._knowledge.reaches]
        explained: dict[str, Any] = {
            "n_reaching": asked.n_reaching,
            "n_executed": sum(reach.blocks.get(place, 0) for reach in reaches),
            "closest": [reach.nodeid for reach in reaches if reach.is_property][:3],
        }
        left = asked.n_reaching - len(nodeids)
        if left and fact["verdict"] == MutantVerdict.SURVIVED:
            explained["reason"] = (
                f"{left} of {asked.n_reaching} tests were not asked, because they would take too long"
            )
        return explained | fact

    def _orders(self, **values: Any) -> Orders:
        return Orders(
            arguments=self._settings.arguments,
            root=os.fspath(self._settings.root),
            product=[os.fspath(path) for path in self._product.files],
            events=-1,
            n_jobs=self._settings.n_jobs,
            ends_at=self._settings.ends_at,
            reaches=list(self._knowledge.reaches.values()) if not values.get("fresh") else [],
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
            case Fact.ONCE:
                self._remarks.append(
                    f"{fact['nodeid']} passes only once in a process, so that a fresh interpreter asks it: "
                    f"{fact['error']}"
                )
            case Fact.UNFIT:
                self._knowledge.exclude(
                    fact["nodeid"], f"it fails unchanged in a process of its own: {fact['error']}"
                )
            case Fact.SAME:
                mutant = by_id[fact["id"]]
                self._modules[mutant.path].note_same(mutant)
            case Fact.VERDICT:
                if "kept" in fact:
                    self._store.add_early([fact["kept"]])
                return self._finding(by_id[fact["id"]], fact)
        return None

    def _take_run(self, fact: dict[str, Any]) -> None:
        nodeid, error = fact["nodeid"], fact.get("error")
        if error is not None:
            self._knowledge.exclude(nodeid, error)
        else:
            reach = msgspec.convert(fact["reach"], Reach)
            self._knowledge.add_reach(reach)
        self._listener.on_ran(fact["number"], fact["of"], nodeid, error)

    def _take_ready(self, fact: dict[str, Any]) -> None:
        if not fact["n_tests"]:
            raise SubjectError(
                f"no test passes unchanged; {len(self._knowledge.excluded)} failed",
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
        self._knowledge.add_collected(self._files_asked, fact["early"])
        self._note_ready()

    def _note_ready(self) -> None:
        """Say once that it is known what the tests enter."""
        if not self._is_ready:
            self._is_ready = True
            self._remark_on_tests()
            self._listener.on_ready(len(self._knowledge.reaches), self._remarks)

    def _remark_on_tests(self) -> None:
        """Name the tests that fail or start programs, also when an earlier call ran them."""
        excluded = list(self._knowledge.excluded)
        if excluded:
            verbs = ("does", "is") if len(excluded) == 1 else ("do", "are")
            self._remarks.append(
                f"{plural(len(excluded), 'test')} {verbs[0]} not pass unchanged and {verbs[1]} not asked: "
                + ", ".join(excluded[:3])
            )
        starting = [reach.nodeid for reach in self._knowledge.reaches.values() if reach.starts_programs]
        if starting:
            self._remarks.append(
                f"{plural(len(starting), 'test')} started other programs, where no mutant is tried: "
                + ", ".join(starting[:3])
            )

    def _finding(self, mutant: Mutant, fact: Mapping[str, Any]) -> Finding:
        nodeid = fact.get("noticed_by")
        reach = self._knowledge.reaches.get(nodeid) if nodeid else None
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
