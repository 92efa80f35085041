"""The repository's own environments: which Pythons they are made with, and which are refused."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
HERE = platform.python_version_tuple()
SERIES = f"{HERE[0]}.{HERE[1]}"
PRETENDS = """#!/bin/sh
shift
exec {python} -c "import collections, platform, sys
Version = collections.namedtuple('Version', 'major minor micro releaselevel serial')
sys.version_info = Version({version}, {level!r}, 0)
platform.python_version = lambda: '.'.join(map(str, sys.version_info[:3]))
$1"
"""
PACKAGES = ("requirements.txt", "backend/pyproject.toml", "tools/testinfra/pyproject.toml")


@pytest.fixture(scope="module")
def pythons() -> ModuleType:
    """The script of `make test-pythons`."""
    spec = importlib.util.spec_from_file_location("pythons", ROOT / ".ci" / "pythons.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def pretend(path: Path, *version: int, level: str = "final") -> Path:
    """Write a program that answers `-c` as a Python of that version would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = ", ".join(map(str, version))
    path.write_text(PRETENDS.format(python=sys.executable, version=numbers, level=level))
    path.chmod(0o755)
    return path


def noting(ran: list[Any]) -> Callable[[Any], int]:
    """Return a run of one Python's tests that passes, and keeps which Python it was."""

    def run(one: Any) -> int:
        ran.append(one)
        return 0

    return run


class TestFind:
    """Which interpreters are found, and which one of several is taken."""

    def test_path_and_pyenv_are_searched_but_its_shims_are_not(
        self, pythons: ModuleType, tmp_path: Path
    ) -> None:
        """A shim stands for a version that pyenv lists anyway, or for one that is not switched on."""
        ours = pretend(tmp_path / "bin" / "python3.14", 3, 14, 0)
        pretend(tmp_path / "bin" / "python3.14-config", 3, 14, 0)
        listed = pretend(tmp_path / ".pyenv/versions/3.12.1/bin/python3", 3, 12, 1)
        shims = pretend(tmp_path / ".pyenv/shims/python3.13", 3, 13, 0).parent
        environ = {"HOME": str(tmp_path), "PATH": f"{shims}{os.pathsep}{os.pathsep}{ours.parent}"}

        assert list(pythons.candidates(environ)) == [listed, ours]

    @pytest.mark.integration
    @pytest.mark.parametrize(
        ("version", "level", "is_taken"),
        [
            ((3, 11, 0), "final", True),
            ((3, 14, 2), "final", True),
            ((3, 10, 13), "final", False),
            ((3, 15, 0), "alpha", False),
        ],
    )
    def test_released_versions_from_the_oldest_supported_one_up_are_taken(
        self, pythons: ModuleType, tmp_path: Path, version: tuple[int, ...], level: str, is_taken: bool
    ) -> None:
        """The dependencies have no wheels for a version that is not released."""
        found = pythons.describe(pretend(tmp_path / "python3", *version, level=level))
        assert (None if found is None else found.version) == (version if is_taken else None)

    @pytest.mark.integration
    def test_a_file_that_is_not_a_python_is_not_taken(self, pythons: ModuleType, tmp_path: Path) -> None:
        """It does not run, it fails, or it answers something else."""
        (tmp_path / "python3").write_text("not a program")
        assert pythons.describe(tmp_path / "python3") is None
        assert pythons.describe(tmp_path / "nothing") is None
        assert pythons.describe(Path(shutil.which("false") or "/bin/false")) is None
        assert pythons.describe(Path(shutil.which("echo") or "/bin/echo")) is None

    def test_of_each_series_the_default_or_the_newest_is_taken(self, pythons: ModuleType) -> None:
        """The default stands for its own series, also when there is a newer one of it."""
        default, newer, *others = (
            pythons.Interpreter(version=version, path=Path(f"/{number}"))
            for number, version in enumerate([(3, 11, 2), (3, 11, 7), (3, 13, 0), (3, 12, 1), (3, 12, 9)])
        )
        taken = pythons.one_of_each([newer, *others], default)
        assert [one.version for one in taken] == [(3, 11, 2), (3, 12, 9), (3, 13, 0)]


