"""What the session tells a worker, and what the worker answers: one JSON object a line."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct, field

from atom_testinfra.core.mutants import Mutant, Reach
from atom_testinfra.mutation.operators.written import WrittenFault


class KnownCost(NamedTuple):
    """What a test took unchanged."""

    nodeid: str
    cpu_s: float
    wall_s: float = 0.0
    """In a copy; 0 where it was not measured in one."""


class FreshTests(Struct, frozen=True, kw_only=True):
    """The tests to ask about a mutant that the product is imported with."""

    tests: list[KnownCost]
    """In this order."""
    files: list[str]
    """The files that these tests are in."""
    n_reaching: int
    """Tests that could notice it; of these, `tests` are as many as can be afforded."""


class CurveOrders(Struct, frozen=True, kw_only=True):
    """How often each property is asked about each mutant, for detection curves."""

    grid: list[int]
    """Numbers of examples to plan, the largest first."""
    n_seeds: int
    known: list[tuple[str, str]]
    """Node ids and mutants that were asked before."""


class Orders(Struct, frozen=True, kw_only=True):
    """What one worker is to do: a pytest process that collects the tests and asks them."""

    arguments: list[str]
    """pytest's arguments."""
    files: list[str] | None
    """Test files to collect, instead of those that the arguments name."""
    root: str
    """The project's root: paths of modules are relative to it."""
    product: list[str]
    """Absolute paths of the product's files."""
    events: int
    """File descriptor to write answers to."""
    n_jobs: int
    ends_at: float | None
    """Seconds since the epoch, after which no further mutant is asked about."""
    mutants: list[Mutant]
    """In the order to ask about them."""
    run_files: list[str] | None
    """Test files all of whose tests are run once unchanged, to see what they enter; `None`: all files."""
    run_tests: list[str]
    """Tests of other files that are run once unchanged."""
    reaches: list[Reach]
    """What is known of tests that need not be run for that."""
    fresh: list[Mutant] = field(default_factory=list)
    """Ask about these, each in an interpreter of its own, and nothing else."""
    fresh_tests: dict[str, FreshTests] = field(default_factory=dict)
    """What to ask about them, by place: a table of constants has thousands of mutants in one place."""
    faults: list[WrittenFault] = field(default_factory=list)
    """Faults that a person wrote down: `mutants` may be of these."""
    is_each_property: bool = False
    """Ask each property alone, until it notices a mutant."""
    curves: CurveOrders | None = None
    """Ask every property that reaches a mutant, on several seeds."""
    requests: int | None = None
    """
    File descriptor to read mutants from instead of `mutants`, until it is closed: a JSON list of them a line.
    Each line is answered to its end.
    """


class Fact(StrEnum):
    """The key of an answer that says what it is about."""

    COLLECTED = "collected"
    """Tests were collected: how many, and which files could not be."""
    RAN = "ran"
    """An unchanged test ran: its `Reach`, or why it cannot be asked."""
    ONCE = "once"
    """A test that passed unchanged fails when it runs again in the same process; why."""
    UNFIT = "unfit"
    """A test that passed unchanged fails in a process of its own; why."""
    READY = "ready"
    """All unchanged tests ran; how mutants will be asked about."""
    VERDICT = "verdict"
    """What became of a mutant."""
    SAME = "same"
    """A mutant compiles to the code that was there before: there is nothing to ask."""
    PROPERTY = "property"
    """Whether a property, asked alone, noticed a mutant of what it executes."""
    UNCHANGED = "unchanged"
    """A property ran unchanged in several sizes, or why it cannot be asked in them."""
    TRIALS = "trials"
    """What the runs of a property under a mutant noticed."""
    BROKEN = "broken"
    """A test that passed unchanged no longer does; nothing after the last good check counts."""
    CHECKED = "checked"
    """The tests still pass unchanged."""
    FAILED = "failed"
    """The worker cannot go on, and why."""
    DONE = "done"
    """Nothing is left to ask, of a line where mutants come line by line."""
