"""What commands tell a GitHub workflow in which they run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from atom_testinfra.core.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atom_testinfra.core.changes.comparison import Comparison

IN_WORKFLOW = "GITHUB_ACTIONS"
SUMMARY = "GITHUB_STEP_SUMMARY"


def tell_github(
    comparison: Comparison,
    profile: str,
    places: Mapping[str, tuple[str, int | None]],
    *,
    is_gate: bool,
    environ: Mapping[str, str],
) -> None:
    """Annotate what got slower and add to the job summary, where a workflow is what runs this."""
    from atom_testinfra.reports.github import annotate, render_job_summary

    if environ.get(IN_WORKFLOW) == "true":
        for line in annotate(comparison, places, is_gate=is_gate):
            click.echo(line, err=True)
    add_to_summary(render_job_summary(comparison, profile), environ)


def add_to_summary(text: str, environ: Mapping[str, str]) -> None:
    """
    Add Markdown to the job summary, where there is one.

    Raises:
        ReportError: The file that the workflow names cannot be written.
    """
    path = Path(environ.get(SUMMARY, ""))
    if path == Path():
        return
    try:
        with path.open("a", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as exc:
        raise ReportError(
            f"cannot write the job summary {str(path)!r}: {exc.strerror or exc}", hint=f"unset {SUMMARY}"
        ) from exc
