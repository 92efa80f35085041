"""
The runs behind `compare_power.py`: made once, kept, and read again, however often they are judged.

A process that has imported pytest and Hypothesis forks for each run, which is half the work of a process
from scratch. Each session gets such a process of its own. Its runs share how it lies in memory, which a
session in use, of five processes, averages out: what that does to the costs weighs fully here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from atom_testinfra.storage.runs import load_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.measurement import Run

SUBJECT = Path(__file__).parent / "subjects" / "power"
WHOLE = ("test_power.py",)
N_EXAMPLES = 50
PLUGIN = "atom_testinfra.pytest_plugin.plugin"
LOADS = "loads.jsonl"

SERVER = rf"""
import json, os, sys
import hypothesis, pytest, _hypothesis_pytestplugin, _pytest.terminal, {PLUGIN}
for line in sys.stdin:
    arguments, extra = json.loads(line)
    child = os.fork()
    if child == 0:
        os.environ["POWER_EXTRA"] = json.dumps(extra)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(pytest.main(arguments))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
LOAD = r"""
import os
parent = os.getppid()
while os.getppid() == parent:
    compile("x = [i * i for i in range(9)]\n" * 200, "load", "exec")
"""
"""A process of it keeps one core busy, for as long as the one that started it lives."""

Extra = dict[str, int]


class Subject:
    """Runs the ten properties, or some of them, once per call; what was run before is read from its file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._servers: dict[str, subprocess.Popen[str]] = {}
        self.n_made = 0

    def run(self, side: str, number: int, extra: Extra, nodeids: Sequence[str] = WHOLE) -> Run:
        """
        Return the run with this number of one side of a comparison.

        Args:
            side: names the session; the runs of one come from the same server.
            number: of the run in its session.
            extra: the work that slows properties down.
            nodeids: what to run.
        """
        asked = json.dumps([extra, sorted(nodeids)], sort_keys=True)
        digest = hashlib.sha256(asked.encode()).hexdigest()[:12]
        path = self._folder / f"{side}-{number}-{digest}.jsonl"
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size and (run := load_run(path)).end is not None:
                return run
            path.unlink()  # its writer was stopped
        self._make(side, path, extra, nodeids)
        with (self._folder / LOADS).open("a") as file:
            file.write(json.dumps([path.name, os.getloadavg()[0]]) + "\n")
        return load_run(path)

    def loads(self) -> list[float]:
        """Return the load averages at the ends of the runs."""
        with (self._folder / LOADS).open() as file:
            return [json.loads(line)[1] for line in file]

    def close(self, *sides: str) -> None:
        """End the servers of these sides, or all."""
        for side in sides or [*self._servers]:
            if side in self._servers:
                self._servers.pop(side).communicate()

    def _make(self, side: str, path: Path, extra: Extra, nodeids: Sequence[str]) -> None:
        if side not in self._servers:
            self._servers[side] = _start_server()
        arguments = ["-q", "-c", os.devnull, "--rootdir=.", "-p", "_hypothesis_pytestplugin", "-p", PLUGIN]
        arguments += ["-p", "no:cacheprovider", "--testinfra-record", os.fspath(path)]
        arguments += ["--testinfra-max-examples", str(N_EXAMPLES), *nodeids]
        to_server, from_server = _pipes(self._servers[side])
        to_server.write(json.dumps([arguments, extra]) + "\n")
        to_server.flush()
        status = from_server.readline().strip()
        if status != "0":
            how = status or "the death of its server"
            raise SystemExit(f"a run of {', '.join(nodeids)} ended with {how}")
        self.n_made += 1


def _start_server() -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONHASHSEED": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=SUBJECT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _pipes(server: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert server.stdin is not None
    assert server.stdout is not None
    return server.stdin, server.stdout


@contextlib.contextmanager
def loaded(n_processes: int) -> Iterator[None]:
    """Keep that many processes busy meanwhile."""
    busy = [subprocess.Popen([sys.executable, "-c", LOAD]) for _ in range(n_processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
