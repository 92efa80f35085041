"""Read a JSON object strictly, and say where it is wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, TypeVar

import msgspec

from atom_testinfra.core.errors import BaselineError

T = TypeVar("T")

_top_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])

_BYTE = re.compile(r" ?\(byte (\d+)\)")
_PATH = re.compile(r" - at `(key in )?\$?(.*)`$")

RESTORE = "restore it from version control, or remove it and measure again"


def split_object(data: bytes, name: str) -> dict[str, msgspec.Raw]:
    """
    Return the values of a JSON object as they stand in the file, by key and in order.

    Raises:
        BaselineError: It is not a JSON object; the message names the line and column.
    """
    try:
        return _top_decoder.decode(data)
    except msgspec.ValidationError as exc:
        raise BaselineError(f"{name!r} does not hold a JSON object", hint=RESTORE) from exc
    except msgspec.DecodeError as exc:
        raise _malformed(str(exc), data, name) from exc
    except UnicodeDecodeError as exc:
        raise _not_utf8(data, name, exc) from exc
    except RecursionError as exc:
        raise BaselineError(f"{name!r} is nested too deeply", hint=RESTORE) from exc


def decode_value(decoder: msgspec.json.Decoder[T], value: msgspec.Raw, place: str, name: str) -> T:
    """
    Return a typed value of the object; `place` is its JSON path.

    Raises:
        BaselineError: It has another type or range; the message names the path and what was expected.
    """
    try:
        return decoder.decode(value)
    except msgspec.ValidationError as exc:
        message = str(exc)
        found = _PATH.search(message)
        inner = found.group(2) if found else ""
        told = _escape(f"{place}{inner}: {_PATH.sub('', message)}")
        raise BaselineError(f"{name!r}: {told}", hint=RESTORE) from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BaselineError(f"{name!r}: {place}: {exc}", hint=RESTORE) from exc
    except RecursionError as exc:
        raise BaselineError(f"{name!r}: {place} is nested too deeply", hint=RESTORE) from exc


def _escape(message: str) -> str:
    """Return a message on one line: it quotes keys as they stand in the file, whatever is in them."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in message)


def refuse_duplicate_keys(data: bytes, name: str) -> None:
    """
    Raise when an object anywhere in the text has the same key twice: readers would not agree on its value.

    Raises:
        BaselineError: There is one; the message names the key.
    """

    def refuse(pairs: list[tuple[str, Any]]) -> None:
        counts = Counter(key for key, _ in pairs)
        if len(counts) != len(pairs):
            key, _ = counts.most_common(1)[0]
            raise BaselineError(f"{name!r}: the key {key!r} occurs twice in one object", hint=RESTORE)

    try:
        # Numbers are not looked at: `len` spares the work, and Python's limit on their digits.
        json.loads(data.decode(), object_pairs_hook=refuse, parse_int=len, parse_float=len)
    except RecursionError as exc:
        raise BaselineError(f"{name!r} is nested too deeply", hint=RESTORE) from exc
    except UnicodeDecodeError as exc:
        raise _not_utf8(data, name, exc) from exc
    except json.JSONDecodeError as exc:
        raise BaselineError(f"{name!r}:{exc.lineno}:{exc.colno}: {exc.msg}", hint=RESTORE) from exc


def _malformed(message: str, data: bytes, name: str) -> BaselineError:
    found = _BYTE.search(message)
    offset = int(found.group(1)) if found else len(data)
    return BaselineError(f"{name!r}:{_line_and_column(data, offset)}: {_BYTE.sub('', message)}", hint=RESTORE)


def _not_utf8(data: bytes, name: str, exc: UnicodeDecodeError) -> BaselineError:
    try:
        data.decode()
    except UnicodeDecodeError as whole:
        exc = whole  # msgspec counts from the start of the text, this one from the start of the file
    return BaselineError(f"{name!r}:{_line_and_column(data, exc.start)}: not valid UTF-8", hint=RESTORE)


def _line_and_column(data: bytes, offset: int) -> str:
    line = data.count(b"\n", 0, offset) + 1
    column = offset - data.rfind(b"\n", 0, offset)
    return f"{line}:{column}"
