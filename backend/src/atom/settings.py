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


def _choice(*choices: str, meaning: str) -> Any:
    """Return a field that is one of the choices, the first by default."""
    return field(default=choices[0], metadata={"meaning": meaning, "choices": choices})


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
    threads: int = _number(8, "requests that read at once, and as many that write", least=1, most=200)
    workers: int = _number(1, "processes that serve; several need PostgreSQL", least=1, most=64)
    max_requests: int = _number(200, "requests worked on or waiting; 503 beyond", least=1, most=100_000)
    max_connections: int = _number(1_000, "connections at once; 503 beyond", least=1, most=1_000_000)
    head_timeout_s: int = _number(10, "seconds for the head of a request", least=1, most=3_600)
    body_timeout_s: int = _number(30, "seconds for the body of a request", least=1, most=3_600)
    read_timeout_s: int = _number(30, "seconds a client may leave an answer unread", least=1, most=3_600)
    keep_alive_s: int = _number(5, "seconds between two requests of a connection", least=1, most=3_600)
    stop_timeout_s: int = _number(30, "seconds to finish requests in when told to stop", least=1, most=3_600)
    embedder: str = _text(
        "word-overlap",
        "what compares texts: word-overlap, or package.module:function, which returns an embedder",
    )
    log_format: str = _choice("text", "json", meaning="lines of text or of JSON: `text` or `json`")
    metrics_token: str | None = field(
        default=None,
        metadata={"meaning": "the bearer token for /metrics, which is a 404 without one", "is_secret": True},
    )

    def __post_init__(self) -> None:
        address = database_address(self.database_url)
        if self.workers > 1 and address.get_backend_name() == "sqlite":
            raise InvalidError(
                f"ATOM_WORKERS is {self.workers}, and a SQLite file lets one process write; "
                "name a PostgreSQL database, or unset ATOM_WORKERS",
                field="ATOM_WORKERS",
            )

    @property
    def database_connections(self) -> int:
        """How many connections to the database a process may hold: a writer may hold one to read by, too."""
        return 3 * self.threads + 1

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
            elif each.metadata.get("is_secret") and value is not None:
                value = "***"
            yield variable_of(each), str(value), str(each.default), each.metadata["meaning"]


def variable_of(setting: Field[Any]) -> str:
    """Return the name of a setting's variable."""
    return PREFIX + setting.name.upper()


def _read(setting: Field[Any], name: str, given: str) -> str | int:
    text = given.strip()
    if not text:
        raise InvalidError(f"{name} is empty; set it, or unset it for {setting.default!r}", field=name)
    choices = setting.metadata.get("choices", (text,))
    if text not in choices:
        raise InvalidError(f"{name} is {text!r}, expected {' or '.join(map(repr, choices))}", field=name)
    if "least" not in setting.metadata:
        return text
    least, most = setting.metadata["least"], setting.metadata["most"]
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
    if not is_number or not least <= int(text) <= most:
        raise InvalidError(f"{name} is {text!r}, expected a whole number from {least} to {most}", field=name)
    return int(text)
