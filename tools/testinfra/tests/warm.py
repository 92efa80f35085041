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
SET_IN_FORK = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
"""Variables of these that a fork sets for itself."""
SCRIPT = Path(__file__).with_name("warm_server.py")
PR_SET_CHILD_SUBREAPER = 36


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Python and Hypothesis look at when they start, with hashes fixed."""
    found = {
        name: value
        for name, value in environment.items()
        if name in CI_VARIABLES or (name.startswith(READ_AT_START) and name not in SET_IN_FORK)
    }
    return {"PYTHONHASHSEED": "0"} | found


def outside_ci(variables: Mapping[str, str]) -> dict[str, str]:
    """Return them without those by which Hypothesis knows that it runs in CI."""
    return {name: value for name, value in variables.items() if name not in CI_VARIABLES}


STARTED_WITH = outside_ci(read_at_start(os.environ)) | {"PYTHONHASHSEED": "0"}
"""What a server is started with, as here, beside the variables of CI: there is one in CI and one outside."""


def arguments_of_pytest(command: object) -> list[str] | None:
    """Return what follows `python -m pytest`, or `-mpytest` as `pytester` writes it; `None` for others."""
    if isinstance(command, (list, tuple)):
        words = [*map(os.fspath, command)]
        for start in (["-m", "pytest"], ["-mpytest"]):
            if words[: 1 + len(start)] == [sys.executable, *start]:
                return words[1 + len(start) :]
    return None


def can_be_warm(command: object, environment: Mapping[str, str]) -> bool:
    """Return whether a fork is what this command would start: nothing in its environment says otherwise."""
    return (
        arguments_of_pytest(command) is not None
        and environment.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") == "1"
        and outside_ci(read_at_start(environment)) == STARTED_WITH
    )


class WarmServer:
    """A process that forks, started when it is first asked, with the variables that are read at the start."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
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
                env=kept | dict(self._variables),
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
            )
        return self._connection


class WarmServers:
    """The processes that fork."""

    def __init__(self) -> None:
        self._servers: dict[frozenset[tuple[str, str]], WarmServer] = {}

    def for_environment(self, environment: Mapping[str, str]) -> WarmServer:
        """Return the one that started with what is read at the start in this environment."""
        variables = read_at_start(environment)
        return self._servers.setdefault(frozenset(variables.items()), WarmServer(variables))

    def close(self) -> None:
        """End them."""
        for server in self._servers.values():
            server.close()


SERVERS = WarmServers()


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
            "arguments": arguments_of_pytest(args),
            "environment": dict(environment),
            "folder": os.fspath(cwd or Path.cwd()),
            "session": bool(streams[-2]),
        }
        assert len(json.dumps(message)) < SIZE
        ends = enumerate((pipes[0], pipes[3], pipes[5]))
        server = SERVERS.for_environment(environment)
        self.pid = server.fork(message, [own if given == -1 else given for own, given in ends])
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
