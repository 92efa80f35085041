"""`testinfra plan`: how many workers and machines a suite needs to fit its time budget."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from atom_testinfra.commands.parameters import PYTEST_WORDS, Duration, PathsThenPytest, pytest_arguments
from atom_testinfra.core.costs.seal import refuse_changed
from atom_testinfra.core.errors import NothingMeasuredError, ScheduleError
from atom_testinfra.core.figures import plural
from atom_testinfra.core.scheduling.durations import baseline_durations, expect
from atom_testinfra.core.scheduling.plan import make_plan
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.measuring.startup import time_startup
from atom_testinfra.reports.plan import render_text
from atom_testinfra.storage.baseline import load_baseline
from atom_testinfra.storage.durations import DurationsFile, load_durations
from atom_testinfra.storage.project import load_project

if TYPE_CHECKING:
    from atom_testinfra.core.costs.baseline import ProfileCost
    from atom_testinfra.storage.project import Project


class Workers(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic since click 8.4
    """A number of workers, or `auto`: any number up to that of the cores."""

    name = "workers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Return the numbers to look at."""
        if isinstance(value, list):
            return value
        if value == "auto":
            return list(range(2, _count_cores() + 1))
        if not (value.isascii() and value.isdigit() and 0 < int(value) <= 1000):
            self.fail(f"{value!r} is neither auto nor a number from 1 to 1000", param, ctx)
        return [int(value)]


@click.command(name="plan", cls=PathsThenPytest)
@click.option(
    "--budget",
    "budget_s",
    type=Duration(),
    metavar="DURATION",
    help="How long the suite may take.  [default: the target of the suite]",
)
@click.option(
    "--workers",
    type=Workers(),
    default="auto",
    show_default=True,
    metavar="N|auto",
    help="Workers to plan with; auto compares several numbers.",
)
@click.option("--machines", type=click.IntRange(min=1), metavar="N", help="How many machines there are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    ctx: click.Context, *, budget_s: float | None, workers: list[int], machines: int | None, as_json: bool
) -> ExitStatus:
    """
    Say how many workers and machines the suite needs to fit its time budget.

    pytest collects the suite twice, without workers and with one, to see what starting a worker takes; no
    test is run. The durations of tests come from earlier runs with workers and from the baseline. Exit
    status 1: the budget is not met on this machine, or on the number of machines given.
    """
    project = load_project(Path.cwd())
    arguments = pytest_arguments(ctx.meta[PYTEST_WORDS] or project.config.suite)
    known, fixtures_s, costs = _find_known(project)
    nodeids, startup = time_startup(arguments, project.rootdir)
    expectation = expect(nodeids, known)
    if expectation.is_poor:
        raise NothingMeasuredError(
            f"the duration of {len(expectation.unknown):,} of {plural(len(nodeids), 'test')} is not known",
            hint="run them once with workers: pytest -n 2 --dist=load --testinfra-schedule=on",
        )
    plan = make_plan(
        nodeids,
        known,
        costs,
        startup,
        budget_s=budget_s or project.config.targets.suite_s,
        workers=workers if startup.worker_s is not None else [],
        n_cores=_count_cores(),
        most_machines=machines,
        fixtures_s=fixtures_s,
    )
    if as_json:
        click.echo(msgspec.json.encode(plan))
    else:
        click.echo("\n".join(render_text(plan)))
    is_met = plan.is_met if machines is None else plan.n_machines is not None
    return ExitStatus.OK if is_met else ExitStatus.FAILED


def _find_known(project: Project) -> tuple[dict[str, float], dict[str, float], dict[str, ProfileCost]]:
    """Return the durations of tests and of fixtures, as far as known, and the properties' figures."""
    profile = project.config.targets.local_profile
    try:
        baseline = load_baseline(project.baseline)
    except NothingMeasuredError:
        measured: dict[str, float] = {}
        costs: dict[str, ProfileCost] = {}
    else:
        refuse_changed(baseline, project.config.baseline, project.config.baseline, keys=())
        properties = baseline.properties
        measured = baseline_durations(properties, [profile])
        costs = {
            nodeid: one.profiles[profile] for nodeid, one in properties.items() if profile in one.profiles
        }
    try:
        seen = load_durations(project.durations)
    except ScheduleError as exc:
        click.echo(f"left out: {exc}", err=True)
        seen = DurationsFile(seconds={})
    return measured | seen.seconds, seen.fixtures_s, costs


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
