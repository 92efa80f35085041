"""What `testinfra measure` is asked for: its options, and the session that follows from them."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from atom_testinfra.core.arguments import find_option, find_option_without_tests, name_places, relocate
from atom_testinfra.core.config import AS_IS
from atom_testinfra.core.errors import ConfigError
from atom_testinfra.core.policies import PinPolicy, Steering
from atom_testinfra.core.records.session import SessionSpec, choose_profiles
from atom_testinfra.machine.fingerprint import count_cpus

if TYPE_CHECKING:
    from atom_testinfra.storage.project import Project

AUTO = "auto"
OWN_OPTIONS = {
    "-n": "-n",
    "--numprocesses": "-n",
    "--testinfra-max-examples": "--max-examples",
    "--testinfra-pins": "--pins",
    "--testinfra-profile": "--profile",
    "--testinfra-seed-set": "--seed-set",
    "--testinfra-values": "--values",
}
"""What pytest is not told after `--`, by the option that says it to this command."""


class Workers(click.ParamType):  # type: ignore[type-arg]  # in click 8.1 it takes none
    """A number of workers, or `auto`."""

    name = "workers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; `auto` is one for each CPU that this process may use."""
        if value == AUTO:
            return count_cpus()
        if isinstance(value, int) or (str(value).isascii() and str(value).isdigit()):
            return int(value)
        return self.fail(f"{value!r} is not a number of workers, or {AUTO}", param, ctx)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """The options of `testinfra measure`, by the names that the command gives them."""

    is_for_baseline: bool
    profiles: tuple[str, ...]
    max_examples: int | None
    pins: str | None
    repeats: int | None
    seed_set: int
    time_budget: float | None
    fit: float | None
    n_workers: int | None
    only_properties: bool
    keep_values: bool
    explained: str | None
    saved_as: str | None
    resume: bool
    top: int
    as_json: bool
    pytest_arguments: tuple[str, ...]


def make_spec(project: Project, options: MeasureOptions) -> SessionSpec:
    """Return the session that the options and the settings ask for; nothing is written."""
    config = project.config
    profiles = choose_profiles(
        config, options.profiles, options.max_examples, is_for_baseline=options.is_for_baseline
    )
    repeats = options.repeats or (config.repeats if options.is_for_baseline else 1)
    changes: dict[str, Any] = {}
    if options.repeats or not options.is_for_baseline:
        changes["repeats"] = None
    if options.pins:
        if AS_IS in profiles:
            raise click.UsageError("--pins needs a number of examples: --max-examples N, or --profile NAME")
        changes["steering"] = Steering.TOOL  # a suite that steers itself would not hear of the policy
    profiles = {name: msgspec.structs.replace(profile, **changes) for name, profile in profiles.items()}
    return SessionSpec(
        session_id=f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}",
        profiles=profiles,
        repeats=repeats,
        pins=PinPolicy(options.pins or config.pins),
        seed_set=options.seed_set,
        n_workers=config.workers if options.n_workers is None else options.n_workers,
        arguments=_pytest_arguments(project, list(options.pytest_arguments)),
        keep_values=options.keep_values,
        only_properties=options.only_properties,
        # Who asks for a number of repeats gets them.
        time_budget_s=options.time_budget or (None if options.repeats else config.time_budget_s),
    )


def _pytest_arguments(project: Project, given: list[str]) -> list[str]:
    """Return pytest's arguments: the paths of the settings hold unless others are given."""
    if not project.rootdir.is_dir():
        raise ConfigError(
            f"rootdir {project.config.rootdir!r} is not a folder", hint="correct [tool.testinfra]"
        )
    without_tests = find_option_without_tests(given)
    if without_tests is not None:
        raise click.UsageError(f"with {without_tests} pytest runs no test, so there is nothing to measure")
    own = find_option(given, OWN_OPTIONS)
    if own is not None:
        raise click.UsageError(f"{own} after -- has no effect: say {OWN_OPTIONS[own]} before it")
    if not Path.cwd().samefile(project.rootdir):
        given = relocate(
            given,
            move_place=lambda place: _from_rootdir(place, project.rootdir, must_exist=True),
            move_path=lambda _, path: _from_rootdir(path, project.rootdir, must_exist=False),
        )
    files = [project.rootdir / place.partition("::")[0] for place in name_places(given)]
    # A word that is too long for a name, or is none for another reason, is an error to `Path.exists`.
    names_a_path = any(os.path.exists(file) for file in files)  # noqa: PTH110
    return given if names_a_path else [*project.config.paths, *given]


def _from_rootdir(path: str, rootdir: Path, *, must_exist: bool) -> str:
    """Return a path as it is called from where pytest runs; a place that is not here, as it was given."""
    file, separator, rest = path.partition("::")
    is_here = os.path.exists(file)  # noqa: PTH110 (what is too long for a name is an error to `Path`)
    if not file or os.path.isabs(file) or (must_exist and not is_here):  # noqa: PTH117
        return path
    here = os.path.join(os.path.realpath("."), file)  # noqa: PTH118
    return os.path.relpath(here, os.path.realpath(rootdir)) + separator + rest
