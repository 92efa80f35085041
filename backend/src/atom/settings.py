"""The backend's settings: read from the environment once, handed down as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from atom.db.session import database_address, shown_address
from atom.kit.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from dataclasses import Field

PREFIX = "ATOM_"
MAX_DIGITS = 20
DEFAULT_DATABASE_URL = "sqlite:///atom.sqlite3"
NOT_THE_SERVICES = {"ATOM_TEST_DATABASE_URL", "ATOM_POSTGRES_SERVER"}
"""Variables with the same prefix that the tests and scripts of the repository read."""


def _text(default: str, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


def _number(default: int, meaning: str, *, least: int, most: int) -> Any:
    return field(default=default, metadata={"meaning": meaning, "least": least, "most": most})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be set from outside: every field has a variable `ATOM_<NAME>`; `atom settings` lists them."""

    database_url: str = _text(
        DEFAULT_DATABASE_URL, "the database: sqlite:///FILE or postgresql://USER@HOST/NAME"
    )
    host: str = _text("127.0.0.1", "the address to listen on")
    port: int = _number(8_000, "the port to listen on; 0 for a free one", least=0, most=65_535)
    max_body_bytes: int = _number(1_000_000, "the longest body of a request", least=1, most=10**9)
    threads: int = _number(
        8,
        "requests that read at once, and as many that write; more take time from each other",
        least=1,
        most=200,
    )

    def __post_init__(self) -> None:
        database_address(self.database_url)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Return the settings that the environment names, defaults for the rest; it may mistype none."""
        known = {variable_of(each): each for each in fields(cls)}
        unknown = sorted(
            name
            for name in environment
            if name.startswith(PREFIX) and name not in known and name not in NOT_THE_SERVICES
        )
        if unknown:
            likely = get_close_matches(unknown[0], known, n=1)
            hint = f", perhaps {likely[0]}" if likely else ""
            raise InvalidError(
                f"{unknown[0]} is not a setting{hint}; `atom settings` lists them", field=unknown[0]
            )
        given: dict[str, Any] = {
            each.name: _read(each, name, environment[name])
            for name, each in known.items()
            if name in environment
        }
        return cls(**given)

    def described(self) -> Iterator[tuple[str, str, str, str]]:
        """Go through the settings: variable, value, default and meaning; a password is not shown."""
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "database_url":
                value = shown_address(value)
            yield variable_of(each), str(value), str(each.default), each.metadata["meaning"]


def variable_of(setting: Field[Any]) -> str:
    """Return the name of a setting's variable."""
    return PREFIX + setting.name.upper()


def _read(setting: Field[Any], name: str, given: str) -> str | int:
    text = given.strip()
    if not text:
        raise InvalidError(f"{name} is empty; set it, or unset it for {setting.default!r}", field=name)
    if isinstance(setting.default, str):
        return text
    least, most = setting.metadata["least"], setting.metadata["most"]
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
    if not is_number or not least <= int(text) <= most:
        raise InvalidError(f"{name} is {text!r}, expected a whole number from {least} to {most}", field=name)
    return int(text)
