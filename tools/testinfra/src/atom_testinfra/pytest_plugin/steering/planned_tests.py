"""What is known of the collected tests before any of them runs: what they ask for, and what they cost."""

from __future__ import annotations

import sys
from math import inf
from typing import TYPE_CHECKING, Any

from atom_testinfra.core.budgets.planner import PlannedTest
from atom_testinfra.pytest_plugin.steering.subject import peek_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from atom_testinfra.core.budgets.costs import Costs
    from atom_testinfra.core.time_spans import BudgetClock


def plan_tests(
    items: Sequence[pytest.Item], names: Sequence[str], costs: Costs, clock: BudgetClock
) -> list[PlannedTest]:
    """Return what is known of each test, in their order."""
    return [_plan_test(item, name, costs, clock) for item, name in zip(items, names, strict=True)]


def file_of(name: str) -> str:
    """Return the file in a test's name."""
    return name.partition("::")[0]


def _plan_test(item: pytest.Item, name: str, costs: Costs, clock: BudgetClock) -> PlannedTest:
    own = _own_settings(item)
    if own is None or not _is_generated(own):
        plain = costs.plain.get(file_of(name))
        return PlannedTest(is_property=False, fixed_s=None if plain is None else plain.each.by(clock))
    factor = own.max_examples / _profile_number()
    saved = count_saved(item, own) or 0
    known = costs.properties.get(name)
    if known is None:
        return PlannedTest(is_property=True, factor=factor, saved=saved)
    return PlannedTest(
        is_property=True,
        factor=factor,
        saved=saved,
        example_s=known.example.by(clock) if known.n_examples else None,
        fixed_s=known.fixed.by(clock),
        most=known.most or inf,
        is_idle=known.most == 0,
    )


def _own_settings(item: pytest.Item) -> Any:
    """Return a property's settings without making an instance of its class, or `None` for another test."""
    if "hypothesis" not in sys.modules or peek_kind(item) is None:
        return None
    from atom_testinfra.pytest_plugin.internals import MACHINE, SETTINGS

    function = _function(item)
    if hasattr(function, MACHINE):
        return getattr(getattr(item, "cls", None), "settings", None)
    return getattr(function, SETTINGS, None)


def _function(item: pytest.Item) -> Any:
    cls = getattr(item, "cls", None)
    if cls is None:
        return getattr(item, "obj", None)
    return getattr(cls, getattr(item, "originalname", ""), None)


def _is_generated(own: Any) -> bool:
    from hypothesis import Phase

    return Phase.generate in own.phases


def _profile_number() -> int:
    from hypothesis import settings

    default = settings.default
    assert default is not None  # it is so only while Hypothesis is being imported
    return default.max_examples


def count_saved(item: pytest.Item, own: Any) -> int | None:
    """Return how many failures the example database holds for a property; `None` where it cannot be told."""
    from hypothesis import Phase

    if own.database is None or Phase.reuse not in own.phases:
        return 0
    key = saved_key(item)
    return None if key is None else len(set(own.database.fetch(key)))


def saved_key(item: pytest.Item) -> bytes | None:
    """Return the key of a property's saved failures; `None` where this version keeps it elsewhere."""
    from atom_testinfra.pytest_plugin.internals import MACHINE

    function = _function(item)
    machine = getattr(function, MACHINE, None)
    if machine is not None:
        from hypothesis import stateful

        make = getattr(stateful, "get_state_machine_test", None)
        function = None if make is None else make(machine)
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", None)
    return None if inner is None else database_key(inner, item)


def database_key(inner: Any, item: pytest.Item) -> bytes:
    """Return the key under which Hypothesis keeps a property's failures."""
    from hypothesis.internal.reflection import function_digest

    is_given_a_key = item.get_closest_marker("parametrize") is not None
    name, before = "_hypothesis_internal_add_digest", getattr(inner, "_hypothesis_internal_add_digest", None)
    if not is_given_a_key:
        return function_digest(inner)
    setattr(inner, name, item.nodeid.encode())  # as Hypothesis's own plugin does before the call
    try:
        return function_digest(inner)
    finally:
        if before is None:
            delattr(inner, name)
        else:
            setattr(inner, name, before)
