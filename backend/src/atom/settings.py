"""The backend's settings: read from the environment once, handed down as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atom.kit.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_DATABASE_URL = "sqlite:///atom.sqlite3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be set from outside; every field has a variable `ATOM_<NAME>`."""

    database_url: str = DEFAULT_DATABASE_URL
    host: str = "127.0.0.1"
    port: int = 8000
    max_body_bytes: int = 1_000_000
    threads: int = 8
    """How many handlers run at once; more of them only take the interpreter from each other."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Return the settings that the environment names, defaults for the rest."""
        default = cls()
        return cls(
            database_url=environment.get("ATOM_DATABASE_URL") or default.database_url,
            host=environment.get("ATOM_HOST") or default.host,
            port=_read_int(environment, "ATOM_PORT", default.port, least=0, most=65_535),
            max_body_bytes=_read_int(
                environment, "ATOM_MAX_BODY_BYTES", default.max_body_bytes, least=1, most=10**9
            ),
            threads=_read_int(environment, "ATOM_THREADS", default.threads, least=1, most=1_000),
        )


def _read_int(environment: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise InvalidError(f"{name} is {text!r}, expected a whole number from {least} to {most}", field=name)
    return int(text)
