"""
Logs: a line of text or of JSON for each event, with when, what and how long; never the value of a parameter.

An exception is told by its kind, its number at the database and the places it went through: the message of an
exception may repeat what a request said.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

FIELDS = "fields"
"""The attribute of a record that holds what a line says beside its message, by name."""
MOST_ALIKE = 20
PERIOD_S = 10.0


class LineFormatter(logging.Formatter):
    """Formats a record as a line of text, and what it says beside as `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the places of an exception below it."""
        fields = "".join(f" {name}={value}" for name, value in _fields_of(record).items())
        line = f"{_moment(record)} {record.levelname} {record.name}: {_message(record)}{fields}"
        return "\n    ".join([line, *_places(record)])


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **_fields_of(record),
        }
        places = _places(record)
        if places:
            said["exception"] = places
        return json.dumps(said, default=str)


class FloodGate(logging.Filter):
    """Lets a warning or an error through that came at most so often lately; says how many it kept back."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._since_s = now_s()
        self._counts: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is written."""
        if record.levelno < logging.WARNING:
            return True
        now_s = self._now_s()
        if now_s - self._since_s >= PERIOD_S:
            self._since_s = now_s
            self._counts.clear()
        alike = (record.name, str(record.msg))
        n_before = self._counts.get(alike, 0)
        self._counts[alike] = n_before + 1
        if n_before == MOST_ALIKE - 1:
            record.msg = f"{record.msg} (more like it are left out for up to {PERIOD_S:g} s)"
        return n_before < MOST_ALIKE


def log_config(*, form: str, is_quiet: bool) -> dict[str, Any]:
    """Return the configuration of `logging`: everything to stderr, requests too unless it is quiet."""
    formatter = JsonFormatter if form == "json" else LineFormatter
    level = "WARNING" if is_quiet else "INFO"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "filters": {"flood": {"()": FloodGate}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["flood"]},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {"alembic": {"level": "WARNING"}, "uvicorn.access": {"level": "CRITICAL"}},
    }


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _fields_of(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, FIELDS, {})
    return {name: value for name, value in fields.items() if value is not None}


def _message(record: logging.LogRecord) -> str:
    return record.getMessage().replace("\n", " ")


def _places(record: logging.LogRecord) -> list[str]:
    """Return an exception's kind and places, those of what caused it first."""
    if record.exc_info is None or record.exc_info[1] is None:
        return []
    return list(_told(record.exc_info[1]))


def _told(exc: BaseException) -> Iterator[str]:
    cause = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    if cause is not None:
        yield from _told(cause)
    yield from _frames(exc.__traceback__)
    number = getattr(exc, "sqlstate", None) or getattr(exc, "sqlite_errorname", None)
    yield f"{type(exc).__module__}.{type(exc).__qualname__}{f' {number}' if number else ''}"


def _frames(trace: TracebackType | None) -> Iterator[str]:
    for frame in traceback.extract_tb(trace):
        yield f"{frame.filename}:{frame.lineno} in {frame.name}"
