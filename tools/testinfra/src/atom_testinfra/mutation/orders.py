"""What the session tells a worker, and what the worker answers: one JSON object a line."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from atom_testinfra.core.mutants import Mutant, Reach
from atom_testinfra.mutation.written import WrittenFault


class Orders(Struct, frozen=True, kw_only=True):
    """What one worker is to do: a pytest process that collects the tests and asks them."""

    arguments: list[str]
    """pytest's arguments."""
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
    tests: list[str] = field(default_factory=list)
    """For a mutant at module level: the tests to ask, in this order."""
    costs: dict[str, float] = field(default_factory=dict)
    """CPU seconds of these tests."""
    faults: list[WrittenFault] = field(default_factory=list)
    """Faults that a person wrote down: `mutants` may be of these."""
    is_each_property: bool = False
    """Ask each property alone, until it notices a mutant."""
    is_fresh: bool = False
    """Import the product with the first mutant in it, and ask `tests`."""


class Fact(StrEnum):
    """The key of an answer that says what it is about."""

    COLLECTED = "collected"
    """Tests were collected: how many, and which files could not be."""
    RAN = "ran"
    """An unchanged test ran: its `Reach`, or why it cannot be asked."""
    READY = "ready"
    """All unchanged tests ran; how mutants will be asked about."""
    VERDICT = "verdict"
    """What became of a mutant."""
    PROPERTY = "property"
    """Whether a property, asked alone, noticed a mutant of what it executes."""
    BROKEN = "broken"
    """A test that passed unchanged no longer does; nothing after the last good check counts."""
    CHECKED = "checked"
    """The tests still pass unchanged."""
    FAILED = "failed"
    """The worker cannot go on, and why."""
    DONE = "done"
    """Nothing is left to ask."""
