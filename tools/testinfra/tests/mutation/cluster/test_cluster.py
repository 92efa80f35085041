"""`testinfra mutate --cluster` on a real scheduler and workers on this machine, also when one dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

pytestmark = pytest.mark.integration

PRODUCT = """
'''Prices.'''

LEAST = 1


def total(prices, rebate):
    whole = 0
    for price in prices:
        if price < 0:
            raise ValueError("negative")
        whole = whole + price
    if rebate > 10 and whole > 100:
        whole = whole - rebate
    return whole


def share(part, whole):
    if whole == 0:
        return 0
    return part * 100 // whole


def rank(values):
    ordered = sorted(values, reverse=True)
    best = ordered[0]
    worst = ordered[-1]
    return best - worst + len(ordered)


def loose(number):
    return number + 7


def never_called(number):
    return number + LEAST
"""
TESTS = """
import os
import time

from hypothesis import given, settings, strategies as st

import prices


def check(claim):
    if not claim and os.path.exists("hold"):
        open("held", "w").close()
        time.sleep(600)
    if not claim and os.path.exists("deadly"):
        os.kill(int(open("deadly").read()), 9)
        time.sleep(600)
    assert claim


@settings(max_examples=20)
@given(st.lists(st.integers(0, 90), max_size=4), st.integers(0, 20))
def test_total(values, rebate):
    whole = sum(values)
    check(prices.total(values, rebate) == whole - (rebate if rebate > 10 and whole > 100 else 0))


def test_negative():
    try:
        prices.total([-1], 0)
    except ValueError as exc:
        check(str(exc) == "negative")
    else:
        check(False)


