"""`testinfra distil`: the fewest recorded test cases that notice what the properties can notice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from atom_testinfra.commands.learnt import LEARN, files_of_tests, output_options, profile_option, read_learnt
from atom_testinfra.commands.parameters import PYTEST_WORDS, PathsThenPytest
from atom_testinfra.core.detection.cover import cover
from atom_testinfra.core.errors import NothingMeasuredError
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.mutation.states import hypothesis_version
from atom_testinfra.storage.example_budget import CorpusEntry, make_corpus_file, save_budget
from atom_testinfra.storage.project import load_project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atom_testinfra.core.detection.trials import NoticingCase
    from atom_testinfra.storage.trials import TrialStore

Place = tuple[int, int, int]
"""Seed, planned number and place of a recorded test case."""


@click.command(cls=PathsThenPytest)
@click.option(
    "--times",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="K",
    help="Each mutant is noticed by this many test cases, where there are as many.",
)
@profile_option
@output_options("Where to write them.  [default: testinfra-corpus.json]")
@click.pass_context
def command(
    ctx: click.Context, *, times: int, profile: str | None, output: Path | None, as_json: bool
) -> ExitStatus:
    """
    Keep the fewest recorded test cases of each property that notice every mutant it can notice.

    It uses what `testinfra mutate --curves` learnt with the same pytest arguments, and runs no test. With
    the file named in `testinfra_budget`, pytest replays these test cases first and then generates as many
    fresh examples as before. Exit status 3: nothing was learnt yet, or no property noticed anything.
    """
    project = load_project(Path.cwd())
    learnt = read_learnt(project, ctx.meta[PYTEST_WORDS], profile)
    noticing = {nodeid: _noticing(learnt.store, nodeid) for nodeid in learnt.fresh}
    cases = {(one.nodeid, _place(one)): one for one in learnt.store.cases(learnt.fresh)}
    entries = {
        nodeid: [
            CorpusEntry(
                choices=cases[nodeid, place].choices,
                text=cases[nodeid, place].text,
                notices=len(found[place]),
            )
            for place in cover(found, times)
        ]
        for nodeid, found in noticing.items()
        if found
    }
    if not entries:
        raise NothingMeasuredError(
            "no property noticed a mutant in what was learnt", hint=f"`{LEARN}` with more mutants"
        )
    path = (project.root / project.config.corpus if output is None else output).absolute()
    corpus = make_corpus_file(
        entries,
        {nodeid: list(files_of_tests(nodeid, project)) for nodeid in entries},
        path=path,
        command=" ".join(
            ["testinfra distil", f"--times {times}", *([f"--profile {profile}"] * bool(profile))]
        ),
        hypothesis=hypothesis_version(),
    )
    save_budget(path, corpus)
    _print(entries, noticing, path, as_json=as_json)
    return ExitStatus.OK


def _place(one: NoticingCase) -> Place:
    return one.seed, one.planned, one.place


def _noticing(store: TrialStore, nodeid: str) -> dict[Place, set[str]]:
    """Return the mutants that each recorded test case of a property notices."""
    found: dict[Place, set[str]] = {}
    for trial in store.trials([nodeid]):
        for place in trial.cases:
            found.setdefault((trial.seed, trial.planned, place), set()).add(trial.mutant)
    return dict(sorted(found.items()))


def _print(
    entries: Mapping[str, list[CorpusEntry]],
    noticing: Mapping[str, dict[Place, set[str]]],
    path: Path,
    *,
    as_json: bool,
) -> None:
    n_mutants = {nodeid: len(set().union(*noticing[nodeid].values())) for nodeid in entries}
    if as_json:
        rows = [
            {
                "nodeid": nodeid,
                "kept": len(kept),
                "recorded": len(noticing[nodeid]),
                "mutants": n_mutants[nodeid],
            }
            for nodeid, kept in entries.items()
        ]
        click.echo(msgspec.json.encode({"properties": rows, "file": path.name}))
        return
    for nodeid, kept in sorted(entries.items(), key=lambda item: (-len(item[1]), item[0])):
        click.echo(
            f"{len(kept):>5,} of {len(noticing[nodeid]):,} test cases notice all "
            f"{n_mutants[nodeid]:,} mutants of {nodeid}"
        )
    total = sum(map(len, entries.values()))
    click.echo(f"{total:,} test cases of {len(entries):,} properties, written to {path.name}")
    click.echo(f"pytest replays them with -o testinfra_budget={path.name}, beside a budget if there is one")
