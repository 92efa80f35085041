"""Run files: one line for each test, appended as it happens, so that a killed run keeps what it had."""

from __future__ import annotations

import os
import sys
import time
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from atom_testinfra.core.errors import RunFileError
from atom_testinfra.core.records.measurement import (
    Collected,
    Measurement,
    Run,
    RunEnd,
    RunHeader,
    RunLine,
)
from atom_testinfra.core.vocabulary import RUN_SCHEMA_VERSION
from atom_testinfra.storage.folders import cannot
from atom_testinfra.storage.run_writer import RunWriter

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SUFFIX = ".jsonl"
RUN_SCHEMA_FILE = "run.schema.json"

_encoder = msgspec.json.Encoder()
_line_decoder: msgspec.json.Decoder[RunLine] = msgspec.json.Decoder(RunLine)


def run_schema() -> dict[str, Any]:
    """Return the JSON Schema of a line of a run file, as it is shipped with this package."""
    text = resources.files("atom_testinfra.storage").joinpath("schemas", RUN_SCHEMA_FILE).read_bytes()
    schema: dict[str, Any] = msgspec.json.decode(text)
    return schema


def encode(record: RunLine) -> str:
    """Return the record's line, without its end."""
    return _encoder.encode(record).decode()


def save_run(run: Run, path: Path) -> None:
    """Write a whole run to a file that does not exist, as the plugin would have written it."""
    try:
        with RunWriter(path) as writer:
            for record in (run.header, run.collected, *run.measurements, run.end):
                if record is not None:
                    writer.write_line(encode(record))
    except OSError as exc:
        raise cannot("write", path, exc) from exc


def append(path: Path, record: RunLine) -> None:
    """
    Append one record to a run file whose writer is gone.

    A line that the writer did not finish is cut off first, so that the new one stands on its own.
    """
    try:
        with path.open("r+b") as file:
            whole = file.read()
            end = whole.rfind(b"\n") + 1
            file.truncate(end)
            file.seek(end)
            file.write(_encoder.encode(record) + b"\n")
    except OSError as exc:
        raise cannot("write", path, exc) from exc


def load_run(path: Path) -> Run:
    """
    Return the run that a file holds.

    A last line that was cut off is left out; any other line that is not a record is an error, because
    it means that something else wrote here.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise cannot("read", path, exc) from exc
    header: RunHeader | None = None
    collected: Collected | None = None
    end: RunEnd | None = None
    measurements: list[Measurement] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        record = _decode(line, path, number)
        if header is None and not isinstance(record, RunHeader):
            raise _headless(path)
        match record:
            case RunHeader():
                header = record
            case Collected():
                collected = record
            case Measurement():
                measurements.append(record)
            case RunEnd():
                end = record
    if header is None:
        raise RunFileError(f"{os.fspath(path)!r} holds no run", hint="remove it, and measure again")
    return Run(header=header, collected=collected, measurements=measurements, end=end)


def load_header(path: Path) -> RunHeader | None:
    """Return a run file's header, or `None` when not even that was written before the run was killed."""
    try:
        with path.open("rb") as file:
            line = file.readline()
    except OSError as exc:
        raise cannot("read", path, exc) from exc
    if not line.endswith(b"\n"):
        return None
    record = _decode(line, path, 1)
    if not isinstance(record, RunHeader):
        raise _headless(path)
    return record


def is_cut_off(path: Path) -> bool:
    """Return whether the last line of a run file was not written to its end."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise cannot("read", path, exc) from exc
    return not data.endswith(b"\n") and data != b""


def wait_for_writers(paths: Iterable[Path], *, patience_s: float) -> None:
    """
    Wait until no process writes to any of these files.

    A run whose session was killed ends after the test that it is in; until then nobody may take it up.

    Raises:
        RunFileError: one is still being written when the patience is at its end.
    """
    ends_at = time.monotonic() + patience_s
    for path in paths:
        while _is_locked(path):
            if time.monotonic() >= ends_at:
                raise RunFileError(
                    f"{os.fspath(path)!r} is locked: an earlier run of this session still writes to it",
                    hint="wait until its running test has ended, or end that process; its records are kept",
                )
            time.sleep(0.1)


def _is_locked(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as exc:
        raise cannot("read", path, exc) from exc
    return False


def decode_line(line: bytes) -> RunLine:
    """Return the record of one line, as a run that is still going has written it."""
    try:
        return _line_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise RunFileError(f"not a record of a run: {exc}") from exc


def _decode(line: bytes, path: Path, number: int) -> RunLine:
    try:
        record = _line_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise RunFileError(
            f"{os.fspath(path)!r}:{number}: not a record of a run: {exc}", hint=_remove(path)
        ) from exc
    if isinstance(record, RunHeader) and record.schema_version != RUN_SCHEMA_VERSION:
        raise RunFileError(
            f"{os.fspath(path)!r} has schema version {record.schema_version}, this is {RUN_SCHEMA_VERSION}",
            hint=f"{_remove(path)}, or use the version of atom-testinfra that wrote it",
        )
    return record


def _headless(path: Path) -> RunFileError:
    return RunFileError(
        f"{os.fspath(path)!r}:1: the first line of a run file is its header", hint=_remove(path)
    )


def _remove(path: Path) -> str:
    return f"remove {os.fspath(path)!r} or move it elsewhere"
