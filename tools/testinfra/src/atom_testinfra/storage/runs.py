"""Run files: one line for each test, appended as it happens, so that a killed run keeps what it had."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import msgspec

from atom_testinfra.core.errors import NothingMeasuredError, RunFileError
from atom_testinfra.core.measurement import (
    RUN_SCHEMA_VERSION,
    Collected,
    Measurement,
    Run,
    RunEnd,
    RunHeader,
    RunLine,
    RunPlan,
)
from atom_testinfra.core.session import SessionSpec

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

SUFFIX = ".jsonl"
SPEC_SUFFIX = ".session.json"

_encoder = msgspec.json.Encoder()
_line_decoder: msgspec.json.Decoder[RunLine] = msgspec.json.Decoder(RunLine)
_plan_decoder = msgspec.json.Decoder(RunPlan)
_spec_decoder = msgspec.json.Decoder(SessionSpec)


def encode(record: RunLine) -> str:
    """Return the record's line, without its end."""
    return _encoder.encode(record).decode()


class RunWriter:
    """Appends lines to a run file of its own; each is on its way to the disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = os.getpid()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
            self._file: int | None = os.open(path, flags, 0o644)
        except FileExistsError as exc:
            raise RunFileError(
                f"the run file {os.fspath(path)!r} exists already", hint="name a file that does not exist"
            ) from exc
        except OSError as exc:
            raise _cannot("create", path, exc) from exc
        self.n_lines = 0

    def write(self, record: RunLine) -> None:
        """Append the record."""
        self.write_line(encode(record))

    def write_line(self, line: str) -> None:
        """Append a line that is encoded already; a forked child has nothing to say here."""
        if self._file is None or os.getpid() != self._pid:
            return
        data = line.encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as exc:
            raise _cannot("write", self.path, exc) from exc
        self.n_lines += 1

    def close(self) -> None:
        """Close the file; remove it when nothing was written, so that no empty file passes for a result."""
        if self._file is None or os.getpid() != self._pid:
            return
        os.close(self._file)
        self._file = None
        if self.n_lines == 0:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
        raise _cannot("write", path, exc) from exc


def load_run(path: Path) -> Run:
    """
    Return the run that a file holds.

    A last line that was cut off is left out; any other line that is no record is an error, for it means
    that something else wrote here.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise _cannot("read", path, exc) from exc
    header: RunHeader | None = None
    collected: Collected | None = None
    end: RunEnd | None = None
    measurements: list[Measurement] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        record = _decode(line, path, number)
        if header is None and not isinstance(record, RunHeader):
            raise RunFileError(f"{os.fspath(path)!r}:{number}: the first line of a run file is its header")
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


def load_session(folder: Path, session_id: str | None = None) -> list[Run]:
    """
    Return the runs of one measuring session in the order they were made: the latest session by default.

    Files in which nothing was collected are no results and are passed over.
    """
    sessions = list_sessions(folder)
    if session_id is None:
        if not sessions:
            raise NothingMeasuredError(
                f"no runs in {os.fspath(folder)!r}", hint="measure first: testinfra measure"
            )
        session_id = max(sessions)
    if session_id not in sessions:
        known = ", ".join(sorted(sessions, reverse=True)[:5]) or "none"
        raise NothingMeasuredError(
            f"no session {session_id!r} in {os.fspath(folder)!r}", hint=f"there are: {known}"
        )
    runs = [load_run(path) for path in sessions[session_id]]
    return sorted(
        (run for run in runs if run.collected is not None),
        key=lambda run: (run.header.started_at, run.header.run_id),
    )


def list_sessions(folder: Path) -> dict[str, list[Path]]:
    """Return the run files in a folder by the session they belong to, as their first lines say."""
    sessions: dict[str, list[Path]] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        header = load_header(path)
        if header is not None:
            sessions.setdefault(header.session_id, []).append(path)
    return sessions


def load_header(path: Path) -> RunHeader | None:
    """Return a run file's header, or `None` when not even that was written before the run was killed."""
    try:
        with path.open("rb") as file:
            line = file.readline()
    except OSError as exc:
        raise _cannot("read", path, exc) from exc
    if not line.endswith(b"\n"):
        return None
    record = _decode(line, path, 1)
    if not isinstance(record, RunHeader):
        raise RunFileError(f"{os.fspath(path)!r}:1: the first line of a run file is its header")
    return record


def prepare_folder(folder: Path) -> None:
    """Make the folder of run files, which keeps itself out of version control."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as exc:
        raise _cannot("write", folder, exc) from exc


def decode_line(line: bytes) -> RunLine:
    """Return the record of one line, as a run that is still going has written it."""
    try:
        return _line_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise RunFileError(f"not a record of a run: {exc}") from exc


def save_plan(plan: RunPlan, path: Path) -> None:
    """Write the plan of a run."""
    try:
        path.write_bytes(_encoder.encode(plan))
    except OSError as exc:
        raise _cannot("write", path, exc) from exc


def load_plan(path: Path) -> RunPlan:
    """Return the plan that a file holds."""
    try:
        return _plan_decoder.decode(path.read_bytes())
    except OSError as exc:
        raise _cannot("read", path, exc) from exc
    except msgspec.MsgspecError as exc:
        raise RunFileError(f"{os.fspath(path)!r} is not the plan of a run: {exc}") from exc


def save_spec(spec: SessionSpec, folder: Path) -> None:
    """Write down what a session is to do, so that it can be resumed."""
    path = folder / f"{spec.session_id}{SPEC_SUFFIX}"
    try:
        path.write_bytes(_encoder.encode(spec))
    except OSError as exc:
        raise _cannot("write", path, exc) from exc


def load_spec(folder: Path, session_id: str | None = None) -> SessionSpec:
    """Return what a session was asked for: the latest one by default."""
    paths = sorted(folder.glob(f"{session_id or '*'}{SPEC_SUFFIX}"))
    if not paths:
        raise NothingMeasuredError(
            f"no session to resume in {os.fspath(folder)!r}", hint="measure first: testinfra measure"
        )
    try:
        return _spec_decoder.decode(paths[-1].read_bytes())
    except OSError as exc:
        raise _cannot("read", paths[-1], exc) from exc
    except msgspec.MsgspecError as exc:
        raise RunFileError(f"{os.fspath(paths[-1])!r} does not say what to resume: {exc}") from exc


def _decode(line: bytes, path: Path, number: int) -> RunLine:
    try:
        record = _line_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise RunFileError(f"{os.fspath(path)!r}:{number}: not a record of a run: {exc}") from exc
    if isinstance(record, RunHeader) and record.schema_version != RUN_SCHEMA_VERSION:
        raise RunFileError(
            f"{os.fspath(path)!r} has schema version {record.schema_version}, this is {RUN_SCHEMA_VERSION}",
            hint="measure again, or use the version of atom-testinfra that wrote it",
        )
    return record


def _cannot(verb: str, path: Path, exc: OSError) -> RunFileError:
    hints = {
        errno.ENOSPC: "free some space; what was recorded before is kept",
        errno.EACCES: "make the folder writable, or name another one: runs = ... in [tool.testinfra]",
        errno.EROFS: "the file system is read-only; name another folder: runs = ... in [tool.testinfra]",
    }
    reason = exc.strerror or str(exc)
    return RunFileError(f"cannot {verb} {os.fspath(path)!r}: {reason}", hint=hints.get(exc.errno or 0))
