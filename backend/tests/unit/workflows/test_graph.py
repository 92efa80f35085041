"""What is a workflow and what is not, and how it is read from a document."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from atom.kit.errors import InvalidError
from atom.workflows.definition import parse_workflow, render_workflow
from atom.workflows.graph import Condition, Connection, Reference, Step, Workflow

A, B, C = (Step(id=name, action="work") for name in "abc")


def wire(source: str, target: str) -> Connection:
    """A connection without a condition."""
    return Connection(source=source, target=target)


@pytest.mark.parametrize(
    ("steps", "connections", "field", "message"),
    [
        ((), (), "steps", "0 steps"),
        ((A, A), (), "steps", "two steps are called 'a'"),
        ((Step(id=" ", action="work"),), (), "steps", "blank"),
        ((Step(id="a", action="x" * 201),), (), "steps", "201"),
        ((A, B), (wire("a", "z"),), "connections", "unknown step 'z'"),
        ((A, B), (wire("z", "a"),), "connections", "unknown step 'z'"),
        ((A, B), (wire("a", "b"), wire("a", "b")), "connections", "two connections lead from 'a' to 'b'"),
        ((A,), (wire("a", "a"),), "connections", "cycle: a -> a"),
        ((A, B), (wire("a", "b"), wire("b", "a")), "connections", "cycle"),
    ],
)
def test_an_unfit_workflow_is_refused_with_the_place(
    steps: tuple[Step, ...], connections: tuple[Connection, ...], field: str, message: str
) -> None:
    """The error says what is wrong, and where."""
    with pytest.raises(InvalidError, match=message) as caught:
        Workflow(steps=steps, connections=connections)
    assert caught.value.field == field


def test_cycle_is_named_in_the_direction_of_its_connections() -> None:
    """A reader can follow the cycle along the arrows."""
    with pytest.raises(InvalidError) as caught:
        Workflow(steps=(A, B, C), connections=(wire("a", "b"), wire("b", "c"), wire("c", "a")))
    path = caught.value.message.partition(": ")[2].split(" -> ")
    assert len(path) == 4
    assert all(pair in {("a", "b"), ("b", "c"), ("c", "a")} for pair in pairwise(path))


def test_workflow_has_at_most_a_thousand_steps() -> None:
    """A thousand steps are accepted, one more is not."""
    steps = tuple(Step(id=f"s{n}", action="work") for n in range(1_001))
    assert len(Workflow(steps=steps[:1_000]).order) == 1_000
    with pytest.raises(InvalidError, match="1001 steps"):
        Workflow(steps=steps)


def test_input_comes_from_a_step_that_is_waited_for() -> None:
    """A step may read what an ancestor returns, however far back, and nothing else."""
    reader = Step(id="r", action="read", inputs={"x": Reference(key="k", step="a")})
    workflow = Workflow(steps=(reader, B, A), connections=(wire("a", "b"), wire("b", "r")))
    assert workflow.order == ("a", "b", "r")
    with pytest.raises(InvalidError, match="reads from 'a'") as caught:
        Workflow(steps=(A, B, reader), connections=(wire("b", "r"),))
    assert caught.value.field == "steps"


def test_order_keeps_the_listing_where_it_may() -> None:
    """Steps that do not wait for each other keep the order in which they are listed."""
    assert Workflow(steps=(C, A, B)).order == ("c", "a", "b")
    assert Workflow(steps=(C, A, B), connections=(wire("a", "c"),)).order == ("a", "b", "c")


def test_reference_is_called_by_its_step_and_key() -> None:
    """An input of the execution has a bare name, one of a step the step's in front."""
    assert (Reference(key="k").name, Reference(key="k", step="s").name) == ("k", "s.k")


@pytest.mark.parametrize(
    ("output", "equals", "holds"),
    [
        ({"k": True}, True, True),
        ({"k": False}, True, False),
        ({"k": 1}, True, False),
        ({"k": True}, 1, False),
        ({"k": "a"}, "a", True),
        ({"k": None}, None, True),
        ({}, None, False),
        ({"other": "a"}, "a", False),
    ],
)
def test_condition_compares_value_and_type(output: dict[str, Any], equals: Any, holds: bool) -> None:
    """1 is not true, and a missing key is not null."""
    assert Condition(key="k", equals=equals).holds(output) is holds


