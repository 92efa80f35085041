"""`testinfra sample`: write the tutorial's project into a new folder."""

from __future__ import annotations

from pathlib import Path

import click

from atom_testinfra.core.status import ExitStatus
from atom_testinfra.storage.sample import copy_sample


@click.command(name="sample")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> ExitStatus:
    """
    Write a small project with five properties into FOLDER, to try the tool on.

    FOLDER must be new or empty. The tutorial goes through the project in three days.
    """
    click.echo("\n".join(copy_sample(folder)))
    return ExitStatus.OK
