"""How a session tells what it does, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.detection.trials import Trial
    from atom_testinfra.core.mutants import Finding, PropertyWorth


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

    def on_trials(self, nodeid: str, mutant: str, trials: Sequence[Trial]) -> None:
        """A property was asked about a mutant on several seeds."""


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
