"""What the observer makes of the observations that Hypothesis delivers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atom_testinfra.pytest_plugin.explaining.observer import N_SLOWEST, Observer

if TYPE_CHECKING:
    from collections.abc import Callable

observability = pytest.importorskip("hypothesis.internal.observability")


def observation(run_start: float = 1.0, status: str = "passed", **more: Any) -> SimpleNamespace:
    """Return an observation of a test case, as far as it is read."""
    defaults: dict[str, Any] = {
        "type": "test_case",
        "run_start": run_start,
        "status": status,
        "status_reason": "",
        "representation": "",
        "arguments": {"x": 1},
        "timing": {"execute:test": 0.5, "generate:x": 0.25, "overall:gc": 0.0},
        "features": {},
    }
    return SimpleNamespace(**(defaults | more))


@pytest.fixture
def deliver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Deliver observations to an observer as Hypothesis 6.131 does, whose callbacks are a list."""
    callbacks: list[Callable[[object], None]] = []
    monkeypatch.delattr(observability, "add_observability_callback", raising=False)
    monkeypatch.delattr(observability, "remove_observability_callback", raising=False)
    monkeypatch.setattr(observability, "TESTCASE_CALLBACKS", callbacks)

    def explain(*observations: object, is_property: bool = True) -> Any:
        observer = Observer(is_property=is_property)
        with observer.listening("6.131.29"):
            (callback,) = callbacks
            for each in observations:
                callback(each)
        assert callbacks == []
        return observer.explanation({"x": st.integers()})

    return explain


def test_parts_are_summed_and_arguments_carry_their_strategy(deliver: Callable[..., Any]) -> None:
    """Largest first; what took no time is left out."""
    found = deliver(observation(), observation())
    assert found["parts"] == [
        {"name": "execute:test", "n": 2, "total_s": 1.0, "max_s": 0.5},
        {"name": "generate:x", "n": 2, "total_s": 0.5, "max_s": 0.25, "strategy": "integers()"},
    ]


def test_properties_inside_a_property_are_left_out(deliver: Callable[..., Any]) -> None:
    """The outer one began first, though the first observation comes from within it."""
    inner, outer = observation(run_start=2.0), observation(run_start=1.0)
    assert deliver(inner, inner, outer, inner, outer)["n_cases"] == 2
    assert deliver(inner, outer, is_property=False)["n_cases"] == 2


def test_cases_that_gave_up_while_drawing_are_counted_as_untimed(deliver: Callable[..., Any]) -> None:
    """They have no times, so they are not among the slow ones; filters are named by their strategy."""
    filtered = "Aborted test because unable to satisfy integers().filter(odd)"
    found = deliver(
        observation(status="gave_up", status_reason=filtered, timing={}),
        observation(features={"Retried draw from integers().filter(odd) to satisfy filter": ""}),
        observation(status="gave_up", status_reason="failed to satisfy assume() in t (line 3)"),
    )
    assert (found["n_cases"], found["n_untimed"], len(found["slowest"])) == (3, 1, 2)
    assert found["waste"] == [
        {"cause": "integers().filter(odd)", "n_gave_up": 1, "n_retried": 1, "total_s": 0.0},
        {
            "cause": "failed to satisfy assume() in t (line 3)",
            "n_gave_up": 1,
            "n_retried": 0,
            "total_s": 0.75,
        },
    ]


def test_the_slowest_are_kept_with_their_arguments(deliver: Callable[..., Any]) -> None:
    """Slowest first; of a machine its steps."""
    cases = [observation(arguments={"x": i}, timing={"execute:test": i / 8}) for i in range(1, 9)]
    machine = observation(representation="state = M()", timing={"generate:rule:push": 9.0})
    slowest = deliver(*cases, machine)["slowest"]
    assert [case["call"] for case in slowest] == ["state = M()", "x=8", "x=7", "x=6", "x=5"]
    assert len(slowest) == N_SLOWEST


def test_hypothesis_without_observability_is_a_problem_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the version and what is missing."""
    for name in ("add_observability_callback", "remove_observability_callback", "TESTCASE_CALLBACKS"):
        monkeypatch.delattr(observability, name, raising=False)
    observer = Observer(is_property=True)
    with observer.listening("9.9"):
        pass
    (problem,) = observer.problems
    assert "Hypothesis 9.9 has no hypothesis.internal.observability.add_observability_callback" in problem
    assert observer.explanation({}) is None


def test_coverage_is_off_only_while_it_listens() -> None:
    """What anyone else has asked Hypothesis for is as before."""
    before = observability.OBSERVABILITY_COLLECT_COVERAGE
    observer = Observer(is_property=True)
    seen = []

    @settings(max_examples=3, database=None)
    @given(st.integers())
    def check(x: int) -> None:
        seen.append(observability.OBSERVABILITY_COLLECT_COVERAGE)

    with observer.listening("this one"):
        check()
    assert set(seen) == {False}
    assert before == observability.OBSERVABILITY_COLLECT_COVERAGE
    found = observer.explanation(check.hypothesis._given_kwargs)  # type: ignore[attr-defined]
    assert found is not None
    assert found["n_cases"] == 3
    assert {"generate:x", "execute:test"} <= {part["name"] for part in found["parts"]}


def test_observations_that_are_dicts_are_read_too(deliver: Callable[..., Any]) -> None:
    """Hypothesis delivered dicts before 6.131.29, and before 6.94 without the times."""
    as_dict = vars(observation())
    assert deliver(as_dict, as_dict) == deliver(observation(), observation())
    del as_dict["timing"]
    assert deliver(as_dict)["n_untimed"] == 1
