"""How many values a property's strategies can make, as far as their parts tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hypothesis.strategies._internal import lazy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

unwrap_strategies: Callable[[Any], Any] = lazy.unwrap_strategies

DEEPEST = 20
"""Strategies inside strategies that are followed; beyond it the domain counts as endless."""


def count_inputs(strategies: Mapping[str, object]) -> float:
    """Return at most how many inputs there are; infinity where a strategy does not tell."""
    return math.prod(_count(strategy, DEEPEST) for strategy in strategies.values())


def _count(strategy: Any, depth: int) -> float:
    """Return at most how many values a strategy makes; its parts are found by the names Hypothesis uses."""
    if depth == 0:
        return math.inf
    strategy = unwrap_strategies(strategy)
    parts = vars(strategy)
    kind = type(strategy).__name__
    if kind == "BooleansStrategy":
        return 2
    if kind == "IntegersStrategy":
        start, end = parts.get("start"), parts.get("end")
        return math.inf if start is None or end is None else end - start + 1
    if kind in {"SampledFromStrategy", "JustStrategy"}:
        return len(parts["elements"]) if "elements" in parts else math.inf
    if kind == "OneOfStrategy":
        return math.fsum(_count(part, depth - 1) for part in parts.get("original_strategies", [None]))
    if kind == "TupleStrategy":
        return math.prod(_count(part, depth - 1) for part in parts.get("element_strategies", [None]))
    inner = parts.get("mapped_strategy", parts.get("filtered_strategy"))
    return math.inf if inner is None else _count(inner, depth - 1)
