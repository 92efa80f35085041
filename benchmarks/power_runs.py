"""
The runs behind `compare_power.py`: made once, kept, and read again, however often they are judged.

Each is a process of its own, as in use. Runs that were forked from one process, in half the time, had in
common how it lay in memory: a test of unchanged code cost 23 to 36 us in five runs of one such group, and 49
to 53 us in five of another, taken in turns.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from atom_testinfra.storage.runs import load_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.records.measurement import Run

SUBJECT = Path(__file__).parent / "subjects" / "power"
WHOLE = ("test_power.py",)
N_EXAMPLES = 50
PLUGIN = "atom_testinfra.pytest_plugin.plugin"
LOADS = "loads.jsonl"

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
        self.n_made = 0

    def run(self, side: str, number: int, extra: Extra, nodeids: Sequence[str] = WHOLE) -> Run:
        """
        Return the run with this number of one side of a comparison.

        Args:
            side: names the session.
            number: of the run in its session.
            extra: the work that slows properties down.
            nodeids: what to run.
        """
        # Records name a test relative to the project; pytest looks from the folder that it runs in.
        nodeids = [nodeid.rpartition("power/")[2] for nodeid in nodeids]
        asked = json.dumps([extra, sorted(nodeids)], sort_keys=True)
        digest = hashlib.sha256(asked.encode()).hexdigest()[:12]
        path = self._folder / f"{side}-{number}-{digest}.jsonl"
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size and (run := load_run(path)).end is not None:
                return run
            path.unlink()  # its writer was stopped
        self._make(path, extra, nodeids)
        with (self._folder / LOADS).open("a") as file:
            file.write(json.dumps([path.name, os.getloadavg()[0]]) + "\n")
        return load_run(path)

    def loads(self) -> list[float]:
        """Return the load averages at the ends of the runs."""
        with (self._folder / LOADS).open() as file:
            return [json.loads(line)[1] for line in file]

    def _make(self, path: Path, extra: Extra, nodeids: Sequence[str]) -> None:
        command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir=."]
        command += ["-p", "_hypothesis_pytestplugin", "-p", PLUGIN, "-p", "no:cacheprovider"]
        command += ["--testinfra-record", os.fspath(path)]
        command += ["--testinfra-max-examples", str(N_EXAMPLES), *nodeids]
        environment = os.environ | {"PYTHONHASHSEED": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        environment["POWER_EXTRA"] = json.dumps(extra)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(command, cwd=SUBJECT, env=environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise SystemExit(f"a run of {', '.join(nodeids)} ended with {done.returncode}")
        self.n_made += 1


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
