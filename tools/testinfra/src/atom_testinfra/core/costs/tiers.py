"""Which tier a property belongs to: the budget it was given, and where its cost puts it."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.costs.baseline import BudgetTier, ProfileCost, TierName

BUDGETS: tuple[BudgetTier, ...] = ("fast", "medium", "slow")


def tier_limit(targets: Targets, tier: TierName, *, is_ci: bool) -> float:
    """Return a tier's limit in seconds; a property over every tier is checked against the slowest one."""
    limits = targets.fast if tier == "fast" else targets.medium if tier == "medium" else targets.slow
    return limits.ci_s if is_ci else limits.local_s


def tier_of_duration(duration_s: float, targets: Targets, *, is_ci: bool) -> TierName:
    """Return the cheapest tier under whose limit a duration stays."""
    for tier in BUDGETS:
        if duration_s < tier_limit(targets, tier, is_ci=is_ci):
            return tier
    return "over"


def measured_tier(profiles: Mapping[str, ProfileCost], targets: Targets) -> TierName:
    """
    Return the tier that a property's cost puts it in.

    The local duration decides; the one in CI where there is no other. A property without either goes to
    the slowest: unknown cost is treated as high cost.
    """
    if (local := profiles.get(targets.local_profile)) is not None:
        return tier_of_duration(local.duration_s, targets, is_ci=False)
    if (ci := profiles.get(targets.ci_profile)) is not None:
        return tier_of_duration(ci.duration_s, targets, is_ci=True)
    return "over"


class DeclaredTiers:
    """The tiers that `[tool.testinfra.tiers]` gives to node ids."""

    def __init__(self, globs: Mapping[str, BudgetTier]) -> None:
        self._patterns = [(re.compile(translate(glob)), tier) for glob, tier in globs.items()]

    def find(self, nodeid: str) -> BudgetTier | None:
        """Return the tier of the last glob that matches, if any does."""
        for pattern, tier in reversed(self._patterns):
            if pattern.match(nodeid):
                return tier
        return None