class TestRun:
    """What is run, what is printed, and how it ends."""

    @pytest.fixture
    def machine(self, tmp_path: Path) -> dict[str, str]:
        """A machine with Python 3.98 and 3.99 as well as the one that runs the tests."""
        for minor in (98, 99):
            pretend(tmp_path / "bin" / f"python3.{minor}", 3, minor, 1)
        return {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}

    @pytest.mark.integration
    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ([], [SERIES, "3.98", "3.99"]),
            (["newest"], ["3.99"]),
            (["3.98"], ["3.98"]),
            (["3.99", SERIES], [SERIES, "3.99"]),
        ],
    )
    def test_what_is_asked_for_is_run(
        self,
        pythons: ModuleType,
        machine: dict[str, str],
        capsys: pytest.CaptureFixture[str],
        asked: list[str],
        expected: list[str],
    ) -> None:
        """Without a word every series is, each once, and each gets its line at the end."""
        ran: list[Any] = []
        assert pythons.main(asked, environ=machine, run=noting(ran)) == 0
        assert [one.series for one in ran] == expected
        last = capsys.readouterr().out.splitlines()[-len(expected) :]
        assert [line.split()[:3] for line in last] == [
            ["pythons:", one.full_version, "passed"] for one in ran
        ]

    @pytest.mark.integration
    def test_one_that_fails_ends_with_one_and_the_others_are_run(
        self, pythons: ModuleType, machine: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The line of the one that failed says so."""
        assert pythons.main([], environ=machine, run=lambda one: 2 * (one.series == "3.98")) == 1
        last = [line.split()[1:3] for line in capsys.readouterr().out.splitlines()[-3:]]
        assert last == [[platform.python_version(), "passed"], ["3.98.1", "FAILED"], ["3.99.1", "passed"]]

    @pytest.mark.integration
    @pytest.mark.parametrize(("asked", "n_runs"), [([], 1), (["newest"], 0)])
    def test_a_machine_with_one_python_says_so(
        self,
        pythons: ModuleType,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        asked: list[str],
        n_runs: int,
    ) -> None:
        """That is not a failure: there is nothing more to try."""
        ran: list[Any] = []
        alone = {"HOME": str(tmp_path), "PATH": ""}
        assert pythons.main(asked, environ=alone, run=noting(ran)) == 0
        assert len(ran) == n_runs
        assert "no other Python from 3.11 up was found" in capsys.readouterr().out.splitlines()[-1]

    @pytest.mark.integration
    def test_a_version_that_is_not_there_is_an_error(
        self, pythons: ModuleType, machine: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The message names it and those that are there; nothing is run."""
        assert pythons.main(["3.97", "3.99"], environ=machine, run=lambda one: pytest.fail("ran")) == 2
        assert capsys.readouterr().err == (
            f"error: no Python 3.97 on PATH or in pyenv; found {SERIES}, 3.98, 3.99\n"
        )


@pytest.mark.integration
class TestMake:
    """`make install` in a copy of the Makefile; what would be done is printed, and not done."""

    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        """The files that the target goes by, and an environment as it leaves one."""
        shutil.copy(ROOT / "Makefile", tmp_path)
        for name in PACKAGES:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        pretend(tmp_path / ".venv/bin/python", 3, 98, 1)
        (tmp_path / ".venv/.installed").touch()
        return tmp_path

    def make(self, checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run make as from a shell, not as from the make that runs these tests."""
        inherited = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHON", "VENV"}
        environ = {name: value for name, value in os.environ.items() if name not in inherited}
        command = ["make", *arguments]
        return subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True, check=False)

    @pytest.mark.parametrize("target", ["install", "test", "test-pythons"])
    def test_a_python_that_is_too_old_is_refused_in_one_line(self, checkout: Path, target: str) -> None:
        """It says which version is needed, which one this is, and what to call; the environment stays."""
        old = pretend(checkout / "old", 3, 10, 13)
        done = self.make(checkout, target, f"PYTHON={old}")
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert f"Python 3.11 or newer is needed, and {old} is CPython 3.10.13; call `make PYTHON=" in line
        assert (checkout / ".venv/.installed").exists()

    def test_a_python_that_does_not_run_is_refused_in_one_line(self, checkout: Path) -> None:
        """The shell's own message about it does not show."""
        done = self.make(checkout, "install", "PYTHON=python3.99")
        assert (done.returncode, done.stdout) == (2, "")
        assert "python3.99 is not one that runs" in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_an_environment_of_another_python_is_made_anew(self, checkout: Path) -> None:
        """Tests that were asked for on one Python do not run on the one of last time."""
        other = pretend(checkout / "other", 3, 99, 1)
        done = self.make(checkout, "-n", "install", f"PYTHON={other}")
        assert ".venv was made by CPython 3.98.1; making it anew with CPython 3.99.1" in done.stdout
        assert f"{other} -m venv --clear .venv\n" in done.stdout

    def test_an_environment_whose_python_is_gone_is_made_anew(self, checkout: Path) -> None:
        """An upgrade of the system leaves an environment that does not run."""
        (checkout / ".venv/bin/python").unlink()
        default = pretend(checkout / "bin/python3", 3, 99, 1)
        done = self.make(checkout, "-n", "install", f"PYTHON={default}")
        assert ".venv was made by a Python that no longer runs; making it anew" in done.stdout
        assert " -m venv --clear .venv\n" in done.stdout

    @pytest.mark.parametrize("arguments", [[], ["PYTHON=./same"]], ids=["default", "same"])
    def test_an_environment_that_is_there_is_kept(self, checkout: Path, arguments: list[str]) -> None:
        """Without PYTHON it is right whichever Python made it, and with the same one too."""
        pretend(checkout / "same", 3, 98, 1)
        done = self.make(checkout, "install", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "venv" not in done.stdout

    def test_new_requirements_are_installed_into_what_is_there(self, checkout: Path) -> None:
        """The default Python is not mixed into an environment that another one made."""
        os.utime(checkout / ".venv/.installed", (1, 1))
        done = self.make(checkout, "-n", "install")
        assert "-m venv" not in done.stdout
        assert ".venv/bin/python -m pip install" in done.stdout
