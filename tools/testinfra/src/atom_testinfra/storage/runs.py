"""Run files: one line for each test, appended as it happens, so that a killed run keeps what it had."""

from __future__ import annotations

import errno
import os
import sys
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from atom_testinfra.core.errors import NothingMeasuredError, RunFileError
from atom_testinfra.core.records.measurement import (
    Collected,
    Measurement,
    Run,
    RunEnd,
    RunHeader,
    RunLine,
    RunPlan,
)
from atom_testinfra.core.records.session import SessionSpec
from atom_testinfra.core.vocabulary import RUN_SCHEMA_VERSION
from atom_testinfra.storage.atomic import LOCKS, replace_file
from atom_testinfra.storage.run_writer import RunWriter
from atom_testinfra.storage.session_order import RunFile, find_from_the_future, in_order_of_recording

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIX = ".jsonl"
SPEC_SUFFIX = ".session.json"
IGNORE = ".gitignore"
IGNORE_ALL = "*\n"
RUN_SCHEMA_FILE = "run.schema.json"

_encoder = msgspec.json.Encoder()
_line_decoder: msgspec.json.Decoder[RunLine] = msgspec.json.Decoder(RunLine)
_spec_decoder = msgspec.json.Decoder(SessionSpec)


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


class Sessions(Struct, frozen=True, kw_only=True):
    """The run files in a folder by the session they belong to, as their first lines say."""

    folder: Path
    files: dict[str, list[Path]]
    """By session id, the session that was recorded last at the end."""
    unreadable: dict[Path, RunFileError]
    """Files whose first line cannot be read, with the reason."""
    from_the_future: dict[str, str] = {}
    """When a session was made, as it says, where that is yet to come."""
    last_sequence: int = 0
    """The largest number that a run has here."""

    @property
    def notes(self) -> list[str]:
        """What is odd about the folder, in sentences without a full stop."""
        notes = [] if self.left_out is None else [f"passed over {self.left_out}"]
        return notes + [
            f"session {session_id!r} says that it was recorded in the future, at {started_at}: a clock was"
            " wrong; sessions count in the order in which they were recorded"
            for session_id, started_at in self.from_the_future.items()
        ]

    @property
    def left_out(self) -> str | None:
        """The files that cannot be read, in words; `None` when there are none."""
        reasons = list(self.unreadable.values())
        if not reasons:
            return None
        if len(reasons) == 1:
            return f"a run file that cannot be read: {reasons[0]}"
        return f"{len(reasons)} run files that cannot be read, the first of them: {reasons[0]}"

    def __contains__(self, session_id: str) -> bool:
        """Whether a session has files here, readable or not."""
        return session_id in self.files or self._find_unreadable(session_id) is not None

    def latest(self) -> str:
        """Return the session that was recorded last, whatever the clock said, of those that can be read."""
        if not self.files:
            unreadable = f", only {self.left_out}" if self.left_out else ""
            raise NothingMeasuredError(
                f"no runs in {os.fspath(self.folder)!r}{unreadable}", hint="measure first: testinfra measure"
            )
        return [*self.files][-1]

    def files_of(self, session_id: str) -> list[Path]:
        """
        Return the files of a session, none if it has none.

        Raises:
            RunFileError: One of them cannot be read, so that the others may not be all.
        """
        error = self._find_unreadable(session_id)
        if error is not None:
            raise error
        return self.files.get(session_id, [])

    def load(self, session_id: str) -> list[Run]:
        """
        Return the runs of a session in the order they were made.

        Files in which nothing was collected hold no results and are passed over.
        """
        paths = self.files_of(session_id)
        if not paths:
            known = ", ".join([*self.files][:-6:-1]) or "none"
            raise NothingMeasuredError(
                f"no session {session_id!r} in {os.fspath(self.folder)!r}", hint=f"there are: {known}"
            )
        runs = [load_run(path) for path in paths]
        return sorted(
            (run for run in runs if run.collected is not None),
            key=lambda run: (run.header.sequence, run.header.started_at, run.header.run_id),
        )

    def _find_unreadable(self, session_id: str) -> RunFileError | None:
        """Return what is wrong with a file of the session; only its name says that it belongs there."""
        for path, error in self.unreadable.items():
            if path.name.startswith(f"{session_id}-"):
                return error
        return None


def list_sessions(folder: Path) -> Sessions:
    """Return the folder's run files by session; an unreadable file does not hide the others."""
    found: dict[str, list[RunFile]] = {}
    unreadable: dict[Path, RunFileError] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            header = load_header(path)
        except RunFileError as exc:
            unreadable[path] = exc
            continue
        if header is not None:
            found.setdefault(header.session_id, []).append(RunFile(path, header))
    ordered = in_order_of_recording(found)
    return Sessions(
        folder=folder,
        files={session_id: [file.path for file in found[session_id]] for session_id in ordered},
        unreadable=unreadable,
        from_the_future=find_from_the_future(found),
        last_sequence=max((file.header.sequence for files in found.values() for file in files), default=0),
    )


