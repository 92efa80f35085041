"""One shard of the mutants that `testinfra mutate` selects, kept for `testinfra merge`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from atom_testinfra.core.scheduling.shards import Shard, ShardKind, deal_mutants, parse_shard
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.storage.shards import begin_shard, save_shard, shard_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.mutants import Finding, Mutant
    from atom_testinfra.storage.project import Project


class MutantShard:
    """The mutants of one shard, and the file that says what became of them."""

    def __init__(self, text: str, selected: Sequence[Mutant], asked: str, project: Project) -> None:
        self._number = parse_shard(text)
        self._ids = sorted(mutant.id for mutant in selected)
        shards, self._digest = deal_mutants(self._ids, asked, self._number.n_shards)
        own = shards[self._number.index - 1]
        self.chosen = [mutant for mutant in selected if mutant.id in own]
        self._folder = shard_folder(project.shards, ShardKind.MUTANTS, self._number)

    def begin(self) -> None:
        """Remove what an earlier run of this shard has left."""
        begin_shard(self._folder)

    def save(self, findings: Sequence[Finding], *, is_complete: bool) -> None:
        """Write what became of the mutants; those that nobody asked about have no result."""
        shard = Shard(
            kind=ShardKind.MUTANTS,
            number=self._number,
            digest=self._digest,
            ids=self._ids,
            chosen=sorted(mutant.id for mutant in self.chosen),
            results=sorted((finding.id, str(finding.verdict)) for finding in findings),
            exit_status=ExitStatus.OK,
            findings=sorted(findings, key=lambda finding: (finding.path, finding.line, finding.id)),
        )
        path = save_shard(self._folder, shard)
        told = "" if is_complete else "; it is not complete: the same command goes on where this one stopped"
        click.echo(f"shard {self._number}, digest {self._digest}: {os.fspath(path)}{told}", err=True)

    def save_empty(self) -> int:
        """Write a shard without mutants, and say so: there are more shards than mutants."""
        n, n_shards = len(self._ids), self._number.n_shards
        click.echo(f"no mutant is in shard {self._number}: there are {n} in {n_shards} shards", err=True)
        self.save([], is_complete=True)
        return ExitStatus.OK
