"""Workflows that can be run: graphs without a cycle, listed in any order, with conditions and inputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations, product
from math import factorial
from typing import Final, TypeAlias

from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from atom.db.session import unit_of_work
from atom.workflows.graph import Condition, Connection, Reference, Step, Workflow
from tests import factories

IS_OK: Final = Condition(key="ok", equals=True)
TOKEN: Final = Reference(key="token")
MAX_STEPS: Final = 8
MAX_SOURCES: Final = 2

Wait: TypeAlias = tuple[int, bool, bool]
"""The number of a step to wait for, whether there is a condition, and whether its output is read."""

SIZES: Final = {max_steps: st.integers(1, max_steps) for max_steps in range(1, MAX_STEPS + 1)}
ORDERS: Final = {n_steps: st.integers(0, factorial(n_steps) - 1) for n_steps in range(1, MAX_STEPS + 1)}


@st.composite
def workflows(
    draw: st.DrawFn, *, max_steps: int = 7, has_conditions: bool = False, has_inputs: bool = False
) -> Workflow:
    """Steps that may each wait for earlier ones, with or without a condition, and read what those return."""
    steps, connections = [], []
    n_steps = draw(SIZES[max_steps])
    for number in range(n_steps):
        name = f"step-{number}"
        needs_token, waits = draw(_kinds(number, has_conditions, has_inputs))
        inputs = {"token": TOKEN} if needs_token else {}
        for source, is_conditional, is_read in waits:
            condition = IS_OK if is_conditional else None
            connections.append(Connection(source=f"step-{source}", target=name, condition=condition))
            if is_read:
                inputs[f"from-{source}"] = Reference(key="value", step=f"step-{source}")
        steps.append(Step(id=name, action="work", inputs=inputs))
    return Workflow(steps=_reordered(steps, draw(ORDERS[n_steps])), connections=tuple(connections))


@cache
def _kinds(
    number: int, has_conditions: bool, has_inputs: bool
) -> st.SearchStrategy[tuple[bool, tuple[Wait, ...]]]:
    """In one draw, whether the step of this number needs a token, and what it waits for."""
    maybe_conditional = (False, True)[: 1 + has_conditions]
    maybe_input = (False, True)[: 1 + has_inputs]
    waits = [
        tuple((source, *ways) for source, ways in zip(sources, chosen, strict=True))
        for n_sources in range(min(number, MAX_SOURCES) + 1)
        for sources in combinations(range(number), n_sources)
        for chosen in product(product(maybe_conditional, maybe_input), repeat=n_sources)
    ]
    return st.sampled_from(tuple(product(maybe_input, waits)))


def _reordered(steps: Sequence[Step], code: int) -> tuple[Step, ...]:
    """The steps in the permutation that this number stands for."""
    left, order = [*steps], []
    while left:
        code, place = divmod(code, len(left))
        order.append(left.pop(place))
    return tuple(order)


outputs = st.sampled_from(
    [
        {"ok": ok, **value}
        for value in ({}, {"value": None}, {"value": 0}, {"value": 7})
        for ok in (False, True)
    ]
)
"""What a step may return; a later step that reads `value` lacks an input if it is missing."""


def add_workspace(sessions: sessionmaker[Session]) -> str:
    """Commit a workspace, and return its id."""
    with unit_of_work(sessions) as session:
        (own,) = factories.workspace_ids(session, 1)
        return own
