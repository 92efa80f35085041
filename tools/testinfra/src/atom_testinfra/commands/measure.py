"""`testinfra measure`: run the properties and record what each costs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from click.core import ParameterSource

from atom_testinfra.commands.measure_options import MeasureOptions, Workers, make_spec
from atom_testinfra.commands.parameters import Duration
from atom_testinfra.core.config import AS_IS
from atom_testinfra.core.costs.overview import overview
from atom_testinfra.core.costs.summary import Summary, summarise_session
from atom_testinfra.core.errors import InfraError
from atom_testinfra.core.policies import PinPolicy
from atom_testinfra.core.records.session import (
    MOST_EXAMPLES,
    MOST_SEED_SET,
    SessionSpec,
    is_finished,
)
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.core.vocabulary import Outcome
from atom_testinfra.machine.fingerprint import read_provenance
from atom_testinfra.measuring.child import GRACE_S
from atom_testinfra.measuring.environment import describe_left_out
from atom_testinfra.measuring.session import Session
from atom_testinfra.measuring.stopping import Stopped, signals_raise
from atom_testinfra.reports import numbers
from atom_testinfra.reports.columns import output_width, printable
from atom_testinfra.reports.progress import Forecast, choose_progress, describe_seconds
from atom_testinfra.storage.baseline import load_baseline
from atom_testinfra.storage.folders import prepare_folder
from atom_testinfra.storage.project import Project, load_project
from atom_testinfra.storage.recordings import Recording, refuse_unfit_saved_name, save_runs
from atom_testinfra.storage.run_writer import escape
from atom_testinfra.storage.runs import load_run, wait_for_writers
from atom_testinfra.storage.session_specs import load_spec, remove_spec_without_runs, save_spec
from atom_testinfra.storage.sessions import list_sessions, load_session

if TYPE_CHECKING:
    from atom_testinfra.core.records.measurement import Provenance, Run

OF_THE_REPORT = frozenset({"resume", "top", "as_json", "fit", "saved_as"})
"""Options that say what is printed, not what is measured."""


@click.command()
@click.option(
    "--baseline",
    "is_for_baseline",
    is_flag=True,
    help="Measure every profile of the settings, as often as a baseline needs.",
)
@click.option(
    "--profile", "profiles", multiple=True, metavar="NAME[=N]", help="Measure this profile; repeatable."
)
@click.option(
    "--max-examples",
    type=click.IntRange(min=1, max=MOST_EXAMPLES),
    metavar="N",
    help="Examples of each property.",
)
@click.option(
    "--pins",
    type=click.Choice([p.value for p in PinPolicy]),
    help="What to do with tests that set their own number.",
)
@click.option("--repeats", type=click.IntRange(min=1), metavar="K", help="Runs of each profile. [default: 1]")
@click.option(
    "--seed-set",
    type=click.IntRange(min=0, max=MOST_SEED_SET),
    default=0,
    metavar="K",
    help="Use another set of fixed seeds.",
)
@click.option("--time-budget", type=Duration(), metavar="S", help="Stop after S seconds.")
@click.option("--fit", type=Duration(), metavar="S", help="Say how many examples fit into S seconds.")
@click.option(
    "-n", "n_workers", type=Workers(), metavar="N", help="xdist workers, or auto: one for each CPU."
)
@click.option("--only-properties", is_flag=True, help="Leave out tests without Hypothesis.")
@click.option("--values", "keep_values", is_flag=True, help="Record the time of every test case.")
@click.option(
    "--explain", "explained", metavar="NODEID", help="Observe one test and say where its time goes."
)
@click.option("--save", "saved_as", metavar="NAME", help="Keep the runs, for compare --baseline NAME.")
@click.option("--resume", is_flag=True, help="Continue the latest session.")
@click.option("--top", type=click.IntRange(min=0), default=20, metavar="N", help="Rows of the table.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.argument("pytest_arguments", nargs=-1, metavar="[-- PYTEST ARGUMENTS]")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """
    Run the properties once, as the suite itself would, and say what each costs and where the time goes.

    The suite's own settings decide how many examples a property runs; seeds are fixed. With --baseline the
    profiles of [tool.testinfra] are measured, several times each.
    """
    options = MeasureOptions(**given)
    if options.resume:
        _refuse_changes(ctx)
    project = load_project(Path.cwd())
    if options.explained is not None:
        return _explain(options.explained, make_spec(project, options), project, options)
    prepare_folder(project.runs)
    sessions = list_sessions(project.runs)
    for note in sessions.notes:
        click.echo(f"note: {note}", err=True)
    if options.resume:
        spec = load_spec(project.runs)
        wait_for_writers(sessions.files_of(spec.session_id), patience_s=GRACE_S)
    else:
        spec = make_spec(project, options)
        _refuse_name(project, options.saved_as)
        save_spec(spec, project.runs)
    try:
        return _measure(spec, project, options)
    finally:
        remove_spec_without_runs(spec.session_id, project.runs)


def _refuse_changes(ctx: click.Context) -> None:
    """Refuse options that would change the session that `--resume` continues."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        is_given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        is_empty = ctx.params[name] == ()  # click 8.1 says of arguments that they are given, also of none
        if is_given and not is_empty and name not in OF_THE_REPORT:
            given = "pytest's arguments" if parameter.param_type_name == "argument" else parameter.opts[0]
            raise click.UsageError(
                f"--resume continues a session with its own options: leave out {given}", ctx
            )


