"""
Forks processes of Python in which pytest and Hypothesis are imported already.

    python warm_server.py SOCKET

Starts from messages on a socket: each holds what to run and, beside it, three files for the standard streams.
The product and its plugin are never imported here: each process does that for itself.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import socket
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from hypothesis import configuration, strategies
from hypothesis.internal import charmap

SIZE = 1 << 20
"""Bytes of a message, at most: an environment and a command line."""
HAS_MOVED = b"."
"""The second answer: the new process is a child of the one that asked."""
PRODUCT = Path(__file__).resolve().parents[1] / "src"
"""Hypothesis is told that this folder is an installed package, so that it reads no constants in it."""
MODULES = (
    "_pytest.config",
    "_pytest.debugging",
    "_pytest.doctest",
    "_pytest.faulthandler",
    "_pytest.helpconfig",
    "_pytest.junitxml",
    "_pytest.legacypath",
    "_pytest.logging",
    "_pytest.pastebin",
    "_pytest.setuponly",
    "_pytest.setupplan",
    "_pytest.skipping",
    "_pytest.terminal",
    "_pytest.threadexception",
    "_pytest.unittest",
    "_pytest.unraisableexception",
    "_pytest.warnings",
    "hypothesis.internal.conjecture.engine",
    "hypothesis.internal.conjecture.optimiser",
    "hypothesis.internal.conjecture.providers",
    "hypothesis.internal.scrutineer",
    "hypothesis.stateful",
    "hypothesis.strategies._internal.flatmapped",
    "hypothesis.strategies._internal.random",
    "execnet.gateway_base",
    "execnet.multi",
    "filelock",
    "hashlib",
    "importlib.metadata",
    "msgspec",
    "pdb",
    "readline",
    "resource",
    "sqlite3",
    "uuid",
)


def warm_up() -> None:
    """
    Import what most runs import, and do what Hypothesis puts off until a first test.

    A version that lacks one of the modules goes without. Building the tables of characters takes two thirds
    of the CPU time of a run in an empty folder; telling a project's modules from others takes a tenth.
    """
    for name in MODULES:
        if find_spec(name.partition(".")[0]) is not None:
            try:
                import_module(name)
            except ModuleNotFoundError:
                continue
    strategies.text().validate()
    installed: set[Path] = getattr(
        sys.modules.get("hypothesis.internal.scrutineer"), "SITE_PACKAGES_DIRS", set()
    )
    installed.add(PRODUCT)
    getattr(sys.modules.get("hypothesis.internal.conjecture.providers"), "_get_local_constants", tuple)()
    if hasattr(charmap, "intervals_from_codec"):
        charmap.intervals_from_codec("utf-8")
    if hasattr(configuration, "notice_initialization_restarted"):
        # Else its plugin warns, in each fork, that something was slow before it came.
        configuration.notice_initialization_restarted(warn=False)


def serve(connection: socket.socket) -> dict[str, object] | None:
    """Answer each message with the process id of a fork, which returns the message; `None` at the end."""
    while True:
        text, files, _, _ = socket.recv_fds(connection, SIZE, 3)
        if not text:
            return None
        between = os.fork()
        if between == 0:
            # Its parent ends at once, so that it becomes a child of the process that asked.
            if (pid := os.fork()) != 0:
                connection.send(str(pid).encode())
                os._exit(0)
            connection.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            message: dict[str, object] = json.loads(text)
            return message
        for file in files:
            os.close(file)
        os.waitpid(between, 0)
        connection.send(HAS_MOVED)


def become(message: dict[str, object]) -> None:
    """Run `python -m pytest ARGUMENT...` as a process of its own would."""
    arguments, environment = message["arguments"], message["environment"]
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    if message["session"]:
        os.setsid()
    os.chdir(str(message["folder"]))
    os.environ.clear()
    os.environ.update(environment)
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    configuration.set_hypothesis_home_dir(Path.cwd() / ".hypothesis")  # chosen when it is imported
    paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:1] = [os.fspath(Path.cwd()), *paths]
    sys.argv[:] = ["-m", *arguments]
    atexit.register(gc.freeze)  # or the last collection takes as long as the run
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    warm_up()
    gc.freeze()  # what was imported stays: no fork has to look through it again
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends it by closing its socket
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        become(asked)
