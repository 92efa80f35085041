"""The `testinfra` command: parses arguments, calls one verb, turns its result into an exit status."""

from __future__ import annotations

import importlib
from typing import Any

import click

from atom_testinfra.core.errors import InfraError, NothingMeasuredError
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.measuring.stopping import Stopped

VERBS = {
    "measure": "run the properties and record what each costs",
    "verify": "check the measurements against the targets and write the baseline",
    "compare": "say which properties got slower or faster, and which are undecided",
    "mutate": "say which faults in the product the tests notice, and which no test notices",
    "budget": "say how many examples each property deserves in a given time",
    "distil": "keep the fewest recorded test cases that notice every mutant",
    "plan": "say how many workers and machines the suite needs to fit its time budget",
    "merge": "put the shards of a suite together, or say what is missing",
    "history": "show how the cost of each property changed over time",
    "doctor": "say what would spoil a measurement on this machine",
    "report": "render the baseline for the terminal, a job summary or a browser",
    "docs": "write measured figures and tables from the code into the documents",
    "sample": "write a small project to try the tool on",
}


class LazyVerbs(click.Group):
    """A group that imports a verb's module only when the verb is called, so that `--help` is quick."""

    summaries = VERBS
    """What each verb does, for the documents."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the verbs in the order of the work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the verb's module and return its `command`."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"atom_testinfra.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of verbs without importing any of them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="atom-testinfra", prog_name="testinfra")
def testinfra() -> None:
    """Measure a Hypothesis test suite: the cost of each property, its target, and whether it got slower."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status; every error of ours becomes one line on stderr."""
    try:
        result: Any = testinfra.main(args=arguments, prog_name="testinfra", standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        return ExitStatus.ERROR
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except Stopped as stopped:
        click.echo("stopped", err=True)
        return 128 + stopped.signum
    except InfraError as exc:
        click.echo(f"error: {exc}", err=True)
        if exc.hint:
            click.echo(f"hint: {exc.hint}", err=True)
        return ExitStatus.NOTHING if isinstance(exc, NothingMeasuredError) else ExitStatus.ERROR
    return int(result) if result is not None else ExitStatus.OK