def _measure(spec: SessionSpec, project: Project, options: MeasureOptions) -> int:
    if (left_out := describe_left_out(os.environ, spec.profiles.values())) is not None:
        click.echo(f"note: {left_out}", err=True)
    provenance = _provenance(project)
    earlier = _runs_of(project, spec.session_id)
    known = _known_from(project.baseline) | _known(earlier)
    forecast = Forecast([name for _, name in spec.cells()], known)
    if options.is_for_baseline:
        _tell_forecast(spec, forecast, project)
    progress = choose_progress(forecast, spec.repeats_of)
    session = Session(
        spec, folder=project.rootdir, runs=project.runs, provenance=provenance, observer=progress
    )
    session.adopt(earlier)
    try:
        with signals_raise():
            session.run()
    except Stopped as stopped:
        progress.close()
        return _conclude_stopped(stopped, project, spec, options)
    finally:
        progress.close()
    status = _conclude(session.runs, project, spec, options)
    _tell_left_out(session, spec)
    if options.saved_as is not None:
        _save(project, spec, session.runs, options.saved_as)
    return status


def _conclude_stopped(stopped: Stopped, project: Project, spec: SessionSpec, options: MeasureOptions) -> int:
    """Print what was measured until then, and how to go on."""
    runs = _runs_of(project, spec.session_id)
    n = sum(len(run.measurements) for run in runs)
    if n:
        _conclude(runs, project, spec, options)
    are = "is" if n == 1 else "are"
    kept = f"{numbers.plural(n, 'record')} {are} kept. Go on with: testinfra measure --resume"
    click.echo(f"stopped; {kept if runs else 'nothing was recorded'}", err=True)
    return 128 + stopped.signum


def _tell_forecast(spec: SessionSpec, forecast: Forecast, project: Project) -> None:
    """Say before a long session how long it will take, as far as that is known."""
    runs = ", ".join(f"{name} {numbers.plural(spec.repeats_of(name), 'time')}" for name in spec.profiles)
    seconds = forecast.seconds_in_all(spec.profiles, spec.repeats_of)
    source = "in the last baseline"
    if seconds is None:
        seconds, source = estimate_from_look(spec, project), "in the latest session"
    expected = (
        "how long that takes is known after the first of them"
        if seconds is None
        else f"about {describe_seconds(seconds)} for all tests {source}"
    )
    budget = "" if spec.time_budget_s is None else f"; it stops after {describe_seconds(spec.time_budget_s)}"
    click.echo(f"for a baseline: {runs}; {expected}{budget}", err=True)


def estimate_from_look(spec: SessionSpec, project: Project) -> float | None:
    """Return what the session should take by a run under the suite's own settings, if the latest is one."""
    try:
        runs = [run for run in load_session(project.runs) if run.header.profile == AS_IS]
    except InfraError:
        return None  # that there is none, or that it cannot be read, does not prevent a measurement
    if not runs:
        return None
    _, suite = overview(runs, AS_IS)
    if spec.pins is PinPolicy.RESPECT:
        suite = suite.keeping_pins()
    asked = {name: profile.max_examples for name, profile in spec.profiles.items()}
    expected_s = [
        suite.estimate(n).seconds * spec.repeats_of(name) for name, n in asked.items() if n is not None
    ]
    return sum(expected_s) if len(expected_s) == len(asked) else None