def next_sequence(folder: Path) -> int:
    """Return the number of the next run that is recorded in a folder."""
    return list_sessions(folder).last_sequence + 1


def load_session(folder: Path, session_id: str | None = None) -> list[Run]:
    """
    Return the runs of one session of a folder, by default of the latest.

    Raises:
        RunFileError: A file of the session cannot be read; without an id, any file of the folder, for then
            nobody knows which session is the latest.
    """
    sessions = list_sessions(folder)
    if session_id is None:
        for error in sessions.unreadable.values():
            raise error
    return sessions.load(session_id or sessions.latest())


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


def prepare_folder(folder: Path) -> None:
    """
    Make a folder for what the tool writes, which keeps itself out of version control.

    One that is there is left as it is: git has to go on seeing what else somebody keeps in it.
    """
    try:
        made = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for place in made:
            if place == folder or place.name == LOCKS:
                ignore_folder(place)
    except OSError as exc:
        raise cannot("write", folder, exc) from exc


def ignore_folder(folder: Path) -> None:
    """Keep a folder that the tool has made out of version control."""
    (folder / IGNORE).write_text(IGNORE_ALL, encoding="utf-8")


def decode_line(line: bytes) -> RunLine:
    """Return the record of one line, as a run that is still going has written it."""
    try:
        return _line_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise RunFileError(f"not a record of a run: {exc}") from exc


def save_plan(plan: RunPlan, path: Path) -> None:
    """Write the plan of a run, or leave no file behind."""
    _save(plan, path)


def save_spec(spec: SessionSpec, folder: Path) -> None:
    """Write down what a session is to do, so that it can be resumed, or leave no file behind."""
    _save(spec, folder / f"{spec.session_id}{SPEC_SUFFIX}")


def load_spec(folder: Path, session_id: str | None = None) -> SessionSpec:
    """Return what a session was asked for: by default the latest one that has recorded anything."""
    if session_id is None:
        specs = _saved_specs(folder)
        session_id = next((name for name in reversed(list_sessions(folder).files) if name in specs), None)
    spec = None if session_id is None else find_spec(folder, session_id)
    if spec is None:
        raise NothingMeasuredError(
            f"no session to resume in {os.fspath(folder)!r}", hint="measure first: testinfra measure"
        )
    return spec


def find_spec(folder: Path, session_id: str) -> SessionSpec | None:
    """Return what a session was asked for; `None` where that does not lie beside its runs."""
    path = folder / f"{session_id}{SPEC_SUFFIX}"
    if not os.path.isfile(path):  # noqa: PTH113 (what no file can be called is an error to `Path`)
        return None
    try:
        return _spec_decoder.decode(path.read_bytes())
    except OSError as exc:
        raise cannot("read", path, exc) from exc
    except msgspec.MsgspecError as exc:
        raise RunFileError(f"{os.fspath(path)!r} does not say what its session is to do: {exc}") from exc


def remove_spec_without_runs(session_id: str, folder: Path) -> None:
    """Forget what a session was to do if it has recorded nothing that could be resumed."""
    if session_id not in list_sessions(folder):
        (folder / f"{session_id}{SPEC_SUFFIX}").unlink(missing_ok=True)


def _saved_specs(folder: Path) -> set[str]:
    return {path.name.removesuffix(SPEC_SUFFIX) for path in folder.glob(f"*{SPEC_SUFFIX}")}


def _save(document: RunPlan | SessionSpec, path: Path) -> None:
    try:
        replace_file(path, [_encoder.encode(document)])
    except OSError as exc:
        raise cannot("write", path, exc) from exc
    except UnicodeEncodeError as exc:
        raise RunFileError(
            f"{exc.object!r} is not valid Unicode, and cannot be written to {os.fspath(path)!r}",
            hint="name the folder above it, or give the file or the folder another name",
        ) from exc


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


def cannot(verb: str, path: Path, exc: OSError) -> RunFileError:
    """Return the error of a file that cannot be created, read or written, with what to do about it."""
    if isinstance(exc, FileExistsError):
        return RunFileError(f"{os.fspath(path)!r} exists already", hint="name a file that does not exist")
    hints = {
        errno.ENOSPC: "free some space; what was recorded before is kept",
        errno.EFBIG: "files may not become that large here (ulimit -f); what was recorded before is kept",
        errno.EACCES: "make the folder writable, or name another one: runs = ... in [tool.testinfra]",
        errno.EROFS: "the file system is read-only; name another folder: runs = ... in [tool.testinfra]",
    }
    reason = exc.strerror or str(exc)
    return RunFileError(f"cannot {verb} {os.fspath(path)!r}: {reason}", hint=hints.get(exc.errno or 0))
