"""
What Hypothesis runs in an item: a function or a state machine, reached through Hypothesis's internals.

Kinds are named as in `core.vocabulary`, without its import; a record with any other cannot be read.
"""

from __future__ import annotations

import functools
import inspect
import sys
import unittest
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import ref

from atom_testinfra.pytest_plugin.internals import EXPLICIT, GIVEN, HANDLE, MACHINE, SEED, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest
    from hypothesis import settings as Settings  # noqa: N812 (it is a class, whatever its name looks like)

MISSING: Any = object()


class BodyTimes:
    """CPU and wall seconds of each call of the code under test, and whether it returned normally."""

    def __init__(
        self, cpu: Callable[[], float], wall: Callable[[], float], on_first: Callable[[], None]
    ) -> None:
        self.cpu = cpu
        self.wall = wall
        self.on_first = on_first
        """Called before the first of them."""
        self.cpu_s: list[float] = []
        self.wall_s: list[float] = []
        self.returned: list[bool] = []
        self.n_steps = 0


class FunctionSubject:
    """A function under `@given`."""

    def __init__(self, function: Any, kind: str) -> None:
        self.function = function
        self.kind = kind
        self.settings: Settings | None = getattr(function, SETTINGS, None)
        """`None` where `@given` does not fit the function, which then raises when it is called."""
        self.own_seed: object = getattr(function, SEED, None)
        self._handle = getattr(function, HANDLE, None)
        self._inner = getattr(self._handle, "inner_test", None)
        self.body = inspect.unwrap(self._inner or function)
        self.n_explicit = len(getattr(function, EXPLICIT, ()))
        self._is_installed = False

    @property
    def strategies(self) -> Mapping[str, object]:
        """What its arguments are drawn from, as far as this version of Hypothesis tells."""
        given: Mapping[str, object] = getattr(self._handle, GIVEN, {})
        return given

    def install(self, settings: Settings, seed: int | None) -> None:
        """Give the function other settings and another seed."""
        self._is_installed = True
        setattr(self.function, SETTINGS, settings)
        if seed is not None:
            setattr(self.function, SEED, seed)

    def forget_seed(self) -> None:
        """Take its own seed away, which would make each run the same."""
        self._is_installed = True
        setattr(self.function, SEED, None)

    def time(self, times: BodyTimes) -> None:
        """Time every call of the body."""
        assert self._handle is not None
        assert self._inner is not None
        self._handle.inner_test = _timed(self._inner, times)

    def restore(self) -> None:
        """Leave the function as it was found."""
        if self._is_installed:
            setattr(self.function, SETTINGS, self.settings)
            setattr(self.function, SEED, self.own_seed)
        if self._handle is not None and self._inner is not None:
            self._handle.inner_test = self._inner


class MachineSubject:
    """A `RuleBasedStateMachine`, run through its `TestCase`."""

    kind = "stateful"
    n_explicit = 0
    strategies: Mapping[str, object] = MappingProxyType({})
    """A machine draws rules; what they draw is observed by rule."""

    def __init__(self, machine: type, test_case: Any) -> None:
        self.body = machine
        self._owner = _settings_owner(machine, test_case)
        self._old = {
            (self._owner, "settings"): vars(self._owner).get("settings", MISSING),
            (machine, SEED): vars(machine).get(SEED, MISSING),
        }
        self.settings: Settings | None = self._owner.settings
        self.own_seed: object = getattr(machine, SEED, None)
        self._timed: list[tuple[Any, Any]] = []

    def install(self, settings: Settings, seed: int | None) -> None:
        """Give the machine other settings and another seed."""
        self._owner.settings = settings
        if seed is not None:
            setattr(self.body, SEED, seed)

    def forget_seed(self) -> None:
        """Take its own seed away, which would make each run the same."""
        setattr(self.body, SEED, None)

    def time(self, times: BodyTimes) -> None:
        """Time every rule and invariant, and count the rules."""
        from hypothesis.stateful import INITIALIZE_RULE_MARKER, INVARIANT_MARKER, RULE_MARKER

        counter = _StepTimer(times)
        for _, member in inspect.getmembers(self.body, inspect.isfunction):
            for marker in (RULE_MARKER, INITIALIZE_RULE_MARKER, INVARIANT_MARKER):
                step = getattr(member, marker, None)
                if step is not None:
                    self._timed.append((step, step.function))
                    timed = counter.wrap(step.function, is_rule=marker != INVARIANT_MARKER)
                    object.__setattr__(step, "function", timed)

    def restore(self) -> None:
        """Leave the machine as it was found."""
        for step, function in self._timed:
            object.__setattr__(step, "function", function)
        for (owner, name), value in self._old.items():
            if value is not MISSING:
                setattr(owner, name, value)
            elif name in vars(owner):
                delattr(owner, name)


