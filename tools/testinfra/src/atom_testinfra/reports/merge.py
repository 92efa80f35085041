"""What all shards together ran, for the terminal and for a job summary."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.mutants import Finding
from atom_testinfra.core.scheduling.shards import BAD, ShardKind
from atom_testinfra.reports import mutants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.scheduling.shards import Shard

MOST_FAILED = 20
"""How many failed tests are listed; all of them stand in merged.json."""


class MergedShards(Struct, frozen=True, kw_only=True):
    """The whole: what there was to run, and what became of it."""

    kind: ShardKind
    n_shards: int
    n: int
    digest: str
    counts: dict[str, int]
    """Tests, or mutants, by outcome."""
    failed: list[str]
    """Tests that a person has to look at."""
    per_shard: list[tuple[int, int, float]]
    """Of each shard: its index, how many it ran, and the seconds of its tests."""
    seconds: dict[str, float]
    findings: list[Finding]

    @classmethod
    def of(cls, shards: Sequence[Shard]) -> MergedShards:
        """Return the whole of shards that were found to be one."""
        ordered = sorted(shards, key=lambda shard: shard.number.index)
        first = ordered[0]
        results = [result for shard in ordered for result in shard.results]
        return cls(
            kind=first.kind,
            n_shards=first.number.n_shards,
            n=len(first.ids),
            digest=first.digest,
            counts=dict(sorted(Counter(outcome for _, outcome in results).items())),
            failed=sorted(id_ for id_, outcome in results if outcome in BAD),
            per_shard=[
                (shard.number.index, len(shard.results), round(sum(shard.seconds.values()), 3))
                for shard in ordered
            ],
            seconds={id_: s for shard in ordered for id_, s in shard.seconds.items()},
            findings=[finding for shard in ordered for finding in shard.findings],
        )


def render_text(merged: MergedShards) -> list[str]:
    """Return the lines for the terminal."""
    told = ", ".join(f"{n} {outcome}" for outcome, n in merged.counts.items()) or "nothing to run"
    lines = [f"{merged.n_shards} shards, digest {merged.digest}: all {merged.n} {merged.kind} ran: {told}"]
    if merged.kind is ShardKind.MUTANTS:
        return [*lines, *mutants.render_text(merged.findings, n_left=0)]
    lines += [f"failed: {id_}" for id_ in merged.failed[:MOST_FAILED]]
    if len(merged.failed) > MOST_FAILED:
        lines.append(f"and {len(merged.failed) - MOST_FAILED} more, in merged.json")
    return lines


def render_markdown(merged: MergedShards) -> str:
    """Return the job summary."""
    first, *others = render_text(merged)
    lines = [f"### {first}", ""]
    if merged.kind is ShardKind.MUTANTS:
        return "\n".join([*lines, mutants.render_markdown(merged.findings, n_left=0), ""])
    lines += ["| shard | tests | seconds of tests |", "|---|---:|---:|"]
    lines += [f"| {index}/{merged.n_shards} | {n} | {s:.1f} |" for index, n, s in merged.per_shard]
    return "\n".join([*lines, "", *(f"- {line}" for line in others), ""])
