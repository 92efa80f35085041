"""Settings whose limit changes, on Hypothesis itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, database, given
from hypothesis import settings as Settings  # noqa: N812
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from tests.versions import since_hypothesis

from atom_testinfra.core.budgets.planner import Share
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.steering import limits
from atom_testinfra.pytest_plugin.steering.limits import Limit, LimitedSettings, find_flaw

pytestmark = since_hypothesis("6.131.4")

OWN = Settings(database=None, deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))


class Clock:
    """A clock that moves by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def run(share: Share, body: Any, clock: Clock, strategy: Any = None) -> Limit:
    """Run a property of this body under a share."""
    limit = Limit(share, OWN.max_examples, clock)

    @given(st.integers() if strategy is None else strategy)
    def test(value: object) -> None:
        body(value)

    test._hypothesis_internal_use_settings = LimitedSettings.of(OWN, limit)  # type: ignore[attr-defined]
    test()
    return limit


def share(n: int, *, stop_s: float = 1e9, floor: int = 1, grows: bool = False) -> Share:
    return Share(n_examples=n, floor=floor, stop_s=stop_s, grows=grows, predicted_s=stop_s)


def test_this_hypothesis_can_be_limited() -> None:
    """The self-test runs a property with a saved entry, and finds nothing wrong."""
    assert find_flaw() is None


def test_the_self_test_finds_a_flaw(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the engine asked from other places, the self-test would say that nothing limits a run."""
    monkeypatch.setattr(limits, "LIMITED", ("elsewhere", "nowhere"))
    assert find_flaw() is not None


def test_an_older_hypothesis_is_told_by_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its database holds bytes instead of choices, nothing is raised."""
    monkeypatch.delattr(database, "choices_to_bytes")
    assert "does not let its limit change (ImportError" in (find_flaw() or "")


def test_a_planned_number_is_run_exactly() -> None:
    """As many valid test cases run as were planned, whatever the property's own number is."""
    seen: list[object] = []
    limit = run(share(7), seen.append, Clock())
    result = limit.result()
    assert (len(seen), result.n_valid, result.reason, limit.is_over) == (7, 7, "max_examples", False)


def test_the_wall_clock_ends_a_property_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget of CPU seconds may pass slowly, and another plugin's timeout does not."""
    wall = Clock()
    monkeypatch.setattr(Clocks, "wall", wall)
    limit = Limit(share(200), OWN.max_examples, Clock(), cap_s=10.0)

    @given(st.integers())
    def test(value: int) -> None:
        wall.now_s += 4.0

    test._hypothesis_internal_use_settings = LimitedSettings.of(OWN, limit)  # type: ignore[attr-defined]
    test()
    assert (limit.result().n_valid, limit.is_over) == (3, True)


def test_a_clock_ends_it_without_a_failure() -> None:
    """Ten ticks of a second fit into ten seconds."""
    clock = Clock()

    def body(value: object) -> None:
        clock.now_s += 1.0

    limit = run(share(20, stop_s=10.0), body, clock)
    assert limit.is_over
    assert limit.result().n_valid == 10


def test_a_limit_may_grow_beyond_the_planned_number() -> None:
    """A share that grows ends by the clock alone."""
    clock = Clock()

    def body(value: object) -> None:
        clock.now_s += 0.1

    limit = run(share(10, stop_s=30.0, grows=True), body, clock)
    assert limit.result().n_valid in {299, 300, 301}


def test_the_floor_is_above_the_clock() -> None:
    """A time that is over at once still gives the floor."""
    clock = Clock()
    limit = run(share(10, stop_s=0.0, floor=6, grows=True), lambda value: None, clock)
    assert limit.result().n_valid == 6


def test_an_exhausted_property_is_not_taken_for_one_that_was_ended() -> None:
    """A property with two values ends because nothing is left to try."""
    limit = run(share(100), lambda value: None, Clock(), st.booleans())
    assert limit.result().reason == "finished"
    assert not limit.is_over


def test_only_the_engine_reads_another_number_than_the_propertys() -> None:
    """Code in the property, and settings made from its own, see what the property asked for."""
    seen = []

    def body(value: object) -> None:
        seen.append((Settings().max_examples, Settings.default.max_examples))  # type: ignore[union-attr]

    run(share(3), body, Clock())
    assert set(seen) == {(50, 50)}


def test_a_property_inside_is_not_limited() -> None:
    """What a property defines inside itself takes over its settings, and runs the own number."""
    calls: list[int] = []

    def body(value: object) -> None:
        @given(st.integers())
        def inner(x: int) -> None:
            calls.append(x)

        inner()

    limit = run(share(2), body, Clock())
    assert limit.result().n_valid == 2
    assert len(calls) == 2 * OWN.max_examples


def test_a_failure_is_found_and_told() -> None:
    """A failing test case is shrunk as ever, and the result says that there was one."""
    shrunk: list[int] = []

    def body(value: Any) -> None:
        if value >= 1000:
            shrunk.append(value)
            raise ZeroDivisionError

    limit = Limit(share(200), OWN.max_examples, Clock())

    @given(st.integers(0, 10**6))
    def test(value: int) -> None:
        body(value)

    test._hypothesis_internal_use_settings = LimitedSettings.of(OWN, limit)  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        test()
    assert min(shrunk) == 1000
    assert limit.result().has_failed


def test_settings_stay_valid_settings() -> None:
    """They are settings like any, with all other values of the property, and refuse nonsense as ever."""
    made = LimitedSettings.of(Settings(OWN, derandomize=True), Limit(share(3), 50, Clock()))
    assert isinstance(made, Settings)
    assert (made.derandomize, made.deadline, made.max_examples) == (True, None, 50)
    with pytest.raises(InvalidArgument):
        Settings(made, max_examples=0)
