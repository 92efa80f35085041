"""The fewest test cases that notice every noticed mutant a number of times."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

K = TypeVar("K")


def cover(noticing: Mapping[K, Set[str]], times: int) -> list[K]:
    """
    Return test cases that notice each mutant `times` times, or as often as it can be noticed.

    Greedy: the test case that adds most comes first, and of equals the first. That is within 1 + ln(mutants)
    of the fewest (Chvátal 1979). At the end, test cases that others made unnecessary are removed.
    """
    wanted: dict[str, int] = {}
    for mutants in noticing.values():
        for mutant in mutants:
            wanted[mutant] = min(wanted.get(mutant, 0) + 1, times)
    missing = dict(wanted)
    chosen: list[K] = []
    waiting = dict(noticing)
    while any(missing.values()):
        best = max(waiting, key=lambda one: sum(missing[mutant] > 0 for mutant in waiting[one]))
        chosen.append(best)
        for mutant in waiting.pop(best):
            missing[mutant] = max(missing[mutant] - 1, 0)
    counts = dict.fromkeys(wanted, 0)
    for case in chosen:
        for mutant in noticing[case]:
            counts[mutant] += 1
    kept = list(chosen)
    for case in chosen:
        if all(counts[mutant] > wanted[mutant] for mutant in noticing[case]):
            kept.remove(case)
            for mutant in noticing[case]:
                counts[mutant] -= 1
    return kept
