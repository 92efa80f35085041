"""Test cases recorded once and run again under a mutant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import Phase, assume, given, settings, target
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from atom_testinfra.mutation.asking.replay import Replay

ONLY = settings(
    max_examples=40,
    database=None,
    phases=(Phase.generate, Phase.target),
    derandomize=True,
    deadline=None,
    report_multiple_bugs=False,
)


class Suspect:
    """The product of these tests: a function that can be exchanged."""

    def __init__(self) -> None:
        self.check: Callable[[int], bool] = lambda number: True
        self.draws: Callable[[int], int] = lambda number: number
        self.seen: list[object] = []


def make_properties(suspect: Suspect) -> dict[str, Callable[[], None]]:
    """Return properties of every kind over one suspect."""

    @ONLY
    @given(st.integers(0, 10_000))
    def plain(number: int) -> None:
        suspect.seen.append(number)
        assert suspect.check(number)

    @ONLY
    @given(st.integers(0, 10_000))
    def with_assume(number: int) -> None:
        suspect.seen.append(number)
        assume(number % 3)
        assert suspect.check(number)

    @ONLY
    @given(st.data())
    def interactive(data: st.DataObject) -> None:
        first = data.draw(st.integers(0, 10_000))
        second = data.draw(st.integers(0, suspect.draws(first)))
        suspect.seen.append((first, second))
        assert suspect.check(first)

    @ONLY
    @given(st.integers(0, 10_000))
    def with_target(number: int) -> None:
        suspect.seen.append(number)
        target(float(suspect.draws(number)))
        assert suspect.check(number)

    @ONLY
    @given(st.integers(0, 10_000).map(lambda number: suspect.draws(number)))
    def calls_the_product_while_drawing(number: int) -> None:
        suspect.seen.append(number)
        assert suspect.check(number)

    class Machine(RuleBasedStateMachine):
        @rule(number=st.integers(0, 10_000))
        def step(self, number: int) -> None:
            suspect.seen.append(number)
            assert suspect.check(number)

    def machine() -> None:
        run_state_machine_as_test(Machine, settings=settings(ONLY, stateful_step_count=5))

    return {
        "plain": plain,
        "assume": with_assume,
        "data": interactive,
        "target": with_target,
        "drawing": calls_the_product_while_drawing,
        "machine": machine,
    }


KINDS = list(make_properties(Suspect()))


def run(function: Callable[[], None]) -> bool:
    """Return whether a property noticed."""
    try:
        function()
    except AssertionError:
        return True
    return False


@pytest.fixture
def replay() -> Replay:
    replay = Replay()
    replay.check()
    assert replay.problem is None
    return replay


@pytest.mark.parametrize("kind", KINDS)
def test_an_unchanged_product_is_replayed_to_the_end(replay: Replay, kind: str) -> None:
    """The same test cases run again, in the same order, without the engine."""
    suspect = Suspect()
    function = make_properties(suspect)[kind]
    with replay.recording("t"):
        assert not run(function)
    recorded, n_recorded = list(suspect.seen), replay.n_test_cases
    suspect.seen.clear()
    with replay.replaying("t"):
        assert not run(function)
    assert suspect.seen == recorded
    assert (replay.n_test_cases, replay.n_different) == (n_recorded, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", [5, 300, 5_000, 9_990])
def test_a_fault_is_noticed_at_the_test_case_at_which_the_engine_notices_it(
    replay: Replay, kind: str, limit: int
) -> None:
    """The first failing index of a replay is that of a real run, or neither notices."""
    suspect = Suspect()
    function = make_properties(suspect)[kind]
    with replay.recording("t"):
        assert not run(function)
    suspect.check = lambda number: number < limit
    with replay.counting():
        is_noticed = run(function)
    n_real = replay.n_test_cases
    with replay.replaying("t"):
        assert run(function) == is_noticed
    if is_noticed:
        assert replay.n_test_cases == n_real
        assert replay.n_different == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_fault_raises_is_known_after_a_replay(replay: Replay, kind: str) -> None:
    """Hypothesis's own checks may raise in its place, because its engine did not run."""
    suspect = Suspect()
    function = make_properties(suspect)[kind]
    with replay.recording(kind):
        function()

    def crash(number: int) -> bool:
        raise ZeroDivisionError(number)

    suspect.check = crash
    with replay.replaying(kind), pytest.raises((ZeroDivisionError, AssertionError)):
        function()
    assert isinstance(replay.raised, ZeroDivisionError)
    suspect.check = lambda number: True
    with replay.replaying(kind):
        function()
    assert replay.raised is None


@pytest.mark.parametrize("kind", ["data", "target", "drawing"])
def test_a_run_that_goes_another_way_is_left_to_the_engine(replay: Replay, kind: str) -> None:
    """A mutant that changes what is drawn or targeted is seen, and the engine runs."""
    suspect = Suspect()
    function = make_properties(suspect)[kind]
    with replay.recording("t"):
        assert not run(function)
    suspect.draws = lambda number: number // 2 + 1
    suspect.seen.clear()
    with replay.replaying("t"):
        assert not run(function)
    replayed = list(suspect.seen)
    if kind != "drawing":  # what is mapped is drawn from the same choices, so nothing differs for the engine
        assert replay.n_different == 1
    suspect.seen.clear()
    assert not run(function)
    assert replayed[-len(suspect.seen) :] == suspect.seen


def test_a_wider_range_is_a_difference(replay: Replay) -> None:
    """Each recorded choice is still allowed, but the engine would choose others from more values."""
    suspect = Suspect()
    function = make_properties(suspect)["data"]
    with replay.recording("t"):
        function()
    suspect.draws = lambda number: number + 5
    suspect.seen.clear()
    with replay.counting():
        function()
    real = list(suspect.seen)
    suspect.seen.clear()
    with replay.replaying("t"):
        function()
    assert replay.n_different == 1
    assert suspect.seen[-len(real) :] == real


def test_an_assumption_that_fails_under_a_mutant_is_a_difference(replay: Replay) -> None:
    """A test case that was valid and is given up now would have made the engine try something else."""
    factor = [3]

    @ONLY
    @given(st.integers(0, 10_000))
    def halves(number: int) -> None:
        assume(number % factor[0])

    with replay.recording("t"):
        halves()
    factor[0] = 2
    with replay.replaying("t"):
        halves()
    assert replay.n_different == 1


def test_a_test_without_a_record_is_run_by_the_engine(replay: Replay) -> None:
    """An unknown node id has nothing to replay, and its test cases are counted all the same."""
    suspect = Suspect()
    with replay.replaying("unknown"):
        assert not run(make_properties(suspect)["plain"])
    assert replay.n_test_cases == len(suspect.seen) > 0


def test_other_internals_turn_replaying_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of Hypothesis with other names is run as it is, and the reason is kept."""
    from hypothesis.core import StateForActualGivenExecution

    monkeypatch.delattr(StateForActualGivenExecution, "run_engine")
    replay = Replay()
    assert replay.problem is not None
    assert "other internals" in replay.problem
    suspect = Suspect()
    monkeypatch.undo()
    with replay.recording("t"), replay.replaying("t"):
        assert not run(make_properties(suspect)["plain"])


def test_the_self_check_finds_a_replay_that_notices_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay that skips its test cases is found before it can say that a mutant survived."""
    replay = Replay()
    monkeypatch.setattr(replay, "_replay", lambda state, cases: True)
    replay.check()
    assert replay.problem is not None
    assert replay.problem.startswith("its self-check")
