"""Survivors in the order in which to read them, and what mutants say in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.mutants import MutantVerdict, score
from atom_testinfra.reports import numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.mutants import Finding


def rank_survivors(findings: Sequence[Finding]) -> list[Finding]:
    """Return the survivors that nobody accepted, those that tests execute most often first."""
    found = [one for one in findings if one.verdict is MutantVerdict.SURVIVED and one.accepted is None]
    return sorted(found, key=lambda one: (one.is_hidden, -one.n_executed, one.path, one.line, one.id))


def one_of_each_line(survivors: Sequence[Finding]) -> list[tuple[Finding, int]]:
    """Return the first survivor of each line, with how many more survive there."""
    by_line: dict[tuple[str, int], list[Finding]] = {}
    for one in survivors:
        by_line.setdefault((one.path, one.line), []).append(one)
    return [(group[0], len(group) - 1) for group in by_line.values()]


def summarise(findings: Sequence[Finding], n_left: int) -> str:
    """Return the answer in one sentence, with what was not asked."""
    if not findings:
        return "No mutant was asked about."
    total = score(findings)
    n_unreached = total.counts.get(MutantVerdict.NOT_REACHED, 0)
    of_all = f"{numbers.count(total.n_noticed)} of {numbers.plural(total.n_reached, 'mutant')}"
    parts = [f"{of_all} that tests execute were noticed ({numbers.share(total.share)})"]
    if total.n_accepted:
        parts.append(f"{numbers.count(total.n_accepted)} survivors are accepted")
    if n_unreached:
        parts.append(f"{numbers.count(n_unreached)} are in code that no test executes")
    if n_left:
        parts.append(f"{numbers.count(n_left)} were not asked about")
    return "; ".join(parts) + "."


def change_lines(one: Finding) -> list[str]:
    """Return the lines of a diff that are removed and added."""
    return [line for line in one.difference.splitlines()[3:] if line.startswith(("-", "+"))]
