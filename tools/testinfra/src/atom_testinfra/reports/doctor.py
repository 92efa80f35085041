"""The findings of `testinfra doctor`, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from atom_testinfra.core.advice.diagnosis import Level
from atom_testinfra.core.figures import plural

if TYPE_CHECKING:
    from atom_testinfra.core.advice.diagnosis import Diagnosis

STYLES = {Level.OK: "green", Level.NOTICE: "yellow", Level.SPOILS: "bold red"}


def render_diagnosis(diagnosis: Diagnosis) -> Group:
    """Return what was found, one line for each check, and a sentence on whether to measure now."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in diagnosis.findings:
        text = Text(finding.message)
        if finding.advice is not None:
            text.append(f"\n{finding.advice}", style="dim")
        table.add_row(Text(finding.level.value, style=STYLES[finding.level]), finding.check, text)
    return Group(table, "", _conclude(diagnosis))


def _conclude(diagnosis: Diagnosis) -> Text:
    spoiling = [finding.check for finding in diagnosis.findings if finding.level is Level.SPOILS]
    if spoiling:
        return Text(f"Do not measure now: {', '.join(dict.fromkeys(spoiling))}.", style="bold red")
    noticed = sum(finding.level is Level.NOTICE for finding in diagnosis.findings)
    known = f"; {plural(noticed, 'thing')} to know" if noticed else ""
    return Text(f"Fit to measure{known}.", style="green")
