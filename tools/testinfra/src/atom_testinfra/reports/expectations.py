"""What the settings promise, as Markdown: limits of the tiers, what they leave an example, profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.tiers import BUDGETS, tier_limit
from atom_testinfra.reports import numbers
from atom_testinfra.reports.markdown import escape, render_table
from atom_testinfra.reports.reference import attribute_docstrings
from atom_testinfra.reports.tables import Cell, CellKind, Column, Table

if TYPE_CHECKING:
    from atom_testinfra.core.config import Config

UNIT_TEST_S = 0.1
"""What the plan asks of a test that runs once."""


def render_limits(config: Config) -> str:
    """Return the limits of the tiers under both profiles, and what they leave for one example."""
    targets = config.targets
    columns = [Column("Tier")]
    for profile in (targets.local_profile, targets.ci_profile):
        columns += [
            Column(_profile_title(config, profile), CellKind.LIMIT),
            Column("an example", CellKind.SECONDS),
        ]
    rows: list[list[Cell]] = []
    for tier in BUDGETS:
        row: list[Cell] = [tier.capitalize()]
        for profile, is_ci in ((targets.local_profile, False), (targets.ci_profile, True)):
            limit_s = tier_limit(targets, tier, is_ci=is_ci)
            row += [limit_s, _per_example_s(config, profile, limit_s)]
        rows.append(row)
    rows.append(["Whole suite", targets.suite_s, None, None, None])
    return render_table(Table(id="limits", caption="", columns=columns, rows=rows))


def render_test_types(config: Config) -> str:
    """Return what each type of test runs how often, within which limit, and what for."""
    targets, purposes = config.targets, attribute_docstrings(Targets)
    local, ci = (_n_examples(config, name) for name in (targets.local_profile, targets.ci_profile))
    lines = [
        "| Test type | Iterations | Target | Purpose |",
        "| --- | --- | --- | --- |",
        f"| Unit test | 1 | < {numbers.limit(UNIT_TEST_S)} | One known case. |",
    ]
    for tier in BUDGETS:
        limits = getattr(targets, tier)
        lines.append(
            f"| Property, {tier} tier | {local} ({ci} in CI) | < {numbers.limit(limits.local_s)} "
            f"(< {numbers.limit(limits.ci_s)} in CI) | {escape(purposes[tier])} |"
        )
    lines.append(
        f"| Whole suite | all | < {numbers.limit(targets.suite_s)} | {escape(purposes['suite_s'])} |"
    )
    return "\n".join(lines)


def render_replaced_targets(config: Config, original_s: float) -> str:
    """Return the limits beside the one limit that they replace, with what each leaves for an example."""
    targets, purposes = config.targets, attribute_docstrings(Targets)
    original = f"< {numbers.limit(original_s)}"
    lines = [
        "| Metric | Original Target | Realistic Target | Rationale |",
        "| --- | --- | --- | --- |",
    ]
    for profile, is_ci in ((targets.local_profile, False), (targets.ci_profile, True)):
        for tier in BUDGETS:
            limit_s = tier_limit(targets, tier, is_ci=is_ci)
            each = numbers.seconds(_per_example_s(config, profile, limit_s))
            lines.append(
                f"| {tier.capitalize()} tier, {_profile_title(config, profile)} | {original} "
                f"| < {numbers.limit(limit_s)} | {escape(purposes[tier])} {each} an example. |"
            )
    suite = f"< {numbers.limit(targets.suite_s)}"
    lines.append(f"| Whole suite | {suite} | {suite} | {escape(purposes['suite_s'])} |")
    return "\n".join(lines)


def render_profiles(config: Config) -> str:
    """Return the profiles with their examples and their environment."""
    return render_table(
        Table(
            id="profiles",
            caption="",
            columns=[Column("Profile"), Column("Examples", CellKind.COUNT), Column("Environment")],
            rows=[
                [
                    name,
                    profile.max_examples,
                    " ".join(f"{key}={value}" for key, value in profile.env.items()) or "as it is",
                ]
                for name, profile in config.profiles.items()
            ],
        )
    )


def _n_examples(config: Config, profile: str) -> int | None:
    return config.profiles[profile].max_examples if profile in config.profiles else None


def _per_example_s(config: Config, profile: str, limit_s: float) -> float | None:
    n_examples = _n_examples(config, profile)
    return None if n_examples is None else limit_s / n_examples


def _profile_title(config: Config, profile: str) -> str:
    n_examples = _n_examples(config, profile)
    return profile if n_examples is None else f"{profile}, {numbers.plural(n_examples, 'example')}"
