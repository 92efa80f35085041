"""`testinfra budget`: how many examples each property deserves in a given time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from atom_testinfra.commands.learnt import (
    NAMED,
    Learnt,
    files_of_tests,
    output_options,
    profile_option,
    read_learnt,
)
from atom_testinfra.commands.mutant_selection import find_changed_lines, select_changed
from atom_testinfra.commands.parameters import PYTEST_WORDS, Duration, PathsThenPytest
from atom_testinfra.core.budgets.examples import share_out
from atom_testinfra.core.budgets.planner import FLOOR
from atom_testinfra.core.errors import BudgetError, NothingMeasuredError
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.mutation.states import hypothesis_version
from atom_testinfra.reports import budget as report
from atom_testinfra.storage.example_budget import make_budget_file, save_budget
from atom_testinfra.storage.project import load_project

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atom_testinfra.core.budgets.examples import Candidate, ExampleBudget
    from atom_testinfra.core.detection.curves import Curves
    from atom_testinfra.core.mutants import Reach
    from atom_testinfra.storage.project import Project


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a budget is made of."""

    learnt: Learnt
    candidates: list[Candidate]
    curves: Curves


@click.command(cls=PathsThenPytest)
@click.option(
    "--time",
    "time_s",
    type=Duration(),
    metavar="DURATION",
    help="CPU seconds of the properties.  [default: as many as now]",
)
@profile_option
@click.option(
    "--floor",
    type=click.IntRange(min=1),
    default=FLOOR,
    show_default=True,
    metavar="N",
    help="No property gets fewer examples, except one whose own number is smaller.",
)
@click.option("--since", metavar="REV", help="The time goes first to properties that reach what changed.")
@click.option("--explain", metavar="NODEID", help="What more and fewer examples of one property would find.")
@output_options("Where to write the numbers.  [default: testinfra-budget.json]")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    time_s: float | None,
    profile: str | None,
    floor: int,
    since: str | None,
    explain: str | None,
    output: Path | None,
    as_json: bool,
) -> ExitStatus:
    """
    Say how many examples each property deserves in a given time, and write that to a file.

    It uses what `testinfra mutate --curves` learnt with the same pytest arguments, and runs no test. With
    `testinfra_budget = "testinfra-budget.json"` in pytest's configuration, the numbers apply to each run.
    Exit status 1: the floors do not fit into the time; 3: nothing was learnt yet.
    """
    project = load_project(Path.cwd())
    learnt = read_learnt(project, ctx.meta[PYTEST_WORDS], profile)
    first = None if since is None else _blocks_changed(since, learnt, project)
    candidates = learnt.candidates(floor, first)
    if first is not None and not any(one.is_first for one in candidates):
        raise NothingMeasuredError("no property that was learnt reaches what changed")
    known = Question(learnt=learnt, candidates=candidates, curves=learnt.curves)
    now_s = sum(one.cost_s(one.own) for one in candidates)
    budget = share_out(candidates, known.curves, now_s if time_s is None else time_s)
    if explain is not None:
        return _explain(explain, budget, known, as_json=as_json)
    path = (project.budget if output is None else output).absolute()
    _save(path, budget, known, project, _words(time_s, profile, floor, since))
    _print(budget, known, path, as_json=as_json)
    return ExitStatus.OK if budget.fits else ExitStatus.FAILED


def _blocks_changed(revision: str, learnt: Learnt, project: Project) -> frozenset[str]:
    mutants = [mutant for module in learnt.modules.values() for mutant in module.mutants]
    changed = select_changed(mutants, find_changed_lines(revision, learnt.product, project))
    return frozenset(mutant.place for mutant in changed)


def _explain(nodeid: str, budget: ExampleBudget, known: Question, *, as_json: bool) -> ExitStatus:
    """Explain the one property that is meant: by its node id, or by a part that only it has."""
    matching = [one for one in budget.allotments if nodeid in one.candidate.nodeid]
    exact = [one for one in matching if one.candidate.nodeid == nodeid] or matching
    if len(exact) != 1:
        found = f"{len(exact):,} properties match" if exact else "no property that was learnt matches"
        raise BudgetError(
            f"{found} {nodeid!r}", hint=", ".join(one.candidate.nodeid for one in exact[:NAMED]) or None
        )
    now, _ = report.numbers_of(budget.allotments)
    found_now = sum(known.curves.suite_values(now))
    facts = report.explain(exact[0].candidate, known.curves, exact[0].n, now, found_now)
    if as_json:
        click.echo(msgspec.json.encode(facts))
        return ExitStatus.OK
    for line in report.render_explanation(facts):
        click.echo(line)
    if known.curves.mutants:
        click.echo("\nthe whole suite:")
        for line in report.render_suite_curve(known.candidates, known.curves, budget.now_s):
            click.echo(line)
    return ExitStatus.OK


def _save(path: Path, budget: ExampleBudget, known: Question, project: Project, command_line: str) -> None:
    numbers = {one.candidate.nodeid: one.n for one in budget.allotments}
    files = {nodeid: list(_files_of(known.learnt.reaches[nodeid], project)) for nodeid in numbers}
    save_budget(
        path,
        make_budget_file(
            numbers,
            files,
            path=path,
            command=command_line,
            hypothesis=hypothesis_version(),
            seconds=budget.seconds,
        ),
    )


def _files_of(reach: Reach, project: Project) -> Iterable[Path]:
    """Yield the files that a property's number rests on: tests, conftests, and the product it enters."""
    yield from files_of_tests(reach.nodeid, project)
    for path in {block.partition(":")[0] for block in reach.blocks}:
        yield project.root / path


def _words(time_s: float | None, profile: str | None, floor: int, since: str | None) -> str:
    """Return the command that makes this file."""
    parts = ["testinfra budget"]
    parts += [] if time_s is None else [f"--time {time_s:g}s"]
    parts += [] if profile is None else [f"--profile {profile}"]
    parts += [] if floor == FLOOR else [f"--floor {floor}"]
    parts += [] if since is None else [f"--since {since}"]
    return " ".join(parts)


def _print(budget: ExampleBudget, known: Question, path: Path, *, as_json: bool) -> None:
    if as_json:
        now, then = report.numbers_of(budget.allotments)
        document = {
            "asked_s": budget.asked_s,
            "now_s": budget.now_s,
            "proposed_s": budget.seconds,
            "fits": budget.fits,
            "n_mutants": len(known.curves.mutants),
            "found_now": known.curves.of_suite(now),
            "found_proposed": known.curves.of_suite(then),
            "properties": [
                {
                    "nodeid": one.candidate.nodeid,
                    "now": one.candidate.own,
                    "proposed": one.n,
                    "cpu_s": one.seconds,
                    "found_now": one.found_now,
                    "found": one.found,
                    "why": one.reason,
                }
                for one in budget.allotments
            ],
            "stale": known.learnt.stale,
            "without_curve": known.learnt.unlearnt,
            "file": path.name,
        }
        click.echo(msgspec.json.encode(document))
        return
    for line in report.render_table(budget, known.curves):
        click.echo(line)
    click.echo(f"written to {path.name}; pytest applies it with -o testinfra_budget={path.name}")
