"""`testinfra doctor`: says what would spoil a measurement on this machine, and what to do."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from atom_testinfra.core.advice.diagnosis import Diagnosis, Observation, diagnose
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.storage.project import load_project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atom_testinfra.storage.project import Project


@click.command(name="doctor")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document: the findings, and what was examined."
)
def command(*, as_json: bool) -> ExitStatus:
    """
    Say what would spoil a measurement on this machine, and what to do.

    Times the same work a thousand times, and looks at the environment, at pytest's settings and at the test
    files; runs no test. Exits with 1 when figures measured now would not be fit for use.
    """
    seen = observe(load_project(Path.cwd()), os.environ)
    diagnosis = diagnose(seen)
    if as_json:
        report = {"is_spoilt": diagnosis.is_spoilt, "findings": diagnosis.findings, "observation": seen}
        click.echo(msgspec.json.encode(report))
    else:
        _print(diagnosis)
    return ExitStatus.FAILED if diagnosis.is_spoilt else ExitStatus.OK


def observe(project: Project, environ: Mapping[str, str]) -> Observation:
    """Look at the machine, the environment and the project; takes about a second of CPU."""
    from atom_testinfra.machine import conditions
    from atom_testinfra.machine.fingerprint import read_versions
    from atom_testinfra.measuring.environment import CI_VARIABLES
    from atom_testinfra.storage.sources import read_pytest_options, scan_tests

    tracers = conditions.find_tracers(environ)
    options = read_pytest_options(project.rootdir, environ)
    tracers += [f"pytest-cov ({place})" for place, given in options.items() if _asks_for_coverage(given)]
    noise = conditions.measure_noise()
    sources = scan_tests(project.rootdir)
    return Observation(
        calibrations_s=noise.calibrations_s,
        cpu_share=noise.cpu_share,
        steal=noise.steal,
        load=conditions.read_load(),
        n_cpus=os.cpu_count() or 1,
        governors=conditions.read_governors(),
        ci_variables=[f"{name}={environ[name]}" for name in CI_VARIABLES if name in environ],
        tracers=tracers,
        variables=conditions.find_variables(environ),
        option_sources=options,
        n_workers=project.config.workers,
        pins=sources.pins,
        profile_loads=sources.profile_loads,
        unreadable=sources.unreadable,
        versions={"python": platform.python_version(), **read_versions()},
    )


def _asks_for_coverage(options: list[str]) -> bool:
    return any(o == "--cov" or o.startswith("--cov=") for o in options) and "--no-cov" not in options


def _print(diagnosis: Diagnosis) -> None:
    from atom_testinfra.reports.columns import open_console
    from atom_testinfra.reports.doctor import render_diagnosis

    open_console(highlight=False).print(render_diagnosis(diagnosis))
