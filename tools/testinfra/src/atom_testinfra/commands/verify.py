"""`testinfra verify`: check the measurements against the targets and write the baseline."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec

from atom_testinfra.core.config import Profile
from atom_testinfra.core.costs.aggregation import gather_evidence
from atom_testinfra.core.costs.merging import Selection, merge, select
from atom_testinfra.core.costs.seal import PUBLISHED_KEYS, refuse_changed
from atom_testinfra.core.errors import BaselineError, InfraError, NothingMeasuredError
from atom_testinfra.core.figures import plural
from atom_testinfra.core.records.contention import Contention
from atom_testinfra.core.records.repeats import MIN_BASE_RUNS
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.core.targets.assessment import assess
from atom_testinfra.core.targets.conclusion import conclude
from atom_testinfra.core.targets.verification import check, complete
from atom_testinfra.measuring.environment import describe_left_out
from atom_testinfra.measuring.session import now
from atom_testinfra.measuring.stopping import Stopped, signals_raise
from atom_testinfra.measuring.suite import time_suite
from atom_testinfra.reports.columns import open_console
from atom_testinfra.reports.merged import describe_dropped, describe_merged
from atom_testinfra.reports.suite_progress import suite_progress
from atom_testinfra.reports.tables import visible
from atom_testinfra.storage.baseline import MEASURE, load_baseline, read_foreign, update_baseline
from atom_testinfra.storage.folders import prepare_folder
from atom_testinfra.storage.project import Project, load_project
from atom_testinfra.storage.session_specs import find_spec
from atom_testinfra.storage.sessions import list_sessions, load_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atom_testinfra.core.costs.baseline import Baseline, Evidence, Suite
    from atom_testinfra.core.costs.merging import Merged
    from atom_testinfra.core.records.measurement import Run
    from atom_testinfra.core.targets.assessment import Assessment
    from atom_testinfra.core.targets.conclusion import Conclusion
    from atom_testinfra.core.targets.verification import Difference

SUITE_LOG = "suite.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """The options of `testinfra verify`, by the names that the command gives them."""

    is_check: bool
    session: str | None
    runs: Path | None
    no_suite: bool
    replace: bool
    adopt: bool
    as_json: bool
    baseline: Path | None


@click.command()
@click.option("--check", "is_check", is_flag=True, help="Run nothing; compute the file's figures again.")
@click.option("--session", metavar="ID", help="Verify this session, not the latest.")
@click.option("--runs", type=click.Path(file_okay=False, path_type=Path), help="Folder of the run files.")
@click.option(
    "--no-suite", is_flag=True, help="Do not time the whole suite; its last time is kept, with its date."
)
@click.option(
    "--replace", is_flag=True, help="Write this session alone: figures that it does not have are dropped."
)
@click.option(
    "--adopt", is_flag=True, help="Write into a JSON file that is not a baseline; its keys are kept."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.argument("baseline", required=False, type=click.Path(dir_okay=False, path_type=Path))
def command(**given: Any) -> int:
    """
    Check the latest measurements against the targets, and write the verdicts into the baseline.

    What the session did not measure keeps its earlier figures, with the session that they come from.
    With --check nothing is run: every verdict, tier, average and recommendation of the file is computed
    again from the measurements in it. BASELINE replaces the file that [tool.testinfra] names.
    """
    options = VerifyOptions(**given)
    project = load_project(Path.cwd())
    path = options.baseline or project.baseline
    if options.is_check:
        return _check(path, project, as_json=options.as_json)
    return _verify(path, project, options)


def _check(path: Path, project: Project, *, as_json: bool) -> ExitStatus:
    baseline = load_baseline(path)
    assessment, differences = check(baseline)
    if not assessment.n_properties and not differences:
        raise NothingMeasuredError(f"{os.fspath(path)!r} has no property, so nothing follows", hint=MEASURE)
    status = ExitStatus.FAILED if differences else ExitStatus.OK
    _warn_of_what_is_not_checked(path, baseline, project)
    if as_json:
        _echo_json(path, assessment, differences, status)
    elif differences:
        from atom_testinfra.reports.verdicts import print_differences

        print_differences(differences, open_console())
    else:
        click.echo(
            f"{os.fspath(path)}: all verdicts follow from the measurements of "
            f"{plural(assessment.n_properties, 'property')}"
        )
    if differences:
        does = "does" if len(differences) == 1 else "do"
        n = plural(len(differences), "figure")
        click.echo(f"{n} {does} not follow from the measurements", err=True)
        click.echo(f"hint: {MEASURE}", err=True)
    return status


def _warn_of_what_is_not_checked(path: Path, baseline: Baseline, project: Project) -> None:
    config = project.config
    if (baseline.targets, baseline.tiers) != (config.targets, config.tiers) and path == project.baseline:
        click.echo("note: the limits in [tool.testinfra] are not those of the file", err=True)
    for key, values in read_foreign(path).nested.items():
        for name in values:
            click.echo(f"note: {key}.{name} is kept, and was not computed by testinfra", err=True)


def _verify(path: Path, project: Project, options: VerifyOptions) -> int:
    read_foreign(path, adopt=options.adopt)  # to refuse before the suite runs, not after it
    session = _gather(project, options.runs, options.session)
    found = assess(session.evidence)
    if not found.is_judged:
        conclusion = _tell(path, found, as_json=options.as_json)
        left = "is as it was" if path.exists() else "was not made"
        click.echo(f"not written: {os.fspath(path)} {left}", err=True)
        return conclusion.exit_status
    before = _load_previous(path)
    _refuse_renamed_profiles(project, session.evidence, None if options.replace else before)
    others = _other_numbers(project, session.evidence)
    if before is not None and not options.replace:
        _refuse_fewer_examples(others, session.evidence, before, path)
        _merge(session, before, path)  # to refuse before the suite runs
    for other in others:
        click.echo(f"note: {other.describe()}", err=True)
    if not options.no_suite:
        suite = None if before is None else before.suite
        try:
            timed = _time_suite(project, None if suite is None else suite.wall_s)
        except Stopped as stopped:
            click.echo("stopped; the baseline is as it was", err=True)
            return 128 + stopped.signum
        session = session._replace(evidence=msgspec.structs.replace(session.evidence, suite=timed))
    told: list[str] = []
    baseline = update_baseline(
        path, lambda old: _next(session, old, path, told, replace=options.replace), adopt=options.adopt
    )
    conclusion = _tell(path, assess(baseline), as_json=options.as_json)
    if baseline.suite is not None and baseline.suite.exit_status != 0 and not options.no_suite:
        click.echo(f"note: the suite's output is in {os.fspath(project.runs / SUITE_LOG)}", err=True)
    made = session.evidence.provenance
    waited = Contention(tests=made.tests_wall_per_cpu, engine=made.engine_wall_per_cpu).describe()
    for note in [*told, *filter(None, [waited])]:
        click.echo(f"note: {note}", err=True)
    click.echo(f"written: {os.fspath(path)}", err=True)
    return conclusion.exit_status


def _next(
    session: _Session, before: Baseline | None, path: Path, told: list[str], *, replace: bool
) -> Baseline:
    """Return what the file is to hold; `told` takes what became of the figures that it had."""
    evidence = session.evidence
    if before is not None and replace:
        told += describe_dropped(before, evidence)
    elif before is not None:
        merged = _merge(session, before, path)
        told += describe_merged(merged)
        evidence = merged.evidence
    return complete(evidence, now())


def _merge(session: _Session, before: Baseline, path: Path) -> Merged:
    """
    Return the session's figures with those of the file that it leaves standing.

    Raises:
        BaselineError: Figures would be lost, or are not what their digests were taken of.
    """
    merged = merge(before, session.evidence, session.selection, asked=session.asked, exists=session.exists)
    losses = [fewer for fewer in merged.fewer_runs if fewer.is_loss]
    if losses:
        worst = max(losses, key=lambda fewer: fewer.before - fewer.now)
        more = f" (and so with {len(losses) - 1} more)" if len(losses) > 1 else ""
        name, nodeid = os.fspath(path), visible(worst.nodeid)
        raise BaselineError(
            f"{name!r} has {worst.before} runs of {nodeid!r} under {worst.profile!r}, and this session has "
            f"{worst.now}{more}, too few for a comparison: nothing was written",
            hint=f"measure more: testinfra measure --baseline --repeats {min(worst.before, MIN_BASE_RUNS)}; "
            "or write it anyway: testinfra verify --replace",
        )
    if merged.evidence.earlier:
        name = os.fspath(path)
        refuse_changed(before, name, name, keys=PUBLISHED_KEYS)
    return merged


def _tell(path: Path, assessment: Assessment, *, as_json: bool) -> Conclusion:
    """Print what was found, and return what it comes to."""
    conclusion = conclude(assessment)
    if as_json:
        _echo_json(path, assessment, [], conclusion.exit_status)
    else:
        from atom_testinfra.reports.verdicts import print_assessment

        print_assessment(assessment, open_console())
    if conclusion.hint is not None:
        click.echo(f"hint: {conclusion.hint}", err=True)
    return conclusion


def _refuse_renamed_profiles(project: Project, now: Evidence, before: Baseline | None) -> None:
    """
    Raise where targets would be checked against old figures for ever, because nothing measures their profile.

    Raises:
        NothingMeasuredError: A profile of the targets is not in the settings, and only the file has figures.
    """
    config = project.config
    for key in ("local_profile", "ci_profile"):
        profile = getattr(config.targets, key)
        if profile in config.profiles or profile in now.provenance.max_examples:
            continue
        known = ", ".join(config.profiles)
        told = (
            f"the targets are for the profile {profile!r}, which the settings do not have (they have {known})"
        )
        if before is not None and any(profile in found.profiles for found in before.properties.values()):
            raise NothingMeasuredError(
                f"{told}, and which this session did not measure",
                hint=f"name its successor: {key} = ... in [tool.testinfra.targets]; "
                "or drop its figures: testinfra verify --replace",
            )
        click.echo(f"note: {told}: they are not judged", err=True)


class _OtherNumber(NamedTuple):
    """A number of examples that a session was asked for, and not by the settings."""

    profile: str
    asked: int
    wanted: int
    """What the settings ask for."""

    def describe(self) -> str:
        return (
            f"the session asked for {plural(self.asked, 'example')} under {self.profile!r}, and the settings "
            f"ask for {self.wanted}: its figures are for {self.asked}"
        )


def _other_numbers(project: Project, now: Evidence) -> list[_OtherNumber]:
    """Return the profiles for which the session was asked for another number than the settings have."""
    asked = now.provenance.max_examples
    wanted = {name: profile.max_examples for name, profile in project.config.profiles.items()}
    return [
        _OtherNumber(profile, n, settings)
        for profile, n in asked.items()
        if n is not None and (settings := wanted.get(profile)) is not None and n != settings
    ]


def _refuse_fewer_examples(
    others: Sequence[_OtherNumber], now: Evidence, before: Evidence, path: Path
) -> None:
    """
    Refuse to replace figures by those of fewer examples than the settings ask for.

    Raises:
        BaselineError: A property has figures of more examples.
    """
    fewer = [other for other in others if other.asked < other.wanted]
    for nodeid, new in now.properties.items() if fewer else ():
        old = before.properties.get(nodeid)
        for other in fewer:
            was = None if old is None else old.profiles.get(other.profile)
            cost = new.profiles.get(other.profile)
            if was is not None and cost is not None and cost.max_examples < was.max_examples:
                raise BaselineError(
                    f"{os.fspath(path)!r} has figures of {visible(nodeid)!r} for {was.max_examples} examples "
                    f"under {other.profile!r}, and this session ran {cost.max_examples}, fewer than the "
                    f"{other.wanted} of the settings: nothing was written",
                    hint="measure what the settings ask for: testinfra measure --baseline; "
                    "or write it anyway: testinfra verify --replace",
                )


class _Session(NamedTuple):
    """What a session measured, and what it was made for."""

    evidence: Evidence
    selection: Selection
    asked: dict[str, int]
    exists: Callable[[str], bool]


def _gather(project: Project, folder: Path | None, session_id: str | None) -> _Session:
    config = project.config
    runs = _load_runs(project, folder, session_id)
    spec = find_spec(folder or project.runs, runs[0].header.session_id) if runs else None
    return _Session(
        evidence=gather_evidence(runs, targets=config.targets, tiers=config.tiers, spec=spec),
        selection=select(runs, spec, config.paths),
        asked={} if spec is None else {profile: spec.repeats_of(profile) for profile in spec.profiles},
        exists=lambda file: (project.rootdir / file).exists(),
    )


def _load_runs(project: Project, folder: Path | None, session_id: str | None) -> list[Run]:
    """Return the runs to verify; only of a folder that was named has every file to be readable."""
    if folder is not None and session_id is None:
        return load_session(folder)
    sessions = list_sessions(folder or project.runs)
    runs = sessions.load(sessions.latest() if session_id is None else session_id)
    for note in sessions.notes:
        click.echo(f"note: {note}", err=True)
    return runs


def _load_previous(path: Path) -> Baseline | None:
    try:
        return load_baseline(path)
    except InfraError:
        return None  # a file without figures does not prevent a measurement; others were refused before


def _time_suite(project: Project, last_s: float | None) -> Suite:
    config = project.config
    prepare_folder(project.runs)
    local = config.profiles.get(config.targets.local_profile, Profile(max_examples=100))
    if (left_out := describe_left_out(os.environ, [local])) is not None:
        click.echo(f"note: {left_out}", err=True)
    with signals_raise(), suite_progress(last_s) as progress:
        return time_suite(
            config.suite,
            folder=project.rootdir,
            profile=local,
            log=project.runs / SUITE_LOG,
            observer=progress,
        )


def _echo_json(path: Path, assessment: Assessment, differences: list[Difference], status: ExitStatus) -> None:
    conclusion = conclude(assessment)
    document = {
        "baseline": os.fspath(path),
        "judgement": conclusion.judgement,
        "headline": conclusion.headline,
        "exit_status": status,
        "is_verified": conclusion.is_met is True and not differences,
        "targets": assessment.results,
        "problems": conclusion.problems,
        "hint": conclusion.hint,
        "slowest_tests": assessment.slowest,
        "differences": differences,
    }
    click.echo(msgspec.json.encode(document))
