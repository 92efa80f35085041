"""
How a property is run while it is measured: how many examples, from which seed, and what stays out.

The words are those of `core.policies`, without its import; a record with any other cannot be read.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck
from hypothesis import settings as Settings  # noqa: N812 (it is a class, whatever its name looks like)

from atom_testinfra.pytest_plugin.steering.pins import profile_of
from atom_testinfra.pytest_plugin.steering.sources import relative_path

if TYPE_CHECKING:
    from atom_testinfra.pytest_plugin.costs import Record
    from atom_testinfra.pytest_plugin.plan import Plan
    from atom_testinfra.pytest_plugin.steering.pins import PinnedNumber, Pins
    from atom_testinfra.pytest_plugin.steering.subject import Subject


class RunSettings:
    """What was decided for one run of one property."""

    def __init__(self, *, settings: Settings, seed: int | None, figures: Record, problems: list[str]) -> None:
        self.settings = settings
        self.seed = seed
        """The seed to install, or `None` to leave the seed alone."""
        self.figures = figures
        """It as part of a record."""
        self.problems = problems


def plan_run(
    subject: Subject, own: Settings, nodeid: str, plan: Plan, *, pins: Pins, root: str, can_trace: bool
) -> RunSettings:
    """
    Decide how to run a property that has these settings.

    The example database is left out, for measuring must neither replay nor change what a developer has
    found. Deadline and the health check `too_slow` are left out where the tool steers: on a loaded machine
    both fail without a counterexample. A seed from the node id makes every repeat the same work; a test's own
    `@seed` or `derandomize` stays.
    """
    profile = profile_of(own) if can_trace else Settings.default
    assert profile is not None  # it is so only while Hypothesis is being imported
    number = pins.find(subject.body, own.max_examples)
    pin = _find_pin(own, profile, number, root)
    is_steered = plan.steering == "tool"
    configured = _examples(own, profile, pin, number, plan) if is_steered else own.max_examples
    seed, seed_text, scheme = _seed(subject, own, profile, nodeid, plan.seed_set)
    changes: dict[str, Any] = {"database": None}
    if scheme == "nodeid" and own.derandomize:
        changes["derandomize"] = False
    if is_steered:
        checks = {HealthCheck.too_slow, *own.suppress_health_check}
        changes |= {"max_examples": configured, "deadline": None, "suppress_health_check": list(checks)}
    figures = {
        "requested": plan.max_examples,
        "configured": configured,
        "pin": pin,
        "seed": seed_text,
        "seed_scheme": scheme,
    }
    return RunSettings(
        settings=Settings(own, **changes),
        seed=seed,
        figures=figures,
        problems=_problems(own, pin, number, plan),
    )


def seed_of(nodeid: str, seed_set: int) -> int:
    """Return the seed of a node id in a seed set: the same on every machine and in every version."""
    return int.from_bytes(hashlib.sha256(f"{seed_set}\n{nodeid}".encode()).digest()[:8])


def _find_pin(own: Settings, profile: Settings, number: PinnedNumber | None, root: str) -> Record | None:
    """Return the number of examples that a test sets itself, and where."""
    if number is not None and number.is_scaled:
        return None
    if number is None:
        # Nothing in the files says so, yet the number is not the profile's: a conftest, or a function's.
        is_free = own.max_examples == profile.max_examples
        return None if is_free else {"max_examples": own.max_examples, "path": None, "line": None}
    path = relative_path(number.path, root)
    return {"max_examples": own.max_examples, "path": path, "line": number.line}


def _examples(
    own: Settings, profile: Settings, pin: Record | None, number: PinnedNumber | None, plan: Plan
) -> int:
    requested, pinned = plan.max_examples, own.max_examples
    if requested is None:
        return pinned
    scaled = max(1, round(pinned * requested / profile.max_examples))
    if pin is None:
        return scaled if number is not None else requested
    by_policy = {"respect": pinned, "scale": scaled, "cap": min(pinned, requested), "override": requested}
    return by_policy[plan.pins]


def _seed(
    subject: Subject, own: Settings, profile: Settings, nodeid: str, seed_set: int
) -> tuple[int | None, str | None, str]:
    if subject.own_seed is not None:
        return None, repr(subject.own_seed), "own"
    if own.derandomize and not profile.derandomize:
        return None, None, "derandomized"
    seed = seed_of(nodeid, seed_set)
    return seed, str(seed), "nodeid"


def _problems(own: Settings, pin: Record | None, number: PinnedNumber | None, plan: Plan) -> list[str]:
    is_free = pin is None and number is None
    if plan.steering == "suite" and is_free and plan.max_examples not in {None, own.max_examples}:
        asked = f"the profile {plan.profile!r} asks for {plan.max_examples}"
        return [f"{asked} examples, but the suite runs {own.max_examples}"]
    return []
