"""Mutants and what became of them: plain values, and what follows from them."""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class MutantVerdict(StrEnum):
    """What the tests made of a mutant."""

    ASSERTION = "noticed by an assertion"
    """A check of a test failed: the best way to notice."""
    EXCEPTION = "noticed by an exception"
    """The code raised something that no test expected."""
    TIME = "noticed by running out of time"
    """A test took many times as long as without the mutant."""
    LIMIT = "noticed by a limit"
    """The process asked for more memory or disk than it may have, or ended itself."""
    SURVIVED = "survived"
    """Every test that executes the changed statement's block passed."""
    NOT_REACHED = "not reached"
    """No test executes the block."""
    NOT_ASKED = "not asked"
    """The mutant could not be asked about; the reason stands beside it."""

    @property
    def is_noticed(self) -> bool:
        """Whether some test noticed."""
        return self.value.startswith("noticed")


class Mutant(Struct, frozen=True, kw_only=True, gc=False):
    """One change of one statement."""

    id: str
    """The same as long as the statement and its function's name stay: edits elsewhere do not change it."""
    path: str
    """Of the module, relative to the project's root."""
    function: str | None
    """Qualified name of the outermost function; `None` at module level."""
    block: str
    """Key of the block in its module; tests are chosen by it."""
    line: int
    end_line: int
    operator: str
    is_hidden: bool
    """Only a text changes that a person reads."""
    index: int
    """Number of the change in its module as it is now."""
    statement: int
    """Number of the statement in its module as it is now."""

    @property
    def place(self) -> str:
        """Its module and block, as `Reach.blocks` names them."""
        return f"{self.path}:{self.block}"


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What became of a mutant, and the evidence."""

    id: str
    path: str
    line: int
    function: str | None
    operator: str
    difference: str
    """The change as a unified diff of the module."""
    is_hidden: bool = False
    """Only a text changes that a person reads."""
    verdict: MutantVerdict
    noticed_by: str | None = None
    """Node id of the test that noticed."""
    is_property: bool = False
    """The test that noticed is a property."""
    n_test_cases: int | None = None
    """
    Test cases that the property ran until one noticed; `None` for a plain test. Of a survivor: those that all
    properties ran.
    """
    error: str | None = None
    """What the test that noticed raised, in one line."""
    n_run: int = 0
    """Tests that were run, the one that noticed included."""
    n_reaching: int = 0
    """Tests that execute the block."""
    n_executed: int = 0
    """How often these tests execute the block."""
    closest: list[str] = []
    """Of a survivor: the properties that execute the block most often."""
    reason: str | None = None
    """Why it was not asked about, or why a survivor was asked of fewer tests than execute it."""
    accepted: str | None = None
    """Why a person accepts that it survives."""


class Score(Struct, frozen=True, kw_only=True):
    """Counts over findings."""

    counts: dict[MutantVerdict, int]
    n_accepted: int

    @property
    def n_noticed(self) -> int:
        """Mutants that some test noticed."""
        return sum(n for verdict, n in self.counts.items() if verdict.is_noticed)

    @property
    def n_survived(self) -> int:
        """Mutants that every test let pass, without those that a person accepted."""
        return self.counts.get(MutantVerdict.SURVIVED, 0) - self.n_accepted

    @property
    def n_reached(self) -> int:
        """Mutants that the share is taken of: noticed or survived."""
        return self.n_noticed + self.n_survived

    @property
    def share(self) -> float | None:
        """Share noticed of those that some test executes; `None` where none was asked about."""
        return self.n_noticed / self.n_reached if self.n_reached else None


def score(findings: Iterable[Finding]) -> Score:
    """Return the counts over findings."""
    counts: Counter[MutantVerdict] = Counter()
    n_accepted = 0
    for finding in findings:
        counts[finding.verdict] += 1
        n_accepted += finding.accepted is not None and finding.verdict is MutantVerdict.SURVIVED
    return Score(counts=dict(counts), n_accepted=n_accepted)


class PropertyWorth(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether a property, asked alone, notices a fault in what it executes."""

    nodeid: str
    n_asked: int
    """Mutants that it was asked about; the last one is the one that it noticed."""
    is_judged: bool = True
    """False where the time was over before it was asked about enough mutants."""
    noticed: Finding | None = None

    @property
    def is_silent(self) -> bool:
        """Whether it noticed nothing, and was asked about enough to say so."""
        return self.noticed is None and self.is_judged


