"""Where the time of one property goes, as Hypothesis observes its test cases."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=0)]


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that test cases spend time on: the body, drawing an argument, a rule, an invariant."""

    name: str
    """Hypothesis's own: `execute:test`, `generate:xs`, `execute:rule:push`, `overall:gc`."""
    n: Count
    """Test cases in which it took any time."""
    total_s: Seconds
    max_s: Seconds
    strategy: str | None = None
    """What an argument is drawn from, cut where it is long."""


class Draw(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the project that draws: in a composite strategy, or with `data.draw()`."""

    place: str
    """File and line."""
    function: str
    """The function that draws: the composite's, or the test."""
    strategy: str
    """What it draws from, the first time it does, cut where it is long."""
    n: Count
    own_s: Seconds
    """Without the draws of other lines that it is made of."""
    total_s: Seconds
    """With them."""


class FixtureCost(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fixture that was set up for the test, and had not been before."""

    name: str
    scope: str
    place: str | None = None
    own_s: Seconds
    """Without the fixtures that it asks for."""


class FunctionCost(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function that the test calls, or the test itself, as a profiler sees it."""

    place: str
    function: str
    n: Count
    """Calls, and resumptions of a generator or coroutine."""
    own_s: Seconds
    """In the function itself, and in the C functions and the standard library that it calls."""


class SlowCase(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the slowest test cases."""

    total_s: Seconds
    status: str
    call: str
    """The call with its arguments, or the steps of a machine, cut where it is long."""


class Waste(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What made Hypothesis throw work away."""

    cause: str
    """A filter with its strategy, or an assumption with its line; cut where it is long."""
    place: str | None = None
    """Where a filter's condition stands."""
    n_gave_up: Count = 0
    """Test cases that ended there."""
    n_retried: Count = 0
    """Test cases in which it made a draw start again."""
    total_s: Seconds = 0.0
    """Time of those that ended there, as far as Hypothesis says it."""


class Explanation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What Hypothesis's observability says about one run of a property.

    A test case that gives up while it draws its arguments has no times: how many there are is in `n_untimed`,
    and what they cost is only in the statistics, which miss nothing.
    """

    n_cases: Count
    n_untimed: Count
    parts: list[Part]
    """Those that take longest."""
    slowest: list[SlowCase]
    waste: list[Waste]
    """What throws away most."""
    draws: list[Draw] = []
    fixtures: list[FixtureCost] = []
    functions: list[FunctionCost] = []
    """Of a second run of the same examples, because a profiler makes Python code slower."""
    n_parts: Count = 0
    n_causes: Count = 0
    """How many parts and causes there were, those that are left out here too."""

    @property
    def timed_s(self) -> float:
        """Seconds that are accounted for."""
        return sum(part.total_s for part in self.parts)
