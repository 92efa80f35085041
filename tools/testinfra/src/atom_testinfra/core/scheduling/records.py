"""Merge the records of a suite's shards into the record of one run."""

from __future__ import annotations

from collections import Counter
from math import fsum
from typing import TYPE_CHECKING

from atom_testinfra.core.errors import ShardError
from atom_testinfra.core.records.circumstances import list_differences
from atom_testinfra.core.records.measurement import Collected, Run, RunEnd

if TYPE_CHECKING:
    from collections.abc import Sequence


def merge_runs(runs: Sequence[tuple[str, Run]]) -> Run:
    """
    Return the runs of all shards as one, each with the name of its file.

    Raises:
        ShardError: One is not complete, or they were not made alike.
    """
    first_name, first = runs[0]
    for name, run in runs:
        if run.end is None or run.collected is None:
            raise ShardError(f"{name} was cut off", hint="run that shard again")
        differences = _differences(first, run)
        if differences:
            raise ShardError(
                f"{name} was not made like {first_name}: {'; '.join(differences)}",
                hint="run all shards on one commit, with one environment and on machines of one kind",
            )
    ends = [run.end for _, run in runs if run.end is not None]
    outcomes: Counter[str] = Counter()
    for end in ends:
        outcomes.update(end.outcomes)
    return Run(
        header=first.header,
        collected=Collected(
            nodeids=[nodeid for _, run in runs if run.collected for nodeid in run.collected.nodeids],
            n_deselected=0,
        ),
        measurements=[measurement for _, run in runs for measurement in run.measurements],
        end=RunEnd(
            exit_status=max(end.exit_status for end in ends),
            wall_s=max(end.wall_s for end in ends),
            cpu_s=fsum(end.cpu_s for end in ends),
            outcomes=dict(sorted(outcomes.items())),
        ),
    )


def _differences(first: Run, run: Run) -> list[str]:
    mine, other = first.header, run.header
    names = ("profile", "max_examples", "pins", "seed_set", "steering", "n_workers", "calibration")
    found = [
        f"{name} {getattr(mine, name)}, here {getattr(other, name)}"
        for name in names
        if getattr(mine, name) != getattr(other, name)
    ]
    return found + list_differences(mine.provenance, other.provenance)
