"""What `testinfra verify` says about figures that it kept, dropped, or has fewer runs of."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from atom_testinfra.reports import numbers
from atom_testinfra.reports.tables import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.costs.baseline import Baseline, Evidence
    from atom_testinfra.core.costs.merging import Merged

N_NAMED = 3


def describe_merged(merged: Merged) -> Iterator[str]:
    """Yield in sentences what became of the figures that the file had before."""
    if merged.kept:
        ages = ", ".join(_sessions(merged.evidence, merged.kept))
        noun = "property keeps" if len(merged.kept) == 1 else "properties keep"
        yield f"{len(merged.kept)} {noun} earlier figures ({ages}): {_named(merged.kept)}"
    if merged.gone:
        noun = "property is" if len(merged.gone) == 1 else "properties are"
        yield f"{len(merged.gone)} {noun} gone from the suite, and so from the file: {_named(merged.gone)}"
    if merged.fewer_runs:
        changes = Counter((fewer.profile, fewer.before, fewer.now) for fewer in merged.fewer_runs)
        for (profile, before, now), n in sorted(changes.items()):
            of_what = f"{numbers.plural(n, 'property')} under {profile!r}"
            yield f"{of_what}: {numbers.plural(now, 'run')} instead of {before}"


def describe_dropped(before: Baseline, now: Evidence) -> Iterator[str]:
    """Yield in sentences which figures a replacement drops."""
    dropped = sorted(before.properties.keys() - now.properties.keys())
    if dropped:
        noun = "property is" if len(dropped) == 1 else "properties are"
        yield f"{len(dropped)} {noun} dropped from the file by --replace: {_named(dropped)}"
    profiles = {name for subject in before.properties.values() for name in subject.profiles}
    measured = {name for subject in now.properties.values() for name in subject.profiles}
    for profile in sorted(profiles - measured):
        yield f"the figures of profile {profile!r} are dropped by --replace"


def _sessions(evidence: Evidence, nodeids: Sequence[str]) -> Iterator[str]:
    """Yield date and commit of the sessions that these properties have figures of, the oldest first."""
    used = {cost.source for nodeid in nodeids for cost in evidence.properties[nodeid].profiles.values()}
    for key, made in evidence.earlier.items():
        if key in used:
            commit = made.commit[:12] if made.commit else "an unknown commit"
            yield f"{made.started_at[:10]} at {commit}"


def _named(nodeids: Sequence[str]) -> str:
    rest = len(nodeids) - N_NAMED
    return ", ".join([*map(visible, nodeids[:N_NAMED]), *([f"and {rest} more"] if rest > 0 else [])])
