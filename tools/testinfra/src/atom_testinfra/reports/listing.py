"""The properties of a baseline as Markdown: all of them by tier, and how many stay below a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.costs.tiers import BUDGETS
from atom_testinfra.reports import numbers
from atom_testinfra.reports.markdown import render_table
from atom_testinfra.reports.tables import Cell, CellKind, Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.core.costs.baseline import Baseline, PropertyCost


def render_properties_by_tier(baseline: Baseline) -> str:
    """Return a heading and a table for each tier that has properties: durations by profile, slowest first."""
    local = baseline.targets.local_profile
    profiles = sorted(baseline.max_examples, key=lambda name: (name != local, name))
    properties = dict(baseline.properties.items())
    parts = []
    for tier in (*BUDGETS, "over"):
        chosen = {nodeid: entry for nodeid, entry in properties.items() if entry.tier == tier}
        if chosen:
            title = f"### {tier.capitalize()}: {numbers.plural(len(chosen), 'property')}"
            parts += [title, _render_tier(chosen, profiles)]
    return "\n\n".join(parts)


def render_number_below(baseline: Baseline, profile: str, limit_s: float) -> str:
    """Return how many of a profile's properties take less than the limit in wall seconds, as `148 of 166`."""
    durations = [
        cost.duration_s
        for entry in baseline.properties.values()
        if (cost := entry.profiles.get(profile)) is not None
    ]
    n_below = sum(duration < limit_s for duration in durations)
    return f"{numbers.count(n_below)} of {numbers.count(len(durations))}"


def _render_tier(properties: Mapping[str, PropertyCost], profiles: Sequence[str]) -> str:
    columns = [Column("Property", CellKind.TEST)]
    for profile in profiles:
        columns += [Column(f"{profile}, wall", CellKind.SECONDS), Column("examples", CellKind.COUNT)]
    rows = []
    for nodeid, entry in sorted(properties.items(), key=lambda item: _slowest_first(item[1], item[0])):
        row: list[Cell] = [nodeid]
        for profile in profiles:
            cost = entry.profiles.get(profile)
            row += [cost.duration_s, cost.n_examples] if cost else [None, None]
        rows.append(row)
    return render_table(Table(id="properties", caption="", columns=columns, rows=rows), max_rows=len(rows))


def _slowest_first(entry: PropertyCost, nodeid: str) -> tuple[float, str]:
    return -max(cost.duration_s for cost in entry.profiles.values()), nodeid
