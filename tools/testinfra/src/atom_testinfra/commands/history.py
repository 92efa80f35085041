"""`testinfra history`: shows how the cost of a property changed over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from atom_testinfra.core.changes.history import History, build_histories
from atom_testinfra.core.changes.threshold import Statistic
from atom_testinfra.core.errors import NothingMeasuredError
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.storage.moments import load_moments
from atom_testinfra.storage.project import load_project

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(name="history")
@click.argument("nodeid", required=False)
@click.option("--profile", metavar="NAME", help="Costs under this profile; by default the local one.")
@click.option(
    "--statistic",
    type=click.Choice([statistic.value for statistic in Statistic if statistic is not Statistic.PARTS]),
    default=Statistic.BODY_CPU.value,
    show_default=True,
    help="The cost to show.",
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Committed versions and sessions to look back on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    nodeid: str | None, *, profile: str | None, statistic: str, last: int, as_json: bool
) -> ExitStatus:
    """
    Show how the cost of each property changed over time, with its change points.

    The costs come from the last N committed versions of the baseline, the baseline as it is now, and the
    last N sessions on this machine. NODEID, or a part of one, chooses properties; for a single property every
    point is listed.
    """
    project = load_project(Path.cwd())
    profile = project.config.targets.local_profile if profile is None else profile
    moments = load_moments(project, Statistic(statistic), profile, limit=last)
    if moments.profiles and profile not in moments.profiles:
        raise _no_history(profile, f"choose one with --profile: {', '.join(moments.profiles)}")
    for reason in moments.left_out:
        click.echo(f"left out: {reason}", err=True)
    for note in moments.notes:
        click.echo(f"note: {note}", err=True)
    if not moments.found:
        raise _no_history(profile, "measure, then verify: testinfra measure --baseline && testinfra verify")
    histories = _choose(build_histories(moments.found), nodeid)
    if as_json:
        document = {"profile": profile, "statistic": statistic, "histories": histories}
        click.echo(msgspec.json.encode(document))
    else:
        _print(histories)
    return ExitStatus.OK


def _no_history(profile: str, hint: str) -> NothingMeasuredError:
    return NothingMeasuredError(
        f"no history: no baseline and no session has the profile {profile!r}", hint=hint
    )


def _choose(histories: Sequence[History], nodeid: str | None) -> list[History]:
    """Return the history of exactly this node id, else those that have it in their name."""
    exact = [history for history in histories if history.nodeid == nodeid]
    chosen = exact or [history for history in histories if nodeid is None or nodeid in history.nodeid]
    if not chosen:
        raise NothingMeasuredError(f"no property with {nodeid!r} in its name has a history")
    return chosen


def _print(histories: Sequence[History]) -> None:
    from atom_testinfra.reports.columns import open_console
    from atom_testinfra.reports.history import describe_lines, render_histories, render_history

    console = open_console(highlight=False)
    is_plain = not console.encoding.lower().startswith("utf")
    if len(histories) == 1:
        console.print(render_history(histories[0], is_plain=is_plain))
    else:
        console.print(render_histories(histories, width=console.width, is_plain=is_plain))
        for line in describe_lines(histories):
            console.print(line, markup=False)
