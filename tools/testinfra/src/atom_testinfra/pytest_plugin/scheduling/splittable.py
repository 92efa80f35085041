"""Why a property cannot be split into shares of its examples, as far as that is known before it runs."""

from __future__ import annotations

from types import CodeType
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import Phase

from atom_testinfra.core.scheduling.splitting import DOMAIN_FACTOR, LEAST_EXAMPLES
from atom_testinfra.pytest_plugin.steering.domains import count_inputs
from atom_testinfra.pytest_plugin.steering.subject import FunctionSubject, find_subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from atom_testinfra.pytest_plugin.internals import Internals

REPRODUCE = "_hypothesis_internal_use_reproduce_failure"
ENGINE = "hypothesis"


def why_whole(item: pytest.Item, internals: Internals) -> tuple[str | None, int]:
    """Return why a test is left whole, `None` if it may be split, and its number of examples."""
    subject = find_subject(item)
    if subject is None:
        return "it is not a property", 0
    own = subject.settings
    if own is None or not internals.can_steer or not internals.can_listen:
        return "Hypothesis offers no settings for it", 0
    n_examples: int = own.max_examples
    if not isinstance(subject, FunctionSubject):
        return "it is a state machine", n_examples
    if n_examples < 2 * LEAST_EXAMPLES:
        return f"{n_examples} examples make no two shares of {LEAST_EXAMPLES}", n_examples
    if Phase.generate not in own.phases or getattr(subject.function, REPRODUCE, None) is not None:
        return "it generates no examples", n_examples
    if getattr(own, "backend", ENGINE) != ENGINE:
        return f"its examples come from {own.backend!r}", n_examples
    if calls_target(subject.body):
        return "it calls target(), which searches step by step", n_examples
    n_inputs = count_inputs(subject.strategies)
    if n_inputs < DOMAIN_FACTOR * n_examples:
        return f"it has {n_inputs:.0f} inputs only, which one search does not repeat", n_examples
    return None, n_examples


def calls_target(function: Any) -> bool:
    """Return whether a function's own code names `hypothesis.target`; what it calls is not looked at."""
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None:
        return False
    known: dict[str, Any] = getattr(function, "__globals__", {})
    names = set(_names(code))
    if any(known.get(name) is hypothesis.target for name in names):
        return True
    return "target" in names and any(known.get(name) is hypothesis for name in names)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
