"""The sessions in a folder of run files, in the order in which they were recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.errors import NothingMeasuredError, RunFileError
from atom_testinfra.storage.runs import SUFFIX, load_header, load_run
from atom_testinfra.storage.session_order import RunFile, find_from_the_future, in_order_of_recording

if TYPE_CHECKING:
    from atom_testinfra.core.records.measurement import Run


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
                f"no runs in {os.fspath(self.folder)!r}{unreadable}",
                hint="measure first: testinfra measure --baseline",
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
