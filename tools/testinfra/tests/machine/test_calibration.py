"""The calibration: what it measures, and how often it may."""

from __future__ import annotations

import ast
import gc
import inspect
import random
from collections.abc import Iterator
from hashlib import sha256
from itertools import count

import pytest

from atom_testinfra.machine import calibration
from atom_testinfra.machine.calibration import NAME, Calibrator, calibrate
from atom_testinfra.pytest_plugin.plan import CALIBRATION

NO_PART_OF_THE_WORK = {"Calibrator", "FIRST", "SHARE", "NAME"}
"""How often it is made, and what it is called."""


def digest_of_work(source: str) -> str:
    """A digest of all code that the calibration's time depends on; comments and docstrings have no part."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not NO_PART_OF_THE_WORK & set(names_of(node))]
    return sha256("\n".join(shape_of(tree)).encode()).hexdigest()[:8]


def names_of(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=[ast.Name(id=name)]):
            yield name


def shape_of(node: ast.AST) -> Iterator[str]:
    """Yield what a tree consists of, in the words that all versions of Python have for it."""
    yield type(node).__name__
    for name, value in ast.iter_fields(node):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
                continue  # a docstring
            if isinstance(part, ast.AST):
                yield from shape_of(part)
            elif part is not None:
                yield f"{name}={part!r}"


class TestName:
    def test_changes_with_the_work(self) -> None:
        """Whoever changes what is timed gives it a new name, or old costs would be compared with new ones."""
        _, _, digest = NAME.partition("-")
        expected = digest_of_work(inspect.getsource(calibration))
        assert digest == expected, (
            f"the work has changed: raise the version in NAME, and end it in -{expected}"
        )

    @pytest.mark.parametrize(
        ("before", "after", "is_other"),
        [
            ("_interpret(350 * n)", "_interpret(351 * n)", True),
            ("WHOLE, TIMED, WARM_UP = 10, 4, 1", "WHOLE, TIMED, WARM_UP = 10, 5, 1", True),
            ("return (clock() - began) * WHOLE / TIMED", "return clock() - began", True),
            ("gc.disable()", "pass", True),
            ("_work(database, WARM_UP)\n", "_work(database, WARM_UP)  # a remark\n", False),
            ("Return the CPU seconds of the fixed work", "Return seconds", False),
            ("SHARE = 0.001", "SHARE = 0.002", False),
        ],
    )
    def test_its_digest_tells_work_from_words(self, before: str, after: str, is_other: bool) -> None:
        """Other numbers, other timing and another state of the collector are other work; words are not."""
        source = inspect.getsource(calibration)
        assert before in source
        assert (digest_of_work(source.replace(before, after)) != digest_of_work(source)) is is_other

    def test_is_what_records_carry(self) -> None:
        """The journal has a copy, which costs a run under measurement no import."""
        assert CALIBRATION == NAME


class FakeMachine:
    """A CPU clock that moves when told, and a workload that costs a known amount of it."""

    def __init__(self, cost_s: float = 0.002) -> None:
        self.now = 0.0
        self.cost_s = cost_s
        self.n_calibrations = 0

    def clock(self) -> float:
        return self.now

    def workload(self) -> float:
        self.n_calibrations += 1
        self.now += self.cost_s
        return self.cost_s / 4

    def calibrator(self, share: float, first: int = 0) -> Calibrator:
        return Calibrator(first=first, share=share, clock=self.clock, workload=self.workload)


class TestCalibrate:
    def test_takes_the_time_of_its_work(self) -> None:
        """Of four tenths of it; what comes before, a connection and a warm-up, is not timed."""
        ticks = iter([10.0, 12.0])
        assert calibrate(clock=lambda: next(ticks)) == 5.0

    def test_works_beside_a_test_that_patches_what_it_uses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A mocked database would neither take the time of one nor let the test count its own calls."""
        monkeypatch.setattr("sqlite3.connect", None)
        assert calibrate() > 0

    def test_takes_between_50_microseconds_and_a_second(self) -> None:
        """The work is real: it takes between 50 microseconds and a second of CPU anywhere."""
        assert 50e-6 < calibrate() < 1

    def test_leaves_the_collector_as_it_was(self) -> None:
        """A suite that turned the garbage collector off finds it off."""
        was_on = gc.isenabled()
        try:
            gc.disable()
            calibrate()
            assert not gc.isenabled()
            gc.enable()
            calibrate()
            assert gc.isenabled()
        finally:
            (gc.enable if was_on else gc.disable)()

    def test_starts_no_collection(self) -> None:
        """Suites that count garbage collections do not see ours, once the interpreter has tuples to spare."""
        phases: list[str] = []

        def record(phase: str, info: dict[str, int]) -> None:
            phases.append(phase)

        gc.collect()  # else one may be due just now
        calibrate(clock=count().__next__)
        gc.callbacks.append(record)
        try:
            calibrate(clock=count().__next__)
        finally:
            gc.callbacks.remove(record)
        assert phases == []

    def test_leaves_the_global_generator_alone(self) -> None:
        """The sequence of `random` is the suite's."""
        state = random.getstate()
        calibrate()
        assert random.getstate() == state


class TestCalibrator:
    def test_stays_below_its_share(self) -> None:
        """Ten thousand tests of a millisecond cost no more than the share, the first calibration apart."""
        machine = FakeMachine(cost_s=0.002)
        calibrator = machine.calibrator(share=0.01)
        for _ in range(10_000):
            calibrator.start()
            machine.now += 0.001
            calibrator.stamp()
        spent = (machine.n_calibrations - 1) * machine.cost_s
        assert 0.009 < spent / machine.now <= 0.01

    def test_the_first_tests_have_each_their_own(self) -> None:
        """A run of a few quick tests knows what the machine was like around each of them."""
        machine = FakeMachine()
        calibrator = machine.calibrator(share=0.001, first=3)
        counts = []
        for _ in range(5):
            calibrator.start()
            machine.now += 0.001
            calibrator.stamp()
            counts.append(machine.n_calibrations)
        assert counts == [2, 3, 4, 4, 4]

    def test_a_long_test_gets_the_mean_of_before_and_after(self) -> None:
        """When the machine slowed down during a test, its stamp lies between."""
        machine = FakeMachine(cost_s=0.002)
        calibrator = machine.calibrator(share=0.01)
        calibrator.start()
        machine.now += 10
        machine.cost_s = 0.004
        assert calibrator.stamp() == (0.0005 + 0.001) / 2

    def test_short_tests_share_a_calibration(self) -> None:
        """Two tests within the interval carry the same figure."""
        machine = FakeMachine()
        calibrator = machine.calibrator(share=0.01)
        calibrator.start()
        machine.now += 0.01
        first = calibrator.stamp()
        machine.now += 0.01
        assert calibrator.stamp() == first
        assert machine.n_calibrations == 1
