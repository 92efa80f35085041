"""Examples that machines share over Redis, with the conftest of the how-to and a real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("redis", reason="no client: the package `redis` is not installed")

from redis import Redis
from redis.exceptions import ConnectionError as NoAnswer

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "use-machines-on-one-network.md"
CONFTEST = re.compile(r"^```python conftest\n(.*?)^```$", re.MULTILINE | re.DOTALL)
URL_VARIABLE = "TESTINFRA_REDIS_URL"
BUILT_IN_PROFILE = "--hypothesis-profile=ci"
OUTSIDE = {"CI", "EXAMPLES_URL", "GITHUB_ACTIONS", "ONLY_REPLAY", "PYTEST_ADDOPTS"}
"""What the environment of these tests may say and a machine of the page does not."""
PROPERTY = """
    import os
    from hypothesis import Phase, given, settings, strategies as st

    PHASES = [Phase.reuse] if os.environ.get("ONLY_REPLAY") else list(Phase)

    @settings(phases=PHASES)
    @given(st.integers())
    def test_small(number):
        assert number < 1000
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a server: the one that the environment names, or one of our own on a socket."""
    if named := os.environ.get(URL_VARIABLE):
        yield named
        return
    command = shutil.which("redis-server")
    if command is None:
        pytest.skip(f"no Redis server: `redis-server` is not installed and {URL_VARIABLE} is not set")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        address = Path(folder, "s")  # the path of a socket has about a hundred characters at most
        started = [command, "--port", "0", "--unixsocket", str(address), "--save", "", "--dir", folder]
        with subprocess.Popen(started, stdout=subprocess.DEVNULL) as server:
            try:
                wait_for(f"unix://{address}", server)
                yield f"unix://{address}"
            finally:
                server.terminate()


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Return as soon as the server answers; fail if it ends."""
    while server.poll() is None:
        try:
            Redis.from_url(url).ping()
        except NoAnswer:
            continue
        return
    pytest.fail(f"redis-server ended with {server.returncode}")


@pytest.fixture
def empty(url: str) -> str:
    """The same address, without what other tests left there."""
    for key in Redis.from_url(url).scan_iter("hypothesis-example:*"):
        Redis.from_url(url).delete(key)
    return url


def run_on_machine(folder: Path, *arguments: str, url: str | None, only_replay: bool = False) -> str:
    """Run the property in a folder of its own with the page's conftest; return what pytest prints."""
    folder.mkdir(exist_ok=True)
    found = CONFTEST.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    (folder / "conftest.py").write_text(found[1], encoding="utf-8")
    (folder / "test_a.py").write_text(dedent(PROPERTY), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in OUTSIDE}
    environment |= {"HOME": str(folder), "EXAMPLES_URL": url or "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    if only_replay:
        environment["ONLY_REPLAY"] = "1"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "_hypothesis_pytestplugin",
        "--rootdir=.",
    ]
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_a_machine_replays_what_another_one_found(empty: str, tmp_path: Path) -> None:
    """
    A failure that is found and shrunk on one machine is replayed on another one that generates nothing.

    Hypothesis skips a property that only replays and has nothing to replay.
    """
    assert "1 skipped" in run_on_machine(tmp_path / "b", url=empty, only_replay=True)
    assert "number=1000" in run_on_machine(tmp_path / "a", url=empty)
    replayed = run_on_machine(tmp_path / "b", url=empty, only_replay=True)
    assert "1 failed" in replayed
    assert "number=1000" in replayed


def test_without_an_address_nothing_is_shared(empty: str, tmp_path: Path) -> None:
    """The conftest takes the folder of the machine alone when the variable is empty."""
    assert "1 failed" in run_on_machine(tmp_path / "a", url=None)
    assert "1 skipped" in run_on_machine(tmp_path / "b", url=empty, only_replay=True)


def test_a_derandomised_profile_shares_nothing(empty: str, tmp_path: Path) -> None:
    """The command line's profile replaces the conftest's, and one with `derandomize` has no database."""
    assert "1 failed" in run_on_machine(tmp_path / "a", BUILT_IN_PROFILE, url=empty)
    assert "1 skipped" in run_on_machine(tmp_path / "b", url=empty, only_replay=True)


def test_a_server_that_does_not_answer_fails_the_tests(tmp_path: Path) -> None:
    """Nobody believes that examples are shared while they are not: each property fails with the reason."""
    printed = run_on_machine(tmp_path / "a", url=f"unix://{tmp_path}/nobody")
    assert "1 failed" in printed
    assert "ConnectionError" in printed
