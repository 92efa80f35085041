"""What to do about a property's cost: which part of its time to work on, and what helps there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.costs.cost import split_time
from atom_testinfra.core.figures import percent, seconds, significant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atom_testinfra.core.costs.baseline import ProfileCost
    from atom_testinfra.core.costs.cost import Split

MUCH_GIVEN_UP = 0.25
"""Share of the time from which on test cases that are given up come first: all of it can be saved."""

MUCH_ENGINE_S = 0.001
"""
CPU seconds of Hypothesis's own work for one test case from which on the amount of data explains most of it.

A test case that draws one integer takes it 0.2 ms, one that draws 5,000 bytes 6.5 ms.
"""

MUCH_DRAWN = 1 / 3
"""Drawing over Hypothesis's own work from which on the amount of data explains both; one integer has 1/20."""


AROUND_EXAMPLES = (
    "`setUp` and `tearDown` of a TestCase, decorators above `@given`, and what Hypothesis, pytest and its"
    " plugins do once for all examples"
)
"""What a call has apart from its examples; nothing separates its parts."""


class Remedy(StrEnum):
    """What helps; each was tried, and a test follows it and measures what it wins."""

    BUILD_DATA = "build-data"
    """Build valid data (`map`, bounds, `st.builds`) where `assume()` or a filter rejects much of it."""
    SHRINK_DATA = "shrink-data"
    """Draw fewer or smaller values (`max_size`) where test cases ask for more data than they get."""
    KEEP_MORE = "keep-more"
    """One of the two above, where an older baseline does not say why test cases were given up."""
    SHARE_FIXTURE = "share-fixture"
    """Give fixtures of function scope a wider one, or make them cheaper, where set-up takes most."""
    CHEAPER_FIXTURE = "cheaper-fixture"
    """Make a shared fixture cheaper where set-up takes most because this test is the first to need it."""
    LOOK_BEFORE = "look-before"
    """Look at what pytest and plugins do before a test where set-up takes most, and not in fixtures."""
    CHEAPER_SET_UP = "cheaper-set-up"
    """One of the three above, where an older baseline does not say whose set-up it is."""
    DRAW_LESS = "draw-less"
    """Draw fewer or smaller values where drawing takes most; Hypothesis's own work falls with it."""
    SMALLER_CASES = "smaller-cases"
    """Draw fewer or smaller values where Hypothesis's own work takes most, and test cases are large."""
    FEWER_EXAMPLES = "fewer-examples"
    """Run fewer examples where Hypothesis's own work takes most, and test cases are small already."""
    CHEAPER_BODY = "cheaper-body"
    """Work on the test's own code and the product's where these take most."""
    FEWER_EXPLICIT = "fewer-explicit"
    """Look at the `@example` cases where most of the time is outside of the generated ones."""
    LOOK_OUTSIDE = "look-outside"
    """Look at `setUp`, decorators above `@given` and plugins where most is outside of the examples."""


class Advice(Struct, frozen=True, kw_only=True):
    """The part of a property's time to work on, and what to do."""

    remedy: Remedy
    part: str
    """The part of the time it is about, as a report names it."""
    part_s: float
    """What that part takes. Less drawing also makes Hypothesis's own work less, and so wins more."""
    text: str
    """A clause without a full stop, with the figures it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What the wording of advice may use."""

    cost: ProfileCost
    split: Split
    part_s: float

    @property
    def calls(self) -> str:
        """Test cases for each valid one."""
        return significant(self.cost.calls_per_valid, digits=2)

    @property
    def takes(self) -> str:
        """The part's time, beside the whole."""
        whole_s = self.cost.duration_s
        share = percent(self.part_s / whole_s) if whole_s else "none"
        return f"{seconds(self.part_s)} of {seconds(whole_s)} ({share})"

    @property
    def each(self) -> str:
        """The part's time for one valid example."""
        return seconds(self.part_s / self.cost.n_examples if self.cost.n_examples else 0.0)

    @property
    def worth(self) -> str:
        """What is saved when nothing of the part is left."""
        return f"worth about {_about(self.part_s)} of {_about(self.cost.duration_s)}"


def advise(cost: ProfileCost) -> Advice:
    """Return what to work on: test cases that are given up where they take much, else the largest part."""
    split = split_time(cost)
    parts = {
        "filtered": split.rejected_s + split.overrun_s,
        "setup": split.setup_s,
        "body": split.body_s,
        "generate": split.generate_s,
        "engine": split.engine_s,
        "other": split.other_s,
    }
    is_wasteful = parts["filtered"] > 0 and parts["filtered"] >= MUCH_GIVEN_UP * cost.duration_s
    part = "filtered" if is_wasteful else max(parts, key=lambda name: parts[name])
    remedy = _choose(part, cost, split)
    case = _Case(cost=cost, split=split, part_s=parts[part])
    return Advice(remedy=remedy, part=part, part_s=parts[part], text=WORDING[remedy](case))


def _choose(part: str, cost: ProfileCost, split: Split) -> Remedy:
    match part:
        case "filtered" if cost.overruns_per_valid is None:
            return Remedy.KEEP_MORE
        case "filtered":
            return Remedy.SHRINK_DATA if split.overrun_s > split.rejected_s else Remedy.BUILD_DATA
        case "setup":
            return _choose_for_set_up(cost)
        case "body":
            return Remedy.CHEAPER_BODY
        case "generate":
            return Remedy.DRAW_LESS
        case "engine":
            return Remedy.SMALLER_CASES if _is_large(cost, split) else Remedy.FEWER_EXAMPLES
        case _:
            return Remedy.FEWER_EXPLICIT if cost.n_explicit else Remedy.LOOK_OUTSIDE


