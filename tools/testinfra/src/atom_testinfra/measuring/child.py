"""One pytest process, and what it has written so far."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING

from atom_testinfra.core.errors import RunFileError
from atom_testinfra.storage.runs import decode_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from atom_testinfra.core.records.measurement import RunLine

PLUGIN = "atom_testinfra"
GRACE_S = 10.0
"""How long a run may take to take its fixtures down and write its end, once it was asked to stop."""


def pytest_command(arguments: Sequence[str], plan: Path | None) -> list[str]:
    """
    Return the command that runs pytest with these arguments, under a plan if there is one.

    `-p` loads the plugin also where a project has turned the loading of installed plugins off. The plan is
    one word with its option: before it knows the options, pytest would take a word of its own for the path of
    a test, and look for its configuration file above that.
    """
    if plan is None:
        return [sys.executable, "-m", "pytest", *arguments]
    return [sys.executable, "-m", "pytest", "-p", PLUGIN, *arguments, f"--testinfra-plan={os.fspath(plan)}"]


class Child:
    """A pytest process of its own session, so that signals reach it through us and only once."""

    def __init__(
        self,
        arguments: list[str],
        *,
        plan: Path | None,
        folder: Path,
        environment: Mapping[str, str],
        log: Path,
    ) -> None:
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 (the person's own tests, without a shell)
                pytest_command(arguments, plan),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> int | None:
        """Wait that long at most and return the exit status, or `None` while the process runs."""
        try:
            return self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """End the process: first as by Ctrl-C, so that it writes its end, and if that takes long by force."""
        for sent in (signal.SIGINT, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                if sent is signal.SIGINT:
                    self._process.send_signal(sent)
                else:
                    os.killpg(self._process.pid, sent)
            self.wait(GRACE_S)


class Tail:
    """Reads the lines that a run file has gained since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._rest = b""

    def read(self) -> list[RunLine]:
        """Return the new records."""
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except FileNotFoundError:
                return []
            except OSError as exc:
                raise RunFileError(f"cannot read {os.fspath(self._path)!r}: {exc.strerror}") from exc
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [decode_line(line) for line in lines]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
