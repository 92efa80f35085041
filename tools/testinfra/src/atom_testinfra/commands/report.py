"""`testinfra report`: the baseline for a terminal, a job summary, a script or a browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from atom_testinfra.commands.known_mutants import load_detection, load_worth
from atom_testinfra.core.errors import ReportError
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.reports.columns import WIDE, output_width
from atom_testinfra.storage.documents import write_document
from atom_testinfra.storage.folders import prepare_folder
from atom_testinfra.storage.project import load_project

if TYPE_CHECKING:
    from atom_testinfra.core.changes.history import History
    from atom_testinfra.reports.data import ReportData
    from atom_testinfra.storage.project import Project

FORMATS = ("text", "markdown", "html", "json")
SUFFIXES = {".html": "html", ".htm": "html", ".md": "markdown", ".json": "json", ".txt": "text"}
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
NARROWEST = 40
"""Columns below which no table can be read: it goes over the edge instead."""
HISTORY = 20
LATEST = "latest"
SMALLEST_SUMMARY = 1000
"""Bytes below which a job summary says nothing worth reading."""


@click.command(name="report")
@click.argument("baseline", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="By default the suffix of --output decides, or else it is text.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="File to write; - is standard output, the default of text, markdown and json. The default of "
    "html is the file that the settings name.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--last",
    type=click.IntRange(min=0),
    default=HISTORY,
    show_default=True,
    metavar="N",
    help="Committed baselines and sessions to look back on; 0 is none. Not with BASELINE.",
)
@click.option(
    "--session",
    metavar="ID",
    help="Show a session of `testinfra measure`, or the latest, without a baseline.",
)
@click.option("--summary/--no-summary", default=True, help="Add to the job summary in a GitHub workflow.")
def command(
    baseline: Path | None,
    format_: str | None,
    output: Path | None,
    *,
    last: int,
    as_json: bool,
    session: str | None,
    summary: bool,
) -> ExitStatus:
    """
    Show what the properties cost and whether they meet their targets.

    Reads BASELINE, or the file that the settings name. In a GitHub workflow the report is also added to the
    job summary. With --session it shows what `testinfra measure` printed, also of a session that was stopped.
    """
    project = load_project(Path.cwd())
    if session is not None:
        return _show_session(project, session, is_json=as_json or format_ == "json")
    report = load_report(project, baseline, last=last)
    format_ = "json" if as_json else format_ or SUFFIXES.get(output.suffix if output else "", "text")
    is_default_page = format_ == "html" and output is None
    if is_default_page:
        prepare_folder(project.report.parent)
        output = project.report
    if output is None or str(output) == "-":
        _print(render(report, format_, is_terminal=sys.stdout.isatty()))
    else:
        write_document(output, render(report, format_, is_terminal=False))
        click.echo(f"wrote {output}", err=True)
    if summary and os.environ.get(SUMMARY_VARIABLE):
        append_job_summary(report, Path(os.environ[SUMMARY_VARIABLE]))
    return ExitStatus.OK


def _show_session(project: Project, name: str, *, is_json: bool) -> ExitStatus:
    from atom_testinfra.reports.measured import describe_session
    from atom_testinfra.storage.sessions import list_sessions

    sessions = list_sessions(project.runs)
    session_id = sessions.latest() if name == LATEST else name
    runs = sessions.load(session_id)
    text = describe_session(
        runs, project.config.targets, session_id=session_id, width=output_width(), is_json=is_json
    )
    _print(f"{text}\n")
    return ExitStatus.OK


def load_report(project: Project, baseline: Path | None, *, last: int) -> ReportData:
    """Return the report on a baseline file; on that of the settings, with its past."""
    from atom_testinfra.reports.data import build_report
    from atom_testinfra.storage.baseline import load_baseline
    from atom_testinfra.storage.origin import load_origin

    path = baseline or project.baseline
    name = path.relative_to(project.root) if path.is_relative_to(project.root) else path
    loaded = load_baseline(path)  # first: without a baseline, its history does not matter
    if baseline is not None:
        return build_report(loaded, name.as_posix())  # it may be another project's
    histories = load_histories(project, last) if last else None
    worth, detection = load_worth(project), load_detection(project)
    origin = load_origin(project, loaded.provenance.commit)
    return build_report(loaded, name.as_posix(), histories, origin, worth, detection)


def load_histories(project: Project, last: int) -> list[History]:
    """Return what properties cost locally at the last committed baselines and sessions."""
    from atom_testinfra.core.changes.history import build_histories
    from atom_testinfra.core.changes.threshold import Statistic
    from atom_testinfra.storage.moments import load_moments

    profile = project.config.targets.local_profile
    moments = load_moments(project, Statistic.BODY_CPU, profile, limit=last)
    for reason in moments.left_out:
        click.echo(f"left out of the history: {reason}", err=True)
    for note in moments.notes:
        click.echo(f"note: {note}", err=True)
    return build_histories(moments.found)


def render(report: ReportData, format_: str, *, is_terminal: bool) -> str:
    """Return the report in one of the formats; text has colour and a width only where its output has."""
    match format_:
        case "markdown":
            from atom_testinfra.reports.markdown import render_markdown

            return render_markdown(report)
        case "html":
            from atom_testinfra.reports.html import render_html

            return render_html(report)
        case "json":
            return msgspec.json.encode(report).decode() + "\n"
        case _:
            from atom_testinfra.reports.text import render_text

            width = output_width() or WIDE
            has_color = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
            return render_text(report, width=max(width, NARROWEST), color=has_color)


def append_job_summary(report: ReportData, path: Path) -> None:
    """Append the report to a job summary, in what room is left there."""
    from atom_testinfra.reports.markdown import SUMMARY_LIMIT, render_markdown

    try:
        taken = path.stat().st_size if path.exists() else 0
        room = SUMMARY_LIMIT - taken - 1
        if room < SMALLEST_SUMMARY:
            raise ReportError(
                f"no room in the job summary {str(path)!r}: {taken:,} of {SUMMARY_LIMIT:,} bytes are taken",
                hint="call `testinfra report` in a step of its own, or with --no-summary",
            )
        with path.open("a", encoding="utf-8", newline="") as file:
            file.write(("\n" if taken else "") + render_markdown(report, limit=room))
    except OSError as exc:
        raise ReportError(
            f"cannot write the job summary {str(path)!r}: {exc.strerror or exc}",
            hint=f"unset {SUMMARY_VARIABLE}, or pass --no-summary",
        ) from exc


def _print(text: str) -> None:
    """Print a report; a character that the terminal's encoding does not have is shown as a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), nl=False)
