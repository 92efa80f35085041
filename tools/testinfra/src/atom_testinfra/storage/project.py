"""Find and read `[tool.testinfra]`."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import msgspec

from atom_testinfra.core.config import Config
from atom_testinfra.core.errors import ConfigError


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project on disk: the folder its settings are relative to, and the settings."""

    root: Path
    config: Config

    @property
    def rootdir(self) -> Path:
        """Where pytest is run."""
        return self.root / self.config.rootdir

    @property
    def baseline(self) -> Path:
        """The baseline file."""
        return self.root / self.config.baseline

    @property
    def runs(self) -> Path:
        """The folder of run files."""
        return self.root / self.config.runs

    @property
    def budget(self) -> Path:
        """The file that says how many examples each property gets."""
        return self.root / self.config.budget

    @property
    def durations(self) -> Path:
        """The file of durations that were seen on this machine."""
        return self.root / self.config.durations

    @property
    def mutants(self) -> Path:
        """The folder of what is known of mutants."""
        return self.root / self.config.mutants

    @property
    def known_sources(self) -> Path:
        """The file of what `testinfra mutate` found in source files."""
        return self.mutants / "sources.json"

    @property
    def shards(self) -> Path:
        """The folder of shards."""
        return self.root / self.config.shards

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.root / self.config.report

    @property
    def outputs(self) -> list[str]:
        """What verbs write below the root, as globs: changes there do not affect the measurement."""
        written = [self.config.baseline, self.config.report, *self.config.docs]
        return [glob for glob in written if not Path(glob).is_absolute() and ".." not in Path(glob).parts]


def load_project(start: Path) -> Project:
    """
    Return the project that `start` belongs to.

    The nearest pyproject.toml at or above `start` that has a `[tool.testinfra]` table decides; without
    one, `start` is the root and every setting has its default.
    """
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            table = _read_table(path)
            if table is not None:
                return Project(root=folder, config=_parse_config(table, path))
    return Project(root=start, config=Config())


def _read_table(path: Path) -> dict[str, object] | None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"cannot read {os.fspath(path)!r}: {exc}") from exc
    tool = document.get("tool", {})
    table = tool.get("testinfra") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(
            f"{os.fspath(path)!r}: [tool.testinfra] must be a table, not {type(table).__name__}"
        )
    return table


def _parse_config(table: dict[str, object], path: Path) -> Config:
    try:
        return msgspec.convert(table, Config)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"{os.fspath(path)!r}: [tool.testinfra]: {exc}") from exc
    except ConfigError as exc:
        raise ConfigError(f"{os.fspath(path)!r}: [tool.testinfra]: {exc}", hint=exc.hint) from exc