@settings(max_examples=20)
@given(st.integers(0, 50), st.integers(0, 50))
def test_share(part, whole):
    check(prices.share(part, whole) == (part * 100 // whole if whole else 0))


def test_rank():
    check(prices.rank([3, 9, 4]) == 9)


def test_loose():
    prices.loose(1)
"""
SETTINGS = '[tool.testinfra]\n[tool.pytest.ini_options]\npythonpath = ["src"]\n'


def checkout(folder: Path, product: str = PRODUCT) -> Path:
    """Write the project into a new folder."""
    (folder / "src").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "src" / "prices.py").write_text(product, encoding="utf-8")
    (folder / "tests" / "test_prices.py").write_text(TESTS, encoding="utf-8")
    (folder / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    return folder


class Machines:
    """A scheduler and its workers; each is ended by its own process id."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self._folder = folder
        self._environment = os.environ | variables
        self._processes: list[subprocess.Popen[bytes]] = []
        self._file = folder / "scheduler.json"
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self._file))
        while not self._file.exists() or not self._file.read_text():
            assert self._processes[0].poll() is None
        self.address: str = json.loads(self._file.read_text())["address"]

    def start_worker(self, folder: Path, code: str | None = None) -> subprocess.Popen[bytes]:
        """Start a worker with one process in a checkout, or code that starts one."""
        scratch = str(self._folder / "scratch")
        own = ("--no-nanny", "--nthreads", "1", "--local-directory", scratch)
        return self._start("worker", self.address, *own, folder=folder, code=code)

    def wait_for_workers(self, n: int) -> None:
        """Return when the scheduler has this number of workers."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            while len(client.nthreads()) != n:
                time.sleep(0.05)

    def _start(
        self, name: str, *arguments: str, folder: Path | None = None, code: str | None = None
    ) -> subprocess.Popen[bytes]:
        what = ["-m", f"distributed.cli.dask_{name}"] if code is None else ["-c", code]
        with (self._folder / f"{name}-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *what, "--no-dashboard", *arguments],
                cwd=folder or self._folder,
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """End what was started."""
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    started = Machines(tmp_path)
    try:
        yield started
    finally:
        started.stop()


def start_mutate(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "atom_testinfra", "mutate", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def mutate(folder: Path, *arguments: str) -> tuple[int, str, str]:
    with start_mutate(folder, *arguments) as process:
        out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def verdicts(out: str) -> dict[str, str]:
    return {one["id"]: one["verdict"] for one in json.loads(out)["findings"]}


def test_a_worker_that_dies_changes_no_verdict(tmp_path: Path, machines: Machines) -> None:
    """What a killed worker was asked is asked elsewhere, and all verdicts are those of one machine."""
    here, one, other = (checkout(tmp_path / name) for name in ("here", "one", "other"))
    alone = checkout(tmp_path / "alone")
    (other / "hold").touch()  # the first mutant that is noticed there waits until it is killed
    kept = machines.start_worker(one)
    doomed = machines.start_worker(other)
    machines.wait_for_workers(2)
    with start_mutate(here, "--json", "--cluster", machines.address) as process:
        wait_for(other / "held", process)
        os.kill(doomed.pid, signal.SIGKILL)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "asking on 2 workers" in err
    doomed.wait()
    wait_until_only(None, other)
    wait_until_only(kept.pid, one)
    status, expected, message = mutate(alone, "--json", "-n", "1")
    assert status == 0, message
    assert verdicts(out) == verdicts(expected)
    assert {"survived", "not reached", "noticed by an assertion"} <= set(verdicts(out).values())
    status, again, message = mutate(here, "--json")
    assert (status, json.loads(again)["n_asked"]) == (0, 0), message
    assert verdicts(again) == verdicts(out)


def test_a_call_that_is_interrupted_goes_on(tmp_path: Path, machines: Machines) -> None:
    """Ctrl-C ends the call at once, and the next one asks what has no verdict yet."""
    here, there = checkout(tmp_path / "here"), checkout(tmp_path / "there")
    (there / "hold").touch()
    machines.start_worker(there)
    machines.wait_for_workers(1)
    with start_mutate(here, "--json", "--cluster", machines.address) as process:
        wait_for(there / "held", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    before = json.loads(out)
    assert before["is_interrupted"]
    assert before["n_left"] > 0
    status, out, message = mutate(here, "--json", "-n", "2")
    after = json.loads(out)
    assert (status, after["n_left"]) == (0, 0), message
    assert after["n_asked"] == before["n_left"]


def test_mutants_that_end_workers_are_given_up(tmp_path: Path) -> None:
    """The scheduler bounds how many workers may die of one batch."""
    machines = Machines(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    try:
        here, there = checkout(tmp_path / "here"), checkout(tmp_path / "there")
        worker = machines.start_worker(there)
        (there / "deadly").write_text(str(worker.pid))
        machines.wait_for_workers(1)
        status, _, err = mutate(here, "--cluster", machines.address)
    finally:
        machines.stop()
    assert status == 2, err
    assert "1 worker died while it asked about the same mutants" in err


def test_a_worker_that_would_give_other_verdicts_is_refused(tmp_path: Path, machines: Machines) -> None:
    """A worker with another checkout, or without the tool, is named before anything is asked."""
    here = checkout(tmp_path / "here")
    bare = machines.start_worker(here, WITHOUT_TOOL)
    machines.wait_for_workers(1)
    status, _, err = mutate(here, "--cluster", machines.address)
    assert status == 2
    assert "cannot be used: atom-testinfra is not installed there" in err
    bare.kill()
    machines.wait_for_workers(0)
    machines.start_worker(checkout(tmp_path / "other", PRODUCT.replace("> 10", "> 11")))
    machines.wait_for_workers(1)
    status, _, err = mutate(here, "--cluster", machines.address)
    assert status == 2
    assert "the worker at tcp://127.0.0.1:" in err
    assert "cannot be used: its checkout differs in 'src/prices.py'" in err
    assert not (here / ".testinfra" / "mutants").exists()


def test_no_mutant_is_begun_after_the_time(tmp_path: Path, machines: Machines) -> None:
    """Where the time is over when the workers are asked, they ask nothing, and the call says what is left."""
    here, there = checkout(tmp_path / "here"), checkout(tmp_path / "there")
    machines.start_worker(there)
    machines.wait_for_workers(1)
    status, out, err = mutate(here, "--json", "--time", "0.01s", "--cluster", machines.address)
    document = json.loads(out)
    assert (status, document["findings"]) == (3, []), err
    assert document["n_left"] > 0


@pytest.mark.parametrize("option", [("-n", "2"), ("--each-property",), ("--curves",)])
def test_options_that_a_cluster_does_not_know_are_refused(tmp_path: Path, option: tuple[str, ...]) -> None:
    """Nothing is connected for that."""
    status, _, err = mutate(checkout(tmp_path / "here"), "--cluster", "tcp://127.0.0.1:1", *option)
    assert status == 2
    assert f"--cluster does not go together with {option[0]}" in err


def test_what_is_missing_is_said(tmp_path: Path, machines: Machines) -> None:
    """No worker, no scheduler, no address, no package: each is one line and what to do."""
    here = checkout(tmp_path / "here")
    free = free_port()
    for address, before, message in (
        (machines.address, SHORT, f"the scheduler at '{machines.address}' has no worker"),
        (
            f"tcp://127.0.0.1:{free}",
            SHORT,
            f"no Dask scheduler answered at 'tcp://127.0.0.1:{free}' within 1 s",
        ),
        ("nonsense", "", "--cluster: missing port number in address"),
        (machines.address, "sys.modules['distributed'] = None", "pip install 'atom-testinfra[cluster]'"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", CALL.format(before=before), "mutate", "--cluster", address],
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr


SHORT = "from atom_testinfra.mutation.cluster import client; client.ANSWER_S = 1"
CALL = """
import sys
{before}
from atom_testinfra.cli import main
sys.exit(main(sys.argv[1:]))
"""
WITHOUT_TOOL = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "atom_testinfra":
            raise ModuleNotFoundError("No module named 'atom_testinfra'", name=name)
sys.meta_path.insert(0, Hidden())
from distributed.cli.dask_worker import main
main()
"""


def free_port() -> int:
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        port: int = connection.getsockname()[1]
    return port


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Return when a file is there; fail if the process ends before."""
    while not path.exists():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            pytest.fail(f"it ended: {process.communicate()}")


def wait_until_only(pid: int | None, folder: Path) -> None:
    """Return when no other process runs in a folder; fail if one stays."""
    for _ in range(200):
        found = [
            int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal() and runs_in(one, folder)
        ]
        if found == ([] if pid is None else [pid]):
            return
        time.sleep(0.05)
    pytest.fail(f"processes in {folder}: {found}")


def runs_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").resolve(strict=True) == folder
    except OSError:
        return False