WHOLE = Workflow(
    steps=(
        A,
        Step(id="b", action="send", inputs={"x": Reference(key="k", step="a"), "y": Reference(key="t")}),
    ),
    connections=(Connection(source="a", target="b", condition=Condition(key="ok", equals=None)),),
)
DOCUMENT: dict[str, Any] = {
    "steps": [
        {"id": "a", "action": "work", "inputs": {}},
        {
            "id": "b",
            "action": "send",
            "inputs": {"x": {"key": "k", "step": "a"}, "y": {"key": "t", "step": None}},
        },
    ],
    "connections": [{"source": "a", "target": "b", "condition": {"key": "ok", "equals": None}}],
}


def test_a_workflow_round_trips_through_its_document() -> None:
    """A workflow and its document are two ways to say the same."""
    assert render_workflow(WHOLE) == DOCUMENT
    assert parse_workflow(DOCUMENT) == WHOLE


def test_document_may_leave_out_what_is_optional() -> None:
    """Connections, inputs, conditions and the step of an input may be left out."""
    document = {
        "steps": [
            {"id": "a", "action": "work"},
            {"id": "b", "action": "work", "inputs": {"x": {"key": "k"}}},
        ],
        "connections": [{"source": "a", "target": "b"}],
    }
    expected = Workflow(
        steps=(A, Step(id="b", action="work", inputs={"x": Reference(key="k")})),
        connections=(wire("a", "b"),),
    )
    assert parse_workflow(document) == expected
    assert parse_workflow({"steps": [{"id": "a", "action": "work"}]}) == Workflow(steps=(A,))


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "workflow"),
        ({}, "workflow.steps"),
        ({"steps": [], "more": 1}, "workflow.more"),
        ({"steps": {}}, "steps"),
        ({"steps": [3]}, "steps[0]"),
        ({"steps": [{"id": "a"}]}, "steps[0].action"),
        ({"steps": [{"action": "a"}]}, "steps[0].id"),
        ({"steps": [{"id": 1, "action": "a"}]}, "steps[0].id"),
        ({"steps": [{"id": "a", "action": None}]}, "steps[0].action"),
        ({"steps": [{"id": "a", "action": "a", "input": {}}]}, "steps[0].input"),
        ({"steps": [{"id": "a", "action": "a", "inputs": []}]}, "steps[0].inputs"),
        ({"steps": [{"id": "a", "action": "a", "inputs": {"x": "y"}}]}, "steps[0].inputs.x"),
        ({"steps": [{"id": "a", "action": "a", "inputs": {"x": {}}}]}, "steps[0].inputs.x.key"),
        ({"steps": [{"id": "a", "action": "a", "inputs": {"x": {"key": 1}}}]}, "steps[0].inputs.x.key"),
        (
            {"steps": [{"id": "a", "action": "a", "inputs": {"x": {"key": "k", "step": 1}}}]},
            "steps[0].inputs.x.step",
        ),
        ({"steps": [], "connections": {}}, "connections"),
        ({"steps": [], "connections": [{"source": "a"}]}, "connections[0].target"),
        ({"steps": [], "connections": [{"target": "a"}]}, "connections[0].source"),
        ({"steps": [], "connections": [{"source": 1, "target": "a"}]}, "connections[0].source"),
        ({"steps": [], "connections": [{"source": "a", "target": 1}]}, "connections[0].target"),
        (
            {"steps": [], "connections": [{"source": "a", "target": "b", "condition": 1}]},
            "connections[0].condition",
        ),
        (
            {"steps": [], "connections": [{"source": "a", "target": "b", "condition": {"key": "k"}}]},
            "connections[0].condition.equals",
        ),
        (
            {"steps": [], "connections": [{"source": "a", "target": "b", "condition": {"equals": 1}}]},
            "connections[0].condition.key",
        ),
        (
            {
                "steps": [],
                "connections": [{"source": "a", "target": "b", "condition": {"key": 1, "equals": 1}}],
            },
            "connections[0].condition.key",
        ),
        (
            {
                "steps": [],
                "connections": [{"source": "a", "target": "b", "condition": {"key": "k", "equals": []}}],
            },
            "connections[0].condition.equals",
        ),
        (
            {"steps": [], "connections": [{"source": "a", "target": "b", "when": 1}]},
            "connections[0].when",
        ),
    ],
)
def test_an_unfit_document_is_refused_with_the_place(document: object, field: str) -> None:
    """The error names the place in the document."""
    with pytest.raises(InvalidError) as caught:
        parse_workflow(document)
    assert caught.value.field == field