def _choose_for_set_up(cost: ProfileCost) -> Remedy:
    wide_s, own_s = cost.wide_setup_s, cost.own_setup_s
    if wide_s is not None and wide_s > cost.setup_s / 2:
        return Remedy.CHEAPER_FIXTURE
    if wide_s is None or own_s is None:
        return Remedy.CHEAPER_SET_UP
    if wide_s + own_s <= cost.setup_s / 2:
        return Remedy.LOOK_BEFORE
    return Remedy.CHEAPER_FIXTURE if wide_s > own_s else Remedy.SHARE_FIXTURE


def _is_large(cost: ProfileCost, split: Split) -> bool:
    """Whether the data that a test case draws, rather than their number, makes Hypothesis's work large."""
    on_cpu = min(1.0, cost.cpu_s / cost.duration_s) if cost.duration_s else 0.0
    one_case_s = split.engine_s / cost.n_examples * on_cpu if cost.n_examples else 0.0
    return one_case_s >= MUCH_ENGINE_S or split.generate_s >= MUCH_DRAWN * split.engine_s


def _about(value_s: float) -> str:
    return seconds(float(f"{value_s:.2g}"), digits=2)


def _build_data(case: _Case) -> str:
    return (
        f"{case.calls} test cases for each valid one, because an assumption or a filter rejects the others: "
        f"build the data so that none is rejected, {case.worth}"
    )


def _shrink_data(case: _Case) -> str:
    n = significant((case.cost.overruns_per_valid or 0.0) * 100, digits=2)
    return (
        f"{n} test cases for every 100 valid ones are given up, because they ask for more data than "
        f"Hypothesis gives them: draw fewer or smaller values, {case.worth}"
    )


def _keep_more(case: _Case) -> str:
    return (
        f"{case.calls} test cases for each valid one; the others are given up, because an assumption or a "
        f"filter rejects them or they ask for too much data, {case.worth}"
    )


def _cheaper_set_up(case: _Case) -> str:
    return (
        f"set-up takes {case.takes}: a fixture of function scope is built for each test that uses it, "
        "one of a wider scope for the first"
    )


def _share_fixture(case: _Case) -> str:
    own = seconds(case.cost.own_setup_s or 0.0)
    return (
        f"set-up takes {case.takes}, and {own} of it are fixtures of function scope: "
        "give them a wider scope, or make them cheaper"
    )


def _cheaper_fixture(case: _Case) -> str:
    wide = seconds(case.cost.wide_setup_s or 0.0)
    return (
        f"set-up takes {case.takes}, and {wide} of it are fixtures wider than a function, which the first "
        "test that needs them pays for: make them cheaper"
    )


def _look_before(case: _Case) -> str:
    outside_s = case.part_s - (case.cost.wide_setup_s or 0.0) - (case.cost.own_setup_s or 0.0)
    return (
        f"set-up takes {case.takes}, and {seconds(outside_s)} of it is outside of fixtures: what pytest and "
        "its plugins do before a test, more of it before the first test of a process"
    )


def _draw_less(case: _Case) -> str:
    return f"drawing takes {case.takes}, {case.each} an example: draw fewer or smaller values"


def _smaller_cases(case: _Case) -> str:
    return (
        f"Hypothesis's own work takes {case.takes}, {case.each} an example, and it grows with the data "
        "that an example draws: draw fewer or smaller values"
    )


def _fewer_examples(case: _Case) -> str:
    return (
        f"Hypothesis's own work takes {case.takes}, {case.each} an example, and an example draws little: "
        "fewer examples make it cheaper"
    )


def _cheaper_body(case: _Case) -> str:
    return f"the test's own code takes {case.takes}, {case.each} an example"


def _fewer_explicit(case: _Case) -> str:
    n = case.cost.n_explicit
    cases = "the `@example` case and" if n == 1 else f"the {n:,} `@example` cases and"
    return f"{case.takes} is outside of the generated examples: {cases} {AROUND_EXAMPLES}"


def _look_outside(case: _Case) -> str:
    return f"{case.takes} is outside of the examples: {AROUND_EXAMPLES}"


WORDING: Mapping[Remedy, Callable[[_Case], str]] = {
    Remedy.BUILD_DATA: _build_data,
    Remedy.SHRINK_DATA: _shrink_data,
    Remedy.KEEP_MORE: _keep_more,
    Remedy.SHARE_FIXTURE: _share_fixture,
    Remedy.CHEAPER_FIXTURE: _cheaper_fixture,
    Remedy.LOOK_BEFORE: _look_before,
    Remedy.CHEAPER_SET_UP: _cheaper_set_up,
    Remedy.DRAW_LESS: _draw_less,
    Remedy.SMALLER_CASES: _smaller_cases,
    Remedy.FEWER_EXAMPLES: _fewer_examples,
    Remedy.CHEAPER_BODY: _cheaper_body,
    Remedy.FEWER_EXPLICIT: _fewer_explicit,
    Remedy.LOOK_OUTSIDE: _look_outside,
}
"""The clause of each, from the figures it rests on."""