class Worth(Struct, frozen=True, kw_only=True):
    """What one test is worth, from the mutants that were asked about."""

    nodeid: str
    n_noticed: int
    """Mutants that this test noticed; tests that were not asked any more may notice them too."""
    n_by_assertion: int


def worth_of_tests(findings: Iterable[Finding]) -> list[Worth]:
    """Return the tests that noticed something, those that noticed most first."""
    noticed: Counter[str] = Counter()
    asserted: Counter[str] = Counter()
    for finding in findings:
        if finding.noticed_by is not None:
            noticed[finding.noticed_by] += 1
            asserted[finding.noticed_by] += finding.verdict is MutantVerdict.ASSERTION
    ranked = sorted(noticed.items(), key=lambda item: (-item[1], item[0]))
    return [Worth(nodeid=nodeid, n_noticed=n, n_by_assertion=asserted[nodeid]) for nodeid, n in ranked]


def order_mutants(mutants: Sequence[Mutant], seed: int) -> list[Mutant]:
    """
    Return the mutants in the order to ask about them, so that any beginning of it is a fair sample.

    The first round has one mutant of each statement, chosen and shuffled by the seed; the next rounds have
    the others. Mutants that change only a text come after all rounds, and module level, which needs a fresh
    interpreter for each mutant, comes after the functions of its round.
    """
    chance = random.Random(seed)  # noqa: S311 (a fixed order, not a secret)
    by_statement: dict[tuple[str, int, bool], list[Mutant]] = {}
    for mutant in sorted(mutants, key=lambda one: one.id):
        by_statement.setdefault((mutant.path, mutant.statement, mutant.is_hidden), []).append(mutant)
    ranked: list[tuple[bool, int, bool, float, Mutant]] = []
    for group in by_statement.values():
        chance.shuffle(group)
        ranked += [
            (mutant.is_hidden, number, mutant.function is None, chance.random(), mutant)
            for number, mutant in enumerate(group)
        ]
    ranked.sort(key=lambda each: each[:4])
    return [mutant for *_, mutant in ranked]


def first_of_each_statement(mutants: Sequence[Mutant], n: int, seed: int) -> list[Mutant]:
    """Return `n` mutants of each statement, the first to be asked about; one that has fewer, all it has."""
    counts: Counter[tuple[str, int]] = Counter()
    chosen = []
    for mutant in order_mutants(mutants, seed):
        statement = mutant.path, mutant.statement
        if counts[statement] < n:
            counts[statement] += 1
            chosen.append(mutant)
    return chosen


class Reach(Struct, frozen=True, kw_only=True, gc=False):
    """What one test executes of the product, and what it costs."""

    nodeid: str
    cpu_s: float
    is_property: bool
    blocks: dict[str, int]
    """Times that it enters each block, by `path:block`; what fixtures enter is every user's."""
    starts_programs: bool = False
    """It starts processes of its own, in which the product is unchanged."""


def order_tests(
    reaching: Sequence[Reach], block: str, noticed_before: Mapping[str, int], *, floor_s: float = 0.002
) -> list[Reach]:
    """
    Return the tests in the order to run them under a mutant of a block: the likeliest per CPU second first.

    A test that noticed a mutant of the same function before is the likeliest to notice, then one that spends
    a large part of its work in the block. Both are divided by the test's cost.
    """

    def promise(test: Reach) -> float:
        specific = math.sqrt(test.blocks.get(block, 0) / (1 + sum(test.blocks.values())))
        return (noticed_before.get(test.nodeid, 0) + specific + 0.01) / (test.cpu_s + floor_s)

    return sorted(reaching, key=lambda test: (-promise(test), test.nodeid))


def combine_digests(parts: Iterable[str]) -> str:
    """Return one digest of many texts, which may be digests themselves."""
    whole = "\0".join([*parts, ""])
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]