def _tell_left_out(session: Session, spec: SessionSpec) -> None:
    for profile, n in session.left_out.items():
        wanted = spec.repeats_of(profile)
        budget = f"the time budget of {spec.time_budget_s:g} s"
        missing = [run for run in session.runs if run.header.profile == profile and run.end is None]
        if wanted == 1 or missing or n == wanted:
            n_ran = sum(len(run.measurements) for run in session.runs if run.header.profile == profile)
            n_all = max(
                (len(run.collected.nodeids) for run in session.runs if run.collected is not None), default=0
            )
            tests = f"{n_ran} of {numbers.plural(n_all, 'test')}" if n_all else "no test"
            more = "; go on with: testinfra measure --resume" if n_ran else ""
            click.echo(f"{profile}: {tests} in {budget}{more}", err=True)
        else:
            click.echo(
                f"{profile}: {wanted - n} of {wanted} runs, because more would have exceeded {budget}",
                err=True,
            )


def _refuse_name(project: Project, name: str | None) -> None:
    if name is not None:
        refuse_unfit_saved_name(project, name)


def _save(project: Project, spec: SessionSpec, runs: list[Run], name: str) -> None:
    if not is_finished(runs, spec):
        click.echo(f"not saved as {name!r}: the session is not finished", err=True)
        return
    folder = save_runs(project, name, Recording(label=spec.session_id, runs=runs))
    click.echo(
        f"saved in {os.fspath(folder)}; compare with it: testinfra compare --baseline {name}", err=True
    )


def _provenance(project: Project) -> Provenance:
    command = ["testinfra", *map(escape, sys.argv[1:])]
    return read_provenance(project.root, command, outputs=project.outputs)


def _explain(nodeid: str, spec: SessionSpec, project: Project, options: MeasureOptions) -> int:
    from atom_testinfra.measuring.explaining import explain
    from atom_testinfra.reports.columns import open_console
    from atom_testinfra.reports.explained import print_explanation

    progress = choose_progress(Forecast([], {}), lambda _: 1)
    try:
        with signals_raise():
            record, explanation = explain(
                nodeid,
                spec,
                rootdir=project.rootdir,
                provenance=_provenance(project),
                observer=progress,
                logs=project.runs,
            )
    finally:
        progress.close()
    if options.as_json:
        click.echo(msgspec.json.encode(record))
    else:
        print_explanation(record, explanation, open_console())
    return ExitStatus.OK if record.outcome is Outcome.PASSED else ExitStatus.FAILED


def _runs_of(project: Project, session_id: str) -> list[Run]:
    paths = list_sessions(project.runs).files_of(session_id)
    return [run for path in paths if (run := load_run(path)).collected is not None]


def _known_from(baseline: Path) -> dict[tuple[str, str], float]:
    try:
        properties = load_baseline(baseline).properties
    except InfraError:
        return {}  # a file without times does not prevent a measurement
    return {
        (profile, nodeid): cost.duration_s
        for nodeid, measured in properties.items()
        for profile, cost in measured.profiles.items()
    }


def _known(runs: list[Run]) -> dict[tuple[str, str], float]:
    return {
        (run.header.profile, record.nodeid): record.setup.wall_s + record.call.wall_s + record.teardown.wall_s
        for run in runs
        for record in run.measurements
    }


def _conclude(runs: list[Run], project: Project, spec: SessionSpec, options: MeasureOptions) -> ExitStatus:
    from atom_testinfra.reports.measured import describe_session

    text = describe_session(
        runs,
        project.config.targets,
        session_id=spec.session_id,
        width=output_width(),
        is_json=options.as_json,
        n_shown=options.top,
        fit_s=options.fit,
    )
    click.echo(printable(text))
    summary = summarise_session(runs, project.config.targets)
    return _status(summary, runs)


def _status(summary: Summary, runs: list[Run]) -> ExitStatus:
    if not summary.measured:
        n = max((run.collected.n_deselected for run in runs if run.collected is not None), default=0)
        options = "does the project's own -m or -k leave the properties out?"
        were = "was" if n == 1 else "were"
        hint = f"; {numbers.plural(n, 'test')} {were} deselected: {options}" if n else ""
        click.echo(f"nothing was measured: no property has figures{hint}", err=True)
        return ExitStatus.NOTHING
    return ExitStatus.FAILED if summary.failed else ExitStatus.OK
