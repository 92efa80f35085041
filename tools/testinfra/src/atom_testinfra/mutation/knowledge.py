"""What is known of tests and mutants: from earlier sessions, as far as it still holds, and from this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from atom_testinfra.mutation.imports import ImportGraph
from atom_testinfra.mutation.states import States
from atom_testinfra.storage.mutants import ExcludedTest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from atom_testinfra.core.mutants import Finding, Mutant, Reach
    from atom_testinfra.mutation.operators.mutants import Module
    from atom_testinfra.mutation.product import Product
    from atom_testinfra.storage.mutants import MutantStore


class Knowledge:
    """Which tests enter which blocks, and which verdicts hold as long as that is so."""

    def __init__(
        self, product: Product, modules: dict[str, Module], rootdir: Path, store: MutantStore
    ) -> None:
        self._store = store
        self._states = States(product, modules, rootdir)
        self._imports = ImportGraph(modules, self._states.files)
        self.reaches: dict[str, Reach] = {}
        """By test, what it enters of the product as it is now."""
        self.excluded: dict[str, str] = {}
        """By test that does not pass unchanged, what it raised."""
        self._by_block: dict[str, list[Reach]] | None = None
        self._importing: dict[str, list[Reach]] = {}
        """By module, the tests that import it."""
        self._test_states: dict[str, str] = {}
        for nodeid, known in store.reaches.items():
            digest = self._states.of_file(_file_of(nodeid))
            if digest and self._states.of_test(known.reach) == known.state:
                self.reaches[nodeid] = known.reach
                self._test_states[nodeid] = known.state
        for nodeid, test in store.excluded.items():
            if self._states.of_failing(nodeid) == test.state:
                self.excluded[nodeid] = test.error

    @property
    def has_collected(self) -> bool:
        """Whether an earlier session collected the tests."""
        return bool(self._store.files)

    @property
    def test_files(self) -> list[str]:
        """Every file that looks like one of tests."""
        return list(self._states.test_files)

    @property
    def new_files(self) -> list[str]:
        """Test files that were not collected as they are now."""
        known = self._store.files
        return [
            file for file, digest in self._states.test_files.items() if digest and known.get(file) != digest
        ]

    @property
    def stale_tests(self) -> list[str]:
        """Tests of known files that may enter other blocks than they did, or may pass now."""
        return [
            nodeid
            for nodeid in (*self._store.reaches, *self._store.excluded)
            if nodeid not in self.reaches
            and nodeid not in self.excluded
            and self._states.of_file(_file_of(nodeid))
        ]

    def curve_state(self, nodeid: str) -> str:
        """Return the state of everything that a property's detection curve depends on; nothing if unknown."""
        reach = self.reaches.get(nodeid)
        return "" if reach is None else self._states.of_test(reach)

    def add_reach(self, reach: Reach) -> None:
        """Take what a test entered."""
        state = self._states.of_test(reach)
        self.reaches[reach.nodeid] = reach
        self.excluded.pop(reach.nodeid, None)
        self._test_states[reach.nodeid] = state
        self._store.add_reach(reach, state)
        self._by_block = None
        self._importing.clear()

    def exclude(self, nodeid: str, error: str) -> None:
        """Note that a test does not pass unchanged: its answers do not count."""
        self.reaches.pop(nodeid, None)
        self.excluded[nodeid] = error
        state = self._states.of_failing(nodeid)
        self._store.add_excluded(ExcludedTest(nodeid=nodeid, error=error, state=state))
        self._by_block = None
        self._importing.clear()

    def add_collected(self, files: Iterable[str], early: Iterable[str]) -> None:
        """
        Note which blocks were entered before the first test.

        All tests of `files` and all stale tests have run. A test that is still stale no longer exists.
        """
        for nodeid in self.stale_tests:
            self._store.forget_test(nodeid)
        self._store.add_early(early)
        for file in files:
            self._store.add_file(file, self._states.of_file(file))

    def add_finding(self, finding: Finding, mutant: Mutant) -> None:
        """Keep a verdict with what it rests on."""
        self._store.add_finding(finding, self._state_of(mutant, finding))

    def find_findings(self, selected: Sequence[Mutant]) -> dict[str, Finding]:
        """Return the verdicts of earlier sessions that still hold, by mutant."""
        may_have_new_reach = bool(self.new_files or self.stale_tests)
        found: dict[str, Finding] = {}
        for mutant in selected:
            known = self._store.findings.get(mutant.id)
            if known is None:
                continue
            is_final = known.finding.verdict.is_noticed and known.finding.noticed_by is not None
            if (is_final or not may_have_new_reach) and self._state_of(mutant, known.finding) == known.state:
                found[mutant.id] = _moved(known.finding, mutant)
        return found

    def tests_for(self, mutant: Mutant) -> list[Reach]:
        """Return the tests that a mutant can be noticed by."""
        if mutant.function is not None and mutant.place not in self._store.early:
            return self._find_entering().get(mutant.place, [])
        if mutant.path not in self._importing:
            self._importing[mutant.path] = self._find_importing(mutant.path)
        return self._importing[mutant.path]

    def _find_importing(self, path: str) -> list[Reach]:
        paths, files = self._imports.importers_of(path), self._imports.files_importing(path)
        entering = {
            reach.nodeid
            for block, reaches in self._find_entering().items()
            if block.partition(":")[0] in paths
            for reach in reaches
        }
        return [
            reach
            for reach in self.reaches.values()
            if reach.nodeid in entering or _file_of(reach.nodeid) in files
        ]

    def _find_entering(self) -> dict[str, list[Reach]]:
        """Return by block the tests that enter it."""
        if self._by_block is None:
            self._by_block = {}
            for reach in self.reaches.values():
                for block in reach.blocks:
                    self._by_block.setdefault(block, []).append(reach)
        return self._by_block

    def _state_of(self, mutant: Mutant, finding: Finding) -> str:
        """Return the state of what a verdict rests on: the test that noticed, or all that could have."""
        if finding.verdict.is_noticed and finding.noticed_by is not None:
            nodeids = [finding.noticed_by]
        else:
            nodeids = [reach.nodeid for reach in self.tests_for(mutant)]
        states = [self._test_states[nodeid] for nodeid in nodeids if nodeid in self.reaches]
        return self._states.of_finding(mutant.id, [*states, *sorted(nodeids)])


def _file_of(nodeid: str) -> str:
    return nodeid.split("::")[0]


def _moved(finding: Finding, mutant: Mutant) -> Finding:
    """Return a finding at the line where its mutant is now."""
    return finding if finding.line == mutant.line else msgspec.structs.replace(finding, line=mutant.line)
