"""`equivalent.toml`: the survivors that a person accepts, each with a reason."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from atom_testinfra.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


class Accepted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mutant that a person accepts as a survivor, because no test could notice it."""

    id: str
    reason: str
    path: str = ""
    """For people: the id alone decides."""
    change: str = ""
    """For people as well."""


def load_accepted(path: Path) -> dict[str, Accepted]:
    """
    Return the accepted survivors by id; none if there is no such file.

    Raises:
        ConfigError: The file cannot be read, or an entry has no reason.
    """
    if not path.is_file():
        return {}
    try:
        entries = msgspec.convert(
            tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []), list[Accepted]
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise ConfigError(
            f"cannot read {os.fspath(path)!r}: {exc}", hint="each [[mutant]] has an id and a reason"
        ) from exc
    for entry in entries:
        if not entry.reason.strip():
            raise ConfigError(f"{os.fspath(path)!r}: mutant {entry.id!r} has no reason")
    return {entry.id: entry for entry in entries}
