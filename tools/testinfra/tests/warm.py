"""
Starts `python -m pytest` as a fork of a process that has imported pytest and Hypothesis.

Those imports are half of what a small run costs. The run is still a process of its own, a child of this one,
with its own memory, signals and exit status. What differs is that `sys.modules` holds those modules when it
begins, so tests about imports start a real process, and so does every run whose environment holds other
variables that Python or Hypothesis read at their start.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.warm_server import HAS_MOVED, SIZE

from atom_testinfra.measuring.environment import CI_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

IS_POSSIBLE = sys.platform == "linux"
READ_AT_START = ("PYTHON", "HYPOTHESIS", "COV")
SCRIPT = Path(__file__).with_name("warm_server.py")
PR_SET_CHILD_SUBREAPER = 36


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Python and Hypothesis look at when they start, with hashes fixed."""
    found = {
        name: value
        for name, value in environment.items()
        if name in CI_VARIABLES or (name.startswith(READ_AT_START) and name != "PYTHONPATH")
    }
    return {"PYTHONHASHSEED": "0"} | found


STARTED_WITH = {
    name: value for name, value in read_at_start(os.environ).items() if name not in CI_VARIABLES
} | {"PYTHONHASHSEED": "0"}
"""What the server is started with: as here, but outside CI."""


def can_be_warm(command: object, environment: Mapping[str, str]) -> bool:
    """Return whether a fork is what this command would start: nothing in its environment says otherwise."""
    return (
        isinstance(command, (list, tuple))
        and [*command[:3]] == [sys.executable, "-m", "pytest"]
        and environment.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") == "1"
        and read_at_start(environment) == STARTED_WITH
    )


class WarmServer:
    """The process that forks, started when it is first asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def fork(self, message: Mapping[str, object], files: list[int]) -> int:
        """Return the id of a new child of this process."""
        connection = self._connection or self._start()
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # until it is ours: other orphans are not
        try:
            socket.send_fds(connection, [json.dumps(message).encode()], files)
            pid = connection.recv(SIZE)
            assert pid, "the process that forks has ended"
            assert connection.recv(SIZE) == HAS_MOVED
        finally:
            libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
        return int(pid)

    def close(self) -> None:
        """End it."""
        if self._connection is not None and self._process is not None:
            self._connection.close()
            self._process.wait()

    def _start(self) -> socket.socket:
        self._connection, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kept = {name: os.environ[name] for name in os.environ.keys() - read_at_start(os.environ).keys()}
        with other:
            self._process = subprocess.Popen(
                [sys.executable, os.fspath(SCRIPT), str(other.fileno())],
                env=kept | STARTED_WITH,
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
            )
        return self._connection


SERVER = WarmServer()


class WarmPopen(subprocess.Popen[Any]):
    """A `Popen` that asks the server where it can."""

    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, *rest: Any) -> None:
        close_fds, pass_fds, cwd, env, _, _, shell, *streams = rest
        environment = os.environ if env is None else env
        plain = not (executable or preexec_fn or shell or pass_fds) and close_fds
        if not plain or not can_be_warm(args, environment):
            super()._execute_child(args, executable, preexec_fn, *rest)  # type: ignore[misc]
            return
        pipes = streams[:6]
        message = {
            "arguments": [*map(os.fspath, args[2:])],
            "environment": dict(environment),
            "folder": os.fspath(cwd or Path.cwd()),
            "session": bool(streams[-2]),
        }
        assert len(json.dumps(message)) < SIZE
        ends = enumerate((pipes[0], pipes[3], pipes[5]))
        self.pid = SERVER.fork(message, [own if given == -1 else given for own, given in ends])
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
