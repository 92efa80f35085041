"""xdist's workers behind socket servers, as on other machines, here on the loopback interface."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("xdist", minversion="3.7", reason="--px came with pytest-xdist 3.7")

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("few_plugins")]

SUITE = """
    import os, pathlib, pytest, signal

    @pytest.mark.parametrize("i", range(12))
    def test_it(i):
        with pathlib.Path("ran").open("a") as file:
            file.write(f"{i} {os.getppid()}\\n")
        if os.environ.get("KILL_HOST") and i == 5:
            os.kill(int(pathlib.Path("host-1.pid").read_text()), signal.SIGKILL)
            os._exit(1)
"""


@contextmanager
def host(folder: Path, number: int) -> Iterator[int]:
    """Run a socket server in the folder of the tests, and yield its port."""
    spec = find_spec("execnet")
    assert spec is not None
    assert spec.origin is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    script = Path(spec.origin).parent / "script" / "socketserver.py"
    with (folder / f"host-{number}.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-u", str(script), f"127.0.0.1:{port}"], cwd=folder, stdout=log, stderr=log
        )
        (folder / f"host-{number}.pid").write_text(str(server.pid))
        try:
            while b"Entering Accept loop" not in (folder / f"host-{number}.log").read_bytes():
                assert server.poll() is None
            yield port
        finally:
            server.kill()
            server.wait()


def run_on_hosts(pytester: pytest.Pytester) -> pytest.RunResult:
    """Run the suite with two workers on each of two hosts."""
    with ExitStack() as stack:
        arguments = ["--dist=load", "--testinfra-schedule=on"]
        for number in (1, 2):
            port = stack.enter_context(host(pytester.path, number))
            arguments += ["--px", f"id=h{number}//socket=127.0.0.1:{port}", "--tx", f"2*popen//via=h{number}"]
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=120)


def test_two_hosts_share_the_tests(pytester: pytest.Pytester) -> None:
    """Every test runs once, and both hosts take part."""
    pytester.makepyfile(test_a=SUITE)
    result = run_on_hosts(pytester)
    result.stdout.fnmatch_lines(["testinfra: DurationScheduling, 12 tests in *"])
    result.assert_outcomes(passed=12)
    ran = [line.split() for line in (pytester.path / "ran").read_text().splitlines()]
    assert sorted(int(i) for i, _ in ran) == list(range(12))
    assert len({parent for _, parent in ran}) == 2


def test_a_host_that_dies_ends_the_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """xdist cannot replace a worker of a host that is gone: the run ends, and not with success."""
    pytester.makepyfile(test_a=SUITE)
    monkeypatch.setenv("KILL_HOST", "1")
    assert run_on_hosts(pytester).ret not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
