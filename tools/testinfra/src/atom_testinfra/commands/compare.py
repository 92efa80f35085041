"""`testinfra compare`: says which properties got slower, faster, or cannot be told."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec
from msgspec.structs import replace

from atom_testinfra.commands.against import measure_in_turns
from atom_testinfra.commands.github import tell_github
from atom_testinfra.core import figures
from atom_testinfra.core.changes.comparison import (
    MIN_NEW_RUNS,
    Comparison,
    Side,
    compare_sides,
)
from atom_testinfra.core.changes.confirmation import (
    MOST_TURNS,
    choose_companions,
    confirm_suspects,
    forecast_run,
    n_companions,
)
from atom_testinfra.core.changes.judgement import ChangeVerdict
from atom_testinfra.core.changes.threshold import Threshold, parse_threshold
from atom_testinfra.core.errors import (
    ComparisonError,
    GitError,
    InfraError,
    NothingMeasuredError,
    SubjectError,
)
from atom_testinfra.core.records.repeats import MIN_BASE_RUNS
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.machine.fingerprint import read_provenance
from atom_testinfra.measuring.instructions import InstructionCounter, find_valgrind
from atom_testinfra.measuring.rerun import Rerunner, Tree, base_tree
from atom_testinfra.storage.project import load_project
from atom_testinfra.storage.recordings import LATEST, Recording, find_recording, load_saved, save_runs
from atom_testinfra.storage.run_writer import escape
from atom_testinfra.storage.runs import load_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.records.measurement import Run
    from atom_testinfra.core.records.session import SessionSpec
    from atom_testinfra.storage.project import Project

WIDE = 10_000
"""Columns of what is not a terminal: nothing is wrapped there."""


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
    help="What is too much: STATISTIC:PERCENT%+TIME; the statistics are parts, body_cpu, cpu, wall.",
)
@click.option("--gate", is_flag=True, help="Exit with 1 when something is slower.")
@click.option("--confirm/--no-confirm", default=True, show_default=True, help="Run suspects again.")
@click.option(
    "--reruns",
    type=click.IntRange(min=3),
    default=5,
    show_default=True,
    metavar="N",
    help="Of each side; up to three times as many.",
)
@click.option("--exact", is_flag=True, help="Count the instructions of suspects under valgrind; slow.")
@click.option("--all", "show_all", is_flag=True, help="List the tests that are ok, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(base: str | None, new: str | None, **options: Any) -> ExitStatus:
    """
    Say which properties got slower, faster, or cannot be told.

    BASE and NEW are baseline files, git revisions of the baseline (REV or REV:PATH), session ids, folders of
    run files, or `latest`. BASE is the project's baseline file unless it is given, NEW the latest session.

    A test is slower when the whole interval of one of its parts, new to base, lies above the threshold: its
    body, drawing and Hypothesis, set-up and teardown, or other threads and child processes. Before it is
    called so it is run again, in turns with the base commit in a git worktree of its own. Reports only,
    unless --gate is given. In a GitHub workflow it annotates the tests and adds to the job summary.
    """
    project = load_project(Path.cwd())
    threshold = parse_threshold(options["expression"])
    if options["exact"]:
        find_valgrind()
    if options["against"] is not None:
        if base is not None or options["baseline"] is not None or options["save_baseline"] is not None:
            raise click.UsageError("--against measures both sides: name no BASE, NEW or saved runs")
        return _compare(project, _measure_sides(project, threshold, options), threshold, options)
    if options["baseline"] is not None:
        base, new = None, _only_one(base, new)
    is_save_only = options["save_baseline"] is not None and base is None and options["baseline"] is None
    if is_save_only:
        status = ExitStatus.OK
        new_recording = _find(project, new or LATEST)
    else:
        sides = _load_sides(project, base, new, threshold, options)
        new_recording = sides.new
        status = _compare(project, sides, threshold, options)
    if options["save_baseline"] is not None:
        folder = save_runs(project, options["save_baseline"], new_recording)
        click.echo(f"saved {new_recording.label} in {folder}", err=True)
    return status


def _only_one(first: str | None, second: str | None) -> str | None:
    if second is not None:
        raise click.UsageError("with --baseline there is only NEW to name")
    return first


def _find(project: Project, name: str) -> Recording:
    """Return what a name stands for, and say what could not be read on the way to it."""
    recording = find_recording(project, name)
    for note in recording.notes:
        _say(f"note: {note}")
    return recording


def _baseline_of(project: Project) -> str:
    if not project.baseline.exists():
        raise NothingMeasuredError(
            f"there is nothing to compare with: no baseline at {project.config.baseline!r}",
            hint="write it with `testinfra verify`, or name a BASE",
        )
    return str(project.baseline)


class Sides(NamedTuple):
    """What is compared; of a baseline only what is needed for that is still in memory."""

    base: Recording
    new: Recording
    base_side: Side
    new_side: Side
    profile: str
    spec: SessionSpec | None = None
    """How the runs were made, where this command has made them."""


def _load_sides(
    project: Project, base: str | None, new: str | None, threshold: Threshold, options: dict[str, Any]
) -> Sides:
    new_recording = _find(project, new or LATEST)
    base_recording = (
        _find(project, base or _baseline_of(project))
        if options["baseline"] is None
        else load_saved(project, options["baseline"])
    )
    profile = _choose_profile(project, base_recording, new_recording, options["profile"])
    is_calibrated = base_recording.is_calibrated(profile) and new_recording.is_calibrated(profile)
    base_side = base_recording.side(threshold.statistic, profile, is_calibrated=is_calibrated)
    base_recording = base_recording.without_figures()  # before the other side is made
    new_side = new_recording.side(threshold.statistic, profile, is_calibrated=is_calibrated)
    return Sides(base_recording, new_recording.without_figures(), base_side, new_side, profile)


def _measure_sides(project: Project, threshold: Threshold, options: dict[str, Any]) -> Sides:
    with _ended_by_sigterm():
        base, new, spec = measure_in_turns(project, options["against"], options["profile"])
    (profile,) = spec.profiles
    is_calibrated = base.is_calibrated(profile) and new.is_calibrated(profile)
    base_side, new_side = (
        side.side(threshold.statistic, profile, is_calibrated=is_calibrated) for side in (base, new)
    )
    return Sides(base, new, base_side, new_side, profile, spec)


def _compare(project: Project, sides: Sides, threshold: Threshold, options: dict[str, Any]) -> ExitStatus:
    comparison = compare_sides(sides.base_side, sides.new_side, threshold)
    if common := set(sides.base.run_ids).intersection(sides.new.run_ids):
        comparison = _tell_of_common_runs(comparison, sides, common)
    if comparison.has_suspects and (options["confirm"] or options["exact"]):
        comparison = _look_again(project, sides, comparison, options)
    elif comparison.has_suspects:
        comparison = _noted(comparison, "Suspects were not run again: --no-confirm.")
    _print(comparison, sides.profile, options)
    tell_github(comparison, sides.profile, _places(sides.new), is_gate=options["gate"], environ=os.environ)
    if comparison.n_compared == 0:
        _say("nothing could be compared: no test is the same on both sides with enough runs")
        _say(f"hint: {_hint_of(comparison)}")
        return ExitStatus.NOTHING
    return ExitStatus.FAILED if options["gate"] and comparison.is_slower else ExitStatus.OK


def _tell_of_common_runs(comparison: Comparison, sides: Sides, common: set[str]) -> Comparison:
    """
    Say that runs are on both sides, so that an `ok` means little.

    Raises:
        ComparisonError: All runs are, and still costs differ: somebody changed a file.
    """
    base, new = sides.base, sides.new
    if not common.issuperset(base.run_ids) or not common.issuperset(new.run_ids):
        n = "1 run is" if len(common) == 1 else f"{len(common)} runs are"
        return _noted(comparison, f"{n} in {base.label} and in {new.label}: that hides what differs.")
    is_faster = any(change.verdict is ChangeVerdict.FASTER for change in comparison.changes)
    if comparison.suspects or comparison.is_suite_suspect or is_faster:
        raise ComparisonError(
            f"{base.label!r} and {new.label!r} hold the same runs, but not the same costs",
            hint="one of them was changed, or the threshold is finer than the four digits of a baseline",
        )
    return _noted(
        comparison,
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


def _look_again(
    project: Project, sides: Sides, comparison: Comparison, options: dict[str, Any]
) -> Comparison:
    """Run the suspects again, where that is possible, and say where it is not."""
    base, new, profile = sides.base, sides.new, sides.profile
    try:
        spec = sides.spec or _spec_of(project, new)
    except InfraError as exc:
        return _noted(comparison, f"Suspects were not run again: {exc}.")
    with ExitStack() as stack:
        stack.enter_context(_ended_by_sigterm())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="testinfra-again-")))
        made = read_provenance(project.root, [*map(escape, sys.argv)], outputs=project.outputs)
        rerunner = Rerunner(spec, profile, folder, made)
        here = Tree(project.rootdir, {})
        there: Tree | None = None
        try:
            there = _base_tree(stack, project, base, folder)
            first = next(change for change in comparison.changes if change.ratio)
            probed = [change.nodeid for change in comparison.suspects or [first]]
            _say(f"checking that the base runs: {_count_tests(probed)}")
            rerunner.refuse_failing(there, probed)
        except (ComparisonError, GitError, SubjectError, NothingMeasuredError) as exc:
            reason = str(exc).splitlines()[0].rstrip(".:")
            comparison = _noted(comparison, f"Only NEW is run again, against the stored BASE: {reason}.")
            there = None
        if options["exact"]:
            comparison = _count_instructions(comparison, _counter(new, spec, profile, folder), here, there)
        if options["confirm"]:
            _say(_announce(comparison, sides, options["reruns"], is_base_run=there is not None))
            comparison = confirm_suspects(
                comparison,
                base=sides.base_side,
                run_base=None if there is None else _Turns(rerunner, there, "base"),
                run_new=_Turns(rerunner, here, "new"),
                profile=profile,
                n_runs=options["reruns"],
            )
    return comparison


def _announce(comparison: Comparison, sides: Sides, n_runs: int, *, is_base_run: bool) -> str:
    """Return what is about to be run again, and for how long about."""
    n_suspects = len(comparison.suspects) + len(comparison.outside_suspects)
    n = n_companions(comparison, is_suite_open=is_base_run and comparison.is_suite_suspect)
    companions = choose_companions(comparison, n)
    what = _count_tests(comparison.suspects)
    if n_suspects > len(comparison.suspects):
        what += f" and {n_suspects - len(comparison.suspects)} of start-up, collection and shared fixtures"
    beside = f", with {_count_tests(companions)} beside" if companions else ""
    turns = f"{n_runs} to {n_runs * MOST_TURNS} times" + (" on each side" if is_base_run else "")
    nodeids = {change.nodeid for change in comparison.suspects} | set(companions)
    runs = [run for run in sides.new.runs if run.header.profile == sides.profile]
    one_s = forecast_run(runs, nodeids)
    if one_s is None:
        return f"may be slower: {what}; running again{beside}, {turns}"
    least_s = one_s * n_runs * (2 if is_base_run else 1)
    lasts = f"about {figures.seconds(least_s, digits=2)} to {figures.seconds(least_s * MOST_TURNS, digits=2)}"
    return f"may be slower: {what}; running again{beside}, {turns}: {lasts}"


def _spec_of(project: Project, new: Recording) -> SessionSpec:
    """Return how NEW was measured, if the working tree is still what was measured."""
    if new.session_id is None:
        raise ComparisonError(f"{new.label!r} was not measured as a session of this working tree")
    now = read_provenance(project.root, [], outputs=project.outputs)
    made = new.runs[0].header.provenance
    if (made.commit, made.is_dirty, made.changes) != (now.commit, now.is_dirty, now.changes):
        raise ComparisonError(f"the working tree is no longer what {new.label!r} measured")
    return load_spec(project.runs, new.session_id)


def _base_tree(stack: ExitStack, project: Project, base: Recording, folder: Path) -> Tree:
    if base.commit is None:
        raise ComparisonError(f"the commit of {base.label!r} is unknown, or had changes on top")
    return stack.enter_context(base_tree(project, base.commit, folder))


class _Turns:
    """Runs suspects in one tree, once per call, saying so."""

    def __init__(self, rerunner: Rerunner, tree: Tree, side: str) -> None:
        self._rerunner = rerunner
        self._tree = tree
        self._side = side
        self._n = 0

    def __call__(self, nodeids: Sequence[str]) -> Run:
        self._n += 1
        _say(f"running {_count_tests(nodeids)} again: {self._side}, run {self._n}")
        return self._rerunner.run(self._tree, nodeids)


def _counter(new: Recording, spec: SessionSpec, profile: str, folder: Path) -> InstructionCounter:
    header = next(run.header for run in new.runs if run.header.profile == profile)
    return InstructionCounter(spec, header, folder)


def _count_instructions(
    comparison: Comparison, counter: InstructionCounter, here: Tree, there: Tree | None
) -> Comparison:
    if there is None:
        raise ComparisonError(
            "--exact needs the base commit to run, and it does not run here", hint=comparison.notes[-1]
        )
    counted = []
    for number, suspect in enumerate(comparison.suspects, 1):
        _say(f"counting instructions, {number} of {len(comparison.suspects)}: {suspect.nodeid}")
        try:
            before, after = counter.count((there, here), suspect.nodeid)
        except SubjectError as exc:
            comparison = _noted(comparison, f"Not counted: {str(exc).splitlines()[0]}.")
        else:
            counted.append(replace(suspect, instructions=(before, after)))
    return comparison.with_changes(counted)


def _noted(comparison: Comparison, note: str) -> Comparison:
    return replace(comparison, notes=[*comparison.notes, note])


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Leave by an exception on SIGTERM, so that trees and processes are cleared away."""

    def leave(signum: int, frame: object) -> None:  # noqa: ARG001
        sys.exit(128 + signum)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _count_tests(nodeids: Sequence[object]) -> str:
    return "1 test" if len(nodeids) == 1 else f"{len(nodeids)} tests"


def _say(message: str) -> None:
    click.echo(message, err=True)


def _print(comparison: Comparison, profile: str, options: dict[str, Any]) -> None:
    if options["as_json"]:
        document = msgspec.to_builtins(comparison) | {
            "profile": profile,
            "counts": {verdict.value: n for verdict, n in comparison.count().items()},
            "is_slower": comparison.is_slower,
            "is_suite_slower": comparison.is_suite_slower,
            "suite_verdict": comparison.suite_verdict,
        }
        click.echo(msgspec.json.encode(document))
        return
    from rich.console import Console

    from atom_testinfra.reports.columns import output_width
    from atom_testinfra.reports.comparison import render_comparison

    width = output_width()
    console = Console(highlight=False, width=width or WIDE)
    console.print(render_comparison(comparison, profile, show_all=options["show_all"], width=width))
