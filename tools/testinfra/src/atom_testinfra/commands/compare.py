"""`testinfra compare`: says which properties got slower or faster, and which are undecided."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from atom_testinfra.commands.against import measure_in_turns
from atom_testinfra.commands.github import tell_github
from atom_testinfra.commands.suspects import Sides, look_again
from atom_testinfra.core.changes.comparison import (
    MIN_NEW_RUNS,
    Comparison,
    compare_sides,
)
from atom_testinfra.core.changes.judgement import ChangeVerdict
from atom_testinfra.core.changes.threshold import Threshold, parse_threshold
from atom_testinfra.core.errors import (
    ComparisonError,
    NothingMeasuredError,
)
from atom_testinfra.core.records.repeats import MIN_BASE_RUNS, parts_by_repeat
from atom_testinfra.core.records.session import is_complete, is_finished
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.measuring.instructions import find_valgrind
from atom_testinfra.measuring.stopping import signals_raise
from atom_testinfra.storage.project import load_project
from atom_testinfra.storage.recordings import LATEST, Recording, find_recording, load_saved, save_runs
from atom_testinfra.storage.session_specs import find_spec

if TYPE_CHECKING:
    from atom_testinfra.storage.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """The options of `testinfra compare`, by the names that the command gives them."""

    baseline: str | None
    against: str | None
    save_baseline: str | None
    profile: str | None
    expression: str
    gate: bool
    confirm: bool
    reruns: int
    exact: bool
    show_all: bool
    as_json: bool


@click.command(name="compare")
@click.argument("base", required=False)
@click.argument("new", required=False)
@click.option("--baseline", metavar="NAME", help="Compare with the runs saved under this name.")
@click.option("--against", metavar="REV", help="Measure REV and the working tree in turns, and compare them.")
@click.option("--save-baseline", metavar="NAME", help="Save the runs of NEW under this name.")
@click.option(
    "--profile", metavar="NAME", help="Compare the runs of this profile. [default: one that has enough]"
)
@click.option(
    "--threshold",
    "expression",
    default=str(Threshold()),
    metavar="EXPR",
    show_default=True,
    help="The accepted increase, STATISTIC:PERCENT%+TIME; the statistics are parts, body_cpu, cpu, wall.",
)
@click.option("--gate", is_flag=True, help="Exit with 1 when something is slower.")
@click.option("--confirm/--no-confirm", default=True, show_default=True, help="Run suspects again.")
@click.option(
    "--reruns",
    type=click.IntRange(min=3),
    default=5,
    show_default=True,
    metavar="N",
    help="Runs of each side in a round of reruns; at most three rounds.",
)
@click.option("--exact", is_flag=True, help="Count the instructions of suspects under valgrind; slow.")
@click.option("--all", "show_all", is_flag=True, help="Also list the tests that are ok.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(base: str | None, new: str | None, **given: Any) -> ExitStatus:
    """
    Say which properties got slower or faster, and which are undecided.

    BASE and NEW are baseline files, git revisions of the baseline (REV or REV:PATH), session ids, folders of
    run files, or `latest`. By default BASE is the project's baseline file, and NEW the latest session.

    A test is slower when the whole interval of the ratio of new to base lies above the threshold, for one of
    its parts: its body, drawing and Hypothesis, set-up and teardown, or other threads and child processes.
    Before a test is called slower, it is run again, in turns with the base commit in a git worktree. Without
    --gate the command only reports. In a GitHub workflow it annotates the tests and adds to the job summary.
    """
    options = CompareOptions(**given)
    if "" in {base, new}:
        raise click.UsageError("an empty word names nothing to compare with: is a shell variable not set?")
    project = load_project(Path.cwd())
    threshold = parse_threshold(options.expression)
    if options.exact:
        find_valgrind()
    if options.against is not None:
        if base is not None or options.baseline is not None or options.save_baseline is not None:
            raise click.UsageError("--against measures both sides: name no BASE, NEW or saved runs")
        return _compare(
            project, _measure_sides(project, threshold, options.against, options.profile), threshold, options
        )
    if options.baseline is not None:
        base, new = None, _only_one(base, new)
    is_save_only = options.save_baseline is not None and base is None and options.baseline is None
    if is_save_only:
        status = ExitStatus.OK
        new_recording = _find(project, new or LATEST)
    else:
        sides = _load_sides(project, base, new, threshold, options)
        new_recording = sides.new
        status = _compare(project, sides, threshold, options)
    if options.save_baseline is not None:
        _refuse_unfinished(project, new_recording, options.save_baseline)
        folder = save_runs(project, options.save_baseline, new_recording)
        click.echo(f"saved {new_recording.label} in {folder}", err=True)
    return status


def _refuse_unfinished(project: Project, recording: Recording, name: str) -> None:
    """Refuse to keep, as a base for later comparisons, runs that did not come to their end."""
    spec = None if recording.session_id is None else find_spec(project.runs, recording.session_id)
    is_whole = all(map(is_complete, parts_by_repeat(recording.runs).values()))
    if not is_whole or (spec is not None and not is_finished(recording.runs, spec)):
        raise ComparisonError(
            f"not saved as {name!r}: {recording.label!r} is not finished",
            hint="finish it: testinfra measure --resume",
        )


def _only_one(first: str | None, second: str | None) -> str | None:
    if second is not None:
        raise click.UsageError("with --baseline, name only NEW")
    return first


def _find(project: Project, name: str) -> Recording:
    """Return what a name stands for, and say what could not be read on the way to it."""
    recording = find_recording(project, name)
    for note in recording.notes:
        click.echo(f"note: {note}", err=True)
    return recording


def _baseline_of(project: Project) -> str:
    if not project.baseline.exists():
        raise NothingMeasuredError(
            f"there is nothing to compare with: no baseline at {project.config.baseline!r}",
            hint="write it with `testinfra verify`, or name a BASE",
        )
    return str(project.baseline)


def _load_sides(
    project: Project, base: str | None, new: str | None, threshold: Threshold, options: CompareOptions
) -> Sides:
    new_recording = _find(project, new or LATEST)
    base_recording = (
        _find(project, base or _baseline_of(project))
        if options.baseline is None
        else load_saved(project, options.baseline)
    )
    profile = _choose_profile(project, base_recording, new_recording, options.profile)
    is_calibrated = base_recording.is_calibrated(profile) and new_recording.is_calibrated(profile)
    base_side = base_recording.side(threshold.statistic, profile, is_calibrated=is_calibrated)
    base_recording = base_recording.without_figures()  # before the other side is made
    new_side = new_recording.side(threshold.statistic, profile, is_calibrated=is_calibrated)
    return Sides(base_recording, new_recording.without_figures(), base_side, new_side, profile)


def _measure_sides(project: Project, threshold: Threshold, revision: str, profile: str | None) -> Sides:
    with signals_raise():
        base, new, spec = measure_in_turns(project, revision, profile)
    (profile,) = spec.profiles
    is_calibrated = base.is_calibrated(profile) and new.is_calibrated(profile)
    base_side, new_side = (
        side.side(threshold.statistic, profile, is_calibrated=is_calibrated) for side in (base, new)
    )
    return Sides(base, new, base_side, new_side, profile, spec)


def _compare(project: Project, sides: Sides, threshold: Threshold, options: CompareOptions) -> ExitStatus:
    comparison = compare_sides(sides.base_side, sides.new_side, threshold)
    if common := set(sides.base.run_ids).intersection(sides.new.run_ids):
        comparison = _tell_of_common_runs(comparison, sides, common)
    if comparison.has_suspects and (options.confirm or options.exact):
        comparison = look_again(
            project,
            sides,
            comparison,
            n_reruns=options.reruns if options.confirm else None,
            is_exact=options.exact,
        )
    elif comparison.has_suspects:
        comparison = comparison.with_note("Suspects were not run again: --no-confirm.")
    _print(comparison, sides.profile, options)
    tell_github(comparison, sides.profile, _places(sides.new), is_gate=options.gate, environ=os.environ)
    if comparison.n_compared == 0:
        click.echo("nothing could be compared: no test is the same on both sides with enough runs", err=True)
        click.echo(f"hint: {_hint_of(comparison)}", err=True)
        return ExitStatus.NOTHING
    return ExitStatus.FAILED if options.gate and comparison.is_slower else ExitStatus.OK


def _tell_of_common_runs(comparison: Comparison, sides: Sides, common: set[str]) -> Comparison:
    """
    Say that runs are on both sides, so that an `ok` means little.

    Raises:
        ComparisonError: All runs are, and still costs differ: somebody changed a file.
    """
    base, new = sides.base, sides.new
    if not common.issuperset(base.run_ids) or not common.issuperset(new.run_ids):
        n = "1 run is" if len(common) == 1 else f"{len(common)} runs are"
        return comparison.with_note(f"{n} in {base.label} and in {new.label}: that hides what differs.")
    is_faster = any(change.verdict is ChangeVerdict.FASTER for change in comparison.changes)
    if comparison.suspects or comparison.is_suite_suspect or is_faster:
        raise ComparisonError(
            f"{base.label!r} and {new.label!r} hold the same runs, but not the same costs",
            hint="one of them was changed, or the threshold is finer than the four digits of a baseline",
        )
    return comparison.with_note(
        f"Nothing can differ: {base.label} holds runs of {new.label} itself."
        " For a comparison measure again: testinfra measure --baseline",
    )


def _hint_of(comparison: Comparison) -> str:
    """Return what would make the sides comparable, by why most tests are not."""
    verdicts = comparison.count()
    n_base, n_new = (max(change.n_runs[i] for change in comparison.changes) for i in (0, 1))
    if verdicts[ChangeVerdict.WORKLOAD_CHANGED]:
        return "measure both sides with the same tests, examples and seeds: the lines above say what differs"
    if verdicts[ChangeVerdict.RENAMED]:
        return "measure the base again under the new names: seeds follow the name of a test"
    if n_base < MIN_BASE_RUNS:
        return f"measure the base with --repeats {MIN_BASE_RUNS} or more"
    if n_new < MIN_NEW_RUNS:
        return f"measure again with --repeats {MIN_NEW_RUNS} or more"
    return "the lines above say what differs on the two sides"


def _places(new: Recording) -> dict[str, tuple[str, int | None]]:
    """Return where each test is, as far as the runs say it."""
    return {
        record.nodeid: (record.path, record.line)
        for run in new.runs
        for record in run.measurements
        if record.path is not None
    }


def _choose_profile(project: Project, base: Recording, new: Recording, chosen: str | None) -> str:
    """
    Return the profile asked for, else one with enough runs on both sides, else one that both sides have.

    The local one goes before the others, and of those with enough runs the first by name before the rest.
    """
    if chosen is not None:
        return chosen
    local = project.config.targets.local_profile
    common = [profile for profile in new.profiles if profile in base.profiles]
    fit = [p for p in common if base.n_runs(p) >= MIN_BASE_RUNS and new.n_runs(p) >= MIN_NEW_RUNS]
    if fit:
        return local if local in fit else fit[0]
    if local in common:
        return local
    if len(common) == 1:
        return common[0]
    raise NothingMeasuredError(
        f"{base.label!r} has the profiles {', '.join(base.profiles)};"
        f" {new.label!r} has {', '.join(new.profiles)}",
        hint="choose one that both have with --profile"
        if common
        else "measure the same profile on both sides",
    )


def _print(comparison: Comparison, profile: str, options: CompareOptions) -> None:
    if options.as_json:
        document = msgspec.to_builtins(comparison) | {
            "profile": profile,
            "counts": {verdict.value: n for verdict, n in comparison.count().items()},
            "is_slower": comparison.is_slower,
            "is_suite_slower": comparison.is_suite_slower,
            "suite_verdict": comparison.suite_verdict,
        }
        click.echo(msgspec.json.encode(document))
        return
    from atom_testinfra.reports.columns import open_console, output_width
    from atom_testinfra.reports.comparison import render_comparison

    rendered = render_comparison(comparison, profile, show_all=options.show_all, width=output_width())
    open_console(highlight=False).print(rendered)