Subject = FunctionSubject | MachineSubject


def find_subject(item: pytest.Item) -> Subject | None:
    """Return what Hypothesis runs in this item, or `None` for an item that is not a property."""
    obj = getattr(item, "obj", None)
    if not _is_property(obj):
        return None
    machine = _machine(obj)
    test_case = getattr(item, "cls", None)
    if machine is not None:
        return MachineSubject(machine, test_case)
    function = _innermost(getattr(obj, "__func__", obj))
    return FunctionSubject(function, _kind(function, test_case))


def peek_kind(item: pytest.Item) -> str | None:
    """Return the kind of a property that was not called, without making an instance of its class."""
    cls = getattr(item, "cls", None)
    obj = getattr(item, "obj", None) if cls is None else getattr(cls, getattr(item, "originalname", ""), None)
    if not _is_property(obj):
        return None
    return _kind(_innermost(obj), cls) if _machine(obj) is None else "stateful"


def _settings_owner(machine: Any, test_case: Any) -> Any:
    """Return the class whose settings Hypothesis reads; old versions ignore those of a subclass."""
    reads_subclass = "settings" in machine.TestCase.runTest.__code__.co_names
    return test_case if reads_subclass else machine.TestCase


def _is_property(obj: object) -> bool:
    return getattr(obj, "is_hypothesis_test", False) is True


def _machine(obj: object) -> type | None:
    """
    Return the state machine that an item runs, if it runs one.

    In old versions of Hypothesis only the closure of its test function says which one that is.
    """
    machine: type | None = getattr(obj, MACHINE, None)
    if machine is not None or hasattr(obj, HANDLE):
        return machine
    from hypothesis.stateful import RuleBasedStateMachine

    for cell in getattr(obj, "__closure__", None) or ():
        found = cell.cell_contents
        if isinstance(found, type) and issubclass(found, RuleBasedStateMachine):
            return found
    return None


def _innermost(function: Any) -> Any:
    """Return the wrapper that `@given` made: decorators above it copy its attributes, not their effect."""
    while getattr(getattr(function, "__wrapped__", None), "is_hypothesis_test", False) is True:
        function = function.__wrapped__
    return function


def _kind(function: Any, cls: type | None) -> str:
    inner = getattr(getattr(function, HANDLE, None), "inner_test", function)
    if inspect.iscoroutinefunction(inspect.unwrap(inner)):
        return "async"
    if cls is not None and issubclass(cls, unittest.TestCase):
        return "unittest"
    return "function" if cls is None else "method"


def _timed(inner: Callable[..., Any], times: BodyTimes) -> Callable[..., Any]:
    cpu, wall, exception = times.cpu, times.wall, sys.exception
    note_cpu, note_wall, note_return = times.cpu_s.append, times.wall_s.append, times.returned.append

    if inspect.iscoroutinefunction(inner):

        @functools.wraps(inner)
        async def timed_coroutine(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if not times.wall_s:
                times.on_first()
            began, start = wall(), cpu()
            try:
                return await inner(*args, **kwargs)
            finally:
                note_cpu(cpu() - start)
                note_wall(wall() - began)
                note_return(exception() is None)

        return timed_coroutine

    @functools.wraps(inner)
    def timed(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if not times.wall_s:
            times.on_first()
        began, start = wall(), cpu()
        try:
            return inner(*args, **kwargs)
        finally:
            note_cpu(cpu() - start)
            note_wall(wall() - began)
            note_return(exception() is None)

    return timed


class _StepTimer:
    """Adds up the times of a machine's rules and invariants, one sum for each machine that is made."""

    def __init__(self, times: BodyTimes) -> None:
        self._times = times
        self._machine: Callable[[], object] = lambda: None

    def wrap(self, function: Callable[..., Any], *, is_rule: bool) -> Callable[..., Any]:
        times, exception = self._times, sys.exception
        cpu, wall = times.cpu, times.wall

        @functools.wraps(function)
        def timed(machine: Any, /, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if self._machine() is not machine:
                if not times.wall_s:
                    times.on_first()
                self._machine = ref(machine)
                times.cpu_s.append(0.0)
                times.wall_s.append(0.0)
                times.returned.append(True)
            times.n_steps += is_rule
            began, start = wall(), cpu()
            try:
                return function(machine, *args, **kwargs)
            finally:
                times.cpu_s[-1] += cpu() - start
                times.wall_s[-1] += wall() - began
                times.returned[-1] = times.returned[-1] and exception() is None

        return timed
