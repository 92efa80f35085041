"""Workflows that can be run: graphs without a cycle, listed in any order, with conditions and inputs."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from atom.workflows.graph import Condition, Connection, Reference, Step, Workflow

IS_OK: Final = Condition(key="ok", equals=True)
TOKEN: Final = Reference(key="token")


@st.composite
def workflows(
    draw: st.DrawFn, *, max_steps: int = 7, has_conditions: bool = False, has_inputs: bool = False
) -> Workflow:
    """Some steps; each may wait for any of those before it, under a condition, and read what they return."""
    steps, connections = [], []
    for number in range(draw(st.integers(1, max_steps))):
        name = f"step-{number}"
        sources = draw(st.sets(st.integers(0, number - 1), max_size=2)) if number else set()
        inputs = {}
        if has_inputs and draw(st.booleans()):
            inputs["token"] = TOKEN
        for source in sorted(sources):
            condition = IS_OK if has_conditions and draw(st.booleans()) else None
            connections.append(Connection(source=f"step-{source}", target=name, condition=condition))
            if has_inputs and draw(st.booleans()):
                inputs[f"from-{source}"] = Reference(key="value", step=f"step-{source}")
        steps.append(Step(id=name, action="work", inputs=inputs))
    return Workflow(steps=tuple(draw(st.permutations(steps))), connections=tuple(connections))


outputs = st.fixed_dictionaries({"ok": st.booleans()}, optional={"value": st.integers(0, 9) | st.none()})
"""What a step may return; a step that reads `value` has to ask for it when it is missing."""
