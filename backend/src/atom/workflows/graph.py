"""The shape of a workflow: steps and connections that form a directed graph without a cycle."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from atom.kit.errors import InvalidError
from atom.kit.text import MAX_NAME, check_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Named = TypeVar("Named")

MAX_STEPS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """
    Where an input comes from: a key of a step's output or, without a step, of the execution's inputs.

    What a step's output lacks can be given as an input of the execution, under the reference's name.
    """

    key: str
    step: str | None = None

    @property
    def name(self) -> str:
        """The key, with its step in front if it has one: `fetch.rows`."""
        return self.key if self.step is None else f"{self.step}.{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One piece of work: what to do, and which inputs it needs."""

    id: str
    action: str
    inputs: Mapping[str, Reference] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Holds when the output of the connection's source has this value under this key."""

    key: str
    equals: str | int | bool | None

    def holds(self, output: Mapping[str, Any]) -> bool:
        """Whether the output satisfies the condition; a missing key never does."""
        if self.key not in output:
            return False
        found = output[self.key]
        return type(found) is type(self.equals) and found == self.equals


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The target waits for the source and, with a condition, runs only if that holds."""

    source: str
    target: str
    condition: Condition | None = None


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """Steps and the connections between them; one that exists can be run to its end."""

    steps: tuple[Step, ...]
    connections: tuple[Connection, ...] = ()

    def __post_init__(self) -> None:
        self._require_steps()
        self._require_connections()
        self._require_inputs()

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Every step after all of its predecessors; as they were listed where that leaves a choice."""
        sorter = TopologicalSorter({step.id: self._predecessors(step.id) for step in self.steps})
        try:
            sorter.prepare()
        except CycleError as exc:
            path = " -> ".join(exc.args[1])
            raise InvalidError(f"the connections form a cycle: {path}", field="connections") from exc
        places = {step.id: place for place, step in enumerate(self.steps)}
        order: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=places.__getitem__)
            order.extend(ready)
            sorter.done(*ready)
        return tuple(order)

    @cached_property
    def incoming(self) -> Mapping[str, tuple[Connection, ...]]:
        """The connections that end at each step."""
        found: dict[str, list[Connection]] = {step.id: [] for step in self.steps}
        for connection in self.connections:
            found[connection.target].append(connection)
        return {step_id: tuple(connections) for step_id, connections in found.items()}

    def step(self, step_id: str) -> Step:
        """Return a step of the workflow."""
        return self._by_id[step_id]

    def ancestors(self, step_id: str) -> frozenset[str]:
        """Return every step that is completed before this one may begin."""
        found: set[str] = set()
        waiting = [step_id]
        while waiting:
            new = self._predecessors(waiting.pop()) - found
            found |= new
            waiting.extend(new)
        return frozenset(found)

    @cached_property
    def _by_id(self) -> Mapping[str, Step]:
        return {step.id: step for step in self.steps}

    def _predecessors(self, step_id: str) -> set[str]:
        return {connection.source for connection in self.incoming[step_id]}

    def _require_steps(self) -> None:
        if not 1 <= len(self.steps) <= MAX_STEPS:
            raise InvalidError(
                f"the workflow has {len(self.steps)} steps, expected 1 to {MAX_STEPS}", field="steps"
            )
        for step in self.steps:
            for text in (step.id, step.action):
                check_text(text, field="steps", max_length=MAX_NAME)
        twice = _repeated(step.id for step in self.steps)
        if twice is not None:
            raise InvalidError(f"two steps are called {twice!r}", field="steps")

    def _require_connections(self) -> None:
        for connection in self.connections:
            for end in (connection.source, connection.target):
                if end not in self._by_id:
                    raise InvalidError(f"a connection names the unknown step {end!r}", field="connections")
        twice = _repeated((connection.source, connection.target) for connection in self.connections)
        if twice is not None:
            raise InvalidError(f"two connections lead from {twice[0]!r} to {twice[1]!r}", field="connections")
        _ = self.order

    def _require_inputs(self) -> None:
        for step in self.steps:
            before = self.ancestors(step.id) if step.inputs else frozenset()
            for reference in step.inputs.values():
                if reference.step is not None and reference.step not in before:
                    msg = f"step {step.id!r} reads from {reference.step!r}, for which it does not wait"
                    raise InvalidError(msg, field="steps")


def _repeated(items: Iterable[Named]) -> Named | None:
    seen: set[Named] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None
